#include "walk_tool.h"

#include <time.h>

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int check_input(const ps_walk_input *in)
{
    if (in->all && (in->text || in->sets))
        return ps_usage_error("-a takes all items as queries: not with -t or --sets");
    if (in->skip_unknown && !in->text)
        return ps_usage_error("-u skips unknown names: it needs -t");
    return 0;
}

/* What the queries turned out to be against what was asked for. */
static int check_queries(const ps_walk_job *job, const ps_walk_input *in, const ps_queries *q)
{
    const int sets = ps_queries_space(q) == PS_PLAIN;
    if (in->sets && !sets)
        return ps_fail(PS_EKIND, "<stdin>: holds ids: each is a query of one item, not a set (leave out --sets)");
    if (sets && !in->sets)
        return ps_fail(PS_EKIND, "<stdin>: holds pairs: these are sets of items (pswalk --sets)");
    if (sets && (job->output == PS_RUN_PATHS || job->output == PS_RUN_NEIGHBOURS))
        return ps_usage_error("sets have visits and hits only");
    return 0;
}

static int walk_all(ps_walk_run *run, ps_writer *w, uint64_t total)
{
    const double start = seconds();
    uint64_t done = 0;
    long n;
    while ((n = ps_walk_run_next(run, w)) > 0) {
        done += (uint64_t)n;
        ps_progress("queries", done, total);
    }
    ps_progress_end();
    if (n < 0)
        return (int)n;
    const double took = seconds() - start;
    ps_info("%llu queries, %llu steps, %.1f million edge-steps/s", (unsigned long long)done,
            (unsigned long long)ps_walk_run_steps(run),
            took > 0 ? 2e-6 * (double)ps_walk_run_steps(run) / took : 0);
    return 0;
}

static int write_output(const ps_walk_job *job, const ps_graph *g, ps_queries *q, uint64_t total,
                        const ps_common *common)
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
        rc = walk_all(run, w, total);
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

int ps_walk_main(const ps_walk_job *job, const ps_walk_input *in, const ps_common *common)
{
    ps_graph g;
    int rc = check_input(in);
    if (rc == 0)
        rc = ps_graph_open(&g, in->graph);
    if (rc < 0)
        return rc;
    const ps_query_options o = {&g, in->all, in->text, in->sets, in->skip_unknown};
    ps_queries *q = ps_queries_open(&o);
    rc = q ? check_queries(job, in, q) : PS_EDATA;
    if (rc == 0)
        rc = write_output(job, &g, q, in->all ? g.items.nodes : 0, common);
    if (rc == 0 && ps_queries_skipped(q))
        ps_warn("%llu names skipped: %s has no such items", (unsigned long long)ps_queries_skipped(q), g.name);
    ps_queries_close(q);
    ps_graph_close(&g);
    return rc;
}
