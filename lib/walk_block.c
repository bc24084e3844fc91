#include "walk_block.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "rng.h"

#define STRIDE UINT64_C(0x9e3779b97f4a7c15) /* rng.h: number s of a stream is ps_mix64(key + (s + 1) STRIDE) */

enum { AHEAD = 64 };

typedef enum { PLAIN, WEIGHTED } manner;

/* One chunk of walkers on their way through a step. */
typedef struct {
    uint64_t edge[AHEAD];
    uint32_t rest[AHEAD]; /* weighted: the random bits that decide between neighbour and alias */
    uint32_t board[AHEAD];
} chunk;

static int make_room(ps_block *b, size_t steps)
{
    if (steps <= b->cap)
        return 0;
    const size_t n = steps < PS_BLOCK_STEPS ? PS_BLOCK_STEPS : steps;
    ps_block_free(b);
    b->out = ps_alloc(n, sizeof *b->out);
    b->ends = ps_alloc(n, sizeof *b->ends);
    b->number = ps_alloc(n + 1, sizeof *b->number);
    b->step = ps_alloc(n + 1, sizeof *b->step);
    b->at = ps_alloc(n + 1, sizeof *b->at);
    if (!b->out || !b->ends || !b->number || !b->step || !b->at)
        return PS_EMEM;
    b->cap = n;
    return 0;
}

void ps_block_free(ps_block *b)
{
    free(b->out);
    free(b->ends);
    free(b->number);
    free(b->step);
    free(b->at);
    *b = (ps_block){0};
}

static int damaged(const ps_graph *g, uint32_t at)
{
    return ps_fail(PS_EDATA, "%s: damaged: an edge on the way from item %u leads nowhere", g->name, at);
}

/* A large graph is not read when it is opened, so every hop checks what it follows. */
static inline int edges_of(const ps_graph *g, const ps_side *side, uint64_t u, uint64_t *begin, uint64_t *degree)
{
    if (__builtin_expect(u >= side->nodes, 0))
        return 0;
    const uint64_t end = side->off[u + 1];
    *begin = side->off[u];
    *degree = end - *begin;
    return (end <= g->edges) & (*begin < end);
}

/* Chooses a neighbour by 64 random bits: the integer part of random x degree / 2^64 is the index, the next 32
 * bits of the product decide between the neighbour and its alias. */
static inline uint64_t aim(const ps_side *side, uint64_t begin, uint64_t degree, uint64_t random, manner how,
                           uint32_t *rest)
{
    const unsigned __int128 product = (unsigned __int128)random * degree;
    const uint64_t e = begin + (uint64_t)(product >> 64);
    __builtin_prefetch(&side->adj[e]);
    if (how == WEIGHTED) {
        __builtin_prefetch(&side->accept[e]);
        __builtin_prefetch(&side->alias[e]);
        *rest = (uint32_t)((uint64_t)product >> 32);
    }
    return e;
}

static inline uint32_t follow(const ps_side *side, uint64_t e, uint32_t rest, manner how)
{
    return how == WEIGHTED && rest > side->accept[e] ? side->alias[e] : side->adj[e];
}

/* From items to the edges that lead on; returns how many walkers got one, fewer than n only in a damaged graph. */
static inline __attribute__((always_inline)) size_t leave_items(const ps_graph *g, const ps_side *items,
                                                                const uint64_t *number, const uint32_t *at, size_t n,
                                                                chunk *c, manner how)
{
    uint64_t begin, degree;
    for (size_t i = 0; i < n; i++) {
        if (__builtin_expect(!edges_of(g, items, at[i], &begin, &degree), 0))
            return i;
        c->edge[i] = aim(items, begin, degree, ps_mix64(number[i]), how, &c->rest[i]);
    }
    return n;
}

