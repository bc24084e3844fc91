#include "lsa.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eigen.h"
#include "feat_sign.h"
#include "gemm.h"
#include "mem.h"
#include "sparse.h"
#include "vec.h"

/* COLUMNS: A'A is applied to so many directions at a time, so that no matrix of all texts is needed.  ROWS: of a task;
 * BLOCK: texts of a product. */
enum { COLUMNS = 64, ROWS = 256, BLOCK = 4096 };
static const double dependent = 1e-6; /* squared: what is left of a direction that the ones before it span */

typedef struct {
    const ps_tfidf *m;
    ps_postings by_term;
    uint32_t *column;       /* of each bucket: its number among the terms */
    size_t l;               /* directions */
    ps_real *x, *y;         /* terms x l */
    ps_real *w;             /* texts x COLUMNS, or BLOCK x l */
    size_t from, n;         /* the columns, or the texts, at work */
    double *gram, *scratch; /* l x l, l */
    ps_real *small;         /* l x l */
    ps_pool *pool;
} job;

static size_t tasks_of(size_t rows)
{
    return (rows + ROWS - 1) / ROWS;
}

/* sum over the terms of a text of weight x (its row of x) */
static void add_terms(const job *j, size_t text, size_t from, size_t n, ps_real *out)
{
    const ps_tfidf *m = j->m;
    memset(out, 0, n * sizeof *out);
    for (size_t e = m->off[text]; e < m->off[text + 1]; e++)
        if (m->value[e] != 0)
            ps_vec()->axpy(n, (ps_real)m->value[e], j->x + j->column[m->index[e]] * j->l + from, out);
}

/* w = A x, in the columns at work */
static int texts_task(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    (void)thread;
    for (size_t i = task * ROWS; i < (task + 1) * ROWS && i < j->m->rows; i++)
        add_terms(j, i, j->from, j->n, j->w + i * COLUMNS);
    return 0;
}

/* y = A' w, in the columns at work */
static int terms_task(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    const ps_postings *p = &j->by_term;
    (void)thread;
    for (size_t t = task * ROWS; t < (task + 1) * ROWS && t < p->terms; t++) {
        ps_real *out = j->y + t * j->l + j->from;
        memset(out, 0, j->n * sizeof *out);
        for (uint64_t e = p->off[t]; e < p->off[t + 1]; e++)
            ps_vec()->axpy(j->n, (ps_real)p->value[e], j->w + (size_t)p->row[e] * COLUMNS, out);
    }
    return 0;
}

/* y = A' A x */
static int apply(job *j)
{
    int rc = 0;
    for (j->from = 0; j->from < j->l && rc == 0; j->from += COLUMNS) {
        j->n = j->l - j->from < COLUMNS ? j->l - j->from : COLUMNS;
        rc = ps_pool_run(j->pool, tasks_of(j->m->rows), texts_task, j);
        if (rc == 0)
            rc = ps_pool_run(j->pool, tasks_of(j->by_term.terms), terms_task, j);
    }
    return rc;
}

/* G = R'R with R upper triangular; the row of a direction that depends on the ones before it is zero. */
static void cholesky(size_t l, double *restrict g, double *restrict whole)
{
    for (size_t i = 0; i < l; i++)
        whole[i] = g[i * l + i];
    for (size_t i = 0; i < l; i++) {
        double *row = g + i * l, scale = row[i] > dependent * whole[i] ? 1 / sqrt(row[i]) : 0;
        for (size_t c = i; c < l; c++)
            row[c] *= scale;
        for (size_t r = i + 1; r < l; r++)
            for (size_t c = r; c < l; c++)
                g[r * l + c] -= row[r] * row[c];
    }
}

