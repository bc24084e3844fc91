/* graph_edges.c - lanes, what leaves their buckets, and runs; of graph_edges.h. */
#include "graph_edges.h"

#include <stdlib.h>
#include <string.h>

#include "graph_lanes.h"
#include "graph_runs.h"
#include "mem.h"

struct ps_edges {
    int lanes, weighted;
    uint64_t memory;
    ps_lane *lane;
    ps_chunks *chunks, *own; /* own: NULL if they are another's */
    ps_runs *runs;
    const char *dir;
};

ps_edges *ps_edges_new(int lanes, uint64_t memory, const char *dir, ps_edges *lender)
{
    ps_edges *s = ps_zalloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->lanes = lanes;
    s->memory = memory;
    s->dir = dir;
    s->lane = ps_aligned((size_t)lanes, sizeof *s->lane);
    s->own = lender ? NULL : ps_chunks_new();
    s->chunks = lender ? lender->chunks : s->own;
    if (s->lane && s->chunks)
        return s;
    ps_edges_free(s);
    return NULL;
}

void ps_edges_free(ps_edges *s)
{
    if (!s)
        return;
    ps_chunks_free(s->own);
    ps_runs_free(s->runs);
    free(s->lane);
    free(s);
}

void ps_edges_weigh(ps_edges *s)
{
    s->weighted = 1;
}

int ps_edges_weighted(const ps_edges *s)
{
    return s->weighted;
}

int ps_edges_push(ps_edges *s, int i, const uint64_t *keys, const float *weights, size_t n)
{
    if (weights && !s->weighted)
        s->weighted = 1;
    return ps_lane_push(&s->lane[i], s->chunks, keys, weights, n, s->weighted);
}

uint64_t ps_edges_count(const ps_edges *s)
{
    uint64_t n = 0;
    for (int i = 0; i < s->lanes; i++)
        n += s->lane[i].n;
    return n;
}

/* All lanes settled, their buckets of the same nodes. */
static int align(ps_edges *s, uint64_t nodes)
{
    int most = 0, rc = 0;
    for (int i = 0; i < s->lanes; i++)
        most = s->lane[i].shift > most ? s->lane[i].shift : most;
    while (nodes && (nodes - 1) >> most >= PS_BUCKETS)
        most++;
    for (int i = 0; i < s->lanes && rc == 0; i++) {
        rc = ps_lane_settle(&s->lane[i], s->chunks);
        while (rc == 0 && s->lane[i].shift < most)
            ps_lane_widen(&s->lane[i], s->chunks);
    }
    return rc;
}

int ps_edges_shift(const ps_edges *s)
{
    return s->lane[0].shift;
}

size_t ps_edges_in(const ps_edges *s, size_t i)
{
    size_t n = 0;
    for (int l = 0; l < s->lanes; l++)
        for (const ps_chunk *c = s->lane[l].b[i].first; c; c = c->next)
            n += c->n;
    return n;
}

static void unload(ps_chunk *c, ps_edge_list *b)
{
    memcpy(b->key + b->n, c->key, c->n * sizeof *b->key);
    if (b->weighted)
        for (uint32_t j = 0; j < c->n; j++)
            b->weight[b->n + j] = c->weighted ? c->weight[j] : 1;
    b->n += c->n;
}

/* The first lane comes last: it alone takes weighted edges from a stream, the others only 1s before them. */
int ps_edges_buckets(ps_edges *s, size_t from, size_t to, ps_edge_list *b)
{
    size_t n = 0, end[PS_EDGE_PARTS];
    int parts = 0;
    for (size_t i = from; i < to; i++)
        n += ps_edges_in(s, i);
    b->n = 0;
    b->weighted = s->weighted;
    if (ps_edge_list_room(b, n, s->weighted) < 0)
        return PS_EMEM;
    for (int l = s->lanes - 1; l >= 0; l--) {
        for (size_t i = from; i < to; i++) {
            ps_bucket *from_bucket = &s->lane[l].b[i];
            for (ps_chunk *c = from_bucket->first; c; c = c->next)
                unload(c, b);
            if (from_bucket->first)
                ps_chunk_give(s->chunks, from_bucket->first, from_bucket->last);
            *from_bucket = (ps_bucket){0};
        }
        if (s->lanes <= PS_EDGE_PARTS)
            end[parts++] = b->n;
    }
    int rc = ps_edge_list_merge(b, end, parts);
    return rc < 0 ? rc : ps_edge_list_sort(b);
}