static inline __attribute__((always_inline)) size_t leave_boards(const ps_graph *g, const uint64_t *number, size_t n,
                                                                 chunk *c, manner how)
{
    uint64_t begin, degree;
    for (size_t i = 0; i < n; i++) {
        if (__builtin_expect(!edges_of(g, &g->boards, c->board[i], &begin, &degree), 0))
            return i;
        c->edge[i] = aim(&g->boards, begin, degree, ps_mix64(number[i] + STRIDE), how, &c->rest[i]);
    }
    return n;
}

/* One step of n walkers, those whose walk goes on moved together to the front: their number, or PS_EDATA. */
static inline __attribute__((always_inline)) long step_all(ps_block *b, const ps_graph *g, const ps_side *items,
                                                           size_t n, manner out, manner in)
{
    const ps_side *boards = &g->boards;
    size_t left = 0;
    chunk c;
    for (size_t from = 0; from < n; from += AHEAD) {
        const size_t m = n - from < AHEAD ? n - from : AHEAD;
        const uint64_t *number = b->number + from;
        const uint32_t *at = b->at + from, *step = b->step + from;
        size_t ok = leave_items(g, items, number, at, m, &c, out);
        if (__builtin_expect(ok < m, 0))
            return damaged(g, at[ok]);
        for (size_t i = from + AHEAD; i < from + 2 * AHEAD && i < n; i++)
            __builtin_prefetch(&items->off[b->at[i]]);
        for (size_t i = 0; i < m; i++) {
            c.board[i] = follow(items, c.edge[i], c.rest[i], out);
            __builtin_prefetch(&boards->off[c.board[i]]);
        }
        ok = leave_boards(g, number, m, &c, in);
        if (__builtin_expect(ok < m, 0))
            return damaged(g, at[ok]);
        for (size_t i = 0; i < m; i++) {
            const uint32_t s = step[i], item = follow(boards, c.edge[i], c.rest[i], in);
            if (__builtin_expect(item >= g->items.nodes, 0))
                return damaged(g, at[i]);
            __builtin_prefetch(&g->items.off[item]);
            b->out[s] = item;
            b->number[left] = number[i] + 3 * STRIDE;
            b->step[left] = s + 1;
            b->at[left] = item;
            left += b->ends[s] == 0;
        }
    }
    return (long)left;
}

/* No arrivals from step s up to the next restart. */
static void dead_end(ps_block *b, uint32_t s)
{
    do
        b->out[s] = UINT32_MAX;
    while (b->ends[s++] == 0);
}

/* The same with factors on the nodes. */
static long step_biased(ps_block *b, const ps_graph *g, const ps_side *items, size_t n, const ps_bias *bias)
{
    size_t left = 0;
    uint64_t begin, degree;
    for (size_t i = 0; i < n; i++) {
        const uint64_t number = b->number[i];
        const uint32_t s = b->step[i], at = b->at[i];
        uint32_t board, item;
        if (!edges_of(g, items, at, &begin, &degree))
            return damaged(g, at);
        int found = ps_bias_pick(items, bias->board, g->boards.nodes, begin, degree, number, &board);
        if (found > 0 && !edges_of(g, &g->boards, board, &begin, &degree))
            return damaged(g, at);
        if (found > 0)
            found = ps_bias_pick(&g->boards, bias->item, g->items.nodes, begin, degree, number + STRIDE, &item);
        if (found < 0)
            return damaged(g, at);
        if (found == 0) {
            dead_end(b, s);
            continue;
        }
        b->out[s] = item;
        b->number[left] = number + 3 * STRIDE;
        b->step[left] = s + 1;
        b->at[left] = item;
        left += b->ends[s] == 0;
    }
    return (long)left;
}

/* One step beginning on the side `items`; each call of step_all is compiled by itself. */
static long step_once(ps_block *b, const ps_block_rules *r, const ps_side *items, size_t n)
{
    const ps_graph *g = r->g;
    if (r->bias)
        return step_biased(b, g, items, n, r->bias);
    if (items->accept)
        return g->boards.accept ? step_all(b, g, items, n, WEIGHTED, WEIGHTED)
                                : step_all(b, g, items, n, WEIGHTED, PLAIN);
    return g->boards.accept ? step_all(b, g, items, n, PLAIN, WEIGHTED) : step_all(b, g, items, n, PLAIN, PLAIN);
}

