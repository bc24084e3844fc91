#include "validate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gemm.h"
#include "mem.h"
#include "vec.h"

enum { PAIRS = 256, CANDIDATES = 4096 };

typedef struct {
    const ps_validation *v;
    uint32_t d;
    int biased;
    ps_real *z;        /* all rows x d */
    ps_real **scratch; /* of each thread: PAIRS x d queries, PAIRS x CANDIDATES scores */
    double *sum;       /* of each block of pairs */
} job;

static int keep(void *ctx, uint64_t first, size_t n, const ps_real *z)
{
    const job *g = ctx;
    memcpy(g->z + first * g->d, z, n * g->d * sizeof *z);
    return 0;
}

/* Queries first .. first + n - 1, their rows, and their positives'. */
static int gather(const job *g, size_t first, size_t n, ps_real *q, uint64_t *self, uint64_t *positive)
{
    const ps_pairs *p = g->v->pairs;
    for (size_t j = 0; j < n; j++) {
        self[j] = ps_vectors_find(g->v->x, p->query[first + j]);
        positive[j] = ps_vectors_find(g->v->x, p->positive[first + j]);
        if (self[j] == PS_NONE || positive[j] == PS_NONE)
            return ps_fail(PS_EMATCH, "%s: no vector for item %u of a validation pair", g->v->x->table.name,
                           self[j] == PS_NONE ? p->query[first + j] : p->positive[first + j]);
        memcpy(q + j * g->d, g->z + self[j] * g->d, g->d * sizeof *q);
        if (g->biased)
            q[(j + 1) * g->d - 1] = 1;
    }
    return 0;
}

static int rank_block(void *ctx, size_t task, int thread)
{
    const job *g = ctx;
    size_t first = task * PAIRS, left = g->v->pairs->n - first, n = left < PAIRS ? left : PAIRS, rows = g->v->x->n;
    ps_real *q = g->scratch[thread], *score = q + (size_t)PAIRS * g->d, target[PAIRS];
    uint64_t above[PAIRS] = {0}, level[PAIRS] = {0}, self[PAIRS], positive[PAIRS];
    int rc = gather(g, first, n, q, self, positive);
    for (size_t j = 0; j < n && rc == 0; j++)
        target[j] = ps_vec()->dot(g->d, q + j * g->d, g->z + positive[j] * g->d);
    for (size_t c = 0; c < rows && rc == 0; c += CANDIDATES) {
        size_t width = rows - c < CANDIDATES ? rows - c : CANDIDATES;
        ps_gemm_one(PS_N, PS_T, n, width, g->d, 1, q, g->d, g->z + c * g->d, g->d, 0, score, width);
        for (size_t j = 0; j < n; j++)
            for (size_t i = 0; i < width; i++) {
                int counts = c + i != self[j] && c + i != positive[j];
                above[j] += counts && !(score[j * width + i] <= target[j]); /* NaN is no success */
                level[j] += counts && score[j * width + i] == target[j];
            }
    }
    for (size_t j = 0; j < n && rc == 0; j++)
        g->sum[task] += 1 / ceil((1 + (double)above[j] + (double)level[j] / 2) / 100);
    return rc;
}

static int rank_all(job *g, double *score)
{
    size_t blocks = (g->v->pairs->n + PAIRS - 1) / PAIRS;
    int threads = ps_pool_threads(g->v->pool), rc = 0;
    g->sum = ps_zalloc(blocks, sizeof *g->sum);
    g->scratch = ps_zalloc((size_t)threads, sizeof *g->scratch);
    if (!g->sum || !g->scratch)
        return PS_EMEM;
    for (int t = 0; t < threads && rc == 0; t++)
        if (!(g->scratch[t] = ps_aligned(PAIRS * ((size_t)g->d + CANDIDATES), sizeof **g->scratch)))
            rc = PS_EMEM;
    if (rc == 0)
        rc = ps_pool_run(g->v->pool, blocks, rank_block, g);
    *score = 0;
    for (size_t b = 0; b < blocks; b++)
        *score += g->sum[b] / (double)g->v->pairs->n;
    return rc;
}

int ps_validate(const ps_validation *v, const ps_model *model, double *score)
{
    job g = {.v = v, .d = ps_embedding_dim(&model->shape), .biased = model->shape.bias};
    int rc = v->pairs->n ? 0 : ps_fail(PS_EDATA, "no validation pairs");
    g.z = rc == 0 ? ps_aligned(v->x->n * g.d, sizeof *g.z) : NULL;
    if (rc == 0 && !g.z)
        rc = PS_EMEM;
    if (rc == 0)
        rc = ps_embed(&(ps_embedding){model, v->x, v->neighbours, 0, v->pool, keep, &g});
    if (rc == 0)
        rc = rank_all(&g, score);
    for (int t = 0; g.scratch && t < ps_pool_threads(v->pool); t++)
        free(g.scratch[t]);
    free(g.scratch);
    free(g.sum);
    free(g.z);
    return rc;
}
