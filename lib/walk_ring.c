#include "walk_ring.h"

#include "rng.h"

/* How a side's offsets are read and its neighbours are chosen. */
typedef enum { WIDE, NARROW } offsets;
typedef enum { PLAIN, WEIGHTED } manner;

/* Edges that lead on. */
typedef struct {
    uint64_t random[PS_RING];
    uint64_t edge[PS_RING];
    uint32_t rest[PS_RING]; /* weighted: the random bits that decide between neighbour and alias */
    uint32_t to[PS_RING];   /* the nodes they lead to */
} choices;

static int damaged(const ps_graph *g, uint32_t at)
{
    return ps_fail(PS_EDATA, "%s: damaged: an edge on the way from item %u leads nowhere", g->name, at);
}

/* From the nodes u to the edges that lead on: how many got one, fewer than n only in a damaged graph.  A large graph is
 * not read when it is opened, so every hop checks what it follows; off32 has been checked.  The integer part of random
 * x degree / 2^64 is the neighbour's index, the next 32 bits of the product decide between it and its alias. */
static inline __attribute__((always_inline)) size_t leave(const ps_side *side, uint64_t edges, const uint32_t *u,
                                                          size_t n, choices *c, offsets width, manner how)
{
    const uint64_t nodes = side->nodes, *off = side->off;
    const uint32_t *off32 = side->off32, *adj = side->adj;
    for (size_t i = 0; i < n; i++) {
        const uint64_t v = u[i];
        if (__builtin_expect(v >= nodes, 0))
            return i;
        const uint64_t begin = width == NARROW ? off32[v] : off[v], end = width == NARROW ? off32[v + 1] : off[v + 1];
        if (__builtin_expect(width == NARROW ? begin == end : (end > edges) | (begin >= end), 0))
            return i;
        const unsigned __int128 product = (unsigned __int128)c->random[i] * (end - begin);
        const uint64_t e = begin + (uint64_t)(product >> 64);
        ps_ring_ask(&adj[e]);
        if (how == WEIGHTED) {
            ps_ring_ask(&side->accept[e]);
            ps_ring_ask(&side->alias[e]);
            c->rest[i] = (uint32_t)((uint64_t)product >> 32);
        }
        c->edge[i] = e;
    }
    return n;
}

/* Along the edges to nodes of `next`, whose offsets may lie in two lines of the cache. */
static inline __attribute__((always_inline)) void follow(const ps_side *side, const ps_side *next, size_t n, choices *c,
                                                         offsets width, manner how)
{
    const uint64_t *off = next->off;
    const uint32_t *off32 = next->off32, *adj = side->adj;
    for (size_t i = 0; i < n; i++) {
        const uint64_t e = c->edge[i];
        const uint32_t u = how == WEIGHTED && c->rest[i] > side->accept[e] ? side->alias[e] : adj[e];
        if (width == NARROW) {
            ps_ring_ask(&off32[u]);
            ps_ring_ask(&off32[(uint64_t)u + 1]);
        } else {
            ps_ring_ask(&off[u]);
            ps_ring_ask(&off[(uint64_t)u + 1]);
        }
        c->to[i] = u;
    }
}

/* All walkers have arrived at items `to`; those that go on close ranks. */
static int arrive(ps_ring *r, const ps_graph *g, const uint32_t *to, const uint8_t *ends, uint32_t *out)
{
    const size_t n = r->n;
    uint32_t most = 0;
    size_t left = 0;
    for (size_t i = 0; i < n; i++)
        most = to[i] > most ? to[i] : most;
    if (most >= g->items.nodes)
        return damaged(g, r->at[0]);
    for (size_t i = 0; i < n; i++) {
        const uint32_t s = r->step[i];
        out[s] = to[i];
        r->number[left] = r->number[i] + 3 * PS_WALK_STRIDE;
        r->step[left] = s + 1;
        r->at[left] = to[i];
        left += ends[s] == 0;
    }
    r->n = left;
    return 0;
}

