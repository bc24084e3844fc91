/* psknn - query items, sets or vectors in, their nearest neighbours out. */
#include "answer.h"
#include "tool.h"

typedef struct {
    ps_common common;
    const char *graph, *vectors, *queries, *index_path, *update, *seen, *allow, *deny, *groups_path, *only;
    int build, boards, all, text, sets, skip_unknown, cosine, soon, merge;
    int64_t k, effort, recent, per_group;
    double recall, decay, mmr;
    /* what is opened */
    ps_graph g;
    ps_knn knn; /* candidates */
    ps_index index;
    ps_groups groups;
    ps_asker asker;
    ps_pool *pool;
    ps_head head;
    uint64_t unknown; /* names of lists and groups */
} options;

enum { NO_BUILD, BUILD_IVF, BUILD_LSH };

static int check_build(const options *o)
{
    if (o->boards)
        return ps_usage_error("-B indexes vectors: give -x, not --boards");
    if (o->all || o->text || o->queries || o->index_path || o->soon || o->seen)
        return ps_usage_error("-B builds an index and answers no queries: leave out -a, -t, -Q, -l, --index and --seen");
    return 0;
}

static int check_filters(const options *o)
{
    if ((o->allow || o->deny || o->groups_path) && !o->graph)
        return ps_usage_error("%s needs -g GRAPH", o->allow ? "--allow" : o->deny ? "--deny" : "--groups");
    if ((o->only || o->per_group) && !o->groups_path)
        return ps_usage_error("%s needs --groups FILE", o->only ? "--only" : "--per-group");
    return 0;
}

static int check_options(const options *o)
{
    if (!o->vectors && !o->boards)
        return ps_usage_error("what to search is missing: -x VECTORS, or --boards with -g GRAPH");
    if (o->vectors && o->boards)
        return ps_usage_error("-x and --boards are two things to search: give one");
    if ((o->boards || o->text || o->all) && !o->graph)
        return ps_usage_error("%s needs -g GRAPH", o->boards ? "--boards" : o->text ? "-t" : "-a");
    if (!!o->queries + o->all + o->text > 1)
        return ps_usage_error("-t, -a and -Q are three kinds of queries: give one");
    if (o->sets && !o->text)
        return ps_usage_error("--sets is about lines of text: it needs -t");
    if (o->boards && (o->queries || o->index_path))
        return ps_usage_error("--boards has no query vectors and no index: leave out -Q and --index");
    if (o->soon && (o->all || o->queries))
        return ps_usage_error("-l waits for queries: leave out -a and -Q");
    if (o->update && !o->build)
        return ps_usage_error("--update needs -B");
    int rc = o->build ? check_build(o) : 0;
    return rc < 0 ? rc : check_filters(o);
}

/* ---- what is searched ---- */

static int open_filters(options *o)
{
    const ps_filter_options f = {o->groups_path, o->only, o->allow, o->deny, o->text};
    return ps_filters_open(&o->groups, &f, &o->g, &o->knn, o->skip_unknown ? &o->unknown : NULL);
}

static int open_index(options *o)
{
    if (!o->index_path)
        return 0;
    int rc = ps_index_open(&o->index, o->index_path, &o->knn);
    if (rc == 0 && o->effort == 0)
        o->effort = ps_index_effort(&o->index, o->recall, (size_t)o->k);
    return rc;
}

static int open_candidates(options *o)
{
    const ps_graph *g = o->graph ? &o->g : NULL;
    int rc = o->graph ? ps_graph_open(&o->g, o->graph) : 0;
    if (rc == 0)
        rc = o->boards ? ps_knn_boards(&o->knn, g) : ps_knn_open(&o->knn, o->vectors, g, o->cosine);
    return rc;
}

static int open_asker(options *o)
{
    const ps_asker_options how = {.vectors = o->queries,
                                  .in = {.graph = o->graph ? &o->g : NULL,
                                         .all = o->all,
                                         .text = o->text,
                                         .sets = o->sets,
                                         .seen = 1,
                                         .skip_unknown = o->skip_unknown,
                                         .bad_line = o->soon ? ps_warn_skipped : NULL},
                                  .how = {(size_t)o->recent, o->decay, o->merge},
                                  .seen = o->seen};
    return ps_asker_open(&o->asker, &how, &o->knn);
}

/* ---- what is written ---- */

static int make_head(options *o)
{
    int rc = ps_answer_head(&o->head, &o->asker, (size_t)o->k);
    return rc < 0 ? rc
                  : ps_head_note(&o->head, "psknn %s k=%lld%s%s%s", PS_VERSION, (long long)o->k,
                                 o->boards ? " boards" : "", o->cosine ? " cosine" : "",
                                 !o->index_path                  ? ""
                                 : o->index.type == PS_INDEX_IVF ? " ivf"
                                                                 : " lsh");
}

static int write_hits(options *o, ps_out *out)
{
    const ps_find_options how = {o->index_path ? &o->index : NULL, (uint32_t)o->effort,
                                 o->groups_path ? &o->groups : NULL, (uint32_t)o->per_group, o->mmr};
    return ps_answer(&how, &o->knn, &o->asker, o->pool, o->soon, &o->head, out);
}

static int write_index(options *o, ps_out *out)
{
    const ps_index_options how = {.type = o->build == BUILD_IVF ? PS_INDEX_IVF : PS_INDEX_LSH,
                                  .seed = (uint64_t)o->common.seed,
                                  .update = o->update};
    return ps_index_build(&o->knn, &how, o->pool, out);
}

