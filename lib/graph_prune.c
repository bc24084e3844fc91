/* graph_prune.c - leaving edges out; of graph_rewrite.h. */
#include <math.h>
#include <stdlib.h>

#include "graph_rewrite.h"
#include "mem.h"
#include "rng.h"

typedef struct {
    const ps_graph *g;
    const ps_prune *o;
    size_t dim;
    float *scale;     /* of each item's vector: 1 / its length; 0: no vector */
    double *mean;     /* dim: a board's direction */
    float *spread;    /* of each board: 1 - length of its direction; -1: fewer than two edges */
    float spread_max; /* boards above it lose their edges */
    uint64_t *cursor; /* of each item: its next edge, when boards are taken in order */
    float *fit;       /* of each edge in the items' order: likeness to its board; DROPPED */
} pruning;

#define DROPPED (-9.0f)

static const float *vector(const pruning *p, uint32_t item)
{
    uint64_t row = ps_vectors_find(p->o->vectors, item);
    return row == PS_NONE ? NULL : ps_vectors_row(p->o->vectors, row);
}

static int measure_items(pruning *p)
{
    const uint64_t n = p->g->items.nodes;
    p->dim = p->o->vectors->d;
    p->scale = ps_zalloc(n, sizeof *p->scale);
    p->mean = ps_alloc(p->dim, sizeof *p->mean);
    p->spread = ps_alloc(p->g->boards.nodes, sizeof *p->spread);
    if (!p->scale || !p->mean || !p->spread)
        return PS_EMEM;
    for (uint64_t i = 0; i < n; i++) {
        const float *x = vector(p, (uint32_t)i);
        double sum = 0;
        for (size_t j = 0; x && j < p->dim; j++)
            sum += (double)x[j] * (double)x[j];
        p->scale[i] = sum > 0 ? (float)(1 / sqrt(sum)) : 0;
    }
    return 0;
}

/* The mean of the unit vectors of board b's items; its length. */
static double direction(pruning *p, uint64_t b)
{
    const ps_side *s = &p->g->boards;
    const uint64_t n = ps_degree(s, b);
    double length = 0;
    for (size_t j = 0; j < p->dim; j++)
        p->mean[j] = 0;
    for (uint64_t e = s->off[b]; e < s->off[b + 1]; e++) {
        const float *x = vector(p, s->adj[e]), scale = p->scale[s->adj[e]];
        for (size_t j = 0; scale > 0 && j < p->dim; j++)
            p->mean[j] += (double)(x[j] * scale);
    }
    for (size_t j = 0; n > 0 && j < p->dim; j++) {
        p->mean[j] /= (double)n;
        length += p->mean[j] * p->mean[j];
    }
    return sqrt(length);
}

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

/* Above which spread lies the share of boards that is to go. */
static int find_spread(pruning *p)
{
    const uint64_t n = p->g->boards.nodes;
    float *sorted = ps_alloc(n, sizeof *sorted);
    uint64_t k = 0;
    if (!sorted)
        return PS_EMEM;
    for (uint64_t b = 0; b < n; b++) {
        p->spread[b] = ps_degree(&p->g->boards, b) < 2 ? -1 : (float)fmax(0, 1 - direction(p, b));
        if (p->spread[b] >= 0)
            sorted[k++] = p->spread[b];
    }
    uint64_t drop = (uint64_t)(p->o->drop_diverse * (double)k);
    if (k > 0)
        qsort(sorted, k, sizeof *sorted, ascending);
    p->spread_max = drop > 0 ? sorted[k - drop - (drop < k)] : INFINITY;
    if (drop == k && k > 0)
        p->spread_max = -0.5f;
    free(sorted);
    return 0;
}

typedef struct {
    uint64_t key, edge;
} drawn;

static int by_key(const void *a, const void *b)
{
    const drawn *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->edge < y->edge ? -1 : x->edge > y->edge;
}

/* All but `max` of the edges at edge[0..n-1] go. */
static int sample(pruning *p, uint64_t b, const uint64_t *edge, uint64_t n)
{
    const uint64_t key = ps_rng_key(p->o->seed, b);
    drawn *d = ps_alloc(n, sizeof *d);
    if (!d)
        return PS_EMEM;
    for (uint64_t i = 0; i < n; i++)
        d[i] = (drawn){ps_rng(key, i), edge[i]};
    qsort(d, n, sizeof *d, by_key);
    for (uint64_t i = p->o->max_board; i < n; i++)
        p->fit[d[i].edge] = DROPPED;
    free(d);
    return 0;
}

