/* gemm.h - matrix products: those of packed.h with AVX-512, OpenBLAS otherwise where it was built in and is found. */
#ifndef PS_GEMM_H
#define PS_GEMM_H

#include <stddef.h>

#include "par.h"
#include "real.h"

typedef enum { PS_N, PS_T } ps_trans;

/* C = alpha op(A) op(B) + beta C, all row-major: op(A) is m x k, op(B) k x n, C m x n; ld*: elements
 * from one stored row to the next.  beta 0 ignores what C held.  One thread.
 * The result depends on the shapes, the machine, and whether OpenBLAS is to be had, only. */
void ps_gemm_one(ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha, const ps_real *a, size_t lda,
                 const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc);

/* The same, cut into pieces (OpenBLAS: tiles, and slabs of the sum over a long k, that depend on the shape only) and shared out
 * to the pool's threads: the same bytes for any number of threads, memory permitting (8 MiB at most). */
void ps_gemm(ps_pool *pool, ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha, const ps_real *a,
             size_t lda, const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc);

/* The same from numbers rounded to bf16, summed in float (bf16.h); alpha 1, beta 0 or 1. */
void ps_gemm_bf16(ps_pool *pool, ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha,
                  const ps_real *a, size_t lda, const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc);

/* Either of them. */
typedef __typeof__(ps_gemm) ps_gemm_fn;

/* As ps_gemm_one, by OpenBLAS; where it was not built in or is not to be had (openblas.h), by packed.h. */
void ps_gemm_library(ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha, const ps_real *a,
                     size_t lda, const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc);

/* As ps_gemm_one, by packed.h. */
void ps_gemm_packed(ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha, const ps_real *a, size_t lda,
                    const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc);

/* The reference that the tests compare with, and what serves where memory is lacking. */
void ps_gemm_plain(ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha, const ps_real *a, size_t lda,
                   const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc);

/* Operations (2 m n k) of all ps_gemm and ps_gemm_bf16 of the calling thread so far. */
double ps_gemm_operations(void);

/* What ps_gemm_one is: "OpenBLAS ..." with the kernels it chose, or the form of packed.h. */
const char *ps_gemm_backend(void);

#endif