/* R^-1 of that R, from its last row up, in its place. */
static void invert(size_t l, double *restrict g, double *restrict scratch)
{
    for (size_t i = l; i-- > 0;) {
        double *row = g + i * l, scale = row[i] > 0 ? 1 / row[i] : 0;
        memset(scratch, 0, l * sizeof *scratch);
        scratch[i] = scale;
        for (size_t k = i + 1; k < l; k++)
            for (size_t c = k; c < l; c++)
                scratch[c] -= scale * row[k] * g[k * l + c];
        memcpy(row, scratch, l * sizeof *row);
    }
}

/* small = y' y of n rows, added to gram */
static void add_gram(job *j, const ps_real *y, size_t n)
{
    size_t l = j->l;
    ps_gemm(j->pool, PS_T, PS_N, l, l, n, 1, y, l, y, l, 0, j->small, l);
    for (size_t i = 0; i < l * l; i++)
        j->gram[i] += (double)j->small[i];
}

/* x = y R^-1: the span of y, orthonormal up to the rounding of y'y. */
static void orthonormalise(job *j)
{
    size_t l = j->l, terms = j->by_term.terms;
    memset(j->gram, 0, l * l * sizeof *j->gram);
    for (size_t t = 0; t < terms; t += BLOCK)
        add_gram(j, j->y + t * l, terms - t < BLOCK ? terms - t : BLOCK);
    cholesky(l, j->gram, j->scratch);
    invert(l, j->gram, j->scratch);
    for (size_t i = 0; i < l; i++)
        for (size_t c = 0; c < l; c++)
            j->small[i * l + c] = c < i ? 0 : (ps_real)j->gram[i * l + c];
    ps_gemm(j->pool, PS_N, PS_N, terms, l, l, 1, j->y, l, j->small, l, 0, j->x, l);
}

static int block_task(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    (void)thread;
    for (size_t i = task * ROWS; i < (task + 1) * ROWS && i < j->n; i++)
        add_terms(j, j->from + i, 0, j->l, j->w + i * j->l);
    return 0;
}

/* gram = (A x)'(A x), whose eigenvectors rotate x to the singular vectors of A in its span. */
static int ritz(job *j)
{
    int rc = 0;
    memset(j->gram, 0, j->l * j->l * sizeof *j->gram);
    for (j->from = 0; j->from < j->m->rows && rc == 0; j->from += BLOCK) {
        j->n = j->m->rows - j->from < BLOCK ? j->m->rows - j->from : BLOCK;
        rc = ps_pool_run(j->pool, tasks_of(j->n), block_task, j);
        if (rc == 0)
            add_gram(j, j->w, j->n);
    }
    return rc < 0 ? rc : ps_eigen(j->l, j->gram, j->scratch, j->pool);
}

static int decompose(job *j, ps_lsa *lsa, uint64_t seed)
{
    size_t l = j->l, k = lsa->k, terms = lsa->terms;
    float *signs = ps_alloc(l, sizeof *signs);
    if (!signs)
        return PS_EMEM;
    for (size_t t = 0; t < terms; t++) {
        memset(signs, 0, l * sizeof *signs);
        ps_signs_add(signs, l, ps_signs_key(seed, PS_SIGNS_LSA, lsa->bucket[t]), 1);
        for (size_t i = 0; i < l; i++)
            j->x[t * l + i] = (ps_real)signs[i];
    }
    free(signs);
    for (int i = 0; i <= PS_LSA_POWER; i++) {
        int rc = apply(j);
        if (rc < 0)
            return rc;
        orthonormalise(j);
    }
    memcpy(j->y, j->x, terms * l * sizeof *j->y);
    orthonormalise(j); /* once more, now that y'y is well conditioned */
    int rc = ritz(j);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < l * l; i++)
        j->small[i] = (ps_real)j->gram[i];
    ps_gemm(j->pool, PS_N, PS_T, terms, l, l, 1, j->x, l, j->small, l, 0, j->y, l);
    for (size_t t = 0; t < terms; t++)
        for (size_t i = 0; i < k; i++)
            lsa->v[t * k + i] = i < l ? (float)j->y[t * l + i] : 0;
    return 0;
}