/* Walks the walkers 0..n-1 to their ends; `items`: the side on which they begin. */
static int run(ps_block *b, const ps_block_rules *r, const ps_side *items, size_t n)
{
    while (n > 0) {
        long left = step_once(b, r, items, n);
        if (left < 0)
            return (int)left;
        n = (size_t)left;
        items = &r->g->items;
    }
    return 0;
}

/* ends[s] for every step of the leg: bit 0 a restart, bit 1 the leg's last step. */
static void mark_ends(const ps_block_rules *r, const ps_leg *leg, uint8_t *ends)
{
    const uint64_t number = leg->key + (3 * leg->first + 3) * STRIDE, threshold = r->threshold;
    if (threshold == 0)
        memset(ends, 0, leg->steps);
    else
        for (uint64_t s = 0; s < leg->steps; s++)
            ends[s] = ps_mix64(number + 3 * s * STRIDE) < threshold;
    for (uint32_t s = 0, done = leg->done; r->length && s < leg->steps; s++) {
        ends[s] |= ++done == r->length;
        done = ends[s] ? 0 : done;
    }
    ends[leg->steps - 1] |= 2;
}

static void add_walker(ps_block *b, size_t n, const ps_leg *leg, size_t place, uint32_t s, uint32_t at)
{
    b->step[n] = (uint32_t)place + s;
    b->number[n] = leg->key + (3 * (leg->first + s) + 1) * STRIDE;
    b->at[n] = at;
}

/* A walker for what the leg brings along from the block before: how many, 0 or 1. */
static size_t add_rest(ps_block *b, size_t n, const ps_leg *leg, size_t place)
{
    if (leg->done == 0)
        return 0;
    if (leg->at == UINT32_MAX) {
        dead_end(b, (uint32_t)place);
        return 0;
    }
    add_walker(b, n, leg, place, 0, leg->at);
    return 1;
}

/* A walker for each step of the leg that begins at its start: how many. */
static size_t add_starts(ps_block *b, size_t from, const ps_leg *leg, size_t place)
{
    const uint8_t *ends = b->ends + place;
    size_t n = from;
    int fresh = leg->done == 0;
    for (uint32_t s = 0; s < leg->steps; s++) {
        const int restart = ends[s] & 1;
        add_walker(b, n, leg, place, s, leg->start);
        n += (size_t)(fresh & !(leg->skip_first & restart));
        fresh = restart;
    }
    return n - from;
}

static void move_on(const ps_block *b, ps_leg *leg, size_t place)
{
    const uint8_t *ends = b->ends + place;
    uint32_t done = 0;
    while (done < leg->steps && !(ends[leg->steps - 1 - done] & 1))
        done++;
    leg->first += leg->steps;
    leg->done = done == leg->steps ? leg->done + done : done;
    leg->at = done ? b->out[place + leg->steps - 1] : leg->start;
}

int ps_block_walk(ps_block *b, const ps_block_rules *r, ps_leg *leg, size_t n)
{
    const ps_side *start = r->start ? r->start : &r->g->items;
    size_t steps = 0, walkers = 0, place = 0;
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        steps += leg[i].steps;
    if (make_room(b, steps) < 0)
        return PS_EMEM;
    for (size_t i = 0; i < n; place += leg[i++].steps) {
        mark_ends(r, &leg[i], b->ends + place);
        walkers += add_rest(b, walkers, &leg[i], place);
    }
    if (walkers > 0 && r->start) { /* they stand on another side */
        rc = run(b, r, &r->g->items, walkers);
        walkers = 0;
    }
    place = 0;
    for (size_t i = 0; i < n && rc == 0; place += leg[i++].steps)
        walkers += add_starts(b, walkers, &leg[i], place);
    if (rc == 0)
        rc = run(b, r, start, walkers);
    place = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        move_on(b, &leg[i], place);
        place += leg[i].steps;
    }
    return rc;
}
