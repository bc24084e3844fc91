#include "graph_side.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "crc.h"
#include "mem.h"

enum { BLOCK = 1 << 16, PIECE = 1 << 15, OFFSETS = 4096, TURN = 1024, DIRECT = 64 };

/* What a piece needs while it is worked at. */
typedef struct {
    ps_edge_list delta; /* the new edges, sorted */
    ps_edge_list full;  /* the same with the old ones, resolved, where that is needed */
    uint32_t *adj;      /* neighbours as they are written */
    size_t adj_cap;
} desk;

/* A piece of the work: edges of a range of keys. */
typedef struct {
    desk *desk;
    const ps_edge_list *result; /* one of the desk's two */
    uint64_t n;                 /* edges of the result */
    size_t from, to;            /* buckets */
    uint64_t first, end;        /* nodes that begin here: their offsets are written */
    uint64_t old_from, old_to;  /* the old graph's edges of the range */
    uint64_t old_node;          /* no node after that of old_from */
    uint64_t base;              /* edges before it */
    uint64_t removed, unmet;
    double sum; /* weight of the last edge */
    int any_weight;
    uint32_t off_crc, adj_crc, weight_crc;
} piece;

typedef struct {
    ps_side_job *job;
    piece *piece;
    size_t pieces; /* at a time */
    desk *desk;
    size_t desks;                     /* of pieces; if direct, of threads */
    int merged;                       /* from runs, not from buckets */
    int direct;                       /* a piece's edges are those of its buckets: their number is known before */
    size_t next, buckets;             /* buckets */
    uint64_t first, old_at, old_node; /* merged: where the next piece begins */
    int done;
} side;

/* ---- duplicates, deletions, the old graph ---- */

static int add(const ps_side_job *job, piece *p, uint64_t key, float weight)
{
    ps_edge_list *b = &p->desk->full;
    int again = b->n > 0 && b->key[b->n - 1] == key;
    if (weight < 0) {
        p->unmet += !again;
        for (; b->n > 0 && b->key[b->n - 1] == key; b->n--)
            p->removed++;
        return 0;
    }
    if (again && job->duplicates == PS_UNIQUE)
        return 0;
    if (again && job->duplicates == PS_SUM) {
        p->sum += (double)weight;
        b->weight[b->n - 1] = (float)p->sum;
        return isfinite(b->weight[b->n - 1]) ? 0 : ps_fail(PS_EDATA, "the sum of an edge's weights is too large");
    }
    p->sum = (double)weight;
    if (ps_edge_list_room(b, b->n + 1, job->weighted) < 0)
        return PS_EMEM;
    if (job->weighted)
        b->weight[b->n] = weight;
    b->key[b->n++] = key;
    return 0;
}

static int resolve(const ps_side_job *job, piece *p)
{
    const ps_edge_list *d = &p->desk->delta;
    const ps_side *old = job->old;
    uint64_t node = p->old_node;
    p->desk->full.n = 0;
    p->desk->full.weighted = job->weighted;
    p->removed = p->unmet = 0;
    int rc = 0;
    size_t i = 0;
    for (uint64_t e = p->old_from; e < p->old_to && rc == 0; e++) {
        while (old->off[node + 1] <= e)
            node++;
        uint64_t key = node << 32 | old->adj[e];
        for (; i < d->n && d->key[i] < key && rc == 0; i++)
            rc = add(job, p, d->key[i], d->weighted ? d->weight[i] : 1);
        if (rc == 0)
            rc = add(job, p, key, old->weight ? old->weight[e] : 1);
    }
    for (; i < d->n && rc == 0; i++)
        rc = add(job, p, d->key[i], d->weighted ? d->weight[i] : 1);
    return rc;
}

/* ---- tasks ---- */

/* Buckets from..to - 1 and what the old graph has for their nodes. */
static void set_range(const side *s, piece *p, size_t from, size_t to)
{
    const ps_side_job *job = s->job;
    const int shift = ps_edges_shift(job->edges);
    p->from = from;
    p->to = to;
    p->first = (uint64_t)from << shift;
    p->end = (uint64_t)to << shift;
    if (p->end > job->nodes)
        p->end = job->nodes;
    if (job->old) {
        uint64_t n = job->old->nodes;
        p->old_node = p->first < n ? p->first : n;
        p->old_from = job->old->off[p->old_node];
        p->old_to = job->old->off[p->end < n ? p->end : n];
    }
}

/* The next buckets: as many as make a piece. */
static void fill_buckets(side *s, piece *p)
{
    size_t from = s->next, held = ps_edges_in(s->job->edges, s->next++);
    set_range(s, p, from, s->next);
    while (s->next < s->buckets && held + p->old_to - p->old_from < PIECE) {
        held += ps_edges_in(s->job->edges, s->next++);
        set_range(s, p, from, s->next);
    }
    p->n = held;
}

