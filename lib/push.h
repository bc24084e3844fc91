/* push.h - personalised PageRank by forward push instead of walks (Andersen, Chung, Lang, "Local Graph Partitioning
 * using PageRank Vectors", FOCS 2006), on the bipartite graph.
 *
 * Mass 1 begins at the query.  Pushing an item shares its mass out to its boards, pushing a board shares its mass out
 * to its items, which keep the part `restart` as their share and hold the rest to be pushed on.  Once the query has
 * been pushed, a node is pushed as long as it holds more than `error` times its degree (in a weighted graph: the sum of
 * its weights).  What is held at the end is missing from the shares:
 *     0 <= share(v) - found(v) <= 2 error degree(v),        sum over v of share(v) - found(v) = mass held,
 * the first because the walk is reversible: sum over u of degree(u) share_u(v) = degree(v), for items and boards each.
 */
#ifndef PS_PUSH_H
#define PS_PUSH_H

#include "graph.h"
#include "visits.h"

#define PS_PUSH_WHOLE 0x1p31 /* what a share of 1 counts as */

typedef struct ps_push ps_push;

/* For one thread; restart and error above 0.  NULL on failure. */
PS_MUST_USE ps_push *ps_push_new(const ps_graph *g, double restart, double error);
void ps_push_free(ps_push *p);

/* Adds the shares of node u of `side` to v as counts, PS_PUSH_WHOLE times the share to the nearest whole number;
 * `side`: the graph's items, or one of a new item.  u is on a board. */
PS_MUST_USE int ps_push_run(ps_push *p, const ps_side *side, uint64_t u, ps_visits *v);

double ps_push_held(const ps_push *p);    /* mass held at the end of the last run: the L1 error */
uint64_t ps_push_edges(const ps_push *p); /* edges the last run followed */

#endif
