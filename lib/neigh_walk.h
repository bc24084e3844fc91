/* neigh_walk.h - the neighbourhoods of all items of a graph, walked into memory. */
#ifndef PS_NEIGH_WALK_H
#define PS_NEIGH_WALK_H

#include "neigh.h"
#include "par.h"
#include "walk.h"

/* Makes the table that ps_neighbours_open gives for the output of psneigh -g GRAPH -a -T `top` with these walks.
 * Memory: 8 T bytes an item.  Close with ps_neighbours_close. */
PS_MUST_USE int ps_neighbours_walk(ps_neighbours *t, const ps_graph *g, const ps_walk_options *walk, uint32_t top,
                                   ps_pool *pool);

#endif
