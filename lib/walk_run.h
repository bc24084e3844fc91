/* walk_run.h - what pswalk and psneigh -g do: queries in, a record stream out, by any number of threads.
 *
 * The records are the same whatever the threads and however the queries are split over runs.
 */
#ifndef PS_WALK_RUN_H
#define PS_WALK_RUN_H

#include "pairs.h"
#include "par.h"
#include "query.h"
#include "walk.h"

typedef enum {
    PS_RUN_VISITS, /* PS_VISITS: most visited first; an item without visits gives (item, item, 0), a set nothing */
    PS_RUN_PATHS,  /* PS_WALKS of `dim` steps; a query without any: padding only.  Not for sets */
    PS_RUN_HITS,   /* PS_HITS: the `dim` most visited, the query or the set's members left out; score: visits / steps */
    PS_RUN_NEIGHBOURS, /* PS_NEIGHBOURS with T = `dim`; a query equal to the one before it is passed over, one that
                          comes again later is PS_EDATA at the end, except soon.  Not for sets */
    PS_RUN_BAND        /* PS_PAIRS: query and up to `dim` items of the band of ranks, weight 1.  For items only */
} ps_run_output;

typedef struct {
    ps_walk_options walk;
    ps_run_output output;
    uint32_t dim;
    uint32_t band_low, band_high; /* ranks from 1 */
    const ps_known *known;        /* never in the band; NULL: none.  Must outlive the run */
    int soon;                     /* a query at a time, so that none waits for another */
} ps_walk_job;

/* Queries are items, or with ps_queries_space PS_PLAIN sets; new items given their boards if their batch says so
 * (ps_query_options.boards): these have visits, hits and neighbours.
 *
 * The output's header: shape, spaces and fingerprint, the history of the queries' stream (text, all: of the graph)
 * and this step's line; two for neighbours, as if pswalk and psneigh had run one after the other. */
PS_MUST_USE int ps_walk_head(ps_head *head, const ps_walk_job *job, const ps_graph *g, const ps_queries *q);

typedef struct ps_walk_run ps_walk_run;

/* Graph and queries must outlive it; `head`: from ps_walk_head, copied without its history.  When much has been walked
 * the graph is made ready for more: ps_walk_ready. */
PS_MUST_USE ps_walk_run *ps_walk_run_new(const ps_walk_job *job, ps_graph *g, ps_queries *q, const ps_head *head,
                                         int threads);
void ps_walk_run_free(ps_walk_run *run);

/* Takes some queries (soon: one): how many, 0 at the end, negative on failure.  Their records are written then (soon)
 * or by the next call. */
PS_MUST_USE long ps_walk_run_next(ps_walk_run *run, ps_writer *w);

/* Steps walked so far. */
uint64_t ps_walk_run_steps(const ps_walk_run *run);

/* Of pushes: the largest share of a query that was left out. */
double ps_walk_run_left_out(const ps_walk_run *run);

#endif
