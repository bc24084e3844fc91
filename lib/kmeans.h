/* kmeans.h - cells of about the same size: Lloyd's k-means with products of 8-bit codes. */
#ifndef PS_KMEANS_H
#define PS_KMEANS_H

#include <stdint.h>

#include "par.h"

/* centroid[k x d] of the n rows of x (distance d), n >= k >= 1.  Deterministic for any pool.  A cell that gets few rows
 * begins anew inside a large one. */
PS_MUST_USE int ps_kmeans(const float *x, size_t n, uint32_t d, size_t k, int rounds, uint64_t seed, ps_pool *pool,
                          float *centroid);

/* cell[i] = the centroid nearest to row i, by their codes; `fill` puts row i of d elements at x. */
typedef void (*ps_row_filler)(const void *ctx, size_t i, float *x);
PS_MUST_USE int ps_nearest(const float *centroid, size_t k, uint32_t d, size_t n, ps_row_filler fill, const void *ctx,
                           ps_pool *pool, uint32_t *cell);

#endif
