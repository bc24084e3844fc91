/* ivf.c - the cells of an index of type ivf: how they are made, and what they are when they are read. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index_inner.h"
#include "kmeans.h"
#include "mem.h"

/* A cell has some rows, so that centroids take little beside them. */
enum { CELL_ROWS = 24 };

enum { SAMPLE = 64, ROUNDS = 8, HELD_OUT = 1000, CELLS_AT_ONCE = 8, DEEP = 100 };

typedef struct {
    const ps_knn *knn;
    ps_index *x;
    float *centroid;
    uint32_t *cell;     /* of each row */
    uint32_t *cell_off; /* in lanes */
    uint8_t *codes;
    float *scale, *offset;
    uint32_t *row; /* of each lane */
    uint32_t effort[PS_INDEX_EFFORTS];
    float recall[PS_INDEX_CURVES][PS_INDEX_EFFORTS];
    float *buffer; /* of each thread: a row */
} ivf;

static uint32_t usual_cells(uint64_t n)
{
    const double cells = 4 * sqrt((double)n);
    const uint64_t most = n / CELL_ROWS;
    return cells > (double)most ? (uint32_t)(most > 0 ? most : 1) : (uint32_t)cells;
}

/* ---- cells ---- */

/* Rows to train on, evenly from all but those that are held out. */
static int train(ivf *w, const ps_index_options *o, ps_pool *pool)
{
    const ps_knn *knn = w->knn;
    uint64_t held[HELD_OUT];
    const size_t out = index_held_out(knn, held, HELD_OUT);
    const uint64_t rest = knn->n - out > w->x->cells ? knn->n - out : knn->n; /* too few: all are trained on */
    const size_t n = rest < (uint64_t)SAMPLE * w->x->cells ? rest : (size_t)SAMPLE * w->x->cells;
    float *x = ps_alloc(n * knn->d, sizeof *x);
    if (!x)
        return PS_EMEM;
    uint64_t row = 0, passed = 0;
    size_t taken = 0, h = 0;
    for (; row < knn->n && taken < n; row++) {
        if (rest < knn->n && h < out && held[h] == row) {
            h++;
            continue;
        }
        if (passed++ >= (uint64_t)((unsigned __int128)rest * taken / n))
            index_row(knn, row, x + taken++ * knn->d);
    }
    int rc = ps_kmeans(x, taken, knn->d, w->x->cells, ROUNDS, o->seed, pool, w->centroid);
    free(x);
    return rc;
}

typedef struct {
    const ps_knn *knn;
    const uint32_t *row; /* to be assigned */
} fresh;

static void fill(const void *ctx, size_t i, float *x)
{
    const fresh *f = ctx;
    index_row(f->knn, f->row[i], x);
}

/* The cell that a row had in the old index, where it has the same item and elements. */
static int old_cells(const ivf *w, const ps_index *old, uint32_t *cell_of_row)
{
    uint32_t *of = ps_alloc(old->n, sizeof *of);
    if (!of)
        return PS_EMEM;
    for (uint32_t c = 0; c < old->cells; c++)
        for (uint32_t s = old->cell_off[c]; s < old->cell_off[c + 1]; s++)
            of[old->row[s]] = c;
    for (uint64_t i = 0; i < old->n; i++) {
        const uint64_t row = ps_knn_find(w->knn, old->item[i]);
        if (row != PS_NONE && w->x->hash[row] == old->hash[i])
            cell_of_row[row] = of[i];
    }
    free(of);
    return 0;
}

static int assign(ivf *w, const ps_index *old, ps_pool *pool)
{
    const ps_knn *knn = w->knn;
    memset(w->cell, 0xff, knn->n * sizeof *w->cell);
    int rc = old ? old_cells(w, old, w->cell) : 0;
    uint32_t *row = ps_alloc(knn->n, sizeof *row), *cell = ps_alloc(knn->n, sizeof *cell);
    if (rc == 0 && (!row || !cell))
        rc = PS_EMEM;
    if (rc == 0) {
        size_t n = 0;
        for (uint64_t i = 0; i < knn->n; i++)
            if (w->cell[i] == UINT32_MAX)
                row[n++] = (uint32_t)i;
        const fresh f = {knn, row};
        rc = ps_nearest(w->centroid, w->x->cells, knn->d, n, fill, &f, pool, cell);
        for (size_t i = 0; i < n && rc == 0; i++)
            w->cell[row[i]] = cell[i];
    }
    free(row);
    free(cell);
    return rc;
}

