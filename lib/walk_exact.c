#include "walk_exact.h"

enum { AHEAD = 8 };

int ps_exact_fits(const ps_graph *g, const ps_side *side, uint64_t u, uint64_t most)
{
    const uint64_t begin = side->off[u], end = side->off[u + 1];
    uint64_t edges = 0;
    if (most == 0 || begin >= end || end - begin > most)
        return 0;
    for (uint64_t e = begin; e < end && e < begin + AHEAD; e++)
        __builtin_prefetch(&g->boards.off[side->adj[e]]);
    for (uint64_t e = begin; e < end && edges <= most; e++) {
        if (side->adj[e] >= g->boards.nodes)
            return 0;
        if (e + AHEAD < end)
            __builtin_prefetch(&g->boards.off[side->adj[e + AHEAD]]);
        const uint64_t from = g->boards.off[side->adj[e]], to = g->boards.off[side->adj[e] + 1];
        if (from >= to || to > g->edges)
            return 0;
        edges += to - from;
    }
    return edges <= most;
}

static double total(const float *weight, uint64_t n)
{
    double sum = 0;
    for (uint64_t i = 0; i < n; i++)
        sum += (double)weight[i];
    return sum;
}

/* Shares `visits` out to the items of one board. */
static int to_items(ps_visits *v, const ps_graph *g, uint32_t board, double visits)
{
    const ps_side *boards = &g->boards;
    const uint64_t begin = boards->off[board], n = boards->off[board + 1] - begin;
    const uint32_t *item = boards->adj + begin;
    uint32_t most = 0;
    int rc = 0;
    for (uint64_t i = 0; i < n; i++)
        most = item[i] > most ? item[i] : most;
    if (most >= g->items.nodes)
        return ps_fail(PS_EDATA, "%s: damaged: board %u holds item %u, of only %llu", g->name, board, most,
                       (unsigned long long)g->items.nodes);
    if (!boards->weight)
        return ps_visits_add_all(v, item, n, (uint32_t)(visits / (double)n + .5));
    const float *weight = boards->weight + begin;
    const double each = visits / total(weight, n);
    for (uint64_t i = 0; i < n && rc == 0; i++) {
        const uint32_t add = (uint32_t)(each * (double)weight[i] + .5);
        uint32_t sum;
        if (add > 0)
            rc = ps_visits_add(v, item[i], add, &sum);
    }
    return rc;
}

int ps_exact_first(ps_visits *v, const ps_graph *g, const ps_side *side, uint64_t u, double visits)
{
    const uint64_t begin = side->off[u], end = side->off[u + 1];
    const double each = visits / (side->weight ? total(side->weight + begin, end - begin) : (double)(end - begin));
    int rc = 0;
    for (uint64_t e = begin; e < end && rc == 0; e++) {
        if (e + AHEAD / 2 < end)
            __builtin_prefetch(&g->boards.adj[g->boards.off[side->adj[e + AHEAD / 2]]]);
        rc = to_items(v, g, side->adj[e], side->weight ? each * (double)side->weight[e] : each);
    }
    return rc;
}
