/* eval_metrics.c - figures from ranks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

const char *ps_measure_name(const ps_cutoffs *c, size_t measure, uint32_t *k)
{
    const size_t n = c->n;
    const int mean = measure == n || measure == n + 1;
    *k = mean ? 0 : c->k[measure < n ? measure : (measure - n - 2) % n];
    return measure < n           ? "hit-rate"
           : measure == n        ? "scaled-mrr"
           : measure == n + 1    ? "mrr"
           : measure < 2 * n + 2 ? "recall"
                                 : "ndcg";
}

int ps_measure_of_pairs(const ps_cutoffs *c, size_t measure)
{
    return measure < c->n + 2;
}

/* Is something in the part by this item, a positive, a query, or one of the catalogue? */
static int counts(const ps_ranks *r, uint64_t item, const ps_part *part)
{
    if (!part)
        return 1;
    const uint32_t boards = item < r->catalogue ? part->boards[item] : 0;
    return boards >= part->least && boards <= part->most;
}

size_t ps_query_end(const ps_ranks *r, size_t begin)
{
    size_t end = begin;
    while (end < r->pairs->n && r->pairs->query[r->order[end]] == r->pairs->query[r->order[begin]])
        end++;
    return end;
}

static void add_pair(double *row, const ps_cutoffs *c, double rank)
{
    const size_t n = c->n;
    if (isinf(rank))
        return;
    row[n] += 1 / ceil(rank / 100);
    row[n + 1] += 1 / rank;
    for (size_t i = 0; i < n; i++)
        if (rank <= c->k[i]) {
            row[i]++;
            row[2 * n + 2 + i] += discount(rank);
        }
}

size_t ps_query_measures(const ps_ranks *r, const ps_cutoffs *c, const ps_part *part, size_t begin, size_t end,
                         double *row)
{
    const ps_pairs *p = r->pairs;
    const size_t n = c->n;
    size_t positives = 0;
    memset(row, 0, ps_measures(c) * sizeof *row);
    for (size_t k = begin; k < end; k++) {
        const size_t pair = r->order[k];
        if (!counts(r, part && part->by_query ? p->query[pair] : p->positive[pair], part))
            continue;
        positives++;
        add_pair(row, c, r->rank[pair]);
    }
    for (size_t i = 0; i < n && positives > 0; i++) {
        double ideal = 0;
        for (size_t k = 1; k <= positives && k <= c->k[i]; k++)
            ideal += discount((double)k);
        row[n + 2 + i] = row[i] / (double)positives;
        row[2 * n + 2 + i] /= ideal;
    }
    return positives;
}

static void add_coverage(ps_metrics *m, const ps_cutoffs *c, const ps_ranks *r, const ps_part *part)
{
    uint64_t items = 0, covered[PS_CUTOFFS_MAX] = {0};
    for (uint64_t i = 0; i < r->catalogue; i++) {
        if (!counts(r, i, part))
            continue;
        items++;
        for (size_t k = 0; k < c->n; k++)
            covered[k] += r->best[i] <= c->k[k];
    }
    for (size_t k = 0; k < c->n && items > 0; k++)
        m->coverage[k] = (double)covered[k] / (double)items;
}

void ps_metrics_make(ps_metrics *m, const ps_ranks *r, const ps_cutoffs *c, const ps_part *part)
{
    const size_t n = c->n, measures = ps_measures(c);
    double row[PS_MEASURES_MAX], sum[PS_MEASURES_MAX] = {0};
    *m = (ps_metrics){0};
    for (size_t at = 0, end; at < r->pairs->n; at = end) {
        end = ps_query_end(r, at);
        const size_t positives = ps_query_measures(r, c, part, at, end, row);
        m->pairs += positives;
        m->queries += positives > 0;
        for (size_t i = 0; i < measures; i++)
            sum[i] += row[i];
    }
    add_coverage(m, c, r, part && part->by_query ? NULL : part);
    if (m->pairs == 0)
        return;
    for (size_t i = 0; i < measures; i++)
        sum[i] /= (double)(ps_measure_of_pairs(c, i) ? m->pairs : m->queries);
    memcpy(m->hit, sum, n * sizeof *sum);
    m->scaled_mrr = sum[n];
    m->mrr = sum[n + 1];
    memcpy(m->recall, sum + n + 2, n * sizeof *sum);
    memcpy(m->ndcg, sum + 2 * n + 2, n * sizeof *sum);
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