/* ---- runs ---- */

enum { AT_ONCE = 64, PIECE = 1 << 15 };

typedef struct {
    ps_edges *s;
    struct {
        size_t from, to; /* buckets */
        ps_edge_list list;
    } piece[AT_ONCE];
} sorting;

static int sort_task(void *ctx, size_t task, int thread)
{
    sorting *w = ctx;
    (void)thread;
    return ps_edges_buckets(w->s, w->piece[task].from, w->piece[task].to, &w->piece[task].list);
}

/* Up to `most` pieces of buckets from *next on: how many. */
static size_t cut(sorting *w, size_t *next, size_t most)
{
    size_t n = 0;
    for (; n < most && *next < PS_BUCKETS; n++) {
        size_t held = 0;
        w->piece[n].from = *next;
        while (*next < PS_BUCKETS && held < PIECE)
            held += ps_edges_in(w->s, (*next)++);
        w->piece[n].to = *next;
    }
    return n;
}

static int write_run(ps_edges *s, ps_pool *pool)
{
    const size_t threads = (size_t)ps_pool_threads(pool), most = threads < AT_ONCE ? threads : AT_ONCE;
    int rc = align(s, 0);
    if (rc < 0)
        return rc;
    if (!s->runs && !(s->runs = ps_runs_new(s->dir)))
        return PS_EMEM;
    sorting *w = ps_zalloc(1, sizeof *w);
    if (!w)
        return PS_EMEM;
    w->s = s;
    rc = ps_runs_begin(s->runs);
    for (size_t next = 0, n; rc == 0 && (n = cut(w, &next, most)) > 0;) {
        rc = ps_pool_run(pool, n, sort_task, w);
        for (size_t i = 0; i < n && rc == 0; i++)
            rc = ps_runs_write(s->runs, &w->piece[i].list);
    }
    for (size_t i = 0; i < AT_ONCE; i++)
        ps_edge_list_free(&w->piece[i].list);
    free(w);
    for (int i = 0; i < s->lanes; i++)
        s->lane[i].chunks = s->lane[i].most = 0;
    return rc;
}

int ps_edges_relieve(ps_edges *s, ps_pool *pool, uint64_t used)
{
    uint64_t chunks = 0, most = 0;
    for (int i = 0; i < s->lanes; i++) {
        chunks += s->lane[i].chunks;
        most += s->lane[i].most;
    }
    /* A run needs the chunks, and of each bucket being sorted two arrays. */
    uint64_t sorting_now = 2 * most * (uint64_t)ps_pool_threads(pool);
    if (sorting_now > 2 * chunks)
        sorting_now = 2 * chunks;
    if (chunks == 0 || (chunks + sorting_now) * sizeof(ps_chunk) + used < s->memory)
        return 0;
    /* A share that other things have eaten must not make runs of nothing. */
    if (chunks * sizeof(ps_chunk) < s->memory / 8)
        return 0;
    return write_run(s, pool);
}

int ps_edges_finish(ps_edges *s, ps_pool *pool, uint64_t nodes)
{
    int rc = align(s, nodes);
    if (rc < 0 || !s->runs)
        return rc;
    rc = write_run(s, pool);
    if (!s->own)
        ps_chunks_clear(s->chunks);
    if (rc == 0)
        rc = ps_runs_start(s->runs, s->memory / 4);
    return rc < 0 ? rc : 1;
}

void ps_edges_spilled(const ps_edges *s, ps_spilled *sum)
{
    if (!s->runs)
        return;
    const ps_spilled *t = ps_runs_spilled(s->runs);
    sum->runs += t->runs;
    sum->written += t->written;
    sum->read += t->read;
}

uint64_t ps_edges_reading(const ps_edges *s)
{
    return s->runs ? ps_runs_bytes(s->runs) : 0;
}

int ps_edges_merge(ps_edges *s, uint64_t limit, size_t most, ps_edge_list *b)
{
    b->weighted = s->weighted;
    return ps_runs_merge(s->runs, limit, most, b);
}
