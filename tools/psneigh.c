/* psneigh - each item's neighbourhood: the T items most visited from it, with weights. */
#include "neigh.h"
#include "walk_tool.h"

typedef struct {
    ps_common common;
    ps_walk_input in;
    int64_t neighbours, steps, exact;
    double restart, push;
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
    const ps_walk_input *in = &o->in;
    if (!in->graph) {
        if (in->all || in->text || in->skip_unknown || in->boards || in->soon || in->bias_boards || in->bias_items ||
            in->bias_rest != 1 || o->steps != 1000 || o->restart != .5 || o->exact || o->push > 0)
            return ps_usage_error("only -T is for visits or walks from standard input: all else needs -g GRAPH");
        return filter(o);
    }
    if ((o->exact || o->push > 0) && (in->bias_boards || in->bias_items))
        return ps_usage_error("--exact and --push know no bias: leave out --bias-boards and --bias-items");
    if (o->push > 0 && (o->exact || o->restart == 0))
        return ps_usage_error("--push does not walk: not with --exact, and the restart probability must be above 0");
    ps_walk_job job = {.walk = {.steps = (uint64_t)o->steps,
                                .restart = o->restart,
                                .seed = (uint64_t)o->common.seed,
                                .exact = (uint64_t)o->exact,
                                .push = o->push},
                       .output = PS_RUN_NEIGHBOURS,
                       .dim = (uint32_t)o->neighbours};
    return ps_walk_main(&job, in, &o->common);
}

int main(int argc, char **argv)
{
    options o = {.common = PS_COMMON_DEFAULT, .in = {.bias_rest = 1}, .neighbours = 20, .steps = 1000, .restart = .5};
    ps_walk_input *in = &o.in;
    const ps_option rows[] = {
        {'T', "top", "N", PS_OPT_INT, &o.neighbours, 1, 65536, "neighbours of each item", NULL},
        {'g', "graph", "FILE", PS_OPT_STR, &in->graph, 0, 0, "walk on this graph; standard input holds items", NULL},
        {'a', "all", NULL, PS_OPT_FLAG, &in->all, 0, 0, "all items of the graph, nothing is read", NULL},
        {'t', "text", NULL, PS_OPT_FLAG, &in->text, 0, 0, "the items are text: a name a line", NULL},
        {'u', "skip-unknown", NULL, PS_OPT_FLAG, &in->skip_unknown, 0, 0, "skip names that the graph does not know",
         NULL},
        {0, "boards", NULL, PS_OPT_FLAG, &in->boards, 0, 0, "items not in the graph: their boards on a line, or edges",
         NULL},
        {'l', "line-buffered", NULL, PS_OPT_FLAG, &in->soon, 0, 0, "answer each item before the next is read", NULL},
        {'w', "steps", "N", PS_OPT_INT, &o.steps, 1, PS_WALK_STEPS_MAX, "steps of the walk from each item", NULL},
        {'r', "restart", "P", PS_OPT_REAL, &o.restart, 0, 1, "probability of a restart after each step", NULL},
        {0, "exact", "N", PS_OPT_INT, &o.exact, 0, 1 << 24,
         "count first steps exactly where they have at most N ways; 0: walk all", NULL},
        {0, "push", "E", PS_OPT_REAL, &o.push, 0, 1, "no walks: push until shares miss at most 2 E degree; 0: walk",
         NULL},
        {0, "bias-boards", "FILE", PS_OPT_STR, &in->bias_boards, 0, 0, "prefer boards: board TAB factor a line", NULL},
        {0, "bias-items", "FILE", PS_OPT_STR, &in->bias_items, 0, 0, "prefer items: item TAB factor a line", NULL},
        {0, "bias-rest", "F", PS_OPT_REAL, &in->bias_rest, 0, 1e30, "factor of those that have no line", NULL},
        {0},
    };
    const ps_tool tool = {"psneigh", "Makes neighbourhoods from visits or walks, or from a graph.", NULL, NULL};
    ps_tool_parse(&tool, rows, &o.common, argc, argv);
    return ps_tool_finish(psneigh(&o));
}
