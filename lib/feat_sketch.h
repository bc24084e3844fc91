/* feat_sketch.h - features of an item's place in the graph, without anything stored for an item or board. */
#ifndef PS_FEAT_SKETCH_H
#define PS_FEAT_SKETCH_H

#include "graph.h"
#include "par.h"

/* PS_EDATA if an offset or a neighbour of either side is out of range: a graph that is mapped has not
 * been read before.  To be called before the functions below. */
PS_MUST_USE int ps_sketch_check(const ps_graph *g);

/* The structural sketch of every item: out is items x d, row by row.
 *
 *   e_u  = L2( sum over boards b of u of |b|^(-1/2) s_b ),  s_b in {-1, +1}^d from seed and b
 *   e'_u = L2( mean over boards b of u of ( mean over items v of b of e_v ) )
 *   out_u = L2( e'_u - mean of e' over the items that have boards ) sqrt(d) / 4
 *
 * and zeros for an item without boards.  Parallel edges count as often as they stand there, edge weights
 * not at all.  Needs boards x 64 floats beside `out`.  The same bytes for any number of threads. */
PS_MUST_USE int ps_sketch(const ps_graph *g, uint64_t seed, uint32_t d, float *out, ps_pool *pool);

/* log(1 + degree) / 4 of the item. */
float ps_log_degree(const ps_graph *g, uint64_t item);

#endif