static int sort_piece(side *s, piece *p)
{
    const ps_side_job *job = s->job;
    ps_edge_list *d = &p->desk->delta;
    int rc = s->merged ? 0 : ps_edges_buckets(job->edges, p->from, p->to, d);
    int plain = !job->resolve && p->old_from == p->old_to && (d->weighted || !job->weighted);
    p->result = plain ? d : &p->desk->full;
    if (rc == 0 && !plain)
        rc = resolve(job, p);
    p->n = p->result->n;
    return rc;
}

static int write_offsets(const ps_side_job *job, piece *p)
{
    const uint64_t *key = p->result->key;
    uint64_t off[OFFSETS];
    size_t i = 0;
    int rc = 0;
    p->off_crc = 0;
    for (uint64_t u = p->first; u < p->end && rc == 0;) {
        const uint64_t begin = u;
        for (; u < p->end && u - begin < OFFSETS; u++) {
            while (i < p->result->n && key[i] >> 32 < u)
                i++;
            off[u - begin] = p->base + i;
        }
        size_t bytes = (u - begin) * sizeof *off;
        p->off_crc = ps_crc32(p->off_crc, off, bytes);
        rc = ps_layout_write(job->layout, job->off, begin * sizeof *off, off, bytes);
    }
    return rc;
}

static int write_lists(const ps_side_job *job, piece *p)
{
    const ps_edge_list *b = p->result;
    p->adj_crc = p->weight_crc = 0;
    p->any_weight = 0;
    if (b->n == 0)
        return 0;
    if (ps_grow(&p->desk->adj, &p->desk->adj_cap, b->n, sizeof(uint32_t)) < 0)
        return PS_EMEM;
    uint32_t *adj = p->desk->adj;
    for (size_t i = 0; i < b->n; i++)
        adj[i] = (uint32_t)b->key[i];
    p->adj_crc = ps_crc32(0, adj, b->n * sizeof *adj);
    int rc = ps_layout_write(job->layout, job->adj, p->base * sizeof *adj, adj, b->n * sizeof *adj);
    if (rc < 0 || !job->weighted)
        return rc;
    for (size_t i = 0; i < b->n; i++)
        p->any_weight |= b->weight[i] != 1;
    p->weight_crc = ps_crc32(0, b->weight, b->n * sizeof(float));
    return ps_layout_write(job->layout, job->weight, p->base * sizeof(float), b->weight, b->n * sizeof(float));
}

static int turn(const ps_side_job *job, const piece *p, int thread)
{
    uint64_t key[TURN];
    const ps_edge_list *d = &p->desk->delta;
    int rc = 0;
    for (size_t i = 0; i < d->n && rc == 0;) {
        const size_t begin = i;
        for (; i < d->n && i - begin < TURN; i++)
            key[i - begin] = d->key[i] << 32 | d->key[i] >> 32;
        rc = ps_edges_push(job->turned, thread, key, d->weighted ? d->weight + begin : NULL, i - begin);
    }
    return rc;
}

static int write_piece(const side *s, piece *p, int thread)
{
    int rc = write_offsets(s->job, p);
    if (rc == 0)
        rc = write_lists(s->job, p);
    return rc < 0 || !s->job->turned ? rc : turn(s->job, p, thread);
}

static int sort_task(void *ctx, size_t task, int thread)
{
    side *s = ctx;
    (void)thread;
    return sort_piece(s, &s->piece[task]);
}

static int write_task(void *ctx, size_t task, int thread)
{
    side *s = ctx;
    return write_piece(s, &s->piece[task], thread);
}

/* Both, while it is in the cache. */
static int direct_task(void *ctx, size_t task, int thread)
{
    side *s = ctx;
    piece *p = &s->piece[task];
    p->desk = &s->desk[thread];
    int rc = sort_piece(s, p);
    return rc < 0 ? rc : write_piece(s, p, thread);
}

/* ---- pieces from merged runs ---- */

/* Edges of the old graph whose key is at most `key`. */
static uint64_t old_up_to(const ps_side *old, uint64_t key)
{
    uint64_t u = key >> 32;
    if (u >= old->nodes)
        return old->off[old->nodes];
    uint64_t a = old->off[u], b = old->off[u + 1];
    while (a < b) {
        uint64_t m = a + (b - a) / 2;
        if (old->adj[m] <= (uint32_t)key)
            a = m + 1;
        else
            b = m;
    }
    return a;
}

/* The key of the old edge BLOCK behind where this piece begins: it shall not grow larger. */
static uint64_t old_limit(side *s, piece *p)
{
    const ps_side *old = s->job->old;
    p->old_from = s->old_at;
    p->old_node = s->old_node;
    if (!old || old->off[old->nodes] - s->old_at <= BLOCK)
        return UINT64_MAX;
    uint64_t e = s->old_at + BLOCK, u = s->old_node;
    while (old->off[u + 1] <= e)
        u++;
    s->old_node = u;
    return u << 32 | old->adj[e];
}

