/* dots.h - all dot products of some rows with other rows, each of them the same number wherever its rows stand.
 *
 * A matrix product library sums in an order that depends on an element's place in the matrix, since its code differs
 * at the edges of its blocks.  Then equal vectors do not tie, and a score depends on what was asked for beside
 * it.  Here the order depends on d and the instruction set only.  Always float, also in the double build.
 */
#ifndef PS_DOTS_H
#define PS_DOTS_H

#include <stddef.h>

/* c[i * ldc + j] = sum over p < d of a[i * lda + p] b[j * ldb + p], for i < m and j < n.  Rows need no alignment.  Fast
 * for large n and for an m whose rows together fit the second-level cache. */
typedef void ps_dots_fn(size_t m, size_t n, size_t d, const float *a, size_t lda, const float *b, size_t ldb, float *c,
                        size_t ldc);

/* c[j] = the same sum of a and the row b[j], for j < n: the very same number. */
typedef void ps_dots_rows_fn(size_t n, size_t d, const float *a, const float *const *b, float *c);

/* The best for this processor (or what PSGRAPH_ISA asks for: vec.h). */
ps_dots_fn *ps_dots(void);
ps_dots_rows_fn *ps_dots_rows(void);

/* "plain", "avx2", "avx512"; NULL if it was not built in or the processor lacks it. */
ps_dots_fn *ps_dots_named(const char *name);
ps_dots_rows_fn *ps_dots_rows_named(const char *name);

#endif
