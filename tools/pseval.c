/* pseval - hits or vectors and held-out pairs in, a report out. */
#include <stdlib.h>
#include <string.h>

#include "eval.h"
#include "tool.h"

enum { HITS_AT_ONCE = 64 };

typedef struct {
    ps_common common;
    const char *graph, *vectors, *pairs_path, *against, *cutoffs_text;
    int boards, text, sets, skip_unknown, cosine, json;
    int64_t cold, samples;
    /* what is opened */
    ps_graph graph_file;
    const ps_graph *g; /* NULL without -g */
    ps_pairs pairs;
    ps_knn knn;
    ps_pool *pool;
    ps_cutoffs cutoffs;
    ps_ranks ranks, other; /* other: --against */
} options;

static int check_options(options *o)
{
    const int vectors = o->vectors || o->boards;
    if (o->vectors && o->boards)
        return ps_usage_error("-x and --boards are two things to judge: give one");
    if (!o->pairs_path && !o->samples)
        return ps_usage_error("what to test with is missing: -p PAIRS");
    if (!o->pairs_path && (o->against || o->text))
        return ps_usage_error("%s needs -p PAIRS", o->against ? "--against" : "-t");
    if (o->samples && !vectors)
        return ps_usage_error("--distribution needs vectors: -x VECTORS, or --boards");
    if (!o->graph && (o->text || o->boards || !vectors))
        return ps_usage_error("%s needs -g GRAPH", o->text ? "-t" : o->boards ? "--boards" : "judging hits");
    if (o->skip_unknown && !o->text)
        return ps_usage_error("-u is about names: it needs -t");
    if (o->sets && (!o->text || vectors || o->against))
        return ps_usage_error(
            "--sets judges hits of sets by lines of text: it needs -t, without -x, --boards or --against");
    if (o->pairs_path && strcmp(o->pairs_path, "-") == 0 && !vectors)
        return ps_usage_error("hits and pairs cannot both come from standard input");
    return ps_cutoffs_parse(&o->cutoffs, o->cutoffs_text);
}

static int read_pairs(options *o)
{
    int rc = ps_pairs_read(&o->pairs, o->pairs_path, o->g, o->sets ? PS_PAIRS_SETS : o->text,
                           o->skip_unknown ? PS_UNKNOWN_NUMBERED : 0);
    if (rc == 0 && o->pairs.n == 0)
        rc = ps_fail(PS_EDATA, "%s: no pairs in it", o->pairs_path);
    if (rc == 0 && o->pairs.skipped)
        ps_warn("%llu pairs with names that the graph does not know: counted as misses",
                (unsigned long long)o->pairs.skipped);
    if (rc == 0 && o->pairs.self)
        ps_warn("%llu pairs of an item with itself: left out", (unsigned long long)o->pairs.self);
    return rc;
}

/* ---- ranks ---- */

static int check_hits(const options *o, const ps_head *h, const char *name)
{
    if (o->sets && (h->qspace != PS_PLAIN || h->nspace != PS_ITEMS))
        return ps_fail(PS_EKIND, "%s: hits of %s for %s queries, but items for sets are needed here (psknn --sets)",
                       name, ps_space_name(h->nspace), ps_space_name(h->qspace));
    if (!o->sets && (h->qspace != PS_ITEMS || h->nspace != PS_ITEMS))
        return ps_fail(PS_EKIND, "%s: hits of %s for %s queries, but items for items are needed here", name,
                       ps_space_name(h->nspace), ps_space_name(h->qspace));
    return ps_head_match(h, name, o->g->fingerprint);
}