static int fill_merged(side *s, piece *p)
{
    const ps_side_job *job = s->job;
    uint64_t end = old_limit(s, p);
    ps_edge_list *d = &p->desk->delta;
    d->n = 0;
    int rc = ps_edges_merge(job->edges, end, BLOCK, d);
    if (rc < 0)
        return rc;
    if (rc == 0 && d->n >= BLOCK) {
        end = d->key[d->n - 1];
        s->old_node = p->old_node;
    }
    p->old_to = job->old ? old_up_to(job->old, end) : 0;
    s->old_at = p->old_to;
    p->first = s->first;
    p->end = end == UINT64_MAX || (end >> 32) + 1 > job->nodes ? job->nodes : (end >> 32) + 1;
    if (p->end < p->first)
        p->end = p->first;
    s->first = p->end;
    s->done = rc == 1 && end == UINT64_MAX;
    return 0;
}

/* ---- the side ---- */

static void account(side *s, size_t n)
{
    ps_side_job *job = s->job;
    for (size_t i = 0; i < n; i++) {
        piece *p = &s->piece[i];
        ps_layout_join(job->layout, job->off, p->off_crc, (p->end - p->first) * sizeof(uint64_t));
        ps_layout_join(job->layout, job->adj, p->adj_crc, p->n * sizeof(uint32_t));
        if (job->weighted)
            ps_layout_join(job->layout, job->weight, p->weight_crc, p->n * sizeof(float));
        job->any_weight |= p->any_weight;
        job->removed += p->removed;
        job->unmet += p->unmet;
    }
}

/* Decides on the next pieces: how many. */
static long prepare(side *s)
{
    size_t n = 0;
    while (!s->merged && n < s->pieces && s->next < s->buckets)
        fill_buckets(s, &s->piece[n++]);
    if (!s->merged)
        return (long)n;
    while (n < s->pieces && !s->done) {
        int rc = fill_merged(s, &s->piece[n++]);
        if (rc < 0)
            return rc;
    }
    return (long)n;
}

static void set_bases(side *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        s->piece[i].base = s->job->n;
        s->job->n += s->piece[i].n;
    }
}

static int work(side *s, size_t n)
{
    ps_pool *pool = s->job->pool;
    if (s->direct) {
        set_bases(s, n);
        return ps_pool_run(pool, n, direct_task, s);
    }
    int rc = ps_pool_run(pool, n, sort_task, s);
    set_bases(s, n);
    return rc < 0 ? rc : ps_pool_run(pool, n, write_task, s);
}

static int run(side *s)
{
    ps_side_job *job = s->job;
    long n;
    while ((n = prepare(s)) > 0) {
        int rc = work(s, (size_t)n);
        if (rc < 0)
            return rc;
        account(s, (size_t)n);
        if (job->turned && (rc = ps_edges_relieve(job->turned, job->pool, ps_edges_reading(job->edges))) < 0)
            return rc;
    }
    if (n < 0)
        return (int)n;
    uint8_t end[8];
    ps_put64(end, job->n);
    return ps_layout_append(job->layout, job->off, end, sizeof end);
}

static int set_up(side *s)
{
    const ps_side_job *job = s->job;
    const size_t threads = (size_t)ps_pool_threads(job->pool);
    s->direct = !s->merged && !job->resolve && !job->old;
    s->pieces = s->direct ? DIRECT : threads > 1 ? threads * 4 : 1;
    s->desks = s->direct ? threads : s->pieces;
    s->piece = ps_zalloc(s->pieces, sizeof *s->piece);
    s->desk = ps_zalloc(s->desks, sizeof *s->desk);
    if (!s->piece || !s->desk)
        return PS_EMEM;
    for (size_t i = 0; i < s->desks && !s->direct; i++)
        s->piece[i].desk = &s->desk[i];
    return 0;
}

int ps_side_build(ps_side_job *job)
{
    side s = {.job = job};
    job->n = job->removed = job->unmet = 0;
    job->any_weight = 0;
    s.merged = ps_edges_finish(job->edges, job->pool, job->nodes);
    if (s.merged < 0)
        return s.merged;
    if (job->nodes > 0)
        s.buckets = ((job->nodes - 1) >> ps_edges_shift(job->edges)) + 1;
    if (job->turned && ps_edges_weighted(job->edges))
        ps_edges_weigh(job->turned);
    int rc = set_up(&s);
    if (rc == 0)
        rc = run(&s);
    for (size_t i = 0; s.desk && i < s.desks; i++) {
        ps_edge_list_free(&s.desk[i].delta);
        ps_edge_list_free(&s.desk[i].full);
        free(s.desk[i].adj);
    }
    free(s.piece);
    free(s.desk);
    return rc;
}
