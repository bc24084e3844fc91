#include "graph_stats.h"

#include <stdlib.h>

#include "mem.h"

enum { SMALL = 1 << 16 };

static int by_size(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Degrees below SMALL are counted, the few above listed. */
typedef struct {
    uint64_t *count, *large;
    size_t n_large, cap;
} spread;

static uint64_t percentile(const spread *d, uint64_t nodes, uint64_t percent)
{
    uint64_t rank = (nodes * percent + 99) / 100, seen = 0;
    for (uint64_t k = 0; k < SMALL; k++)
        if ((seen += d->count[k]) >= rank)
            return k;
    return d->large[rank - seen - 1];
}

static void enter_largest(ps_side_stats *s, const ps_side *side, uint64_t u)
{
    int i = s->n_largest;
    if (i == PS_STATS_LARGEST && ps_degree(side, s->largest[i - 1]) >= ps_degree(side, u))
        return;
    if (i < PS_STATS_LARGEST)
        s->n_largest++;
    else
        i--;
    for (; i > 0 && ps_degree(side, s->largest[i - 1]) < ps_degree(side, u); i--)
        s->largest[i] = s->largest[i - 1];
    s->largest[i] = u;
}

static int measure(const ps_graph *g, const ps_side *side, const char *what, ps_side_stats *s, spread *d)
{
    for (uint64_t u = 0; u < side->nodes; u++) {
        if (side->off[u + 1] < side->off[u])
            return ps_fail(PS_EDATA, "%s: %s %llu: its offsets are not in order", g->name, what,
                           (unsigned long long)u);
        uint64_t k = ps_degree(side, u);
        s->least = k < s->least ? k : s->least;
        s->most = k > s->most ? k : s->most;
        s->none += k == 0;
        enter_largest(s, side, u);
        if (k < SMALL) {
            d->count[k]++;
            continue;
        }
        if (ps_grow(&d->large, &d->cap, d->n_large + 1, sizeof *d->large) < 0)
            return PS_EMEM;
        d->large[d->n_large++] = k;
    }
    return 0;
}

int ps_side_measure(const ps_graph *g, ps_space space, ps_side_stats *s)
{
    const ps_side *side = space == PS_BOARDS ? &g->boards : &g->items;
    spread d = {.count = ps_zalloc(SMALL, sizeof *d.count)};
    *s = (ps_side_stats){.least = side->nodes ? UINT64_MAX : 0};
    int rc = d.count ? measure(g, side, space == PS_BOARDS ? "board" : "item", s, &d) : PS_EMEM;
    if (rc == 0 && side->nodes > 0) {
        if (d.n_large > 0)
            qsort(d.large, d.n_large, sizeof *d.large, by_size);
        s->p50 = percentile(&d, side->nodes, 50);
        s->p90 = percentile(&d, side->nodes, 90);
        s->p99 = percentile(&d, side->nodes, 99);
    }
    free(d.count);
    free(d.large);
    return rc;
}

/* ---- components: union-find over the items ---- */

static uint32_t root(uint32_t *up, uint32_t u)
{
    while (up[u] != u) {
        up[u] = up[up[u]];
        u = up[u];
    }
    return u;
}

static int unite(const ps_graph *g, uint32_t *up, uint64_t *lonely)
{
    const ps_side *s = &g->boards;
    for (uint64_t b = 0; b < s->nodes; b++) {
        *lonely += s->off[b] == s->off[b + 1];
        for (uint64_t e = s->off[b]; e < s->off[b + 1]; e++) {
            if (e >= g->edges || s->adj[e] >= g->items.nodes)
                return ps_fail(PS_EDATA, "%s: board %llu: it is joined to a node that does not exist", g->name,
                               (unsigned long long)b);
            uint32_t x = root(up, s->adj[s->off[b]]), y = root(up, s->adj[e]);
            if (x < y)
                up[y] = x;
            else
                up[x] = y;
        }
    }
    return 0;
}

int ps_graph_components(const ps_graph *g, uint64_t *components, uint64_t *most_items)
{
    const uint64_t n = g->items.nodes;
    uint32_t *up = ps_alloc(n, sizeof *up);
    if (!up)
        return PS_EMEM;
    for (uint64_t u = 0; u < n; u++)
        up[u] = (uint32_t)u;
    *components = *most_items = 0;
    int rc = unite(g, up, components);
    for (uint64_t u = 0; u < n && rc == 0; u++) {
        *components += up[u] == u;
        up[u] = root(up, (uint32_t)u);
    }
    uint64_t *count = rc == 0 ? ps_zalloc(n, sizeof *count) : NULL;
    if (rc == 0 && !count)
        rc = PS_EMEM;
    for (uint64_t u = 0; u < n && rc == 0; u++)
        if (++count[up[u]] > *most_items)
            *most_items = count[up[u]];
    free(count);
    free(up);
    return rc;
}