static int write_output(options *o)
{
    ps_out *out = ps_tool_output(&o->common, 0);
    if (!out)
        return PS_ESYS;
    int rc = o->build ? write_index(o, out) : write_hits(o, out);
    if (rc == 0)
        return ps_out_close(out);
    ps_out_abort(out);
    return rc;
}

static void tell_skipped(const options *o)
{
    const uint64_t unknown = o->unknown + ps_asker_unknown(&o->asker);
    if (unknown)
        ps_warn("%llu names skipped: the graph does not know them", (unsigned long long)unknown);
    if (o->asker.skipped)
        ps_warn("%llu items skipped: they have no vector", (unsigned long long)o->asker.skipped);
}

static int run(options *o)
{
    int rc = check_options(o);
    if (rc == 0)
        rc = open_candidates(o);
    if (rc == 0 && !(o->pool = ps_pool_new((int)o->common.threads)))
        rc = PS_EMEM;
    if (rc == 0 && !o->build)
        rc = open_filters(o);
    if (rc == 0 && !o->build)
        rc = open_index(o);
    if (rc == 0 && !o->build)
        rc = open_asker(o);
    if (rc == 0 && !o->build)
        rc = make_head(o);
    if (rc == 0)
        rc = write_output(o);
    if (rc == 0)
        tell_skipped(o);
    ps_pool_free(o->pool);
    ps_asker_close(&o->asker);
    ps_groups_free(&o->groups);
    ps_index_close(&o->index);
    ps_knn_close(&o->knn);
    ps_head_free(&o->head);
    ps_graph_close(&o->g);
    return rc;
}

int main(int argc, char **argv)
{
    options o = {.common = PS_COMMON_DEFAULT, .k = 100, .recall = 0.95, .decay = 1, .mmr = 1};
    const ps_option rows[] = {
        {'g', "graph", "FILE", PS_OPT_STR, &o.graph, 0, 0, "graph that numbers and names the items", NULL},
        {'x', "vectors", "FILE", PS_OPT_STR, &o.vectors, 0, 0, "candidates: vectors or sparse vectors", NULL},
        {0, "boards", NULL, PS_OPT_FLAG, &o.boards, 0, 0, "instead of -x: the graph's boards (classical item-kNN)",
         NULL},
        {'k', "hits", "N", PS_OPT_INT, &o.k, 1, 131071, "hits of each query", NULL},
        {'t', "text", NULL, PS_OPT_FLAG, &o.text, 0, 0, "queries are names, one a line", NULL},
        {0, "sets", NULL, PS_OPT_FLAG, &o.sets, 0, 0, "with -t: each line is a set, names tab separated", NULL},
        {'a', "all", NULL, PS_OPT_FLAG, &o.all, 0, 0, "all items are queries; nothing is read", NULL},
        {'Q', "query-vectors", "FILE", PS_OPT_STR, &o.queries, 0, 0, "queries are these vectors; -: standard input",
         NULL},
        {'u', "skip-unknown", NULL, PS_OPT_FLAG, &o.skip_unknown, 0, 0,
         "skip names unknown to the graph, items without vector", NULL},
        {0, "cosine", NULL, PS_OPT_FLAG, &o.cosine, 0, 0, "score by cosine instead of the dot product", NULL},
        {'l', "line-buffered", NULL, PS_OPT_FLAG, &o.soon, 0, 0, "answer each query before the next is read", NULL},
        {'B', "build", "TYPE", PS_OPT_CHOICE, &o.build, 0, 0, "build an index of -x instead of searching",
         "none|ivf|lsh"},
        {0, "update", "FILE", PS_OPT_STR, &o.update, 0, 0, "with -B: from this index of older vectors", NULL},
        {0, "index", "FILE", PS_OPT_STR, &o.index_path, 0, 0, "search by this index of -x", NULL},
        {0, "recall", "R", PS_OPT_REAL, &o.recall, 0, 1, "share of the nearest that the index is to find", NULL},
        {0, "effort", "N", PS_OPT_INT, &o.effort, 0, 1e9, "instead of --recall: what the index looks at; 0: by recall",
         NULL},
        {0, "recent", "N", PS_OPT_INT, &o.recent, 0, 1e9, "of sets: only the last N members ask; 0: all", NULL},
        {0, "decay", "F", PS_OPT_REAL, &o.decay, 1e-6, 1, "of sets: weight of a member against the next one", NULL},
        {0, "merge", NULL, PS_OPT_FLAG, &o.merge, 0, 0, "of sets: merge the members' hits, not the members", NULL},
        {0, "seen", "FILE", PS_OPT_STR, &o.seen, 0, 0, "pairs: a query's number, an item that it does not find", NULL},
        {0, "allow", "FILE", PS_OPT_STR, &o.allow, 0, 0, "only these items are found", NULL},
        {0, "deny", "FILE", PS_OPT_STR, &o.deny, 0, 0, "these items are not found", NULL},
        {0, "groups", "FILE", PS_OPT_STR, &o.groups_path, 0, 0, "groups of items: lines of item TAB group", NULL},
        {0, "only", "GROUP", PS_OPT_STR, &o.only, 0, 0, "only items of this group are found", NULL},
        {0, "per-group", "N", PS_OPT_INT, &o.per_group, 0, 1e9, "at most N hits of a group; 0: any", NULL},
        {0, "mmr", "L", PS_OPT_REAL, &o.mmr, 0, 1, "diversity: weight of the score against likeness to other hits",
         NULL},
        {0},
    };
    const ps_tool tool = {"psknn", "Finds the nearest neighbours of items, sets or vectors, exactly or by an index.",
                          NULL, NULL};
    ps_tool_parse(&tool, rows, &o.common, argc, argv);
    return ps_tool_finish(run(&o));
}