/* ---- rows, cell by cell ---- */

static int encode_cells(void *ctx, size_t task, int thread)
{
    const ivf *w = ctx;
    const uint32_t d = w->x->d - (uint32_t)w->x->has_bias;
    float *x = w->buffer + (size_t)thread * w->x->d;
    for (size_t c = task * CELLS_AT_ONCE; c < (task + 1) * CELLS_AT_ONCE && c < w->x->cells; c++)
        for (uint32_t s = w->cell_off[c]; s < w->cell_off[c + 1]; s++) {
            index_row(w->knn, w->row[s], x);
            w->scale[s] = ps_quant_row(d, x, ps_quant_lane(w->codes, s, d), PS_CODES_WORD, NULL, NULL);
            w->offset[s] = w->x->has_bias ? x[d] : 0;
        }
    return 0;
}

/* Rows ascending in each cell, and cell after cell, so that a group may hold rows of several cells. */
static int place(ivf *w)
{
    const uint32_t cells = w->x->cells;
    uint64_t *at = ps_zalloc((size_t)cells + 1, sizeof *at);
    if (!at)
        return PS_EMEM;
    for (uint64_t i = 0; i < w->x->n; i++)
        at[w->cell[i]]++;
    w->cell_off[0] = 0;
    for (uint32_t c = 0; c < cells; c++) {
        w->cell_off[c + 1] = w->cell_off[c] + (uint32_t)at[c];
        at[c] = w->cell_off[c];
    }
    const size_t groups = ivf_groups(w->x), slots = groups * PS_CODES_LANES;
    const size_t bytes = groups * ps_codes_group(w->x->d - (uint32_t)w->x->has_bias);
    w->codes = ps_aligned(bytes, 1);
    w->scale = ps_zalloc(slots, sizeof *w->scale);
    w->offset = ps_zalloc(slots, sizeof *w->offset);
    w->row = ps_alloc(slots, sizeof *w->row);
    int rc = w->codes && w->scale && w->offset && w->row ? 0 : PS_EMEM;
    if (rc == 0) {
        memset(w->codes, 128, bytes);
        memset(w->row, 0xff, slots * sizeof *w->row);
        for (uint64_t i = 0; i < w->x->n; i++)
            w->row[at[w->cell[i]]++] = (uint32_t)i;
        for (size_t s = w->x->n; s < slots; s++)
            w->offset[s] = -INFINITY;
    }
    free(at);
    return rc;
}

/* ---- what a number of cells finds ---- */

/* The product of each cell's centroid with a query. */
static void cell_scores(const ps_index *x, const ps_knn *knn, const ps_knn_queries *q, size_t query, float *score,
                        uint32_t *taken, int8_t *code, float *room)
{
    ps_codes_query cq = {.row = taken, .score = room, .floor = -3e38f}, *at = &cq;
    ps_quant_query(&x->coarse, knn_query(knn, q, query), q->scale[query], code, &cq);
    ps_codes()(1, &at, ps_codes_words(x->coarse.d), x->coarse.groups, x->coarse.codes, x->coarse.scale,
               x->coarse.offset, 0);
    for (uint32_t c = 0; c < x->cells; c++)
        score[c] = -INFINITY;
    for (size_t i = 0; i < cq.n; i++)
        score[taken[i]] = room[i];
}

/* From 0: how many have a higher score, or the same and a lower number. */
static uint32_t cell_place(const float *score, uint32_t cells, uint32_t cell)
{
    uint32_t place = 0;
    for (uint32_t c = 0; c < cell; c++)
        place += score[c] >= score[cell];
    for (uint32_t c = cell + 1; c < cells; c++)
        place += score[c] > score[cell];
    return place;
}

typedef struct {
    ivf *w;
    const index_sample *s;
    uint64_t (*at)[PS_INDEX_EFFORTS]; /* of each thread: neighbours that this effort is the first to find, x curves */
} counting;

