#include "gemm.h"

#include <stdlib.h>
#include <string.h>

#include "bf16.h"
#include "openblas.h"
#include "packed.h"

/* Tiles of C; slabs of the sum over k. */
enum {
    TILE_M = 4096,
    TILE_N = 1024,
    TILE_MIN = 128,
    TILE_MIN_LONG = 512,
    TASKS_WANTED = 8,
    SLAB = 4096,
    K_BLOCK = 256
};

void ps_gemm_plain(ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha, const ps_real *a, size_t lda,
                   const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
    for (size_t k0 = 0; k0 < k; k0 += K_BLOCK) {
        size_t k1 = k0 + K_BLOCK < k ? k0 + K_BLOCK : k;
        for (size_t i = 0; i < m; i++)
            if (tb == PS_N)
                for (size_t p = k0; p < k1; p++) {
                    ps_real f = alpha * (ta == PS_N ? a[i * lda + p] : a[p * lda + i]);
                    for (size_t j = 0; j < n; j++)
                        c[i * ldc + j] += f * b[p * ldb + j];
                }
            else
                for (size_t j = 0; j < n; j++) {
                    ps_real sum = 0;
                    for (size_t p = k0; p < k1; p++)
                        sum += (ta == PS_N ? a[i * lda + p] : a[p * lda + i]) * b[j * ldb + p];
                    c[i * ldc + j] += alpha * sum;
                }
    }
}

/* f X, or its transpose, [rows x cols] without gaps. */
static void lay_out(ps_trans t, size_t rows, size_t cols, const ps_real *x, size_t ld, ps_real f, ps_real *out)
{
    enum { SIDE = 16 }; /* of the squares in which a transpose goes */
    for (size_t i0 = 0; i0 < rows; i0 += SIDE)
        for (size_t j0 = 0; j0 < cols; j0 += SIDE)
            for (size_t i = i0; i < rows && i < i0 + SIDE; i++)
                for (size_t j = j0; j < cols && j < j0 + SIDE; j++)
                    out[i * cols + j] = f * (t == PS_N ? x[i * ld + j] : x[j * ld + i]);
}

static int packed(ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, const ps_real *a, size_t lda,
                  const ps_real *b, size_t ldb, int add, ps_real *c, size_t ldc)
{
    const ps_packed_ops *ops = ps_packed_best();
    ps_packed w;
    if (ta == PS_T)
        return ops->multiply_turned(m, n, k, a, lda, b, ldb, add, c, ldc);
    int rc = ops->pack(&w, n, k, b, ldb, tb == PS_N);
    if (rc == 0)
        ops->multiply(m, a, lda, &w, add, c, ldc);
    ps_packed_free(&w);
    return rc;
}

void ps_gemm_packed(ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha, const ps_real *a, size_t lda,
                    const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc)
{
    ps_real *copy = NULL; /* of op(B), where it cannot be read as it is */
    int rc = 0;
    if (m == 0 || n == 0)
        return;
    if (alpha != 1 || (ta == PS_T && tb == PS_T)) {
        copy = malloc((k * n + 1) * sizeof *copy);
        rc = copy ? 0 : PS_EMEM;
    }
    if (copy)
        lay_out(tb, k, n, b, ldb, alpha, copy);
    for (size_t i = 0; i < m && beta != 0 && beta != 1; i++)
        for (size_t j = 0; j < n; j++)
            c[i * ldc + j] *= beta;
    if (rc == 0)
        rc = packed(ta, copy ? PS_N : tb, m, n, k, a, lda, copy ? copy : b, copy ? n : ldb, beta != 0, c, ldc);
    if (rc < 0)
        ps_gemm_plain(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta != 0, c, ldc);
    free(copy);
}

/* With AVX-512 the own products have been faster than OpenBLAS's (tests/bench/sgemm), except for few rows, which do not
 * repay the laying out of B. */
enum { FEW = 48 };