/* Every access is asked for as many walkers ahead as there are: the cost is the memory's throughput, not its latency.
 * What stands between an access and the next one counts, for the processor looks only so far ahead. */
static inline __attribute__((always_inline)) int step_all(ps_ring *r, const ps_graph *g, const ps_side *from,
                                                          const uint8_t *ends, uint32_t *out, offsets width,
                                                          manner away, manner back)
{
    const size_t n = r->n;
    choices c;
    r->ops->mix(n, r->number, 0, c.random);
    size_t ok = leave(from, g->edges, r->at, n, &c, width, away);
    if (__builtin_expect(ok < n, 0))
        return damaged(g, r->at[ok]);
    r->ops->mix(n, r->number, PS_WALK_STRIDE, c.random);
    follow(from, &g->boards, n, &c, width, away);
    ok = leave(&g->boards, g->edges, c.to, n, &c, width, back);
    if (__builtin_expect(ok < n, 0))
        return damaged(g, r->at[ok]);
    follow(&g->boards, &g->items, n, &c, width, back);
    return arrive(r, g, c.to, ends, out);
}

void ps_ring_dead_end(const uint8_t *ends, uint32_t *out, uint32_t s)
{
    do
        out[s] = UINT32_MAX;
    while (ends[s++] == 0);
}

static int edges_of(const ps_graph *g, const ps_side *side, uint32_t u, uint64_t *begin, uint64_t *degree)
{
    if (u >= side->nodes)
        return 0;
    *begin = side->off[u];
    *degree = side->off[u + 1] - *begin;
    return side->off[u + 1] <= g->edges && *begin < side->off[u + 1];
}

/* The same with factors on the nodes. */
static int step_biased(ps_ring *r, const ps_graph *g, const ps_side *from, const ps_bias *bias, const uint8_t *ends,
                       uint32_t *out)
{
    size_t left = 0;
    uint64_t begin, degree;
    for (size_t i = 0; i < r->n; i++) {
        const uint64_t number = r->number[i];
        const uint32_t s = r->step[i], at = r->at[i];
        uint32_t board, item;
        if (!edges_of(g, from, at, &begin, &degree))
            return damaged(g, at);
        int found = ps_bias_pick(from, bias->board, g->boards.nodes, begin, degree, number, &board);
        if (found > 0 && !edges_of(g, &g->boards, board, &begin, &degree))
            return damaged(g, at);
        if (found > 0)
            found = ps_bias_pick(&g->boards, bias->item, g->items.nodes, begin, degree, number + PS_WALK_STRIDE, &item);
        if (found < 0)
            return damaged(g, at);
        if (found == 0) {
            ps_ring_dead_end(ends, out, s);
            continue;
        }
        out[s] = item;
        r->number[left] = number + 3 * PS_WALK_STRIDE;
        r->step[left] = s + 1;
        r->at[left] = item;
        left += ends[s] == 0;
    }
    r->n = left;
    return 0;
}

static inline __attribute__((always_inline)) int step_width(ps_ring *r, const ps_graph *g, const ps_side *from,
                                                            const uint8_t *ends, uint32_t *out, offsets width)
{
    if (from->accept)
        return g->boards.accept ? step_all(r, g, from, ends, out, width, WEIGHTED, WEIGHTED)
                                : step_all(r, g, from, ends, out, width, WEIGHTED, PLAIN);
    return g->boards.accept ? step_all(r, g, from, ends, out, width, PLAIN, WEIGHTED)
                            : step_all(r, g, from, ends, out, width, PLAIN, PLAIN);
}

int ps_ring_step(ps_ring *r, const ps_graph *g, const ps_side *from, const ps_bias *bias, const uint8_t *ends,
                 uint32_t *out)
{
    if (bias)
        return step_biased(r, g, from, bias, ends, out);
    return g->boards.off32 ? step_width(r, g, from, ends, out, NARROW) : step_width(r, g, from, ends, out, WIDE);
}
