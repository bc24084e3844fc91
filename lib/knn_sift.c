/* knn_sift.c - exact search in two steps: a scan that finds nearly the scores, by 8-bit codes or by products of floats
 * in the order that is fastest, and the scores themselves of what the scan's error bound cannot rule out. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "knn_inner.h"
#include "mem.h"
#include "panels.h"

enum {
    ROWS_AT_ONCE = 64,
    FIRST_GROUPS = 16,
    QUERIES = 512,         /* that a tile of rows is read for */
    TILE_BYTES = 128 << 10 /* a tile, half of the second-level cache at most */
};

static void prefetch(const float *row, size_t d)
{
    for (size_t at = 0; at < d; at += 16)
        __builtin_prefetch(row + at);
}

void knn_rerank(const ps_knn *knn, const ps_knn_queries *q, size_t i, size_t n, const uint32_t *row, ps_topk *best)
{
    const float *at[ROWS_AT_ONCE];
    float score[ROWS_AT_ONCE];
    uint32_t kept[ROWS_AT_ONCE];
    ps_dots_rows_fn *dots = ps_dots_rows();
    for (size_t from = 0; from < n;) {
        size_t m = 0;
        for (; from < n && m < ROWS_AT_ONCE; from++)
            if (!ps_knn_leaves_out(q, i, row[from])) {
                at[m] = ps_vectors_row(&knn->dense, row[from]);
                prefetch(at[m], knn->d);
                kept[m++] = row[from];
            }
        if (m == 0)
            break;
        dots(m, knn->d, knn_query(knn, q, i), at, score);
        for (size_t j = 0; j < m; j++) {
            if (knn->cosine)
                score[j] = score[j] * q->scale[i] * knn->inverse[kept[j]];
            if (ps_topk_wants(best, score[j]))
                ps_topk_put(best, (ps_hit){score[j], ps_knn_item(knn, kept[j])});
        }
    }
}

/* Of one thread. */
typedef struct {
    ps_sieve sieve[QUERIES];
    double bound[QUERIES]; /* no score differs by more from what the scan finds */
    int8_t *code;          /* of the queries: QUERIES x 4 words; or */
    float *x;              /* QUERIES x d, times their scales */
    float *panels;         /* a tile of rows */
    float *offset;
} scratch;

typedef struct {
    const ps_knn *knn;
    const ps_knn_queries *q;
    size_t parts, k, block, tile; /* block: queries at once; tile: groups at once */
    ps_topk *best;
    scratch *of_thread;
    ps_codes_fn *codes; /* NULL: by floats */
    ps_panels_fn *panels;
} job;

/* Rounding: of this sum and of the one that ps_dots makes. */
static double floats_query(const ps_knn *knn, const ps_knn_queries *q, size_t i, float *x)
{
    const float *from = knn_query(knn, q, i);
    double squares = 0;
    for (uint32_t j = 0; j < knn->d; j++) {
        x[j] = from[j] * q->scale[i];
        squares += (double)from[j] * (double)from[j];
    }
    const double size = sqrt(squares) * (double)q->scale[i] * (knn->cosine ? 1 : knn->longest);
    return 1.001 * FLT_EPSILON * ((double)knn->d + 8) * size + 4 * (double)knn->d * FLT_MIN;
}

static void start(const job *w, size_t begin, size_t n, scratch *s)
{
    const ps_knn *knn = w->knn;
    for (size_t i = 0; i < n; i++) {
        const size_t query = begin + i, skips = w->q->skip_off[query + 1] - w->q->skip_off[query];
        if (w->codes) {
            s->bound[i] = ps_quant_query(&knn->quant, knn_query(knn, w->q, query), w->q->scale[query],
                                         s->code + i * 4 * ps_codes_words(knn->quant.d), &s->sieve[i].q);
        } else {
            s->sieve[i].q.x = s->x + i * knn->d;
            s->bound[i] = floats_query(knn, w->q, query, s->x + i * knn->d);
        }
        ps_sieve_start(&s->sieve[i], w->k + skips, 2 * s->bound[i]);
    }
}

/* The rows of a tile as panels. */
static void pack(const job *w, scratch *s, size_t group, size_t groups)
{
    const ps_knn *knn = w->knn;
    for (size_t g = 0; g < groups; g++) {
        const size_t first = (group + g) * PS_CODES_LANES;
        const size_t n = knn->n - first < PS_CODES_LANES ? knn->n - first : PS_CODES_LANES;
        ps_panels_pack(s->panels + g * knn->d * PS_CODES_LANES, knn->d, n, ps_vectors_row(&knn->dense, first),
                       knn_stride(knn), knn->cosine ? knn->inverse + first : NULL);
        for (size_t l = 0; l < PS_CODES_LANES; l++)
            s->offset[g * PS_CODES_LANES + l] = l < n && !(knn->denied && knn->denied[first + l]) ? 0 : -INFINITY;
    }
}

