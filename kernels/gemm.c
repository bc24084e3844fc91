#include "gemm.h"

#ifdef PS_OPENBLAS
#include <cblas.h>
#include <pthread.h>
#endif

enum { TILE_MAX = 1024, TILE_MIN = 64, TILES_WANTED = 16, K_BLOCK = 256 };

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

#ifdef PS_OPENBLAS
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Threads are ours: OpenBLAS's own would depend on -j and compete with the pool. */
static void single_thread(void)
{
    openblas_set_num_threads(1);
}

void ps_gemm_one(ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha, const ps_real *a, size_t lda,
                 const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc)
{
    pthread_once(&once, single_thread);
    if (m == 0 || n == 0)
        return;
#ifdef PS_DOUBLE
    cblas_dgemm
#else
    cblas_sgemm
#endif
        (CblasRowMajor, ta == PS_T ? CblasTrans : CblasNoTrans, tb == PS_T ? CblasTrans : CblasNoTrans, (blasint)m,
         (blasint)n, (blasint)k, alpha, a, (blasint)lda, b, (blasint)ldb, beta, c, (blasint)ldc);
}

const char *ps_gemm_backend(void)
{
    return openblas_get_config();
}
#else
void ps_gemm_one(ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha, const ps_real *a, size_t lda,
                 const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc)
{
    ps_gemm_plain(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

const char *ps_gemm_backend(void)
{
    return "plain C";
}
#endif

typedef struct {
    ps_trans ta, tb;
    size_t m, n, k, lda, ldb, ldc, tile_m, tile_n, across;
    ps_real alpha, beta;
    const ps_real *a, *b;
    ps_real *c;
} job;

static int tile(void *ctx, size_t task, int thread)
{
    const job *g = ctx;
    (void)thread;
    size_t i = task / g->across * g->tile_m, j = task % g->across * g->tile_n;
    size_t m = g->m - i < g->tile_m ? g->m - i : g->tile_m, n = g->n - j < g->tile_n ? g->n - j : g->tile_n;
    ps_gemm_one(g->ta, g->tb, m, n, g->k, g->alpha, g->ta == PS_N ? g->a + i * g->lda : g->a + i, g->lda,
                g->tb == PS_N ? g->b + j : g->b + j * g->ldb, g->ldb, g->beta, g->c + i * g->ldc + j, g->ldc);
    return 0;
}

void ps_gemm(ps_pool *pool, ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha, const ps_real *a,
             size_t lda, const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc)
{
    size_t tm = m < TILE_MAX ? m : TILE_MAX, tn = n < TILE_MAX ? n : TILE_MAX;
    if (m == 0 || n == 0)
        return;
    while (((m + tm - 1) / tm) * ((n + tn - 1) / tn) < TILES_WANTED && (tm > TILE_MIN || tn > TILE_MIN)) {
        if (tm >= tn)
            tm = (tm + 1) / 2;
        else
            tn = (tn + 1) / 2;
    }
    job g = {ta, tb, m, n, k, lda, ldb, ldc, tm, tn, (n + tn - 1) / tn, alpha, beta, a, b, c};
    (void)!ps_pool_run(pool, ((m + tm - 1) / tm) * g.across, tile, &g); /* a tile cannot fail */
}
