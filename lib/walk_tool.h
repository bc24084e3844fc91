/* walk_tool.h - the worker that pswalk and psneigh -g share: opens graph, queries and output, walks, reports. */
#ifndef PS_WALK_TOOL_H
#define PS_WALK_TOOL_H

#include "tool.h"
#include "walk_run.h"

/* Where the queries come from; as in query.h. */
typedef struct {
    const char *graph; /* file */
    int all, text, sets, skip_unknown;
} ps_walk_input;

/* Reads standard input, writes what `common` says.  Wrong combinations are PS_EUSAGE. */
PS_MUST_USE int ps_walk_main(const ps_walk_job *job, const ps_walk_input *input, const ps_common *common);

#endif
