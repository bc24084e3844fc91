/* pseval - hits or vectors and held-out pairs in, a report out. */
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "tool.h"

enum { HITS_AT_ONCE = 64 };

typedef struct {
    ps_common common;
    ps_columns_options columns;
    const char *graph, *vectors, *pairs_path, *against, *cutoffs_text;
    int boards, text, sets, skip_unknown, cosine, json, tsv, breakdown;
    int64_t cold, cosines, samples;
    const char *const *files; /* to compare */
    size_t n_files;
    /* what is opened */
    ps_graph graph_file;
    const ps_graph *g; /* NULL without -g */
    ps_pairs pairs;
    ps_knn knn;
    ps_pool *pool;
    ps_cutoffs cutoffs;
    ps_ranks ranks, other; /* other: --against */
} options;

/* Several files side by side. */
static int check_files(const options *o)
{
    size_t from_stdin = o->pairs_path && strcmp(o->pairs_path, "-") == 0;
    if (o->n_files > PS_FILES_MAX)
        return ps_usage_error("%zu files: at most %d are compared", o->n_files, PS_FILES_MAX);
    if (o->vectors || o->boards || o->against)
        return ps_usage_error("%s is for one set of hits or vectors: give all files as operands", o->vectors ? "-x"
                                                                                                  : o->boards
                                                                                                      ? "--boards"
                                                                                                      : "--against");
    if (!o->pairs_path)
        return ps_usage_error("what to test with is missing: -p PAIRS");
    for (size_t i = 0; i < o->n_files; i++)
        from_stdin += strcmp(o->files[i], "-") == 0;
    if (from_stdin > 1)
        return ps_usage_error("only one thing can come from standard input");
    if (o->breakdown && !o->graph)
        return ps_usage_error("--breakdown needs -g GRAPH");
    if (o->json && o->tsv)
        return ps_usage_error("-J and --tsv are two forms of the report: give one");
    return 0;
}

static int check_one(const options *o)
{
    const int vectors = o->vectors || o->boards;
    if (o->tsv || o->breakdown)
        return ps_usage_error("%s is for files as operands: pseval %s ... FILE", o->tsv ? "--tsv" : "--breakdown",
                              o->tsv ? "--tsv" : "--breakdown");
    if (o->vectors && o->boards)
        return ps_usage_error("-x and --boards are two things to judge: give one");
    if (!o->pairs_path && !o->cosines)
        return ps_usage_error("what to test with is missing: -p PAIRS");
    if (!o->pairs_path && (o->against || o->text))
        return ps_usage_error("%s needs -p PAIRS", o->against ? "--against" : "-t");
    if (o->cosines && !vectors)
        return ps_usage_error("--distribution needs vectors: -x VECTORS, or --boards");
    if (!o->graph && (o->boards || !vectors))
        return ps_usage_error("%s needs -g GRAPH", o->boards ? "--boards" : "judging hits");
    if (o->sets && (vectors || o->against))
        return ps_usage_error("--sets judges hits of sets: without -x, --boards or --against");
    if (o->pairs_path && strcmp(o->pairs_path, "-") == 0 && !vectors)
        return ps_usage_error("hits and pairs cannot both come from standard input");
    return 0;
}

static int check_options(options *o)
{
    int rc = o->n_files ? check_files(o) : check_one(o);
    if (rc < 0)
        return rc;
    if (!o->graph && o->text)
        return ps_usage_error("-t needs -g GRAPH");
    if (o->skip_unknown && !o->text)
        return ps_usage_error("-u is about names: it needs -t");
    if (ps_columns_asked(&o->columns) && !o->text)
        return ps_usage_error("-F, -H and --columns are about text: they need -t");
    if (o->sets && !o->text)
        return ps_usage_error("--sets reads lines of text: it needs -t");
    if (o->sets && ps_columns_asked(&o->columns))
        return ps_usage_error("--sets: a line is a set; -F, -H and --columns are for pairs");
    rc = ps_columns_check(&o->columns);
    return rc < 0 ? rc : ps_cutoffs_parse(&o->cutoffs, o->cutoffs_text);
}

