/* lineage.h - which graphs number their nodes alike: those that a graph grew from.
 *
 * What was made for an ancestor (vectors, neighbourhoods, pairs) has the numbers of the graph that grew from it, and
 * is taken for it; not the other way round, as the older graph lacks the newer one's nodes.  ps_graph_open enters
 * a graph's ancestors, ps_graph_close takes them out; ps_head_match asks.
 */
#ifndef PS_LINEAGE_H
#define PS_LINEAGE_H

#include <stdint.h>

#include "err.h"

/* The ancestors' fingerprints are copied: `stride` numbers apart. */
PS_MUST_USE int ps_lineage_enter(uint64_t graph, const uint64_t *ancestors, uint64_t n, uint64_t stride);
void ps_lineage_leave(uint64_t graph);

/* Is `ancestor` one of graph's? */
int ps_lineage_has(uint64_t graph, uint64_t ancestor);

#endif