static void fit_board(pruning *p, uint64_t b, const uint64_t *edge)
{
    const ps_side *s = &p->g->boards;
    double length = direction(p, b);
    for (uint64_t i = 0; i < ps_degree(s, b); i++) {
        const uint32_t item = s->adj[s->off[b] + i];
        const float *x = vector(p, item);
        double dot = 0;
        for (size_t j = 0; p->scale[item] > 0 && j < p->dim; j++)
            dot += p->mean[j] * (double)x[j];
        p->fit[edge[i]] = length > 0 ? (float)(dot * (double)p->scale[item] / length) : 0;
    }
}

static int prune_board(pruning *p, uint64_t b, uint64_t *edge)
{
    const ps_side *s = &p->g->boards;
    const uint64_t n = ps_degree(s, b);
    for (uint64_t i = 0; i < n; i++)
        edge[i] = p->cursor[s->adj[s->off[b] + i]]++;
    if ((p->o->drop_large && n > p->o->drop_large) || (p->spread && p->spread[b] > p->spread_max)) {
        for (uint64_t i = 0; i < n; i++)
            p->fit[edge[i]] = DROPPED;
        return 0;
    }
    if (p->o->vectors && p->o->keep_power < 1)
        fit_board(p, b, edge);
    return p->o->max_board && n > p->o->max_board ? sample(p, b, edge, n) : 0;
}

static uint64_t largest_degree(const ps_side *s)
{
    uint64_t most = 0;
    for (uint64_t u = 0; u < s->nodes; u++)
        most = ps_degree(s, u) > most ? ps_degree(s, u) : most;
    return most;
}

static int prune_boards(pruning *p)
{
    const ps_side *s = &p->g->boards;
    uint64_t *edge = ps_alloc(largest_degree(s), sizeof *edge);
    int rc = edge ? 0 : PS_EMEM;
    for (uint64_t b = 0; b < s->nodes && rc == 0; b++)
        rc = prune_board(p, b, edge);
    free(edge);
    return rc;
}

/* Likeness as an integer: the more alike, the smaller. */
static uint64_t falling(float fit)
{
    return (uint64_t)((2.0 - (double)fit) * 0x1p40);
}

static int give_item(pruning *p, uint64_t u, drawn *d, ps_builder *b)
{
    const ps_side *s = &p->g->items;
    uint64_t n = 0, keep;
    for (uint64_t e = s->off[u]; e < s->off[u + 1]; e++)
        if (p->fit[e] != DROPPED)
            d[n++] = (drawn){falling(p->fit[e]), e};
    keep = (uint64_t)ceil(pow((double)n, p->o->keep_power) - 1e-9);
    keep = p->o->keep_power >= 1 || keep > n ? n : keep;
    if (keep < n)
        qsort(d, n, sizeof *d, by_key);
    int rc = 0;
    for (uint64_t i = 0; i < keep && rc == 0; i++)
        rc = ps_builder_edge(b, u, s->adj[d[i].edge], s->weight ? s->weight[d[i].edge] : 1);
    return rc;
}

static int give_items(pruning *p, ps_builder *b)
{
    const ps_side *s = &p->g->items;
    drawn *d = ps_alloc(largest_degree(s), sizeof *d);
    int rc = d ? 0 : PS_EMEM;
    for (uint64_t u = 0; u < s->nodes && rc == 0; u++)
        rc = give_item(p, u, d, b);
    free(d);
    return rc;
}

int ps_graph_prune(const ps_graph *g, const ps_prune *o, ps_builder *b)
{
    pruning p = {.g = g, .o = o, .spread_max = INFINITY};
    p.fit = ps_zalloc(g->edges, sizeof *p.fit);
    p.cursor = ps_alloc(g->items.nodes, sizeof *p.cursor);
    int rc = p.fit && p.cursor ? 0 : PS_EMEM;
    for (uint64_t u = 0; u < g->items.nodes && rc == 0; u++)
        p.cursor[u] = g->items.off[u];
    if (rc == 0 && o->vectors)
        rc = measure_items(&p);
    if (rc == 0 && o->vectors)
        rc = find_spread(&p);
    if (rc == 0)
        rc = prune_boards(&p);
    if (rc == 0)
        rc = give_items(&p, b);
    free(p.scale);
    free(p.mean);
    free(p.spread);
    free(p.cursor);
    free(p.fit);
    return rc;
}
