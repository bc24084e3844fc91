#include "kmeans.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "quant.h"
#include "rng.h"

enum { BLOCK = 64, STEP = 4, CELLS_AT_ONCE = 16 };

/* ---- the nearest centroid: the highest x.c - |c|^2 / 2 ---- */

typedef struct {
    ps_quant c; /* centroids, |c|^2 / 2 in their offsets */
    uint32_t d;
    size_t n;
    ps_row_filler fill;
    const void *ctx;
    uint32_t *cell;
    float *row;   /* of each thread: one row, and what its block takes in */
    int8_t *code; /* of each thread: a block */
    ps_codes_fn *codes;
} nearest;

/* Of what came in: the best, the lowest number of equals.  From now on only better ones come in. */
static void best_of(ps_codes_query *q, uint32_t *cell)
{
    for (size_t i = 0; i < q->n; i++)
        if (q->score[i] > q->floor || (q->score[i] == q->floor && q->row[i] < *cell)) {
            q->floor = q->score[i];
            *cell = q->row[i];
        }
    q->n = 0;
}

static int nearest_block(void *ctx, size_t block, int thread)
{
    const nearest *w = ctx;
    enum { ROOM = (STEP + 1) * PS_CODES_LANES };
    const size_t words = ps_codes_words(w->d), begin = block * BLOCK, m = w->n - begin < BLOCK ? w->n - begin : BLOCK;
    int8_t *code = w->code + (size_t)thread * BLOCK * 4 * words;
    float *row = w->row + (size_t)thread * w->d;
    ps_codes_query q[BLOCK], *at[BLOCK];
    uint32_t taken[BLOCK][ROOM];
    float score[BLOCK][ROOM];
    for (size_t i = 0; i < m; i++) {
        w->fill(w->ctx, begin + i, row);
        q[i] = (ps_codes_query){.row = taken[i], .score = score[i], .floor = -FLT_MAX};
        ps_quant_query(&w->c, row, 1, code + i * 4 * words, &q[i]);
        w->cell[begin + i] = UINT32_MAX;
        at[i] = &q[i];
    }
    for (size_t g = 0; g < w->c.groups; g += STEP) {
        const size_t groups = w->c.groups - g < STEP ? w->c.groups - g : STEP;
        w->codes(m, at, words, groups, w->c.codes + g * ps_codes_group(w->d), w->c.scale + g * PS_CODES_LANES,
                 w->c.offset + g * PS_CODES_LANES, (uint32_t)(g * PS_CODES_LANES));
        for (size_t i = 0; i < m; i++)
            best_of(&q[i], &w->cell[begin + i]);
    }
    for (size_t i = 0; i < m; i++) /* numbers beyond all measure */
        w->cell[begin + i] = w->cell[begin + i] == UINT32_MAX ? 0 : w->cell[begin + i];
    return 0;
}

int ps_nearest(const float *centroid, size_t k, uint32_t d, size_t n, ps_row_filler fill, const void *ctx,
               ps_pool *pool, uint32_t *cell)
{
    const size_t threads = (size_t)ps_pool_threads(pool);
    nearest w = {.d = d, .n = n, .fill = fill, .ctx = ctx, .cell = cell, .codes = ps_codes()};
    int rc = ps_quant_make(&w.c, k, d, 0, centroid, d, NULL, pool);
    w.row = ps_alloc(threads * d, sizeof *w.row);
    w.code = ps_alloc(threads * BLOCK * ps_codes_words(d), 4);
    if (rc == 0 && (!w.row || !w.code))
        rc = PS_EMEM;
    for (size_t i = 0; i < k && rc == 0; i++) {
        double squares = 0;
        for (uint32_t j = 0; j < d; j++)
            squares += (double)centroid[i * d + j] * centroid[i * d + j];
        ps_quant_offsets(&w.c)[i] = (float)(-squares / 2);
    }
    if (rc == 0)
        rc = ps_pool_run(pool, (n + BLOCK - 1) / BLOCK, nearest_block, &w);
    free(w.row);
    free(w.code);
    ps_quant_free(&w.c);
    return rc;
}

/* ---- k-means ---- */

typedef struct {
    const float *x;
    size_t n, k;
    uint32_t d;
    float *centroid;
    uint32_t *cell; /* of each row */
    size_t *off;    /* rows of cell c: member[off[c]] .. member[off[c + 1] - 1], ascending */
    uint32_t *member;
} kmeans;

