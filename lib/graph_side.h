/* graph_side.h - one direction of a graph from its edges, and what becomes of edges given twice; for graph_*.c. */
#ifndef PS_GRAPH_SIDE_H
#define PS_GRAPH_SIDE_H

#include "graph.h"
#include "graph_edges.h"
#include "graph_layout.h"

typedef struct {
    ps_layout *layout;
    ps_pool *pool;
    ps_edges *edges;     /* of this side's nodes; used up */
    ps_edges *turned;    /* gets the same edges by their other node; NULL: not wanted */
    const ps_side *old;  /* the graph that the edges are added to; NULL: none */
    uint64_t nodes;      /* of this side */
    ps_duplicates duplicates;
    int resolve;         /* duplicates or deletions have to be looked for */
    int weighted;        /* weights are kept, at least until it is known whether any is not 1 */
    int off, adj, weight; /* sections */
    uint64_t n;          /* out: edges */
    uint64_t removed;    /* out: edges that deletions took out */
    uint64_t unmet;      /* out: deletions of what was not there */
    int any_weight;      /* out: a weight is not 1 */
} ps_side_job;

PS_MUST_USE int ps_side_build(ps_side_job *job);

/* Alias tables of a side whose adjacency and weights are written: psgraph(5). */
PS_MUST_USE int ps_side_alias(ps_layout *l, ps_pool *pool, int off, int adj, int weight, int alias, int accept,
                              uint64_t nodes, uint64_t edges);

#endif
