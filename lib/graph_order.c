/* graph_order.c - new numbers for nodes; of graph_rewrite.h. */
#include <stdlib.h>

#include "graph_rewrite.h"
#include "mem.h"
#include "rng.h"

enum { ROUNDS = 12 };

typedef struct {
    double value;
    uint32_t node;
} ranked;

static int by_value(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->node < y->node ? -1 : x->node > y->node;
}

/* number[u] = u's place among the values. */
static void rank(ranked *r, uint64_t n, uint32_t *number)
{
    if (n > 0)
        qsort(r, n, sizeof *r, by_value);
    for (uint64_t i = 0; i < n; i++)
        number[r[i].node] = (uint32_t)i;
}

static void order_by_degree(const ps_side *s, ranked *r, uint32_t *number)
{
    for (uint64_t u = 0; u < s->nodes; u++)
        r[u] = (ranked){-(double)ps_degree(s, u), (uint32_t)u};
    rank(r, s->nodes, number);
}

/* Each node between those that it is joined to; one without edges goes to the end. */
static void barycentres(const ps_side *s, const uint32_t *others, uint64_t n_others, ranked *r, uint32_t *number)
{
    for (uint64_t u = 0; u < s->nodes; u++) {
        double sum = 0, degree = (double)ps_degree(s, u);
        for (uint64_t e = s->off[u]; e < s->off[u + 1]; e++)
            sum += others[s->adj[e]];
        r[u] = (ranked){degree > 0 ? sum / degree : (double)n_others, (uint32_t)u};
    }
    rank(r, s->nodes, number);
}

static void order_by_community(const ps_graph *g, uint64_t seed, ranked *r, uint32_t *items, uint32_t *boards)
{
    const uint64_t key = ps_rng_key(seed, 0);
    for (uint64_t u = 0; u < g->items.nodes; u++)
        r[u] = (ranked){ps_unit(ps_rng(key, u)), (uint32_t)u};
    rank(r, g->items.nodes, items);
    for (int i = 0; i < ROUNDS; i++) {
        barycentres(&g->boards, items, g->items.nodes, r, boards);
        barycentres(&g->items, boards, g->boards.nodes, r, items);
    }
}

/* Names in the order of the new numbers. */
static int give_nodes(const ps_graph *g, ps_space space, const uint32_t *number, ranked *r, ps_builder *b)
{
    const uint64_t n = space == PS_BOARDS ? g->boards.nodes : g->items.nodes;
    int rc = 0;
    for (uint64_t u = 0; u < n; u++)
        r[number[u]].node = (uint32_t)u;
    for (uint64_t i = 0; i < n && rc == 0; i++) {
        char buf[32];
        uint64_t got;
        rc = ps_builder_node(b, space, ps_graph_name(g, space, r[i].node, buf), &got);
    }
    return rc;
}

uint64_t ps_graph_reorder_memory(const ps_graph *g)
{
    const uint64_t most = g->items.nodes > g->boards.nodes ? g->items.nodes : g->boards.nodes;
    /* qsort takes as much again as what it sorts. */
    return (g->items.nodes + g->boards.nodes) * sizeof(uint32_t) + 2 * most * sizeof(ranked);
}

int ps_graph_reorder(const ps_graph *g, ps_order order, uint64_t seed, ps_builder *b)
{
    const uint64_t most = g->items.nodes > g->boards.nodes ? g->items.nodes : g->boards.nodes;
    uint32_t *items = ps_alloc(g->items.nodes, sizeof *items), *boards = ps_alloc(g->boards.nodes, sizeof *boards);
    ranked *r = ps_alloc(most, sizeof *r);
    int rc = items && boards && r ? 0 : PS_EMEM;
    if (rc == 0 && order == PS_ORDER_COMMUNITY) {
        order_by_community(g, seed, r, items, boards);
    } else if (rc == 0) {
        order_by_degree(&g->items, r, items);
        order_by_degree(&g->boards, r, boards);
    }
    if (rc == 0)
        rc = give_nodes(g, PS_ITEMS, items, r, b);
    if (rc == 0)
        rc = give_nodes(g, PS_BOARDS, boards, r, b);
    for (uint64_t u = 0; u < g->items.nodes && rc == 0; u++)
        for (uint64_t e = g->items.off[u]; e < g->items.off[u + 1] && rc == 0; e++)
            rc = ps_builder_edge(b, items[u], boards[g->items.adj[e]], g->items.weight ? g->items.weight[e] : 1);
    free(items);
    free(boards);
    free(r);
    return rc;
}
