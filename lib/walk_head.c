/* walk_head.c - the header of what walks write; of walk_run.h. */
#include <stdio.h>

#include "neigh.h"
#include "tool.h"
#include "walk_run.h"

static int inherit(ps_head *head, const ps_graph *g, const ps_queries *q)
{
    if (ps_queries_head(q))
        return ps_head_inherit(head, ps_queries_head(q));
    return ps_head_lines(head, (ps_str){g->history, g->history_len});
}

static int walk_note(ps_head *head, const ps_walk_job *job, const char *queries)
{
    const ps_walk_options *o = &job->walk;
    char early[64] = "", shape[64] = "", exact[32] = "";
    if (o->early_items)
        snprintf(early, sizeof early, " early-items=%llu early-visits=%u", (unsigned long long)o->early_items,
                 o->early_visits);
    if (job->output == PS_RUN_PATHS)
        snprintf(shape, sizeof shape, " paths=%u", job->dim);
    if (job->output == PS_RUN_HITS)
        snprintf(shape, sizeof shape, " k=%u", job->dim);
    if (job->output == PS_RUN_BAND)
        snprintf(shape, sizeof shape, " band=%u-%u n=%u%s", job->band_low, job->band_high, job->dim,
                 job->known ? " unknown" : "");
    if (o->exact)
        snprintf(exact, sizeof exact, " exact=%llu", (unsigned long long)o->exact);
    if (o->push > 0)
        return ps_head_note(head, "psneigh %s push=%.15g r=%.15g%s", PS_VERSION, o->push, o->restart, queries);
    return ps_head_note(head, "pswalk %s w=%llu r=%.15g seed=%llu%s%s%s%s%s%s", PS_VERSION,
                        (unsigned long long)o->steps, o->restart, (unsigned long long)o->seed, queries, early, exact,
                        o->bias && o->bias->board ? " bias-boards" : "", o->bias && o->bias->item ? " bias-items" : "",
                        shape);
}

int ps_walk_head(ps_head *head, const ps_walk_job *job, const ps_graph *g, const ps_queries *q)
{
    static const ps_kind kinds[] = {PS_VISITS, PS_WALKS, PS_HITS, PS_NEIGHBOURS, PS_PAIRS};
    const ps_head *from = ps_queries_head(q);
    const int plain = ps_queries_space(q) == PS_PLAIN;
    *head = ps_head_make(kinds[job->output], job->output == PS_RUN_BAND ? 0 : job->dim);
    head->width = plain && from ? from->width : 4;
    head->qspace = ps_queries_space(q);
    head->nspace = PS_ITEMS;
    head->graph = g->fingerprint;
    int rc = ps_head_size(head);
    if (rc == 0)
        rc = inherit(head, g, q);
    if (rc == 0)
        rc = walk_note(head, job, !plain ? "" : ps_queries_boards(q) ? " boards" : " sets");
    if (rc == 0 && job->output == PS_RUN_NEIGHBOURS)
        rc = ps_neighbours_note(head);
    return rc;
}
