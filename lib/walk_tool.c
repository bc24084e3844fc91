#include "walk_tool.h"

#include <time.h>

#include "walk_block.h"

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int check_input(const ps_walk_input *in)
{
    const int bias = in->bias_boards || in->bias_items;
    if (in->all && (in->text || in->sets || in->boards))
        return ps_usage_error("-a takes all items as queries: not with -t, --sets or --boards");
    if (in->sets && in->boards)
        return ps_usage_error("--sets and --boards: one kind of queries at a time");
    if (in->all && in->soon)
        return ps_usage_error("-l answers what is asked: not with -a");
    if (in->skip_unknown && !in->text && !bias && !in->known)
        return ps_usage_error("-u skips unknown names: it needs -t");
    if (!bias && in->bias_rest != 1)
        return ps_usage_error("--bias-rest needs --bias-boards or --bias-items");
    return 0;
}

/* What the queries turned out to be against what was asked for. */
static int check_queries(const ps_walk_job *job, const ps_walk_input *in, const ps_queries *q)
{
    const int sets = ps_queries_space(q) == PS_PLAIN;
    if (in->boards)
        return 0;
    if (in->sets && !sets)
        return ps_fail(PS_EKIND, "<stdin>: holds ids: each is a query of one item, not a set (leave out --sets)");
    if (sets && !in->sets)
        return ps_fail(PS_EKIND, "<stdin>: holds pairs: these are sets of items (pswalk --sets)");
    if (sets && job->output != PS_RUN_VISITS && job->output != PS_RUN_HITS)
        return ps_usage_error("sets have visits and hits only");
    return 0;
}

/* `soon`: the output to flush after every answer; NULL: as it fills. */
static int walk_all(ps_walk_run *run, ps_writer *w, uint64_t total, ps_out *soon)
{
    const double start = seconds();
    uint64_t done = 0;
    long n = soon ? ps_out_flush(soon) : 0;
    while (n >= 0 && (n = ps_walk_run_next(run, w)) > 0) {
        done += (uint64_t)n;
        ps_progress("queries", done, total);
        if (soon && ps_out_flush(soon) < 0)
            n = PS_ESYS;
    }
    ps_progress_end();
    if (n < 0)
        return (int)n;
    const double took = seconds() - start;
    ps_info("%llu queries, %llu steps, %.1f million edge-steps/s", (unsigned long long)done,
            (unsigned long long)ps_walk_run_steps(run), took > 0 ? 2e-6 * (double)ps_walk_run_steps(run) / took : 0);
    if (ps_walk_run_left_out(run) > 0)
        ps_info("pushed: at most a share of %.3g left out of a query", ps_walk_run_left_out(run));
    return 0;
}

static int write_output(const ps_walk_job *job, ps_graph *g, ps_queries *q, uint64_t total, const ps_common *common)
{
    ps_head head = {0};
    ps_out *out = NULL;
    ps_writer *w = NULL;
    ps_walk_run *run = NULL;
    int rc = ps_walk_head(&head, job, g, q);
    if (rc == 0 && !(run = ps_walk_run_new(job, g, q, &head, (int)common->threads)))
        rc = PS_EMEM;
    if (rc == 0 && !(out = ps_tool_output(common, 0)))
        rc = PS_ESYS;
    if (rc == 0 && !(w = ps_writer_new(out, &head)))
        rc = PS_ESYS;
    if (rc == 0)
        rc = walk_all(run, w, total, job->soon ? out : NULL);
    if (rc == 0) {
        rc = ps_writer_close(w);
        w = NULL;
    }
    ps_writer_abort(w);
    if (rc == 0)
        rc = ps_out_close(out);
    else
        ps_out_abort(out);
    ps_walk_run_free(run);
    ps_head_free(&head);
    return rc;
}

/* What the job's pointers point to. */
typedef struct {
    ps_bias bias;
    ps_pairs pairs;
    ps_known known;
    int have_known;
} material;

static int read_bias(material *m, ps_walk_job *job, const ps_walk_input *in, const ps_graph *g)
{
    int rc = 0;
    if (in->bias_boards)
        rc = ps_bias_read(&m->bias, g, PS_BOARDS, in->bias_boards, in->bias_rest, in->skip_unknown);
    if (rc == 0 && in->bias_items)
        rc = ps_bias_read(&m->bias, g, PS_ITEMS, in->bias_items, in->bias_rest, in->skip_unknown);
    if (m->bias.skipped && rc == 0)
        ps_warn("%llu factors skipped: %s has no such nodes", (unsigned long long)m->bias.skipped, g->name);
    if (in->bias_boards || in->bias_items)
        job->walk.bias = &m->bias;
    return rc;
}

static int read_known(material *m, ps_walk_job *job, const ps_walk_input *in, const ps_graph *g)
{
    if (!in->known)
        return 0;
    int rc = ps_pairs_read(&m->pairs, in->known, g, in->text, in->skip_unknown ? PS_UNKNOWN_SKIPPED : PS_UNKNOWN_FAILS, NULL);
    if (rc < 0)
        return rc;
    rc = ps_known_make(&m->known, &m->pairs, g->items.nodes);
    ps_pairs_free(&m->pairs);
    m->have_known = rc == 0;
    job->known = &m->known;
    return rc;
}

static int answer(const ps_walk_job *job, const ps_walk_input *in, ps_graph *g, const ps_common *common)
{
    const ps_query_options o = {.graph = g,
                                .all = in->all,
                                .text = in->text,
                                .sets = in->sets,
                                .skip_unknown = in->skip_unknown,
                                .boards = in->boards,
                                .bad_line = in->soon ? ps_warn_skipped : NULL};
    ps_queries *q = ps_queries_open(&o);
    int rc = q ? check_queries(job, in, q) : PS_EDATA;
    if (rc == 0)
        rc = write_output(job, g, q, in->all ? g->items.nodes : 0, common);
    if (rc == 0 && ps_queries_skipped(q))
        ps_warn("%llu names skipped: %s has no such %s", (unsigned long long)ps_queries_skipped(q), g->name,
                in->boards ? "boards" : "items");
    ps_queries_close(q);
    return rc;
}

int ps_walk_main(const ps_walk_job *asked, const ps_walk_input *in, const ps_common *common)
{
    ps_walk_job job = *asked;
    material m = {0};
    ps_graph g;
    int rc = check_input(in);
    if (rc == 0)
        rc = ps_graph_open(&g, in->graph);
    if (rc < 0)
        return rc;
    ps_walk_pages(&g);
    job.soon = in->soon;
    rc = read_bias(&m, &job, in, &g);
    if (rc == 0)
        rc = read_known(&m, &job, in, &g);
    if (rc == 0)
        rc = answer(&job, in, &g, common);
    if (m.have_known)
        ps_known_free(&m.known);
    ps_bias_free(&m.bias);
    ps_graph_close(&g);
    return rc;
}