/* Exact scores: first of those that look best, then of what may still be better than the worst of them. */
static void finish(const job *w, ps_sieve *s, double bound, size_t query, ps_topk *best)
{
    ps_codes_query *q = &s->q;
    ps_sieve_end(s);
    const float top = q->n > s->keep ? ps_highest(q->score, q->n, s->keep, s->scratch) : -FLT_MAX;
    size_t first = 0, n = 0;
    for (size_t i = 0; i < q->n; i++)
        if (q->score[i] >= top) { /* to the front */
            const uint32_t row = q->row[i];
            q->row[i] = q->row[first];
            q->score[i] = q->score[first];
            q->row[first++] = row;
        }
    knn_rerank(w->knn, w->q, query, first, q->row, best);
    const double least = best->n == best->k ? (double)best->hit[0].score - bound : -INFINITY;
    for (size_t i = first; i < q->n; i++)
        if ((double)q->score[i] >= least)
            q->row[n++] = q->row[i];
    knn_rerank(w->knn, w->q, query, n, q->row, best);
}

static int scan(void *ctx, size_t task, int thread)
{
    const job *w = ctx;
    const ps_knn *knn = w->knn;
    const ps_quant *c = &knn->quant;
    scratch *s = &w->of_thread[thread];
    const size_t begin = task / w->parts * w->block, part = task % w->parts;
    const size_t n = w->q->n - begin < w->block ? w->q->n - begin : w->block;
    const size_t all = (knn->n + PS_CODES_LANES - 1) / PS_CODES_LANES;
    const size_t from = all * part / w->parts, end = all * (part + 1) / w->parts;
    ps_codes_query *query[QUERIES];
    start(w, begin, n, s);
    for (size_t i = 0; i < n; i++)
        query[i] = &s->sieve[i].q;
    /* Floors rise each time that as many rows have been seen as before, so that few rows are taken in in vain. */
    for (size_t g = from, groups; g < end; g += groups) {
        const uint32_t first = (uint32_t)(g * PS_CODES_LANES);
        groups = g - from < FIRST_GROUPS ? FIRST_GROUPS : g - from;
        groups = groups < w->tile ? groups : w->tile;
        groups = groups < end - g ? groups : end - g;
        for (size_t i = 0; i < n; i++)
            if (ps_sieve_room(&s->sieve[i], groups * PS_CODES_LANES) < 0)
                return PS_EMEM;
        if (w->codes) {
            w->codes(n, query, ps_codes_words(c->d), groups, c->codes + g * ps_codes_group(c->d), c->scale + first,
                     c->offset + first, first);
        } else {
            pack(w, s, g, groups);
            w->panels(n, query, knn->d, groups, s->panels, s->offset, first);
        }
        for (size_t i = 0; i < n; i++)
            ps_sieve_often(&s->sieve[i]);
    }
    for (size_t i = 0; i < n; i++)
        finish(w, &s->sieve[i], s->bound[i], begin + i, &w->best[(begin + i) * w->parts + part]);
    return 0;
}

static int make_scratch(const job *w, scratch *s)
{
    const ps_knn *knn = w->knn;
    if (w->codes) {
        s->code = ps_alloc(w->block * ps_codes_words(knn->quant.d), 4);
        return s->code ? 0 : PS_EMEM;
    }
    s->x = ps_aligned(w->block * knn->d, sizeof *s->x);
    s->panels = ps_aligned(w->tile * PS_CODES_LANES * knn->d, sizeof *s->panels);
    s->offset = ps_aligned(w->tile * PS_CODES_LANES, sizeof *s->offset);
    return s->x && s->panels && s->offset ? 0 : PS_EMEM;
}

static void free_scratch(scratch *s)
{
    for (size_t i = 0; i < QUERIES; i++)
        ps_sieve_free(&s->sieve[i]);
    free(s->code);
    free(s->x);
    free(s->panels);
    free(s->offset);
}

int knn_sift(const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool, size_t parts, size_t k, ps_topk *best)
{
    const size_t threads = (size_t)ps_pool_threads(pool), each = parts > 1 ? q->n : (q->n + threads - 1) / threads;
    job w = {.knn = knn, .q = q, .parts = parts, .k = k, .best = best};
    if (q->n == 0)
        return 0;
    if (knn->quant.codes)
        w.codes = ps_codes();
    else
        w.panels = ps_panels();
    const size_t group = w.codes ? ps_codes_group(knn->quant.d) : PS_CODES_LANES * knn->d * sizeof(float);
    const size_t most = w.codes ? 128 : QUERIES;
    w.block = each < most ? each : most;
    w.tile = TILE_BYTES / group / 4 * 4;
    w.tile = w.tile > 4 ? w.tile : 4;
    w.of_thread = ps_zalloc(threads, sizeof *w.of_thread);
    int rc = w.of_thread ? 0 : PS_EMEM;
    for (size_t t = 0; t < threads && rc == 0; t++)
        rc = make_scratch(&w, &w.of_thread[t]);
    if (rc == 0)
        rc = ps_pool_run(pool, (q->n + w.block - 1) / w.block * parts, scan, &w);
    for (size_t t = 0; t < threads && w.of_thread; t++)
        free_scratch(&w.of_thread[t]);
    free(w.of_thread);
    return rc;
}
