#include "neigh_walk.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { ITEMS = 256 };

typedef struct {
    ps_neighbours *t;
    ps_walker **walker; /* of each thread */
} job;

typedef struct {
    ps_neighbours *t;
    uint64_t first;
} block;

static int take_visits(void *ctx, size_t i, const ps_visit *visits, size_t n)
{
    const block *b = ctx;
    uint64_t item = b->first + i;
    ps_neighbours_put(b->t->table.own + item * b->t->head.size, &b->t->head, item, visits, n);
    return 0;
}

static int walk_items(void *ctx, size_t task, int thread)
{
    const job *g = ctx;
    uint64_t item[ITEMS], left = g->t->n - (uint64_t)task * ITEMS;
    size_t n = left < ITEMS ? (size_t)left : ITEMS;
    block b = {g->t, (uint64_t)task * ITEMS};
    for (size_t i = 0; i < n; i++)
        item[i] = b.first + i;
    return ps_walker_many(g->walker[thread], item, n, g->t->dim, 1, take_visits, &b);
}

static int walk_all(ps_neighbours *t, const ps_graph *g, const ps_walk_options *walk, ps_pool *pool)
{
    int threads = ps_pool_threads(pool), rc = 0;
    job j = {t, ps_zalloc((size_t)threads, sizeof *j.walker)};
    if (!j.walker)
        return PS_EMEM;
    for (int i = 0; i < threads && rc == 0; i++)
        if (!(j.walker[i] = ps_walker_new(g, walk)))
            rc = PS_EMEM;
    if (rc == 0)
        rc = ps_pool_run(pool, (t->n + ITEMS - 1) / ITEMS, walk_items, &j);
    for (int i = 0; i < threads; i++)
        ps_walker_free(j.walker[i]);
    free(j.walker);
    return rc;
}

int ps_neighbours_walk(ps_neighbours *t, const ps_graph *g, const ps_walk_options *walk, uint32_t top, ps_pool *pool)
{
    memset(t, 0, sizeof *t);
    t->head = ps_head_make(PS_NEIGHBOURS, top);
    int rc = ps_head_size(&t->head);
    if (rc < 0)
        return rc;
    t->n = t->table.count = g->items.nodes;
    t->dim = top;
    t->in_order = 1;
    t->table.head = t->head;
    t->table.name = strdup(g->name);
    t->table.own = ps_alloc(t->n, t->head.size);
    t->table.records = t->table.own;
    rc = t->table.name && t->table.own ? walk_all(t, g, walk, pool) : PS_EMEM;
    if (rc < 0)
        ps_neighbours_close(t);
    return rc;
}