static int count_places(void *ctx, size_t query, int thread)
{
    const counting *j = ctx;
    const ivf *w = j->w;
    const size_t room = (size_t)(w->x->coarse.groups + 1) * PS_CODES_LANES;
    float *score = ps_alloc(2 * room, sizeof *score);
    uint32_t *taken = ps_alloc(room, sizeof *taken);
    int8_t *code = ps_alloc(ps_codes_words(w->x->coarse.d), 4);
    int rc = score && taken && code ? 0 : PS_EMEM;
    if (rc == 0)
        cell_scores(w->x, w->knn, &j->s->q, query, score, taken, code, score + room);
    for (size_t i = 0; i < j->s->found[query] && rc == 0; i++) {
        const uint64_t row = ps_knn_find(w->knn, j->s->hits[query * DEEP + i].item);
        const uint32_t place = cell_place(score, w->x->cells, w->cell[row]);
        size_t e = 0;
        while (e + 1 < PS_INDEX_EFFORTS && w->effort[e] <= place)
            e++;
        j->at[thread * PS_INDEX_CURVES + 1][e]++;
        if (i < 10)
            j->at[thread * PS_INDEX_CURVES][e]++;
    }
    free(score);
    free(taken);
    free(code);
    return rc;
}

static int calibrate(ivf *w, ps_knn *knn, ps_pool *pool)
{
    const size_t threads = (size_t)ps_pool_threads(pool);
    index_sample s;
    int rc = index_sample_make(&s, knn, HELD_OUT, DEEP, pool);
    counting j = {w, &s, ps_zalloc(threads * PS_INDEX_CURVES, sizeof *j.at)};
    if (rc == 0)
        rc = j.at ? ps_pool_run(pool, s.n, count_places, &j) : PS_EMEM;
    for (size_t c = 0; c < PS_INDEX_CURVES && rc == 0; c++) {
        const size_t depth = c == 0 ? 10 : DEEP;
        uint64_t all = 0, so_far = 0;
        for (size_t i = 0; i < s.n; i++)
            all += s.found[i] < depth ? s.found[i] : depth;
        for (size_t e = 0; e < PS_INDEX_EFFORTS; e++) {
            for (size_t t = 0; t < threads; t++)
                so_far += j.at[t * PS_INDEX_CURVES + c][e];
            w->recall[c][e] = all > 0 ? (float)((double)so_far / (double)all) : 1;
        }
    }
    index_sample_free(&s);
    free(j.at);
    return rc;
}

/* ---- all of it ---- */

static int curves(ivf *w, ps_knn *knn, const ps_index *old, ps_pool *pool)
{
    if (!old) {
        index_efforts(w->effort, w->x->cells, 4);
        return calibrate(w, knn, pool);
    }
    memcpy(w->effort, old->effort, sizeof w->effort);
    for (size_t c = 0; c < PS_INDEX_CURVES; c++)
        memcpy(w->recall[c], old->recall[c], sizeof w->recall[c]);
    return 0;
}

static int write_ivf(const ivf *w, ps_out *out)
{
    const ps_index *x = w->x;
    const uint64_t groups = ivf_groups(x), slots = groups * PS_CODES_LANES;
    const index_part parts[] = {
        {SEC_ITEM, x->item, x->n * 8},
        {SEC_HASH, x->hash, x->n * 4},
        {SEC_EFFORT, w->effort, sizeof w->effort},
        {SEC_RECALL, w->recall, sizeof w->recall},
        {SEC_CENTROID, w->centroid, (uint64_t)x->cells * x->d * 4},
        {SEC_CELL_OFF, w->cell_off, ((uint64_t)x->cells + 1) * 4},
        {SEC_CODES, w->codes, groups * ps_codes_group(x->d - (uint32_t)x->has_bias)},
        {SEC_SCALE, w->scale, slots * 4},
        {SEC_OFFSET, w->offset, slots * 4},
        {SEC_ROW, w->row, slots * 4},
    };
    return index_write(x, parts, sizeof parts / sizeof *parts, out);
}

