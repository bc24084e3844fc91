#include "walk.h"

#include <stdlib.h>

#include "mem.h"
#include "rng.h"

struct ps_walker {
    const ps_graph *g;
    ps_walk_options o;
    uint64_t threshold; /* a restart number below it: restart */
    uint64_t walked;
    ps_visits visits;
    uint32_t *path;
    size_t path_cap;
};

ps_walker *ps_walker_new(const ps_graph *g, const ps_walk_options *o)
{
    ps_walker *w = ps_zalloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->g = g;
    w->o = *o;
    w->threshold = ps_threshold(o->restart);
    return w;
}

void ps_walker_free(ps_walker *w)
{
    if (!w)
        return;
    ps_visits_free(&w->visits);
    free(w->path);
    free(w);
}

uint64_t ps_walker_steps(const ps_walker *w)
{
    return w->walked;
}

/* A large graph is not read when it is opened, so every hop checks what it follows. */
static inline int edges_of(const ps_graph *g, const ps_side *side, uint64_t u, uint64_t *begin, uint64_t *degree)
{
    if (u >= side->nodes)
        return 0;
    *begin = side->off[u];
    *degree = side->off[u + 1] - *begin;
    return side->off[u + 1] <= g->edges && *begin <= side->off[u + 1];
}

/* One neighbour from 64 random bits: the integer part of random x degree / 2^64 is the index, the next 32
 * bits of the product decide between the neighbour and its alias. */
static inline uint32_t pick(const ps_side *side, uint64_t begin, uint64_t degree, uint64_t random)
{
    unsigned __int128 product = (unsigned __int128)random * degree;
    uint64_t e = begin + (uint64_t)(product >> 64);
    if (!side->accept || (uint32_t)((uint64_t)product >> 32) <= side->accept[e])
        return side->adj[e];
    return side->alias[e];
}

/* Step s from *at to the next item. 0 if the graph is damaged. */
static inline int step(const ps_graph *g, uint64_t key, uint64_t s, uint32_t *at)
{
    uint64_t begin, degree;
    if (!edges_of(g, &g->items, *at, &begin, &degree) || degree == 0)
        return 0;
    uint32_t board = pick(&g->items, begin, degree, ps_rng(key, 3 * s));
    if (!edges_of(g, &g->boards, board, &begin, &degree) || degree == 0)
        return 0;
    *at = pick(&g->boards, begin, degree, ps_rng(key, 3 * s + 1));
    return *at < g->items.nodes;
}

/* 1: walk, 0: the item is on no board. */
static int can_start(const ps_graph *g, uint64_t item)
{
    uint64_t begin, degree;
    if (item >= g->items.nodes)
        return ps_fail(PS_EDATA, "%s: no item %llu: it has only %llu", g->name, (unsigned long long)item,
                       (unsigned long long)g->items.nodes);
    if (!edges_of(g, &g->items, item, &begin, &degree))
        return ps_fail(PS_EDATA, "%s: damaged: the offsets of item %llu", g->name, (unsigned long long)item);
    return degree > 0;
}

static int damaged(const ps_graph *g, uint32_t at)
{
    return ps_fail(PS_EDATA, "%s: damaged: an edge on the way from item %u leads nowhere", g->name, at);
}

static int walk(ps_walker *w, uint64_t item, uint64_t steps)
{
    const uint64_t key = ps_rng_key(w->o.seed, item);
    uint64_t reached = 0, s = 0;
    uint32_t at = (uint32_t)item, count;
    ps_visits_clear(&w->visits);
    w->walked = 0;
    int rc = can_start(w->g, item);
    if (rc <= 0)
        return rc;
    while (s < steps) {
        uint32_t from = at;
        if (!step(w->g, key, s, &at))
            return damaged(w->g, from);
        rc = ps_visits_add(&w->visits, at, 1, &count);
        if (rc < 0)
            return rc;
        if (ps_rng(key, 3 * s++ + 2) < w->threshold)
            at = (uint32_t)item;
        reached += count == w->o.early_visits;
        if (w->o.early_items && reached == w->o.early_items)
            break;
    }
    w->walked = s;
    return 0;
}

long ps_walker_visits(ps_walker *w, uint64_t item, const ps_visit **visits)
{
    int rc = walk(w, item, w->o.steps);
    return rc < 0 ? rc : ps_visits_sorted(&w->visits, UINT32_MAX, visits);
}

long ps_walker_rank(ps_walker *w, uint64_t item, const ps_visit **visits)
{
    int rc = walk(w, item, w->o.steps);
    if (rc < 0)
        return rc;
    return ps_visits_sorted(&w->visits, (uint32_t)item, visits);
}

int ps_walker_collect(ps_walker *w, uint64_t item, uint64_t steps, uint64_t **keys, size_t *cap, size_t *n)
{
    int rc = walk(w, item, steps);
    if (rc < 0)
        return rc;
    if (ps_grow(keys, cap, *n + w->visits.n, sizeof **keys) < 0)
        return PS_EMEM;
    for (size_t i = 0; i < w->visits.n; i++)
        (*keys)[(*n)++] = w->visits.slot[w->visits.touched[i]];
    return 0;
}

/* Room for one more row, filled with padding. */
static int new_row(ps_walker *w, uint32_t length, long rows)
{
    size_t begin = (size_t)rows * length;
    if (ps_grow(&w->path, &w->path_cap, begin + length, sizeof *w->path) < 0)
        return PS_EMEM;
    for (uint32_t i = 0; i < length; i++)
        w->path[begin + i] = UINT32_MAX;
    return 0;
}

long ps_walker_paths(ps_walker *w, uint64_t item, uint32_t length, const uint32_t **paths)
{
    const uint64_t key = ps_rng_key(w->o.seed, item);
    long rows = 0;
    uint32_t at = (uint32_t)item, done = length;
    w->walked = 0;
    int rc = can_start(w->g, item);
    if (rc <= 0)
        return rc;
    for (uint64_t s = 0; s < w->o.steps; s++) {
        if (done == length) {
            at = (uint32_t)item;
            done = 0;
            if (new_row(w, length, rows++) < 0)
                return PS_EMEM;
        }
        uint32_t from = at;
        if (!step(w->g, key, s, &at))
            return damaged(w->g, from);
        w->path[(size_t)(rows - 1) * length + done++] = at;
        if (ps_rng(key, 3 * s + 2) < w->threshold)
            done = length;
    }
    w->walked = w->o.steps;
    *paths = w->path;
    return rows;
}
