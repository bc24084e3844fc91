/* psknn - query items, sets or vectors in, their nearest neighbours out. */
#include <stdlib.h>
#include <string.h>

#include "knn.h"
#include "mem.h"
#include "query.h"
#include "tool.h"

enum { CODES_PAY = 32 }; /* queries from which on it pays to make codes of the candidates */

typedef struct {
    ps_common common;
    const char *graph, *vectors, *queries;
    int boards, all, text, sets, skip_unknown, cosine;
    int64_t k;
    /* what is opened */
    ps_graph g;
    ps_knn knn, from; /* candidates; -Q: query vectors */
    ps_queries *in;
    ps_pool *pool;
    ps_head head;
    /* one batch */
    ps_query_batch batch;
    ps_knn_queries q;
    uint64_t *id;
    uint64_t done, skipped;
} options;

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
    if (o->boards && o->queries)
        return ps_usage_error("--boards has no query vectors: leave out -Q");
    return 0;
}

static int open_inputs(options *o)
{
    const ps_graph *g = o->graph ? &o->g : NULL;
    int rc = o->graph ? ps_graph_open(&o->g, o->graph) : 0;
    if (rc == 0)
        rc = o->boards ? ps_knn_boards(&o->knn, g) : ps_knn_open(&o->knn, o->vectors, g, o->cosine);
    if (rc == 0 && o->queries) {
        rc = ps_knn_open(&o->from, o->queries, g, 0);
        return rc < 0 ? rc : ps_knn_suits(&o->knn, &o->from);
    }
    if (rc < 0)
        return rc;
    const ps_query_options qo = {
        .graph = g, .all = o->all, .text = o->text, .sets = o->sets, .skip_unknown = o->skip_unknown};
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
                  : ps_head_note(&o->head, "psknn %s k=%lld%s%s", PS_VERSION, (long long)o->k,
                                 o->boards ? " boards" : "", o->cosine ? " cosine" : "");
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

/* Query i of the batch.  Single items without a vector are dropped; a set keeps its line even if it is left empty. */
static int item_query(options *o, size_t i)
{
    const ps_query_batch *b = &o->batch;
    const int set = ps_queries_space(o->in) == PS_PLAIN;
    if (!set && ps_knn_find(&o->knn, b->item[b->off[i]]) == PS_NONE)
        return no_vector(o, b->item[b->off[i]]);
    o->id[o->q.n] = b->id[i];
    int rc = ps_knn_begin(&o->q, &o->knn);
    for (size_t m = b->off[i]; m < b->off[i + 1] && rc == 0; m++) {
        uint64_t row = ps_knn_find(&o->knn, b->item[m]);
        if (row == PS_NONE) {
            rc = no_vector(o, b->item[m]);
            continue;
        }
        rc = ps_knn_add(&o->q, &o->knn, &o->knn, row, b->weight[m]);
        if (rc == 0)
            rc = ps_knn_leave_out(&o->q, row);
    }
    return rc < 0 ? rc : ps_knn_end(&o->q, &o->knn);
}

static int vector_query(options *o, uint64_t row)
{
    uint64_t item = ps_knn_item(&o->from, row);
    o->id[o->q.n] = item;
    int rc = ps_knn_begin(&o->q, &o->knn);
    if (rc == 0)
        rc = ps_knn_add(&o->q, &o->knn, &o->from, row, 1);
    /* The same number is the same item only if both number items. */
    if (rc == 0 && o->from.head->qspace == PS_ITEMS && o->knn.head->qspace == PS_ITEMS) {
        uint64_t self = ps_knn_find(&o->knn, item);
        if (self != PS_NONE)
            rc = ps_knn_leave_out(&o->q, self);
    }
    return rc < 0 ? rc : ps_knn_end(&o->q, &o->knn);
}

/* The next batch of up to `max` queries: 1, 0 at the end, negative on failure. */
static int next_batch(options *o, size_t max)
{
    int rc = 0;
    ps_knn_clear(&o->q);
    if (o->queries) {
        for (; o->q.n < max && o->done < o->from.n && rc == 0; o->done++)
            rc = vector_query(o, o->done);
        return rc < 0 ? rc : o->q.n > 0;
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
    for (size_t i = 0; i < o->q.n && rc == 0; i++, hits += o->k) {
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

static int search_all(options *o, ps_writer *w)
{
    const size_t max = ps_knn_batch((size_t)o->k);
    const uint64_t total = o->queries ? o->from.n : o->all ? o->g.items.nodes : 0;
    ps_hit *hits = ps_alloc(max * (size_t)o->k, sizeof *hits);
    size_t *found = ps_zalloc(max, sizeof *found);
    uint8_t *record = ps_alloc(1, o->head.size);
    o->id = ps_alloc(max, sizeof *o->id);
    int rc = hits && found && record && o->id ? 0 : PS_EMEM;
    while (rc == 0) {
        rc = next_batch(o, max);
        if (rc <= 0)
            break;
        rc = o->done >= CODES_PAY ? ps_knn_code(&o->knn, o->pool) : 0;
        if (rc == 0)
            rc = ps_knn_search(&o->knn, &o->q, o->pool, (size_t)o->k, hits, found);
        if (rc == 0)
            rc = put_hits(o, w, hits, found, record);
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
    int rc = w ? search_all(o, w) : PS_ESYS;
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

static int run(options *o)
{
    int rc = check_options(o);
    if (rc == 0)
        rc = open_inputs(o);
    if (rc == 0)
        rc = make_head(o);
    if (rc == 0 && !(o->pool = ps_pool_new((int)o->common.threads)))
        rc = PS_EMEM;
    if (rc == 0)
        rc = write_hits(o);
    if (rc == 0 && o->in && ps_queries_skipped(o->in))
        ps_warn("%llu names skipped: the graph does not know them", (unsigned long long)ps_queries_skipped(o->in));
    if (rc == 0 && o->skipped)
        ps_warn("%llu items skipped: they have no vector", (unsigned long long)o->skipped);
    ps_pool_free(o->pool);
    ps_queries_close(o->in);
    ps_query_batch_free(&o->batch);
    ps_knn_queries_free(&o->q);
    ps_knn_close(&o->from);
    ps_knn_close(&o->knn);
    ps_head_free(&o->head);
    ps_graph_close(&o->g);
    free(o->id);
    return rc;
}

int main(int argc, char **argv)
{
    options o = {.common = PS_COMMON_DEFAULT, .k = 100};
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
        {0},
    };
    const ps_tool tool = {"psknn", "Finds the nearest neighbours of items, sets or vectors: exact.", NULL};
    ps_tool_parse(&tool, rows, &o.common, argc, argv);
    return ps_tool_finish(run(&o));
}
