/* packed.h - own matrix products, rows times a constant matrix, and pooling of rows: what inference is made of.
 *
 * A matrix product library sums in an order that depends on an element's place in the matrix, since its code differs at
 * the edges of its blocks.  Here a row of the result is the same number wherever its row stands and whatever stands
 * beside it, so that some items can be embedded anew and are, to the byte, what a run over all items makes of them.
 * The constant matrix is laid out once; the rows are copied some at a time, which the caches do not notice.
 */
#ifndef PS_PACKED_H
#define PS_PACKED_H

#include <stddef.h>
#include <stdint.h>

#include "real.h"

/* A matrix W [n x k], laid out for the instruction set that made it. */
typedef struct {
    size_t n, k;
    ps_real *panels;
} ps_packed;

typedef struct {
    const char *name; /* "plain", "avx2", "avx512" */

    /* W row-major, ld elements from one row to the next; or `turned`: w is its transpose [k x n].  Takes memory;
     * PS_EMEM. */
    int (*pack)(ps_packed *p, size_t n, size_t k, const ps_real *w, size_t ld, int turned);

    /* y[i * ldy + j] = sum over p < k of x[i * ldx + p] W[j, p]; with `add` that is added to what is there.  Sums run
     * over p in ascending order, in pieces that depend on k only.  Fast for some hundred rows at once. */
    void (*multiply)(size_t m, const ps_real *x, size_t ldx, const ps_packed *w, int add, ps_real *y, size_t ldy);

    /* y[i * ldy + j] = sum over p < k of a[p * lda + i] b[p * ldb + j], i < m, j < n, or added: the gradient of a
     * constant matrix.  Sums in the same order.  PS_EMEM, and nothing is done, without memory for 256 rows of b. */
    int (*multiply_turned)(size_t m, size_t n, size_t k, const ps_real *a, size_t lda, const ps_real *b, size_t ldb,
                           int add, ps_real *y, size_t ldy);

    /* out[0..n-1] += weight[0] row[0] + weight[1] row[1] + ..., one after the other, row[t] = base + index[t] * ld: in
     * several calls the same as in one. */
    void (*pool_sum)(size_t n, size_t count, const uint32_t *index, const ps_real *weight, const ps_real *base,
                     size_t ld, ps_real *out);

    /* out = the largest of out and these rows, element by element. */
    void (*pool_max)(size_t n, size_t count, const uint32_t *index, const ps_real *base, size_t ld, ps_real *out);
} ps_packed_ops;

void ps_packed_free(ps_packed *p);

/* The best for this processor (or what PSGRAPH_ISA asks for: vec.h). */
const ps_packed_ops *ps_packed_best(void);

/* NULL if it was not built in or the processor lacks it. */
const ps_packed_ops *ps_packed_named(const char *name);

#endif
