/* pswalk - random walks with restart from items or sets of items. */
#include "walk_tool.h"

typedef struct {
    ps_common common;
    const char *graph;
    int all, text, sets, skip_unknown;
    int64_t steps, hits, paths, early_items, early_visits;
    double restart;
} options;

static int pswalk(const options *o)
{
    ps_walk_job job = {.walk = {.steps = (uint64_t)o->steps,
                                .restart = o->restart,
                                .seed = (uint64_t)o->common.seed,
                                .early_items = (uint64_t)o->early_items,
                                .early_visits = (uint32_t)o->early_visits},
                       .output = PS_RUN_VISITS};
    ps_walk_input input = {o->graph, o->all, o->text, o->sets, o->skip_unknown};
    if (!o->graph)
        return ps_usage_error("-g GRAPH is needed");
    if (o->hits && o->paths)
        return ps_usage_error("-k and --paths: one kind of output at a time");
    if (o->paths && (o->sets || o->early_items || o->early_visits))
        return ps_usage_error("--paths goes with neither --sets nor early stopping");
    if (!o->early_items != !o->early_visits)
        return ps_usage_error("--early-items and --early-visits are needed together");
    if (o->hits) {
        job.output = PS_RUN_HITS;
        job.dim = (uint32_t)o->hits;
    } else if (o->paths) {
        job.output = PS_RUN_PATHS;
        job.dim = (uint32_t)o->paths;
    }
    return ps_walk_main(&job, &input, &o->common);
}

int main(int argc, char **argv)
{
    options o = {.common = PS_COMMON_DEFAULT, .steps = 1000, .restart = .5};
    const ps_option rows[] = {
        {'g', "graph", "FILE", PS_OPT_STR, &o.graph, 0, 0, "the graph to walk on", NULL},
        {'a', "all", NULL, PS_OPT_FLAG, &o.all, 0, 0, "all items of the graph, nothing is read", NULL},
        {'t', "text", NULL, PS_OPT_FLAG, &o.text, 0, 0, "queries are text: a name a line", NULL},
        {'u', "skip-unknown", NULL, PS_OPT_FLAG, &o.skip_unknown, 0, 0, "skip names that the graph does not know", NULL},
        {0, "sets", NULL, PS_OPT_FLAG, &o.sets, 0, 0, "queries are sets: names on a line, or pairs records", NULL},
        {'w', "steps", "N", PS_OPT_INT, &o.steps, 1, PS_WALK_STEPS_MAX, "steps in all for each query", NULL},
        {'r', "restart", "P", PS_OPT_REAL, &o.restart, 0, 1, "probability of a restart after each step", NULL},
        {'k', "hits", "N", PS_OPT_INT, &o.hits, 0, 131071, "write the N most visited, ranked; 0: visits", NULL},
        {0, "paths", "L", PS_OPT_INT, &o.paths, 0, 100000, "write the walks, up to L steps each; 0: visits", NULL},
        {0, "early-items", "N", PS_OPT_INT, &o.early_items, 0, 4294967295, "stop once N items were visited ... 0: never",
         NULL},
        {0, "early-visits", "N", PS_OPT_INT, &o.early_visits, 0, 4294967295, "... N times each; 0: never", NULL},
        {0},
    };
    const ps_tool tool = {"pswalk", "Walks at random from items or sets of items; writes visits, walks or hits.", NULL};
    ps_tool_parse(&tool, rows, &o.common, argc, argv);
    return ps_tool_finish(pswalk(&o));
}
