/* psneigh - each item's neighbourhood: the T items most visited from it, with weights. */
#include "neigh.h"
#include "walk_tool.h"

typedef struct {
    ps_common common;
    const char *graph;
    int all, text, skip_unknown;
    int64_t neighbours, steps;
    double restart;
} options;

static void show(uint64_t records)
{
    ps_progress("visits", records, 0);
}

/* From visits or walks on standard input. */
static int filter(const options *o)
{
    ps_reader *r = ps_reader_open(NULL, 0);
    if (!r)
        return PS_EDATA;
    ps_head head = {0};
    ps_out *out = NULL;
    ps_writer *w = NULL;
    int rc = ps_neighbours_head(&head, r, (uint32_t)o->neighbours);
    if (rc == 0)
        out = ps_tool_output(&o->common, 0);
    if (rc == 0 && out)
        w = ps_writer_new(out, &head);
    if (rc == 0)
        rc = w ? ps_neighbours_make(r, w, &head, show) : PS_ESYS;
    if (rc == 0) {
        rc = ps_writer_close(w);
        w = NULL;
    }
    ps_writer_abort(w);
    if (rc == 0)
        rc = ps_out_close(out);
    else
        ps_out_abort(out);
    ps_reader_close(r);
    ps_head_free(&head);
    return rc;
}

static int psneigh(const options *o)
{
    if (!o->graph) {
        if (o->all || o->text || o->skip_unknown || o->steps != 1000 || o->restart != .5)
            return ps_usage_error("-a, -t, -u, -w and -r need -g GRAPH: without it, visits or walks are read");
        return filter(o);
    }
    ps_walk_job job = {.walk = {.steps = (uint64_t)o->steps, .restart = o->restart, .seed = (uint64_t)o->common.seed},
                       .output = PS_RUN_NEIGHBOURS,
                       .dim = (uint32_t)o->neighbours};
    ps_walk_input input = {.graph = o->graph, .all = o->all, .text = o->text, .skip_unknown = o->skip_unknown};
    return ps_walk_main(&job, &input, &o->common);
}

int main(int argc, char **argv)
{
    options o = {.common = PS_COMMON_DEFAULT, .neighbours = 20, .steps = 1000, .restart = .5};
    const ps_option rows[] = {
        {'T', "top", "N", PS_OPT_INT, &o.neighbours, 1, 65536, "neighbours of each item", NULL},
        {'g', "graph", "FILE", PS_OPT_STR, &o.graph, 0, 0, "walk on this graph; standard input holds items", NULL},
        {'a', "all", NULL, PS_OPT_FLAG, &o.all, 0, 0, "all items of the graph, nothing is read", NULL},
        {'t', "text", NULL, PS_OPT_FLAG, &o.text, 0, 0, "the items are text: a name a line", NULL},
        {'u', "skip-unknown", NULL, PS_OPT_FLAG, &o.skip_unknown, 0, 0, "skip names that the graph does not know", NULL},
        {'w', "steps", "N", PS_OPT_INT, &o.steps, 1, PS_WALK_STEPS_MAX, "steps of the walk from each item", NULL},
        {'r', "restart", "P", PS_OPT_REAL, &o.restart, 0, 1, "probability of a restart after each step", NULL},
        {0},
    };
    const ps_tool tool = {"psneigh", "Makes neighbourhoods from visits or walks, or from a graph.", NULL};
    ps_tool_parse(&tool, rows, &o.common, argc, argv);
    return ps_tool_finish(psneigh(&o));
}
