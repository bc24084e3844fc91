/* knn_scan.c - all scores: tiles of dot products, or an inverted index. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dots.h"
#include "knn_inner.h"
#include "mem.h"

enum {
    SPARSE_QUERIES = 8, /* of one task */
    ALIGN_FROM = 8,     /* queries */
};

typedef struct {
    const ps_knn *knn;
    const ps_knn_queries *q;
    size_t blocks, parts, width; /* of queries; of rows; floats of a thread's scores */
    ps_knn_visit visit;
    void *ctx;
    float *scores; /* of each thread */
    size_t pairs;  /* ps_knn_score */
    const size_t *pair_query;
    const uint64_t *pair_row;
    float *pair_score;
    ps_dots_fn *dots;
} job;

static size_t block_size(const ps_knn *knn)
{
    return knn->is_sparse ? SPARSE_QUERIES : KNN_QUERIES;
}

static size_t block_end(const job *w, size_t block)
{
    size_t end = (block + 1) * block_size(w->knn);
    return end < w->q->n ? end : w->q->n;
}

static size_t tiles(const ps_knn *knn)
{
    return (knn->n + KNN_TILE - 1) / KNN_TILE;
}

static size_t aligned_width(const ps_knn *knn)
{
    return ((size_t)knn->d + 15) / 16 * 16;
}

static void leave_out(const job *w, size_t query, uint64_t first, size_t n, float *scores)
{
    const ps_knn_queries *q = w->q;
    for (size_t i = q->skip_off[query]; i < q->skip_off[query + 1]; i++)
        if (q->skip[i] - first < n)
            scores[q->skip[i] - first] = -INFINITY;
    for (size_t i = 0; i < n && w->knn->denied; i++)
        if (w->knn->denied[first + i])
            scores[i] = -INFINITY;
}

static inline float cosine(const job *w, size_t query, uint64_t row, float product)
{
    return product * w->q->scale[query] * w->knn->inverse[row];
}

static void show(const job *w, size_t query, size_t part, uint64_t first, size_t n, float *scores)
{
    if (w->knn->cosine)
        for (size_t i = 0; i < n; i++)
            scores[i] = cosine(w, query, first + i, scores[i]);
    leave_out(w, query, first, n, scores);
    w->visit(w->ctx, query, part, first, n, scores);
}

/* From a stream's records, which are not aligned, to rows that are: for many queries that is soon worth it. */
static void align(float *to, size_t width, size_t n, size_t d, const float *from, size_t stride)
{
    for (size_t i = 0; i < n; i++)
        memcpy(to + i * width, from + i * stride, d * sizeof *to);
}

static int dense_task(void *ctx, size_t task, int thread)
{
    const job *w = ctx;
    const ps_knn *knn = w->knn;
    const size_t block = task / w->parts, part = task % w->parts, all = tiles(knn), width = aligned_width(knn);
    const size_t begin = block * KNN_QUERIES, end = block_end(w, block);
    float *scores = w->scores + (size_t)thread * w->width;
    float *queries = scores + (size_t)KNN_QUERIES * KNN_TILE, *rows = queries + KNN_QUERIES * width;
    align(queries, width, end - begin, knn->d, w->q->dense + begin * knn->d, knn->d);
    for (size_t tile = all * part / w->parts; tile < all * (part + 1) / w->parts; tile++) {
        const size_t first = tile * KNN_TILE, n = knn->n - first < KNN_TILE ? knn->n - first : KNN_TILE;
        const float *b = ps_vectors_row(&knn->dense, first);
        const int many = end - begin >= ALIGN_FROM;
        if (many)
            align(rows, width, n, knn->d, b, knn_stride(knn));
        w->dots(end - begin, n, knn->d, queries, width, many ? rows : b, many ? width : knn_stride(knn), scores,
                KNN_TILE);
        for (size_t i = begin; i < end; i++)
            show(w, i, part, first, n, scores + (i - begin) * KNN_TILE);
    }
    return 0;
}

/* The scores of one sparse query with all rows. */
static float *sparse_scores(const job *w, size_t query, int thread)
{
    const ps_knn_queries *q = w->q;
    float *scores = w->scores + (size_t)thread * w->width;
    memset(scores, 0, w->knn->n * sizeof *scores);
    size_t at = q->off[query];
    ps_postings_score(&w->knn->postings, q->off[query + 1] - at, q->index + at, q->value + at, scores);
    return scores;
}