static int read_pairs(options *o)
{
    int rc = ps_pairs_read(&o->pairs, o->pairs_path, o->g, o->sets ? PS_PAIRS_SETS : o->text,
                           o->skip_unknown ? PS_UNKNOWN_NUMBERED : 0, &o->columns);
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

static int rank_stdin(options *o)
{
    ps_reader *in = ps_reader_open(NULL, PS_HITS);
    if (!in)
        return PS_EDATA;
    int rc = ps_ranks_suit(&o->pairs, ps_reader_head(in), ps_reader_name(in), o->g);
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

static ps_judging judging(const options *o, const ps_cutoffs *cutoffs)
{
    return (ps_judging){&o->pairs, o->pairs_path, o->g, o->cosine, cutoffs, 0, o->pool};
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
    const ps_judging all = judging(o, &o->cutoffs), ranks_only = judging(o, NULL);
    int rc = vectors ? ps_ranks_knn(&o->ranks, &all, &o->knn) : rank_stdin(o);
    if (rc == 0)
        warn_of_misses(&o->ranks, vectors ? o->knn.name : "<stdin>");
    if (rc == 0 && o->against)
        rc = ps_ranks_file(&o->other, &ranks_only, o->against, NULL, NULL);
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
        ps_metrics_make(&all, &o->ranks, &o->cutoffs, NULL);
        r.all = &all;
    }
    if (o->pairs_path && o->g) {
        uint32_t *boards = ps_board_counts(o->g);
        if (!boards)
            return PS_EDATA;
        ps_metrics_make(&cold, &o->ranks, &o->cutoffs, &(ps_part){boards, 0, (uint32_t)o->cold, 0});
        free(boards);
        r.cold = &cold;
    }
    if (o->against) {
        r.versus = 1;
        r.share = ps_head_to_head(&o->ranks, &o->other, &r.wins, &r.ties);
    }
    if (o->cosines) {
        rc = ps_distribution_make(&distribution, &o->knn, (uint64_t)o->cosines, (uint64_t)o->common.seed, o->pool);
        r.distribution = &distribution;
    }
    return rc < 0 ? rc : write_report(o, &r);
}

/* ---- several files ---- */

static int write_comparison(const options *o, const ps_comparison *c)
{
    ps_out *out = ps_tool_output(&o->common, PS_OUT_TEXT);
    if (!out)
        return PS_ESYS;
    int rc = o->json ? ps_compare_json(c, out) : o->tsv ? ps_compare_tsv(c, out) : ps_compare_text(c, out);
    if (rc == 0)
        return ps_out_close(out);
    ps_out_abort(out);
    return rc;
}

static int compare_files(options *o)
{
    const ps_compare_options how = {.paths = o->files,
                                    .n = o->n_files,
                                    .pairs = &o->pairs,
                                    .pairs_path = o->pairs_path,
                                    .g = o->g,
                                    .cutoffs = &o->cutoffs,
                                    .cosine = o->cosine,
                                    .cold = (uint32_t)o->cold,
                                    .samples = (uint64_t)o->samples,
                                    .breakdown = o->breakdown,
                                    .cosines = (uint64_t)o->cosines,
                                    .seed = (uint64_t)o->common.seed,
                                    .pool = o->pool};
    ps_comparison *c = calloc(1, sizeof *c);
    if (!c)
        return ps_fail(PS_EMEM, "no memory for the comparison");
    int rc = ps_compare(c, &how);
    for (size_t i = 0; i < o->n_files && rc == 0; i++)
        warn_of_misses(&c->file[i].ranks, o->files[i]);
    if (rc == 0)
        rc = write_comparison(o, c);
    ps_comparison_free(c);
    free(c);
    return rc;
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
    if (rc == 0 && o->n_files)
        rc = compare_files(o);
    else {
        if (rc == 0 && o->pairs_path)
            rc = rank_all(o);
        if (rc == 0)
            rc = report(o);
    }
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
    options o = {.common = PS_COMMON_DEFAULT, .cutoffs_text = "10,100,500", .cold = 3, .samples = 1000};
    const ps_option rows[] = {
        {'g', "graph", "FILE", PS_OPT_STR, &o.graph, 0, 0, "graph that numbers and names the items", NULL},
        {'p', "pairs", "FILE", PS_OPT_STR, &o.pairs_path, 0, 0, "held-out pairs of query and positive", NULL},
        {'t', "text", NULL, PS_OPT_FLAG, &o.text, 0, 0, "the pairs are text: query TAB positive", NULL},
        PS_COLUMNS_ROWS(o.columns),
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
        {0, "distribution", "N", PS_OPT_INT, &o.cosines, 0, 1e8, "cosines of N random pairs of vectors; 0: none", NULL},
        {0, "bootstrap", "N", PS_OPT_INT, &o.samples, 0, 1e6,
         "files: samples for intervals and significance; 0: neither", NULL},
        {0, "breakdown", NULL, PS_OPT_FLAG, &o.breakdown, 0, 0, "files: also by popularity and by degree", NULL},
        {0, "tsv", NULL, PS_OPT_FLAG, &o.tsv, 0, 0, "files: report as a line for each figure", NULL},
        {'J', "json", NULL, PS_OPT_FLAG, &o.json, 0, 0, "report as JSON", NULL},
        {0},
    };
    const ps_tool tool = {"pseval", "Measures how well held-out pairs are found by hits or by vectors.", "[FILE...]",
                          NULL};
    const int first = ps_tool_parse(&tool, rows, &o.common, argc, argv);
    o.files = (const char *const *)argv + first;
    o.n_files = (size_t)(argc - first);
    return ps_tool_finish(evaluate(&o));
}
