/* walk_exact.h - the expectation of a walk's first steps, by looking at all edges two hops around its start. */
#ifndef PS_WALK_EXACT_H
#define PS_WALK_EXACT_H

#include "graph.h"
#include "visits.h"

/* Is the number of edges between the boards of node u of `side` and their items at most `most`?  0 also if the
 * graph is damaged there, or u on no board, or most is 0. */
int ps_exact_fits(const ps_graph *g, const ps_side *side, uint64_t u, uint64_t most);

/* Adds `visits` times the probability that one step from u leads there, to the nearest whole number for each edge, for
 * every item two hops away. */
PS_MUST_USE int ps_exact_first(ps_visits *v, const ps_graph *g, const ps_side *side, uint64_t u, double visits);

#endif
