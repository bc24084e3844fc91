/* knn_inner.h - the measures of a scan, for knn*.c only. */
#ifndef PS_KNN_INNER_H
#define PS_KNN_INNER_H

#include "knn.h"

/* Queries and candidates scored at a time; they fit the second-level cache with their scores. */
enum { KNN_QUERIES = 64, KNN_TILE = 512 };

/* Hits in memory at once, about. */
enum { KNN_HITS = 1 << 22 };

/* Floats from one dense row to the next. */
static inline size_t knn_stride(const ps_knn *knn)
{
    return knn->dense.own ? knn->dense.d : knn->dense.head.size / sizeof(float);
}

#endif
