/* knn_search.c - the k best candidates of each query. */
#include <math.h>
#include <stdlib.h>

#include "knn_inner.h"
#include "mem.h"

enum {
    QUERIES_MIN = KNN_QUERIES,
    QUERIES_MAX = 2048,
    SIFT_FROM = 8, /* queries: the rows' order is changed for them */
};

typedef struct {
    const ps_knn *knn;
    size_t parts;
    ps_topk *best; /* of each query and part */
} job;

size_t ps_knn_batch(size_t k)
{
    size_t n = KNN_HITS / (k > 0 ? k : 1);
    return n < QUERIES_MIN ? QUERIES_MIN : n > QUERIES_MAX ? QUERIES_MAX : n;
}

/* Is any of the scores at least `floor`?  Without a branch for each. */
static int any_from(const float *scores, size_t n, float floor)
{
    int any = 0;
    for (size_t i = 0; i < n; i++)
        any |= scores[i] >= floor;
    return any;
}

static void take(void *ctx, size_t query, size_t part, uint64_t first, size_t n, const float *scores)
{
    const job *w = ctx;
    ps_topk *best = &w->best[query * w->parts + part];
    const float floor = w->knn->is_sparse ? 0 : -INFINITY; /* above which a candidate is listed */
    for (size_t from = 0, end; from < n; from = end) {
        end = from + 16 < n ? from + 16 : n;
        if (best->n == best->k && !any_from(scores + from, end - from, best->k > 0 ? best->hit[0].score : INFINITY))
            continue;
        for (size_t i = from; i < end; i++)
            if (ps_topk_wants(best, scores[i]) && scores[i] > floor)
                ps_topk_put(best, (ps_hit){scores[i], ps_knn_item(w->knn, first + i)});
    }
}

/* The parts' best of one query into its own row of hits. */
static size_t merge(const ps_topk *parts, size_t n, size_t k, ps_hit *hits)
{
    ps_topk all = {hits, k, 0};
    for (size_t p = 0; p < n; p++)
        for (size_t i = 0; i < parts[p].n; i++)
            ps_topk_put(&all, parts[p].hit[i]);
    ps_topk_sort(&all);
    return all.n;
}

/* Is it worth while to look first which rows are to be scored?  Not where most of them are asked for. */
static int pays_to_sift(const ps_knn *knn, size_t queries, size_t k)
{
    return !knn->is_sparse && knn->n <= UINT32_MAX - PS_CODES_LANES && k > 0 && k < knn->n / 8 &&
           (knn->quant.codes || queries >= SIFT_FROM);
}

int ps_knn_search(const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool, size_t k, ps_hit *hits, size_t *found)
{
    const size_t heap = k < knn->n ? k : knn->n; /* no heap holds more */
    job w = {.knn = knn, .parts = ps_knn_parts(knn, q->n, heap, ps_pool_threads(pool))};
    w.best = ps_zalloc(q->n * w.parts, sizeof *w.best);
    ps_hit *room = w.parts > 1 ? ps_alloc(q->n * w.parts * heap, sizeof *room) : NULL;
    int rc = w.best && (room || w.parts == 1) ? 0 : PS_EMEM;
    for (size_t i = 0; i < q->n * w.parts && rc == 0; i++)
        w.best[i] = (ps_topk){w.parts > 1 ? room + i * heap : hits + i * k, heap, 0};
    if (rc == 0 && pays_to_sift(knn, q->n, heap))
        rc = knn_sift(knn, q, pool, w.parts, heap, w.best);
    else if (rc == 0)
        rc = ps_knn_scan(knn, q, pool, w.parts, take, &w);
    for (size_t i = 0; i < q->n && rc == 0; i++) {
        found[i] = 0;
        if (w.parts == 1)
            ps_topk_sort(&w.best[i]);
        if (q->members[i] > 0)
            found[i] = w.parts == 1 ? w.best[i].n : merge(w.best + i * w.parts, w.parts, k, hits + i * k);
    }
    free(room);
    free(w.best);
    return rc;
}