static int rank_stdin(options *o)
{
    ps_reader *in = ps_reader_open(NULL, PS_HITS);
    if (!in)
        return PS_EDATA;
    int rc = check_hits(o, ps_reader_head(in), ps_reader_name(in));
    if (rc == 0)
        rc = ps_ranks_make(&o->ranks, &o->pairs, o->g, 0);
    while (rc == 0) {
        const uint8_t *records;
        long n = ps_reader_next(in, &records, HITS_AT_ONCE);
        if (n <= 0) {
            rc = (int)n;
            break;
        }
        rc = ps_ranks_hits(&o->ranks, ps_reader_head(in), records, (size_t)n, ps_reader_name(in),
                           ps_reader_count(in) - (uint64_t)n);
    }
    ps_reader_close(in);
    if (rc == 0)
        ps_ranks_hits_end(&o->ranks);
    return rc;
}

static int rank_vectors(options *o, ps_ranks *r, const ps_knn *knn, size_t depth)
{
    int rc = ps_head_match(&o->pairs.head, o->pairs_path, knn->head->graph);
    if (rc == 0)
        rc = ps_ranks_make(r, &o->pairs, o->g, knn->n);
    return rc < 0 ? rc : ps_ranks_vectors(r, knn, depth, o->pool);
}

/* --against: hits or vectors, as the file says. */
static int rank_against(options *o)
{
    ps_table table;
    int rc = ps_table_open(&table, o->against, 0);
    if (rc < 0)
        return rc;
    if (table.head.kind != PS_HITS) {
        ps_knn knn;
        rc = ps_knn_take(&knn, &table, o->g, o->cosine);
        if (rc == 0) {
            rc = rank_vectors(o, &o->other, &knn, 0);
            ps_knn_close(&knn);
        }
        return rc;
    }
    rc = o->g ? check_hits(o, &table.head, table.name) : ps_usage_error("judging hits needs -g GRAPH");
    if (rc == 0)
        rc = ps_ranks_make(&o->other, &o->pairs, o->g, 0);
    if (rc == 0)
        rc = ps_ranks_hits(&o->other, &table.head, table.records, table.count, table.name, 0);
    if (rc == 0)
        ps_ranks_hits_end(&o->other);
    ps_table_close(&table);
    return rc;
}

static void warn_of_misses(const ps_ranks *r, const char *what)
{
    if (r->no_query)
        ps_warn("%s: %llu pairs whose query has neither hits nor a vector: counted as misses", what,
                (unsigned long long)r->no_query);
    if (r->no_positive)
        ps_warn("%s: %llu pairs whose positive has no vector: counted as misses", what,
                (unsigned long long)r->no_positive);
}

static int rank_all(options *o)
{
    const int vectors = o->vectors || o->boards;
    int rc = vectors ? rank_vectors(o, &o->ranks, &o->knn, o->cutoffs.k[o->cutoffs.n - 1]) : rank_stdin(o);
    if (rc == 0)
        warn_of_misses(&o->ranks, vectors ? o->knn.name : "<stdin>");
    if (rc == 0 && o->against)
        rc = rank_against(o);
    if (rc == 0 && o->against)
        warn_of_misses(&o->other, o->against);
    return rc;
}

/* ---- the report ---- */

static int write_report(const options *o, const ps_report *r)
{
    ps_out *out = ps_tool_output(&o->common, PS_OUT_TEXT);
    if (!out)
        return PS_ESYS;
    int rc = o->json ? ps_report_json(r, out) : ps_report_text(r, out);
    if (rc == 0)
        return ps_out_close(out);
    ps_out_abort(out);
    return rc;
}

static int report(options *o)
{
    ps_metrics all, cold;
    ps_distribution distribution;
    ps_report r = {.cutoffs = &o->cutoffs, .cold_boards = o->cold};
    int rc = 0;
    if (o->pairs_path) {
        ps_metrics_make(&all, &o->ranks, &o->cutoffs, NULL, 0);
        r.all = &all;
    }
    if (o->pairs_path && o->g) {
        uint32_t *boards = ps_board_counts(o->g);
        if (!boards)
            return PS_EDATA;
        ps_metrics_make(&cold, &o->ranks, &o->cutoffs, boards, (uint32_t)o->cold);
        free(boards);
        r.cold = &cold;
    }
    if (o->against) {
        r.versus = 1;
        r.share = ps_head_to_head(&o->ranks, &o->other, &r.wins, &r.ties);
    }
    if (o->samples) {
        rc = ps_distribution_make(&distribution, &o->knn, (uint64_t)o->samples, (uint64_t)o->common.seed, o->pool);
        r.distribution = &distribution;
    }
    return rc < 0 ? rc : write_report(o, &r);
}