/* The terms that weigh anything, and how many directions they can have. */
static int list_terms(job *j, ps_lsa *lsa)
{
    const ps_tfidf *m = j->m;
    ps_sparse rows = {.n = m->rows, .index = m->index, .value = m->value, .dim = PS_TERM_BUCKETS};
    rows.off = ps_alloc(m->rows + 1, sizeof *rows.off);
    j->column = ps_alloc(PS_TERM_BUCKETS, sizeof *j->column);
    int rc = rows.off && j->column ? 0 : PS_EMEM;
    for (uint64_t i = 0; i <= m->rows && rc == 0; i++)
        rows.off[i] = m->off[i];
    if (rc == 0)
        rc = ps_postings_make(&j->by_term, &rows);
    free(rows.off);
    if (rc < 0)
        return rc;
    lsa->terms = (uint32_t)j->by_term.terms;
    lsa->bucket = ps_alloc(lsa->terms, sizeof *lsa->bucket);
    for (uint32_t t = 0; t < lsa->terms && lsa->bucket; t++) {
        lsa->bucket[t] = j->by_term.term[t];
        j->column[lsa->bucket[t]] = t;
    }
    j->l = lsa->k + PS_LSA_OVERSAMPLING;
    j->l = j->l < lsa->terms ? j->l : lsa->terms;
    j->l = j->l < m->rows ? j->l : m->rows;
    return lsa->bucket ? 0 : PS_EMEM;
}

static int make_room(job *j, ps_lsa *lsa)
{
    size_t l = j->l, texts = j->m->rows * COLUMNS, block = (size_t)BLOCK * l;
    j->x = ps_aligned(lsa->terms * l, sizeof *j->x);
    j->y = ps_aligned(lsa->terms * l, sizeof *j->y);
    j->w = ps_aligned(texts > block ? texts : block, sizeof *j->w);
    j->gram = ps_alloc(l * l, sizeof *j->gram);
    j->small = ps_alloc(l * l, sizeof *j->small);
    j->scratch = ps_alloc(l, sizeof *j->scratch);
    lsa->v = ps_aligned((size_t)lsa->terms * lsa->k, sizeof *lsa->v);
    return j->x && j->y && j->w && j->gram && j->small && j->scratch && lsa->v ? 0 : PS_EMEM;
}

int ps_lsa_make(ps_lsa *lsa, const ps_tfidf *m, uint32_t k, uint64_t seed, ps_pool *pool)
{
    job j = {.m = m, .pool = pool};
    *lsa = (ps_lsa){.k = k};
    int rc = list_terms(&j, lsa);
    if (rc == 0)
        rc = make_room(&j, lsa);
    if (rc == 0 && j.l > 0)
        rc = decompose(&j, lsa, seed);
    ps_postings_free(&j.by_term);
    free(j.column);
    free(j.x);
    free(j.y);
    free(j.w);
    free(j.gram);
    free(j.small);
    free(j.scratch);
    if (rc < 0)
        ps_lsa_free(lsa);
    return rc;
}

void ps_lsa_free(ps_lsa *lsa)
{
    free(lsa->bucket);
    free(lsa->v);
    *lsa = (ps_lsa){0};
}

void ps_lsa_fold_in(const ps_lsa *lsa, size_t n, const uint32_t *index, const float *weight, float *out)
{
    memset(out, 0, lsa->k * sizeof *out);
    for (size_t e = 0, t = 0; e < n; e++) {
        size_t left = lsa->terms - t;
        while (left > 0) { /* the first bucket that is not below index[e] */
            size_t half = left / 2;
            if (lsa->bucket[t + half] < index[e]) {
                t += half + 1;
                left -= half + 1;
            } else {
                left = half;
            }
        }
        if (t == lsa->terms)
            break;
        if (lsa->bucket[t] == index[e])
            for (uint32_t i = 0; i < lsa->k; i++)
                out[i] += weight[e] * lsa->v[t * lsa->k + i];
    }
    ps_unit_length(out, lsa->k, sqrtf((float)lsa->k) / 4, 1e-6f);
}
