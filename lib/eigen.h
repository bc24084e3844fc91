/* eigen.h - eigenvectors of a small symmetric matrix. */
#ifndef PS_EIGEN_H
#define PS_EIGEN_H

#include <stddef.h>

#include "par.h"

/* a [n x n], symmetric and positive semidefinite, becomes its eigenvectors: row i has length 1 and belongs to value[i],
 * value[0] >= value[1] >= ...; a row is zero where the value is 0 (up to rounding).  Jacobi rotations of pairs of rows
 * (Hestenes, 1958), the disjoint ones at the same time: the same bytes for any number of threads. */
PS_MUST_USE int ps_eigen(size_t n, double *a, double *value, ps_pool *pool);

#endif