static int sparse_task(void *ctx, size_t task, int thread)
{
    const job *w = ctx;
    for (size_t i = task * SPARSE_QUERIES; i < block_end(w, task); i++)
        show(w, i, 0, 0, w->knn->n, sparse_scores(w, i, thread));
    return 0;
}

size_t ps_knn_parts(const ps_knn *knn, size_t queries, size_t k, int threads)
{
    if (knn->is_sparse || queries == 0)
        return 1;
    size_t blocks = (queries + KNN_QUERIES - 1) / KNN_QUERIES, want = (2 * (size_t)threads + blocks - 1) / blocks;
    size_t most = tiles(knn) / 4, room = KNN_HITS / (k > 0 ? k : 1) / queries;
    if (blocks >= 4 * (size_t)threads)
        return 1;
    want = want < most ? want : most;
    want = want < room ? want : room;
    return want > 0 ? want : 1;
}

static int make_scratch(job *w, int threads)
{
    const ps_knn *knn = w->knn;
    w->blocks = (w->q->n + block_size(knn) - 1) / block_size(knn);
    w->width = knn->is_sparse ? (knn->n + 15) / 16 * 16
                              : (size_t)KNN_QUERIES * KNN_TILE + (KNN_QUERIES + KNN_TILE) * aligned_width(knn);
    w->scores = ps_aligned((size_t)threads * w->width, sizeof *w->scores);
    w->dots = ps_dots();
    return w->scores ? 0 : PS_EMEM;
}

int ps_knn_scan(const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool, size_t parts, ps_knn_visit visit, void *ctx)
{
    job w = {.knn = knn, .q = q, .parts = parts, .visit = visit, .ctx = ctx};
    if (q->n == 0 || knn->n == 0)
        return 0;
    int rc = make_scratch(&w, ps_pool_threads(pool));
    if (rc == 0)
        rc = ps_pool_run(pool, w.blocks * parts, knn->is_sparse ? sparse_task : dense_task, &w);
    free(w.scores);
    return rc;
}

/* ---- single scores ---- */

/* The first pair whose query is not below `query`. */
static size_t pairs_from(const job *w, size_t query)
{
    size_t lo = 0, hi = w->pairs;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (w->pair_query[mid] < query)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int dense_pairs(void *ctx, size_t block, int thread)
{
    const job *w = ctx;
    const ps_knn *knn = w->knn;
    (void)thread;
    const size_t end = pairs_from(w, block_end(w, block));
    for (size_t i = pairs_from(w, block * KNN_QUERIES); i < end; i++) {
        float score;
        w->dots(1, 1, knn->d, w->q->dense + w->pair_query[i] * knn->d, knn->d,
                ps_vectors_row(&knn->dense, w->pair_row[i]), knn->d, &score, 1);
        w->pair_score[i] = knn->cosine ? cosine(w, w->pair_query[i], w->pair_row[i], score) : score;
    }
    return 0;
}

static int sparse_pairs(void *ctx, size_t block, int thread)
{
    const job *w = ctx;
    size_t at = pairs_from(w, block * SPARSE_QUERIES), end = pairs_from(w, block_end(w, block));
    while (at < end) {
        const size_t query = w->pair_query[at];
        const float *scores = sparse_scores(w, query, thread);
        for (; at < end && w->pair_query[at] == query; at++) {
            const uint64_t row = w->pair_row[at];
            w->pair_score[at] = w->knn->cosine ? cosine(w, query, row, scores[row]) : scores[row];
        }
    }
    return 0;
}

int ps_knn_score(const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool, size_t n, const size_t *query,
                 const uint64_t *row, float *score)
{
    job w = {.knn = knn, .q = q, .pairs = n, .pair_query = query, .pair_row = row, .pair_score = score};
    if (n == 0)
        return 0;
    int rc = make_scratch(&w, ps_pool_threads(pool));
    if (rc == 0)
        rc = ps_pool_run(pool, w.blocks, knn->is_sparse ? sparse_pairs : dense_pairs, &w);
    free(w.scores);
    return rc;
}