static int make(ivf *w, ps_knn *knn, const ps_index_options *o, const ps_index *old, ps_pool *pool)
{
    int rc = 0;
    if (old)
        memcpy(w->centroid, old->centroid, (size_t)old->cells * old->d * sizeof *w->centroid);
    else
        rc = train(w, o, pool);
    if (rc == 0)
        rc = assign(w, old, pool);
    if (rc == 0)
        rc = ps_quant_make(&w->x->coarse, w->x->cells, w->x->d - (uint32_t)w->x->has_bias, w->x->has_bias, w->centroid,
                           w->x->d, NULL, pool);
    if (rc == 0)
        rc = curves(w, knn, old, pool);
    if (rc == 0)
        rc = place(w);
    return rc < 0 ? rc : ps_pool_run(pool, (w->x->cells + CELLS_AT_ONCE - 1) / CELLS_AT_ONCE, encode_cells, w);
}

int ivf_build(ps_knn *knn, const ps_index_options *o, const ps_index *old, ps_index *x, ps_pool *pool, ps_out *out)
{
    const uint64_t asked = o->cells > 0 ? o->cells : usual_cells(knn->n);
    x->cells = old ? old->cells : asked < knn->n ? (uint32_t)asked : (uint32_t)knn->n;
    ivf w = {.knn = knn, .x = x};
    w.centroid = ps_alloc((size_t)x->cells * x->d, sizeof *w.centroid);
    w.cell = ps_alloc(knn->n, sizeof *w.cell);
    w.cell_off = ps_alloc((size_t)x->cells + 1, sizeof *w.cell_off);
    w.buffer = ps_alloc((size_t)ps_pool_threads(pool) * x->d, sizeof *w.buffer);
    int rc = w.centroid && w.cell && w.cell_off && w.buffer ? make(&w, knn, o, old, pool) : PS_EMEM;
    if (rc == 0)
        rc = write_ivf(&w, out);
    ps_quant_free(&x->coarse);
    free(w.centroid);
    free(w.cell);
    free(w.cell_off);
    free(w.buffer);
    free(w.codes);
    free(w.scale);
    free(w.offset);
    free(w.row);
    return rc;
}

/* ---- reading ---- */

static int bad(const ps_index *x, const char *why)
{
    return ps_fail(PS_EDATA, "%s: damaged: %s", x->name, why);
}

static int check_rows(const ps_index *x)
{
    uint8_t *seen = ps_zalloc(x->n, 1);
    if (!seen)
        return PS_EMEM;
    const size_t slots = ivf_groups(x) * PS_CODES_LANES;
    int rc = 0;
    for (size_t s = 0; s < slots && rc == 0; s++) {
        const uint32_t row = x->row[s];
        const int none = s >= x->n;
        if (none ? row != UINT32_MAX : row >= x->n || seen[row]++)
            rc = bad(x, "a row out of range, or there twice");
        else if (!isfinite(x->scale[s]) || (none ? x->offset[s] != -INFINITY : !isfinite(x->offset[s])))
            rc = bad(x, "a scale or an offset that is not finite");
    }
    free(seen);
    return rc;
}

int ivf_open(ps_index *x)
{
    if (x->cell_off[0] != 0 || x->cell_off[x->cells] != x->n)
        return bad(x, "cells that do not hold all rows");
    for (uint32_t c = 0; c < x->cells; c++)
        if (x->cell_off[c + 1] < x->cell_off[c])
            return bad(x, "cells out of order");
    for (size_t i = 0; i < (size_t)x->cells * x->d; i++)
        if (!(fabsf(x->centroid[i]) < 1e19f))
            return bad(x, "a centroid beyond all measure");
    for (size_t e = 0; e < PS_INDEX_EFFORTS; e++)
        if (x->effort[e] == 0 || x->effort[e] > x->cells || (e > 0 && x->effort[e] < x->effort[e - 1]))
            return bad(x, "numbers of cells that are out of range or order");
    int rc = check_rows(x);
    return rc < 0 ? rc
                  : ps_quant_make(&x->coarse, x->cells, x->d - (uint32_t)x->has_bias, x->has_bias, x->centroid, x->d,
                                  NULL, NULL);
}
