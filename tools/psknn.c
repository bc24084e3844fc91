/* psknn - query items, sets or vectors in, their nearest neighbours out. */
#include <stdlib.h>
#include <string.h>

#include "knn.h"
#include "mem.h"
#include "query.h"
#include "recommend.h"
#include "tool.h"

enum { CODES_PAY = 12 }; /* queries from which on it pays to make codes of the candidates */

typedef struct {
    ps_common common;
    const char *graph, *vectors, *queries, *index_path, *update, *allow, *deny, *groups_path, *only;
    int build, boards, all, text, sets, skip_unknown, cosine, soon, merge;
    int64_t k, effort, recent, per_group;
    double recall, decay, mmr;
    /* what is opened */
    ps_graph g;
    ps_knn knn, from; /* candidates; -Q: query vectors */
    ps_index index;
    ps_groups groups;
    ps_queries *in;
    ps_pool *pool;
    ps_head head;
    /* one batch */
    ps_query_batch batch;
    ps_asks asks;
    uint64_t *id;
    uint64_t *row; /* members of one query */
    float *weight;
    size_t row_cap, weight_cap;
    uint64_t done, skipped, unknown;
} options;

enum { NO_BUILD, BUILD_IVF, BUILD_LSH };

static int check_build(const options *o)
{
    if (o->boards)
        return ps_usage_error("-B indexes vectors: give -x, not --boards");
    if (o->all || o->text || o->queries || o->index_path || o->soon)
        return ps_usage_error("-B builds an index and answers no queries: leave out -a, -t, -Q, -l and --index");
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

static int open_inputs(options *o)
{
    const ps_graph *g = o->graph ? &o->g : NULL;
    int rc = open_filters(o);
    if (rc == 0)
        rc = open_index(o);
    if (rc == 0 && o->queries) {
        rc = ps_knn_open(&o->from, o->queries, g, 0);
        return rc < 0 ? rc : ps_knn_suits(&o->knn, &o->from);
    }
    if (rc < 0)
        return rc;
    const ps_query_options qo = {.graph = g,
                                 .all = o->all,
                                 .text = o->text,
                                 .sets = o->sets,
                                 .skip_unknown = o->skip_unknown,
                                 .bad_line = o->soon ? ps_warn_skipped : NULL};
    o->in = ps_queries_open(&qo);
    if (!o->in)
        return PS_EDATA;
    const ps_head *h = ps_queries_head(o->in);
    return h ? ps_head_match(h, "<stdin>", o->knn.head->graph) : 0;
}

static int make_head(options *o)
{
    o->head = ps_head_make(PS_HITS, (uint32_t)o->k);
    o->head.qspace = o->in ? ps_queries_space(o->in) : o->from.head->qspace;
    o->head.nspace = o->knn.head->qspace;
    o->head.graph = o->graph ? o->g.fingerprint : o->knn.head->graph;
    o->head.width = o->knn.head->width;
    const ps_head *from = o->queries ? o->from.head : ps_queries_head(o->in);
    if (from && from->width > o->head.width)
        o->head.width = from->width;
    int rc = ps_head_size(&o->head);
    if (rc < 0)
        return ps_usage_error("-k %lld: a record cannot hold that many hits", (long long)o->k);
    rc = ps_head_inherit(&o->head, o->knn.head);
    return rc < 0 ? rc
                  : ps_head_note(&o->head, "psknn %s k=%lld%s%s%s", PS_VERSION, (long long)o->k,
                                 o->boards ? " boards" : "", o->cosine ? " cosine" : "",
                                 !o->index_path                  ? ""
                                 : o->index.type == PS_INDEX_IVF ? " ivf"
                                                                 : " lsh");
}

/* A member without a vector: an error, or skipped with -u. */
static int no_vector(options *o, uint64_t item)
{
    char buf[32];
    ps_str name = ps_graph_name(&o->g, PS_ITEMS, item, buf);
    if (o->skip_unknown) {
        o->skipped++;
        return 0;
    }
    if (!o->graph)
        return ps_fail(PS_EMATCH, "%s: item %llu has no vector there (-u skips such queries)", o->knn.name,
                       (unsigned long long)item);
    return ps_fail(PS_EMATCH, "%s: item '%.*s' has no vector there (-u skips such queries)", o->knn.name, (int)name.len,
                   name.s);
}

static int ask(options *o, uint64_t id, const ps_knn *from, size_t n, size_t skips, const uint64_t *skip)
{
    const ps_ask_options how = {(size_t)o->recent, o->decay, o->merge};
    o->id[o->asks.n] = id;
    return ps_asks_add(&o->asks, &how, &o->knn, from, n, o->row, o->weight, skips, skip);
}

static int add_row(options *o, size_t n, uint64_t row, float weight)
{
    if (ps_grow(&o->row, &o->row_cap, n + 1, sizeof *o->row) < 0 ||
        ps_grow(&o->weight, &o->weight_cap, n + 1, sizeof *o->weight) < 0)
        return PS_EMEM;
    o->row[n] = row;
    o->weight[n] = weight;
    return 0;
}

/* Query i of the batch.  Single items without a vector are dropped; a set keeps its line even if it is left empty. */
static int item_query(options *o, size_t i)
{
    const ps_query_batch *b = &o->batch;
    const int set = ps_queries_space(o->in) == PS_PLAIN;
    size_t n = 0;
    int rc = 0;
    for (size_t m = b->off[i]; m < b->off[i + 1] && rc == 0; m++) {
        const uint64_t row = ps_knn_find(&o->knn, b->item[m]);
        rc = row == PS_NONE ? no_vector(o, b->item[m]) : add_row(o, n, row, b->weight[m]);
        n += row != PS_NONE;
    }
    if (rc < 0 || (!set && n == 0))
        return rc;
    return ask(o, b->id[i], &o->knn, n, n, o->row);
}

static int vector_query(options *o, uint64_t row)
{
    const uint64_t item = ps_knn_item(&o->from, row);
    /* The same number is the same item only if both number items. */
    const int items = o->from.head->qspace == PS_ITEMS && o->knn.head->qspace == PS_ITEMS;
    const uint64_t self = items ? ps_knn_find(&o->knn, item) : PS_NONE;
    int rc = add_row(o, 0, row, 1);
    return rc < 0 ? rc : ask(o, item, &o->from, 1, self != PS_NONE, &self);
}

/* The next batch of up to `max` queries: 1, 0 at the end, negative on failure. */
static int next_batch(options *o, size_t max)
{
    int rc = 0;
    ps_asks_clear(&o->asks);
    if (o->queries) {
        for (; o->asks.n < max && o->done < o->from.n && rc == 0; o->done++)
            rc = vector_query(o, o->done);
        return rc < 0 ? rc : o->asks.n > 0;
    }
    long n = ps_queries_next(o->in, &o->batch, max);
    for (long i = 0; i < n && rc == 0; i++)
        rc = item_query(o, (size_t)i);
    o->done += n > 0 ? (uint64_t)n : 0;
    return n < 0 ? (int)n : rc < 0 ? rc : n > 0;
}

static int put_hits(const options *o, ps_writer *w, const ps_hit *hits, const size_t *found, uint8_t *record)
{
    const int width = o->head.width;
    int rc = 0;
    for (size_t i = 0; i < o->asks.n && rc == 0; i++, hits += o->k) {
        uint8_t *p = record;
        ps_put_num(p, width, o->id[i]);
        p += width;
        for (size_t j = 0; j < (size_t)o->k; j++, p += width + 4) {
            ps_put_num(p, width, j < found[i] ? hits[j].item : PS_NONE);
            ps_putf32(p + width, j < found[i] ? hits[j].score : 0);
        }
        rc = ps_writer_put(w, record, 1);
    }
    return rc;
}

static int find(options *o, ps_hit *hits, size_t *found)
{
    const ps_find_options how = {o->index_path ? &o->index : NULL, (uint32_t)o->effort,
                                 o->groups_path ? &o->groups : NULL, (uint32_t)o->per_group, o->mmr};
    int rc = o->done >= CODES_PAY && !o->index_path ? ps_knn_code(&o->knn, o->pool) : 0;
    return rc < 0 ? rc : ps_find(&how, &o->knn, &o->asks, o->pool, (size_t)o->k, hits, found);
}

/* Queries at a time: with -l one; the members of a set may each make a search. */
static size_t batch_size(const options *o)
{
    const size_t most = ps_knn_batch((size_t)o->k * (o->mmr < 1 || o->per_group > 0 ? 4 : 1));
    return o->soon ? 1 : o->merge ? most / 16 : most;
}

/* `soon`: the output to flush after every answer; NULL: as it fills. */
static int search_all(options *o, ps_writer *w, ps_out *soon)
{
    const size_t max = batch_size(o);
    const uint64_t total = o->queries ? o->from.n : o->all ? o->g.items.nodes : 0;
    ps_hit *hits = ps_alloc(max * (size_t)o->k, sizeof *hits);
    size_t *found = ps_zalloc(max, sizeof *found);
    uint8_t *record = ps_alloc(1, o->head.size);
    o->id = ps_alloc(max, sizeof *o->id);
    int rc = hits && found && record && o->id ? 0 : PS_EMEM;
    if (rc == 0 && soon)
        rc = ps_out_flush(soon);
    while (rc == 0) {
        rc = next_batch(o, max);
        if (rc <= 0)
            break;
        rc = find(o, hits, found);
        if (rc == 0)
            rc = put_hits(o, w, hits, found, record);
        if (rc == 0 && soon)
            rc = ps_out_flush(soon);
        ps_progress("queries", o->done, total);
    }
    ps_progress_end();
    free(hits);
    free(found);
    free(record);
    return rc;
}

static int write_hits(options *o)
{
    ps_out *out = ps_tool_output(&o->common, 0);
    if (!out)
        return PS_ESYS;
    ps_writer *w = ps_writer_new(out, &o->head);
    int rc = w ? search_all(o, w, o->soon ? out : NULL) : PS_ESYS;
    if (rc < 0) {
        ps_writer_abort(w);
        ps_out_abort(out);
        return rc;
    }
    rc = ps_writer_close(w);
    if (rc == 0)
        return ps_out_close(out);
    ps_out_abort(out);
    return rc;
}

static int write_index(options *o)
{
    const ps_index_options how = {.type = o->build == BUILD_IVF ? PS_INDEX_IVF : PS_INDEX_LSH,
                                  .seed = (uint64_t)o->common.seed,
                                  .update = o->update};
    ps_out *out = ps_tool_output(&o->common, 0);
    if (!out)
        return PS_ESYS;
    int rc = ps_index_build(&o->knn, &how, o->pool, out);
    if (rc == 0)
        return ps_out_close(out);
    ps_out_abort(out);
    return rc;
}

static int answer(options *o)
{
    int rc = open_inputs(o);
    if (rc == 0)
        rc = make_head(o);
    if (rc == 0)
        rc = write_hits(o);
    const uint64_t unknown = o->unknown + (o->in ? ps_queries_skipped(o->in) : 0);
    if (rc == 0 && unknown)
        ps_warn("%llu names skipped: the graph does not know them", (unsigned long long)unknown);
    if (rc == 0 && o->skipped)
        ps_warn("%llu items skipped: they have no vector", (unsigned long long)o->skipped);
    return rc;
}

static int run(options *o)
{
    int rc = check_options(o);
    if (rc == 0)
        rc = open_candidates(o);
    if (rc == 0 && !(o->pool = ps_pool_new((int)o->common.threads)))
        rc = PS_EMEM;
    if (rc == 0)
        rc = o->build ? write_index(o) : answer(o);
    ps_pool_free(o->pool);
    ps_queries_close(o->in);
    ps_query_batch_free(&o->batch);
    ps_asks_free(&o->asks);
    ps_groups_free(&o->groups);
    ps_index_close(&o->index);
    ps_knn_close(&o->from);
    ps_knn_close(&o->knn);
    ps_head_free(&o->head);
    ps_graph_close(&o->g);
    free(o->id);
    free(o->row);
    free(o->weight);
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
