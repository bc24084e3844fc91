/* walk_tool.h - the worker that pswalk and psneigh -g share: opens graph, queries and output, walks, reports. */
#ifndef PS_WALK_TOOL_H
#define PS_WALK_TOOL_H

#include "tool.h"
#include "walk_run.h"

/* Where the queries come from, as in query.h, and what the walks depend on besides the job. */
typedef struct {
    const char *graph; /* file */
    int all, text, sets, skip_unknown, boards;
    int soon;                /* answer each query as it comes */
    const char *bias_boards; /* files of factors; NULL: none */
    const char *bias_items;
    double bias_rest;  /* factor of nodes that are not listed */
    const char *known; /* file of pairs: positives that the band leaves out; NULL: none */
} ps_walk_input;

/* Reads standard input, writes what `common` says.  Wrong combinations are PS_EUSAGE. */
PS_MUST_USE int ps_walk_main(const ps_walk_job *job, const ps_walk_input *input, const ps_common *common);

#endif
