#include "hard.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "rng.h"
#include "walk.h"

enum { QUERIES = 64 };

typedef struct {
    ps_hard *hard;
    ps_walker **walker; /* one a thread */
    uint32_t **band;    /* of each block of QUERIES: their bands, back to back */
    uint64_t *length;   /* of each query's */
    uint32_t low, high;
} job;

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int list_queries(ps_hard *hard, const ps_pairs *pairs)
{
    hard->query = ps_alloc(pairs->n, sizeof *hard->query);
    if (!hard->query)
        return PS_EMEM;
    for (size_t i = 0; i < pairs->n; i++)
        hard->query[i] = ps_pairs_get(pairs, i).query;
    qsort(hard->query, pairs->n, sizeof *hard->query, compare);
    for (size_t i = 0; i < pairs->n; i++)
        if (hard->n == 0 || hard->query[i] != hard->query[hard->n - 1])
            hard->query[hard->n++] = hard->query[i];
    return 0;
}

static int walk_block(void *ctx, size_t task, int thread)
{
    job *g = ctx;
    size_t first = task * QUERIES, last = first + QUERIES < g->hard->n ? first + QUERIES : g->hard->n;
    size_t have = 0, cap = 0;
    for (size_t i = first; i < last; i++) {
        const ps_visit *visits;
        long n = ps_walker_rank(g->walker[thread], g->hard->query[i], &visits);
        if (n < 0)
            return (int)n;
        size_t end = (size_t)n < g->high ? (size_t)n : g->high, begin = g->low - 1 < end ? g->low - 1 : end;
        if (ps_grow(&g->band[task], &cap, have + end - begin, sizeof **g->band) < 0)
            return PS_EMEM;
        for (size_t r = begin; r < end; r++)
            g->band[task][have++] = visits[r].item;
        g->length[i] = end - begin;
    }
    return 0;
}

static int join(job *g, size_t blocks)
{
    ps_hard *hard = g->hard;
    hard->off = ps_alloc(hard->n + 1, sizeof *hard->off);
    if (!hard->off)
        return PS_EMEM;
    hard->off[0] = 0;
    for (size_t i = 0; i < hard->n; i++)
        hard->off[i + 1] = hard->off[i] + g->length[i];
    hard->item = ps_alloc(hard->off[hard->n], sizeof *hard->item);
    if (!hard->item)
        return PS_EMEM;
    for (size_t b = 0; b < blocks; b++) {
        size_t last = (b + 1) * QUERIES < hard->n ? (b + 1) * QUERIES : hard->n;
        uint64_t from = hard->off[b * QUERIES], n = hard->off[last] - from;
        if (n)
            memcpy(hard->item + from, g->band[b], n * sizeof *hard->item);
    }
    return 0;
}

int ps_hard_make(ps_hard *hard, const ps_graph *graph, const ps_pairs *pairs, const ps_recipe *r, ps_pool *pool)
{
    memset(hard, 0, sizeof *hard);
    int rc = list_queries(hard, pairs), threads = ps_pool_threads(pool);
    size_t blocks = (hard->n + QUERIES - 1) / QUERIES;
    job g = {.hard = hard, .low = r->band_low, .high = r->band_high};
    g.walker = ps_zalloc((size_t)threads, sizeof *g.walker);
    g.band = ps_zalloc(blocks, sizeof *g.band);
    g.length = ps_zalloc(hard->n, sizeof *g.length);
    if (rc == 0 && (!g.walker || !g.band || !g.length))
        rc = PS_EMEM;
    ps_walk_options o = {.steps = r->hard_steps, .restart = r->hard_restart, .seed = r->seed};
    for (int t = 0; t < threads && rc == 0; t++)
        if (!(g.walker[t] = ps_walker_new(graph, &o)))
            rc = PS_EMEM;
    if (rc == 0)
        rc = ps_pool_run(pool, blocks, walk_block, &g);
    if (rc == 0)
        rc = join(&g, blocks);
    for (int t = 0; t < threads && g.walker; t++)
        ps_walker_free(g.walker[t]);
    for (size_t b = 0; b < blocks && g.band; b++)
        free(g.band[b]);
    free(g.walker);
    free(g.band);
    free(g.length);
    if (rc < 0)
        ps_hard_free(hard);
    return rc;
}

void ps_hard_free(ps_hard *hard)
{
    free(hard->query);
    free(hard->off);
    free(hard->item);
    memset(hard, 0, sizeof *hard);
}

uint32_t ps_hard_draw(const ps_hard *hard, uint32_t query, uint64_t random, uint64_t items)
{
    const uint32_t *at = bsearch(&query, hard->query, hard->n, sizeof *hard->query, compare);
    size_t i = at ? (size_t)(at - hard->query) : 0;
    uint64_t n = at ? hard->off[i + 1] - hard->off[i] : 0;
    return n ? hard->item[hard->off[i] + ps_below(random, n)] : (uint32_t)ps_below(random, items);
}
