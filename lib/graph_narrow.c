/* graph_narrow.c - offsets in 32 bits: the end of graph.h's first part. */
#include <stdlib.h>

#include "graph.h"
#include "mem.h"

/* 0: an offset is out of order. */
static int copy(uint32_t *to, const ps_side *side, uint64_t edges)
{
    uint64_t before = 0;
    int ordered = side->off[0] == 0 && side->off[side->nodes] == edges;
    for (uint64_t u = 0; u <= side->nodes; u++) {
        ordered &= side->off[u] >= before;
        before = side->off[u];
        to[u] = (uint32_t)before;
    }
    return ordered;
}

void ps_graph_narrow(ps_graph *g)
{
    const uint64_t offsets = g->items.nodes + g->boards.nodes + 2;
    if (g->narrow || g->edges > UINT32_MAX || offsets > PS_GRAPH_NARROW / sizeof *g->narrow)
        return;
    uint32_t *p = ps_aligned(offsets, sizeof *p);
    if (p && copy(p, &g->items, g->edges) && copy(p + g->items.nodes + 1, &g->boards, g->edges)) {
        g->narrow = p;
        g->items.off32 = p;
        g->boards.off32 = p + g->items.nodes + 1;
    } else {
        free(p);
    }
}
