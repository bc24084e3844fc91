/* graph_stats.h - what a graph looks like. */
#ifndef PS_GRAPH_STATS_H
#define PS_GRAPH_STATS_H

#include "graph.h"

enum { PS_STATS_LARGEST = 5 };

typedef struct {
    uint64_t least, most, none;  /* degrees; nodes without edges */
    uint64_t p50, p90, p99;      /* so many percent of the nodes have this degree or a smaller one */
    uint64_t largest[PS_STATS_LARGEST]; /* nodes, by degree, then by number */
    int n_largest;
} ps_side_stats;

/* PS_EDATA if the offsets are not in order. */
PS_MUST_USE int ps_side_measure(const ps_graph *g, ps_space space, ps_side_stats *s);

/* Connected components, nodes without edges included, and the items of that with most.  12 bytes for each item. */
PS_MUST_USE int ps_graph_components(const ps_graph *g, uint64_t *components, uint64_t *most_items);

#endif
