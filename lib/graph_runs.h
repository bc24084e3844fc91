/* graph_runs.h - sorted runs of edges in temporary files, and their merge; for graph_edges.c. */
#ifndef PS_GRAPH_RUNS_H
#define PS_GRAPH_RUNS_H

#include "graph_edges.h"

typedef struct ps_runs ps_runs;

PS_MUST_USE ps_runs *ps_runs_new(const char *dir);
void ps_runs_free(ps_runs *r); /* NULL is allowed */

/* A new run begins; the batches written next are one sorted sequence. */
PS_MUST_USE int ps_runs_begin(ps_runs *r);
PS_MUST_USE int ps_runs_write(ps_runs *r, const ps_edge_list *b);

/* All runs are written: merges them until few enough are left to be read at the same time in `memory` bytes. */
PS_MUST_USE int ps_runs_start(ps_runs *r, uint64_t memory);

const ps_spilled *ps_runs_spilled(const ps_runs *r);

/* Bytes of the buffers that they are read through. */
uint64_t ps_runs_bytes(const ps_runs *r);

/* ps_edges_merge. */
PS_MUST_USE int ps_runs_merge(ps_runs *r, uint64_t limit, size_t most, ps_edge_list *b);

#endif
