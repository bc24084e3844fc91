#include "push.h"

#include <stdlib.h>

#include "mem.h"

enum { FIRST_BITS = 10, MOST_BITS = 31, AHEAD = 8 };

typedef struct {
    uint32_t id;
    uint16_t used, queued;
    double share, held;
} node;

/* The nodes of one side that have been reached, and those whose mass has grown since they were looked at. */
typedef struct {
    node *slot;
    uint32_t *touched, *queue;
    size_t slots, n, queue_n, touched_cap, queue_cap;
    int shift; /* 32 - log2(slots) */
} nodes;

struct ps_push {
    const ps_graph *g;
    double restart, error, held;
    uint64_t edges;
    nodes items, boards;
};

ps_push *ps_push_new(const ps_graph *g, double restart, double error)
{
    ps_push *p = ps_zalloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->g = g;
    p->restart = restart;
    p->error = error;
    return p;
}

static void free_nodes(nodes *s)
{
    free(s->slot);
    free(s->touched);
    free(s->queue);
}

void ps_push_free(ps_push *p)
{
    if (!p)
        return;
    free_nodes(&p->items);
    free_nodes(&p->boards);
    free(p);
}

double ps_push_held(const ps_push *p)
{
    return p->held;
}

uint64_t ps_push_edges(const ps_push *p)
{
    return p->edges;
}

static size_t place(const nodes *s, uint32_t id)
{
    size_t at = (size_t)((id * UINT32_C(0x9e3779b1)) >> s->shift);
    while (s->slot[at].used && s->slot[at].id != id)
        at = (at + 1) & (s->slots - 1);
    return at;
}

static int grow(nodes *s)
{
    const int bits = s->slots ? 32 - s->shift + 1 : FIRST_BITS;
    const size_t slots = (size_t)1 << bits;
    node *old = s->slot, *slot = bits <= MOST_BITS ? ps_zalloc(slots, sizeof *slot) : NULL;
    if (!slot || ps_grow(&s->touched, &s->touched_cap, slots / 2, sizeof *s->touched) < 0 ||
        ps_grow(&s->queue, &s->queue_cap, slots / 2, sizeof *s->queue) < 0) {
        free(slot);
        return ps_fail(PS_EMEM, "out of memory: shares of more than %zu nodes", s->n);
    }
    s->slot = slot;
    s->slots = slots;
    s->shift = 32 - bits;
    for (size_t i = 0; i < s->n; i++) {
        const node x = old[s->touched[i]];
        const size_t at = place(s, x.id);
        slot[at] = x;
        s->touched[i] = (uint32_t)at;
    }
    free(old);
    return 0;
}

static void clear(nodes *s)
{
    for (size_t i = 0; i < s->n; i++)
        s->slot[s->touched[i]] = (node){0};
    s->n = 0;
    s->queue_n = 0;
}

/* Gives a node mass; a node that has been given some waits in the queue once. */
static int give(nodes *s, uint32_t id, double share, double held)
{
    if (2 * s->n >= s->slots && grow(s) < 0)
        return PS_EMEM;
    const size_t at = place(s, id);
    node *x = &s->slot[at];
    if (!x->used) {
        *x = (node){.id = id, .used = 1};
        s->touched[s->n++] = (uint32_t)at;
    }
    x->share += share;
    x->held += held;
    if (!x->queued) {
        x->queued = 1;
        s->queue[s->queue_n++] = id;
    }
    return 0;
}

static double weight_sum(const ps_side *side, uint64_t u)
{
    double sum = 0;
    if (!side->weight)
        return (double)ps_degree(side, u);
    for (uint64_t e = side->off[u]; e < side->off[u + 1]; e++)
        sum += (double)side->weight[e];
    return sum;
}

static int damaged(const ps_graph *g)
{
    return ps_fail(PS_EDATA, "%s: damaged: an edge leads nowhere", g->name);
}

/* Shares `mass` out to the neighbours of node u, which keep the part `keep` of it. */
static int push(ps_push *p, const ps_side *side, uint64_t u, double mass, double sum, double keep, nodes *to,
                uint64_t to_nodes)
{
    const double each = mass / sum;
    int rc = 0;
    for (uint64_t e = side->off[u]; e < side->off[u + 1] && rc == 0; e++) {
        const double part = side->weight ? each * (double)side->weight[e] : each;
        rc = side->adj[e] < to_nodes ? give(to, side->adj[e], keep * part, (1 - keep) * part) : damaged(p->g);
    }
    p->edges += ps_degree(side, u);
    return rc;
}

/* Pushes the nodes of the queue that hold enough (all if `all`): how many, negative on failure. */
static long push_queue(ps_push *p, nodes *from, const ps_side *side, nodes *to, uint64_t to_nodes, double keep, int all)
{
    const size_t n = from->queue_n;
    long pushed = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t u = from->queue[i];
        node *x = &from->slot[place(from, u)];
        if (i + AHEAD < n)
            __builtin_prefetch(&side->off[from->queue[i + AHEAD]]);
        x->queued = 0;
        if (side->off[u] >= side->off[u + 1] || side->off[u + 1] > p->g->edges)
            return damaged(p->g);
        const double sum = weight_sum(side, u), mass = x->held;
        if (!(mass > 0) || (!all && mass <= p->error * sum))
            continue;
        x->held = 0;
        int rc = push(p, side, u, mass, sum, keep, to, to_nodes);
        if (rc < 0)
            return rc;
        pushed++;
    }
    from->queue_n = 0;
    return pushed;
}

static double held(const nodes *s)
{
    double sum = 0;
    for (size_t i = 0; i < s->n; i++)
        sum += s->slot[s->touched[i]].held;
    return sum;
}

int ps_push_run(ps_push *p, const ps_side *side, uint64_t u, ps_visits *v)
{
    const ps_graph *g = p->g;
    uint32_t total;
    clear(&p->items);
    clear(&p->boards);
    p->edges = 0;
    p->held = 0;
    long n = push(p, side, u, 1, weight_sum(side, u), 0, &p->boards, g->boards.nodes);
    /* The query's boards are all pushed, then only what holds enough. */
    for (int all = 1; n >= 0; all = 0) {
        n = push_queue(p, &p->boards, &g->boards, &p->items, g->items.nodes, p->restart, all);
        if (n < 0)
            break;
        const long m = push_queue(p, &p->items, &g->items, &p->boards, g->boards.nodes, 0, 0);
        if (m < 0 || n + m == 0) {
            n = m;
            break;
        }
    }
    p->held = held(&p->items) + held(&p->boards);
    for (size_t i = 0; i < p->items.n && n >= 0; i++) {
        const node *x = &p->items.slot[p->items.touched[i]];
        const uint32_t count = (uint32_t)(x->share * PS_PUSH_WHOLE + .5);
        if (count > 0)
            n = ps_visits_add(v, x->id, count, &total);
    }
    return n < 0 ? (int)n : 0;
}
