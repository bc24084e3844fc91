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
 *   e_u  = L2( sum over boards b of u of |b|^(-1/2) s_b ),  s_b in {-1, +1}^d from seed and b's name, or its number in a graph without names
 *   e'_u = L2( mean over boards b of u of ( mean over items v of b of e_v ) )
 *   out_u = L2( e'_u - mean ) sqrt(d) / 4
 *
 * and zeros for an item without boards.  mean [d]: with `given`, it is used; without, it becomes the mean of e' over the items
 * that have boards.  Parallel edges count as often as they stand there, edge weights not at all.  A graph of the same named edges
 * in another order gives the same sketches but for rounding (sums follow the numbers), so that a model suits it.  Needs boards
 * x 66 floats beside `out`.  The same bytes for any number of threads. */
PS_MUST_USE int ps_sketch(const ps_graph *g, uint64_t seed, uint32_t d, float *mean, int given, float *out, ps_pool *pool);

/* Items that the graph does not hold, by their boards, which it holds. */
typedef struct {
    uint64_t n;
    uint64_t *off;   /* n + 1 */
    uint32_t *board; /* of item i: board[off[i]] .. board[off[i + 1] - 1], ascending */
    size_t cap[2];
} ps_board_lists;

/* Reads a line of board names, tab separated, for each item.  PS_EDATA naming the line for a name that the graph does not know;
 * with `skipped` such names are left out and counted there.  `*items` begins as zeros. */
PS_MUST_USE int ps_board_lists_read(ps_board_lists *items, const char *path, const ps_graph *g, uint64_t *skipped);
void ps_board_lists_free(ps_board_lists *items);

/* The term (feat_text.h) of each board's name, or of its number in digits in a graph without names; malloc'ed, NULL without
 * memory. */
uint32_t *ps_board_terms(const ps_graph *g);

/* Their sketches, items->n x d.  e_u and both means of e'_u are those of a graph that was built again with this item as its
 * last; only e_v of the items v beside it are as they are now, with |b| as it is now, and `mean` is given.  So are the sketches of
 * other new items: none knows of another.  Memory: graph's items x d floats. */
PS_MUST_USE int ps_sketch_new(const ps_graph *g, uint64_t seed, uint32_t d, const float *mean, const ps_board_lists *items,
                              float *out, ps_pool *pool);

/* log(1 + degree) / 4 */
float ps_log_degree(uint64_t degree);

#endif
