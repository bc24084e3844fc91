/* knn_inner.h - the measures of a scan, and its parts; for knn*.c and ivf*.c, lsh*.c only. */
#ifndef PS_KNN_INNER_H
#define PS_KNN_INNER_H

#include "dots.h"
#include "knn.h"
#include "sieve.h"

/* Queries and candidates scored at a time; they fit the second-level cache with their scores. */
enum { KNN_QUERIES = 64, KNN_TILE = 512 };

/* Hits in memory at once, about. */
enum { KNN_HITS = 1 << 22 };

/* Floats from one dense row to the next. */
static inline size_t knn_stride(const ps_knn *knn)
{
    return knn->dense.own ? knn->dense.d : knn->dense.head.size / sizeof(float);
}

static inline const float *knn_query(const ps_knn *knn, const ps_knn_queries *q, size_t i)
{
    return q->dense + i * knn->d;
}

/* Scores n dense rows with query i exactly, as ps_knn_scan would, and puts those that are not left out into `best`. */
void knn_rerank(const ps_knn *knn, const ps_knn_queries *q, size_t i, size_t n, const uint32_t *row, ps_topk *best);

/* The k best of each query: knn->quant's codes where there are some, else floats, find what is to be scored exactly;
 * best[] is query x part as in ps_knn_search. */
PS_MUST_USE int knn_sift(const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool, size_t parts, size_t k,
                         ps_topk *best);

#endif
