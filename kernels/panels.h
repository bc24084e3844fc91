/* panels.h - products of queries with rows of floats; what scores high enough is taken in, the rest is never stored.
 *
 * What codes.h does for 8-bit codes, for floats.  Rows stand in panels of PS_CODES_LANES: their first elements, then
 * their second ones, and so on.  The sum of a row runs from its offset over the elements, so that it differs by
 * rounding from that of dots.h and between instruction sets: good for finding what is to be scored by dots.h.
 */
#ifndef PS_PANELS_H
#define PS_PANELS_H

#include "codes.h"

/* The n <= 16 rows of d elements at distance `stride`, times[i] (NULL: 1) times row i, as a panel of 16 x d; what is
 * missing is 0. */
void ps_panels_pack(float *panel, size_t d, size_t n, const float *row, size_t stride, const float *times);

/* The m queries (x, floor, row, score and n of them are used) with the rows first .. first + 16 x groups - 1.  Each
 * query must have room for all of them.  A row that is none has the offset -infinity; the floor must be above it. */
typedef void ps_panels_fn(size_t m, ps_codes_query *const *query, size_t d, size_t groups, const float *panels,
                          const float *offset, uint32_t first);

/* The best for this processor (or what PSGRAPH_ISA asks for: vec.h). */
ps_panels_fn *ps_panels(void);

/* "plain", "avx2", "avx512"; NULL if it was not built in or the processor lacks it. */
ps_panels_fn *ps_panels_named(const char *name);

#endif