static int own_is_faster(void)
{
    return strcmp(ps_packed_best()->name, "avx512") == 0;
}

void ps_gemm_library(ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha, const ps_real *a,
                     size_t lda, const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc)
{
    if (m == 0 || n == 0)
        return;
#ifdef PS_OPENBLAS
    ps_openblas_fn *product = ps_openblas(NULL);
    if (product) {
        product(CblasRowMajor, ta == PS_T ? CblasTrans : CblasNoTrans, tb == PS_T ? CblasTrans : CblasNoTrans,
                (blasint)m, (blasint)n, (blasint)k, alpha, a, (blasint)lda, b, (blasint)ldb, beta, c, (blasint)ldc);
        return;
    }
#endif
    ps_gemm_packed(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

const char *ps_gemm_backend(void)
{
    const char *name = ps_packed_best()->name;
    if (own_is_faster())
        return "own, AVX-512";
#ifdef PS_OPENBLAS
    const char *library;
    if (ps_openblas(&library))
        return library;
#endif
    return name;
}

void ps_gemm_one(ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha, const ps_real *a, size_t lda,
                 const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc)
{
    (own_is_faster() && m >= FEW ? ps_gemm_packed : ps_gemm_library)(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c,
                                                                     ldc);
}

/* ---- shared out to threads ---- */

typedef __typeof__(ps_gemm_one) one_fn;

typedef struct {
    one_fn *one;
    ps_trans ta, tb;
    size_t m, n, k, lda, ldb, ldc, tile_m, tile_n, across, tiles, slab;
    ps_real alpha, beta;
    const ps_real *a, *b;
    ps_real *c, *part; /* part: what every slab but the first gives, m x n each */
} job;

static int tile(void *ctx, size_t task, int thread)
{
    const job *g = ctx;
    (void)thread;
    size_t t = task % g->tiles, s = task / g->tiles, p = s * g->slab;
    size_t i = t / g->across * g->tile_m, j = t % g->across * g->tile_n;
    size_t m = g->m - i < g->tile_m ? g->m - i : g->tile_m, n = g->n - j < g->tile_n ? g->n - j : g->tile_n;
    size_t k = g->k - p < g->slab ? g->k - p : g->slab, ldc = s ? g->n : g->ldc;
    ps_real *c = s ? g->part + (s - 1) * g->m * g->n : g->c;
    g->one(g->ta, g->tb, m, n, k, g->alpha, g->ta == PS_N ? g->a + i * g->lda + p : g->a + p * g->lda + i, g->lda,
           g->tb == PS_N ? g->b + p * g->ldb + j : g->b + j * g->ldb + p, g->ldb, s ? 0 : g->beta, c + i * ldc + j,
           ldc);
    return 0;
}

static size_t parts(size_t n, size_t part)
{
    return (n + part - 1) / part;
}

/* A long k and a small C, the gradients of weights, do not give enough large tiles: the sum is cut too. */
static void add_slabs(const job *g, size_t slabs)
{
    for (size_t s = 1; s < slabs; s++)
        for (size_t i = 0; i < g->m; i++) {
            const ps_real *from = g->part + ((s - 1) * g->m + i) * g->n;
            for (size_t j = 0; j < g->n; j++)
                g->c[i * g->ldc + j] += from[j];
        }
}

static _Thread_local double operations;

double ps_gemm_operations(void)
{
    return operations;
}

static void share_out(one_fn *one, ps_pool *pool, ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha,
                      const ps_real *a, size_t lda, const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc)
{
    size_t tm = m < TILE_M ? m : TILE_M, tn = n < TILE_N ? n : TILE_N, least = k < 2 * SLAB ? TILE_MIN : TILE_MIN_LONG;
    if (m == 0 || n == 0)
        return;
    operations += 2 * (double)m * (double)n * (double)k;
    while (parts(m, tm) * parts(n, tn) < TASKS_WANTED && (tm > least || tn > least)) {
        if (tm >= tn)
            tm = (tm + 1) / 2;
        else
            tn = (tn + 1) / 2;
    }
    size_t tiles = parts(m, tm) * parts(n, tn), slabs = k < 2 * SLAB ? 1 : k / SLAB;
    if (slabs > TASKS_WANTED / tiles)
        slabs = TASKS_WANTED / tiles ? TASKS_WANTED / tiles : 1;
    job g = {one, ta, tb, m, n, k, lda, ldb, ldc, tm, tn, parts(n, tn), tiles, k, alpha, beta, a, b, c, NULL};
    if (slabs > 1 && (g.part = malloc((slabs - 1) * m * n * sizeof *g.part))) {
        g.slab = parts(k, slabs);
        slabs = parts(k, g.slab);
    } else {
        slabs = 1;
    }
    (void)!ps_pool_run(pool, tiles * slabs, tile, &g); /* a tile cannot fail */
    add_slabs(&g, slabs);
    free(g.part);
}

/* ---- the own products: their numbers do not depend on how they are cut ---- */

typedef struct {
    const ps_packed_ops *ops;
    const ps_packed *w; /* op(B), laid out once for all; NULL: of the transposed A */
    size_t m, n, k, lda, ldb, ldc, rows;
    int add;
    const ps_real *a, *b;
    ps_real *c;
} own_job;

static int own_rows(void *ctx, size_t task, int thread)
{
    const own_job *g = ctx;
    size_t i = task * g->rows, m = g->m - i < g->rows ? g->m - i : g->rows;
    ps_real *c = g->c + i * g->ldc;
    (void)thread;
    if (g->w)
        g->ops->multiply(m, g->a + i * g->lda, g->lda, g->w, g->add, c, g->ldc);
    else if (g->ops->multiply_turned(m, g->n, g->k, g->a + i, g->lda, g->b, g->ldb, g->add, c, g->ldc) < 0)
        ps_gemm_plain(PS_T, PS_N, m, g->n, g->k, 1, g->a + i, g->lda, g->b, g->ldb, (ps_real)g->add, c, g->ldc);
    return 0;
}

/* alpha 1, beta 0 or 1, and not both turned.  PS_EMEM, and nothing is done, without memory. */
static int share_own(ps_pool *pool, ps_trans ta, ps_trans tb, own_job *g)
{
    enum { ROWS = 96, PIECES = 4 }; /* PIECES for each thread, of a multiple of ROWS */
    size_t threads = (size_t)ps_pool_threads(pool);
    ps_packed w = {0};
    g->ops = ps_packed_best();
    g->rows = parts(threads > 1 ? parts(g->m, PIECES * threads) : g->m, ROWS) * ROWS;
    if (ta == PS_N) {
        int rc = g->ops->pack(&w, g->n, g->k, g->b, g->ldb, tb == PS_N);
        if (rc < 0)
            return rc;
        g->w = &w;
    }
    int rc = ps_pool_run(pool, parts(g->m, g->rows), own_rows, g);
    ps_packed_free(&w);
    return rc;
}

void ps_gemm(ps_pool *pool, ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha, const ps_real *a,
             size_t lda, const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc)
{
    own_job g = {.m = m, .n = n, .k = k, .lda = lda, .ldb = ldb, .ldc = ldc, .add = beta != 0, .a = a, .b = b, .c = c};
    if (own_is_faster() && m >= FEW && n > 0 && alpha == 1 && (beta == 0 || beta == 1) && (ta == PS_N || tb == PS_N) &&
        share_own(pool, ta, tb, &g) == 0)
        operations += 2 * (double)m * (double)n * (double)k;
    else
        share_out(ps_gemm_one, pool, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void ps_gemm_bf16(ps_pool *pool, ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha,
                  const ps_real *a, size_t lda, const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc)
{
    share_out(ps_bf16_one, pool, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