static void fill(const void *ctx, size_t i, float *x)
{
    const kmeans *w = ctx;
    memcpy(x, w->x + i * w->d, w->d * sizeof *x);
}

static void gather(kmeans *w)
{
    memset(w->off, 0, (w->k + 2) * sizeof *w->off);
    for (size_t i = 0; i < w->n; i++)
        w->off[w->cell[i] + 2]++;
    for (size_t c = 0; c < w->k; c++)
        w->off[c + 2] += w->off[c + 1];
    for (size_t i = 0; i < w->n; i++)
        w->member[w->off[w->cell[i] + 1]++] = (uint32_t)i;
}

static int move_centroids(void *ctx, size_t task, int thread)
{
    const kmeans *w = ctx;
    (void)thread;
    for (size_t c = task * CELLS_AT_ONCE; c < (task + 1) * CELLS_AT_ONCE && c < w->k; c++) {
        const size_t n = w->off[c + 1] - w->off[c];
        float *to = w->centroid + c * w->d;
        if (n == 0)
            continue;
        memset(to, 0, w->d * sizeof *to);
        for (size_t i = 0; i < n; i++)
            for (uint32_t j = 0; j < w->d; j++)
                to[j] += w->x[(size_t)w->member[w->off[c] + i] * w->d + j];
        for (uint32_t j = 0; j < w->d; j++)
            to[j] /= (float)n;
    }
    return 0;
}

/* A cell with less than an eighth of the mean begins anew at a row of the largest cell, which counts as halved. */
static int reseed(kmeans *w, uint64_t key)
{
    size_t *size = ps_alloc(w->k, sizeof *size);
    if (!size)
        return PS_EMEM;
    for (size_t c = 0; c < w->k; c++)
        size[c] = w->off[c + 1] - w->off[c];
    for (size_t c = 0; c < w->k; c++) {
        if (size[c] * w->k * 8 >= w->n)
            continue;
        size_t from = 0;
        for (size_t b = 1; b < w->k; b++)
            from = size[b] > size[from] ? b : from;
        const size_t members = w->off[from + 1] - w->off[from];
        if (size[from] * w->k < 2 * w->n || members == 0)
            break;
        const size_t row = w->member[w->off[from] + ps_below(ps_rng(key, c), members)];
        memcpy(w->centroid + c * w->d, w->x + row * w->d, w->d * sizeof *w->centroid);
        size[from] /= 2;
        size[c] = size[from];
    }
    free(size);
    return 0;
}

/* k different rows to begin with. */
static void seed_centroids(kmeans *w, uint64_t key)
{
    for (size_t i = 0; i < w->n; i++)
        w->member[i] = (uint32_t)i;
    for (size_t i = 0; i < w->k; i++) {
        const size_t j = i + ps_below(ps_rng(key, i), w->n - i);
        const uint32_t row = w->member[j];
        w->member[j] = w->member[i];
        w->member[i] = row;
        memcpy(w->centroid + i * w->d, w->x + (size_t)row * w->d, w->d * sizeof *w->centroid);
    }
}

int ps_kmeans(const float *x, size_t n, uint32_t d, size_t k, int rounds, uint64_t seed, ps_pool *pool, float *centroid)
{
    kmeans w = {.x = x, .n = n, .k = k, .d = d, .centroid = centroid};
    w.cell = ps_alloc(n, sizeof *w.cell);
    w.member = ps_alloc(n, sizeof *w.member);
    w.off = ps_alloc(k + 2, sizeof *w.off);
    int rc = w.cell && w.member && w.off ? 0 : PS_EMEM;
    if (rc == 0)
        seed_centroids(&w, ps_rng_key(seed, 0));
    for (int round = 1; round <= rounds && rc == 0; round++) {
        rc = ps_nearest(centroid, k, d, n, fill, &w, pool, w.cell);
        if (rc == 0)
            gather(&w);
        if (rc == 0)
            rc = ps_pool_run(pool, (k + CELLS_AT_ONCE - 1) / CELLS_AT_ONCE, move_centroids, &w);
        if (rc == 0 && round < rounds)
            rc = reseed(&w, ps_rng_key(seed, (uint64_t)round));
    }
    free(w.cell);
    free(w.member);
    free(w.off);
    return rc;
}
