/* knn_inner.h - the shape of the products, for knn*.c only. */
#ifndef PS_KNN_INNER_H
#define PS_KNN_INNER_H

#include "knn.h"

/* Queries and candidates of one product.  Never another shape, and multiples of every processor's register
 * blocking: a product library takes the same path for every element of every tile, hence the same sum. */
enum { KNN_QUERIES = 64, KNN_TILE = 1024 };

/* Hits in memory at once, about. */
enum { KNN_HITS = 1 << 22 };

/* Floats from one dense row to the next. */
static inline size_t knn_stride(const ps_knn *knn)
{
    return knn->dense.own ? knn->dense.d : knn->dense.head.size / sizeof(float);
}

/* The rows of a tile, KNN_TILE of them, and the distance between them. */
static inline const float *knn_tile(const ps_knn *knn, uint64_t tile, size_t *stride)
{
    int last = (tile + 1) * KNN_TILE > knn->n;
    *stride = last ? knn->d : knn_stride(knn);
    return last ? knn->tail : ps_vectors_row(&knn->dense, tile * KNN_TILE);
}

#endif
