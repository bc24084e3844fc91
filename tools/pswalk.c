/* pswalk - random walks with restart from items or sets of items. */
#include "walk_tool.h"

typedef struct {
    ps_common common;
    ps_walk_input in;
    int64_t steps, hits, paths, early_items, early_visits, negatives, low, high;
    double restart;
} options;

static int set_output(const options *o, ps_walk_job *job)
{
    if (!!o->hits + !!o->paths + !!o->negatives > 1)
        return ps_usage_error("-k N, --paths L and --negatives N are one kind of output each: choose one");
    if (o->paths && (o->in.sets || o->in.boards || o->early_items || o->early_visits))
        return ps_usage_error("--paths goes with neither --sets, --boards nor early stopping");
    if (!o->early_items != !o->early_visits)
        return ps_usage_error("--early-items and --early-visits are needed together");
    if (o->early_items && o->in.boards)
        return ps_usage_error("--boards goes without early stopping");
    if (o->negatives && (o->in.sets || o->in.boards))
        return ps_usage_error("--negatives are those of an item: not with --sets or --boards");
    if (o->in.known && !o->negatives)
        return ps_usage_error("-p leaves positives out of --negatives, which is not given");
    if (o->low > o->high)
        return ps_usage_error("--low is above --high: no rank is left");
    if (o->hits) {
        job->output = PS_RUN_HITS;
        job->dim = (uint32_t)o->hits;
    } else if (o->paths) {
        job->output = PS_RUN_PATHS;
        job->dim = (uint32_t)o->paths;
    } else if (o->negatives) {
        job->output = PS_RUN_BAND;
        job->dim = (uint32_t)o->negatives;
        job->band_low = (uint32_t)o->low;
        job->band_high = (uint32_t)o->high;
    }
    return 0;
}

static int pswalk(const options *o)
{
    ps_walk_job job = {.walk = {.steps = (uint64_t)o->steps,
                                .restart = o->restart,
                                .seed = (uint64_t)o->common.seed,
                                .early_items = (uint64_t)o->early_items,
                                .early_visits = (uint32_t)o->early_visits},
                       .output = PS_RUN_VISITS};
    if (!o->in.graph)
        return ps_usage_error("-g GRAPH is needed");
    int rc = set_output(o, &job);
    return rc < 0 ? rc : ps_walk_main(&job, &o->in, &o->common);
}

int main(int argc, char **argv)
{
    options o = {
        .common = PS_COMMON_DEFAULT, .in = {.bias_rest = 1}, .steps = 1000, .restart = .5, .low = 100, .high = 1000};
    ps_walk_input *in = &o.in;
    const ps_option rows[] = {
        {'g', "graph", "FILE", PS_OPT_STR, &in->graph, 0, 0, "the graph to walk on", NULL},
        {'a', "all", NULL, PS_OPT_FLAG, &in->all, 0, 0, "all items of the graph, nothing is read", NULL},
        {'t', "text", NULL, PS_OPT_FLAG, &in->text, 0, 0, "queries are text: a name a line", NULL},
        {'u', "skip-unknown", NULL, PS_OPT_FLAG, &in->skip_unknown, 0, 0, "skip names that the graph does not know",
         NULL},
        {0, "sets", NULL, PS_OPT_FLAG, &in->sets, 0, 0, "queries are sets: names on a line, or pairs records", NULL},
        {0, "boards", NULL, PS_OPT_FLAG, &in->boards, 0, 0, "queries are new items: their boards on a line, or edges",
         NULL},
        {'l', "line-buffered", NULL, PS_OPT_FLAG, &in->soon, 0, 0, "answer each query before the next is read", NULL},
        {'w', "steps", "N", PS_OPT_INT, &o.steps, 1, PS_WALK_STEPS_MAX, "steps in all for each query", NULL},
        {'r', "restart", "P", PS_OPT_REAL, &o.restart, 0, 1, "probability of a restart after each step", NULL},
        {0, "bias-boards", "FILE", PS_OPT_STR, &in->bias_boards, 0, 0, "prefer boards: board TAB factor a line", NULL},
        {0, "bias-items", "FILE", PS_OPT_STR, &in->bias_items, 0, 0, "prefer items: item TAB factor a line", NULL},
        {0, "bias-rest", "F", PS_OPT_REAL, &in->bias_rest, 0, 1e30, "factor of those that have no line", NULL},
        {'k', "hits", "N", PS_OPT_INT, &o.hits, 0, 131071, "write the N most visited, ranked; 0: visits", NULL},
        {0, "paths", "L", PS_OPT_INT, &o.paths, 0, 100000, "write the walks, up to L steps each; 0: visits", NULL},
        {0, "negatives", "N", PS_OPT_INT, &o.negatives, 0, 1000000,
         "write pairs with N items of a rank band; 0: visits", NULL},
        {0, "low", "RANK", PS_OPT_INT, &o.low, 1, 4294967295, "the band's first rank", NULL},
        {0, "high", "RANK", PS_OPT_INT, &o.high, 1, 4294967295, "the band's last rank", NULL},
        {'p', "pairs", "FILE", PS_OPT_STR, &in->known, 0, 0, "no positive of these pairs among the negatives", NULL},
        {0, "early-items", "N", PS_OPT_INT, &o.early_items, 0, 4294967295,
         "stop once N items were visited ... 0: never", NULL},
        {0, "early-visits", "N", PS_OPT_INT, &o.early_visits, 0, 4294967295, "... N times each; 0: never", NULL},
        {0},
    };
    const ps_tool tool = {"pswalk", "Walks at random from items or sets of items; writes visits, walks or hits.", NULL, NULL};
    ps_tool_parse(&tool, rows, &o.common, argc, argv);
    return ps_tool_finish(pswalk(&o));
}