static int evaluate(options *o)
{
    int rc = check_options(o);
    if (rc == 0 && o->graph) {
        rc = ps_graph_open(&o->graph_file, o->graph);
        o->g = &o->graph_file;
    }
    if (rc == 0 && o->pairs_path)
        rc = read_pairs(o);
    if (rc == 0 && !(o->pool = ps_pool_new((int)o->common.threads)))
        rc = PS_EMEM;
    if (rc == 0 && o->boards)
        rc = ps_knn_boards(&o->knn, o->g);
    else if (rc == 0 && o->vectors)
        rc = ps_knn_open(&o->knn, o->vectors, o->g, o->cosine);
    if (rc == 0 && o->pairs_path)
        rc = rank_all(o);
    if (rc == 0)
        rc = report(o);
    ps_pool_free(o->pool);
    ps_ranks_free(&o->ranks);
    ps_ranks_free(&o->other);
    ps_knn_close(&o->knn);
    ps_pairs_free(&o->pairs);
    ps_graph_close(&o->graph_file);
    return rc;
}

int main(int argc, char **argv)
{
    options o = {.common = PS_COMMON_DEFAULT, .cutoffs_text = "10,100,500", .cold = 3};
    const ps_option rows[] = {
        {'g', "graph", "FILE", PS_OPT_STR, &o.graph, 0, 0, "graph that numbers and names the items", NULL},
        {'p', "pairs", "FILE", PS_OPT_STR, &o.pairs_path, 0, 0, "held-out pairs of query and positive", NULL},
        {'t', "text", NULL, PS_OPT_FLAG, &o.text, 0, 0, "the pairs are text: query TAB positive", NULL},
        {0, "sets", NULL, PS_OPT_FLAG, &o.sets, 0, 0, "queries are sets: line i has the positives of set i", NULL},
        {'u', "skip-unknown", NULL, PS_OPT_FLAG, &o.skip_unknown, 0, 0, "names unknown to the graph count as misses",
         NULL},
        {'x', "vectors", "FILE", PS_OPT_STR, &o.vectors, 0, 0,
         "judge vectors or sparse vectors instead of hits on stdin", NULL},
        {0, "boards", NULL, PS_OPT_FLAG, &o.boards, 0, 0, "judge the graph's boards (classical item-kNN)", NULL},
        {0, "cosine", NULL, PS_OPT_FLAG, &o.cosine, 0, 0, "score by cosine instead of the dot product", NULL},
        {'K', "cutoffs", "LIST", PS_OPT_STR, &o.cutoffs_text, 0, 0, "K of the measures that have one", NULL},
        {0, "cold", "N", PS_OPT_INT, &o.cold, 0, 1e9, "cold: the positive is on at most N boards", NULL},
        {0, "against", "FILE", PS_OPT_STR, &o.against, 0, 0, "head-to-head with these vectors or hits", NULL},
        {0, "distribution", "N", PS_OPT_INT, &o.samples, 0, 1e8, "cosines of N random pairs of vectors; 0: none", NULL},
        {'J', "json", NULL, PS_OPT_FLAG, &o.json, 0, 0, "report as JSON", NULL},
        {0},
    };
    const ps_tool tool = {"pseval", "Measures how well held-out pairs are found by hits or by vectors.", NULL, NULL};
    ps_tool_parse(&tool, rows, &o.common, argc, argv);
    return ps_tool_finish(evaluate(&o));
}
