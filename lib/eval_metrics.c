/* eval_metrics.c - figures from ranks. */
#include <math.h>
#include <stdlib.h>

#include "eval.h"
#include "mem.h"

int ps_cutoffs_parse(ps_cutoffs *c, const char *text)
{
    *c = (ps_cutoffs){0};
    for (const char *s = text;;) {
        char *end;
        unsigned long k = *s >= '0' && *s <= '9' ? strtoul(s, &end, 10) : 0;
        if (k < 1 || k > 1000000 || (*end && *end != ','))
            return ps_fail(PS_EUSAGE, "-K '%s': expected numbers of 1 to 1000000 with commas between", text);
        if (c->n > 0 && k <= c->k[c->n - 1])
            return ps_fail(PS_EUSAGE, "-K '%s': the numbers must ascend", text);
        if (c->n == PS_CUTOFFS_MAX)
            return ps_fail(PS_EUSAGE, "-K '%s': more than %d numbers", text, PS_CUTOFFS_MAX);
        c->k[c->n++] = (uint32_t)k;
        if (!*end)
            return 0;
        s = end + 1;
    }
}

uint32_t *ps_board_counts(const ps_graph *g)
{
    const ps_side *s = &g->items;
    uint32_t *n = ps_zalloc(s->nodes, sizeof *n);
    for (uint64_t u = 0; n && u < s->nodes; u++) {
        if (s->off[u] > s->off[u + 1] || s->off[u + 1] > g->edges) {
            ps_fail(PS_EDATA, "%s: damaged: the boards of item %llu", g->name, (unsigned long long)u);
            free(n);
            return NULL;
        }
        for (uint64_t e = s->off[u]; e < s->off[u + 1]; e++)
            n[u] += e == s->off[u] || s->adj[e] != s->adj[e - 1];
    }
    return n;
}

static double discount(double rank)
{
    return 1 / log2(1 + rank);
}

static void add_pair(ps_metrics *m, const ps_cutoffs *c, double rank)
{
    m->pairs++;
    if (isinf(rank))
        return;
    m->mrr += 1 / rank;
    m->scaled_mrr += 1 / ceil(rank / 100);
    for (size_t i = 0; i < c->n; i++)
        m->hit[i] += rank <= c->k[i];
}

/* Which pairs and items count. */
typedef struct {
    const uint32_t *boards; /* NULL: all */
    uint32_t most;
} filter;

/* A name that the graph does not know is on none of its boards. */
static int counts(const ps_ranks *r, uint64_t item, filter f)
{
    return !f.boards || item >= r->catalogue || f.boards[item] <= f.most;
}

/* One query: its pairs are order[begin .. end - 1]. */
static void add_query(ps_metrics *m, const ps_cutoffs *c, const ps_ranks *r, size_t begin, size_t end, filter f)
{
    double found[PS_CUTOFFS_MAX] = {0}, gain[PS_CUTOFFS_MAX] = {0};
    size_t positives = 0;
    for (size_t k = begin; k < end; k++) {
        const double rank = r->rank[r->order[k]];
        if (!counts(r, r->pairs->positive[r->order[k]], f))
            continue;
        positives++;
        add_pair(m, c, rank);
        for (size_t i = 0; i < c->n; i++)
            if (rank <= c->k[i]) {
                found[i]++;
                gain[i] += discount(rank);
            }
    }
    m->queries += positives > 0;
    for (size_t i = 0; i < c->n && positives > 0; i++) {
        double ideal = 0;
        for (size_t k = 1; k <= positives && k <= c->k[i]; k++)
            ideal += discount((double)k);
        m->recall[i] += found[i] / (double)positives;
        m->ndcg[i] += gain[i] / ideal;
    }
}

static void add_coverage(ps_metrics *m, const ps_cutoffs *c, const ps_ranks *r, filter f)
{
    uint64_t items = 0, covered[PS_CUTOFFS_MAX] = {0};
    for (uint64_t i = 0; i < r->catalogue; i++) {
        if (!counts(r, i, f))
            continue;
        items++;
        for (size_t k = 0; k < c->n; k++)
            covered[k] += r->best[i] <= c->k[k];
    }
    for (size_t k = 0; k < c->n && items > 0; k++)
        m->coverage[k] = (double)covered[k] / (double)items;
}

void ps_metrics_make(ps_metrics *m, const ps_ranks *r, const ps_cutoffs *c, const uint32_t *boards, uint32_t cold)
{
    const ps_pairs *p = r->pairs;
    const filter f = {boards, cold};
    *m = (ps_metrics){0};
    for (size_t at = 0, end; at < p->n; at = end) {
        for (end = at; end < p->n && p->query[r->order[end]] == p->query[r->order[at]];)
            end++;
        add_query(m, c, r, at, end, f);
    }
    add_coverage(m, c, r, f);
    if (m->pairs == 0)
        return;
    const double pairs = (double)m->pairs, queries = (double)m->queries;
    m->mrr /= pairs;
    m->scaled_mrr /= pairs;
    for (size_t i = 0; i < c->n; i++) {
        m->hit[i] /= pairs;
        m->recall[i] /= queries;
        m->ndcg[i] /= queries;
    }
}

double ps_head_to_head(const ps_ranks *a, const ps_ranks *b, uint64_t *wins, uint64_t *ties)
{
    *wins = *ties = 0;
    for (size_t i = 0; i < a->pairs->n; i++) {
        *wins += a->rank[i] < b->rank[i];
        *ties += a->rank[i] == b->rank[i];
    }
    return a->pairs->n ? ((double)*wins + (double)*ties / 2) / (double)a->pairs->n : 0;
}
