/* graph_lanes.h - a thread's edges, dealt into buckets by their node; for graph_edges.c.
 *
 * Bucket i holds the nodes i << shift on; the shift grows with the largest node.  Without weights, edges are gathered
 * a cache line at a time and then written past the caches: what is dealt out does not come back before all is.
 */
#ifndef PS_GRAPH_LANES_H
#define PS_GRAPH_LANES_H

#include <stddef.h>

#include "graph_chunks.h"

enum { PS_BUCKETS = 1024, PS_LINE = 8 };

typedef struct {
    ps_chunk *first, *last;
    size_t chunks;
} ps_bucket;

typedef struct {
    uint64_t line[PS_BUCKETS][PS_LINE];
    uint16_t at[PS_BUCKETS]; /* edges that the last chunk holds with the line */
    ps_bucket b[PS_BUCKETS];
    size_t chunks, most; /* chunks in use; most of one bucket */
    uint64_t n;
    int shift;
    int open; /* lines are in use: the last chunk of a bucket says 0 edges until it is full */
} ps_lane;

/* Keys are node << 32 | other.  weights NULL: all 1; `weighted`: chunks with room for weights. */
PS_MUST_USE int ps_lane_push(ps_lane *l, ps_chunks *c, const uint64_t *keys, const float *weights, size_t n,
                             int weighted);

/* All edges into chunks, which then say how many they hold; before buckets are looked at. */
PS_MUST_USE int ps_lane_settle(ps_lane *l, ps_chunks *c);

/* Each bucket of a settled lane takes in its neighbour: the shift grows by 1. */
void ps_lane_widen(ps_lane *l, ps_chunks *c);

#endif
