/* graph_edges.c - buckets of chunks, and runs; of graph_edges.h. */
#include "graph_edges.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "graph_runs.h"
#include "mem.h"

enum { CHUNK = 2040 };

typedef struct chunk {
    struct chunk *next;
    uint32_t n;
    uint32_t weighted;
    uint64_t key[CHUNK];
    float weight[]; /* CHUNK if weighted */
} chunk;

typedef struct {
    chunk *first, *last;
    size_t chunks;
} bucket;

typedef struct {
    bucket b[PS_BUCKETS];
    size_t chunks, most; /* chunks in use; most of one bucket */
    uint64_t n;
    int shift;
} lane;

struct ps_edges {
    int lanes, weighted, refill;
    uint64_t memory, count;
    lane *lane;
    ps_edges *lender;
    chunk *spare; /* under the lock */
    pthread_mutex_t lock;
    ps_runs *runs;
    const char *dir;
};

ps_edges *ps_edges_new(int lanes, uint64_t memory, const char *dir)
{
    ps_edges *s = ps_zalloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->lanes = lanes;
    s->memory = memory;
    s->dir = dir;
    pthread_mutex_init(&s->lock, NULL);
    s->lane = ps_zalloc((size_t)lanes, sizeof *s->lane);
    if (!s->lane) {
        free(s);
        return NULL;
    }
    return s;
}

static void free_list(chunk *c)
{
    while (c) {
        chunk *next = c->next;
        free(c);
        c = next;
    }
}

void ps_edges_free(ps_edges *s)
{
    if (!s)
        return;
    for (int l = 0; l < s->lanes; l++) {
        for (int i = 0; i < PS_BUCKETS; i++)
            free_list(s->lane[l].b[i].first);
    }
    free_list(s->spare);
    pthread_mutex_destroy(&s->lock);
    ps_runs_free(s->runs);
    free(s->lane);
    free(s);
}

void ps_edges_share(ps_edges *to, ps_edges *from)
{
    to->lender = from;
}

void ps_edges_weigh(ps_edges *s)
{
    s->weighted = 1;
}

int ps_edges_weighted(const ps_edges *s)
{
    return s->weighted;
}

/* ---- chunks ---- */

static chunk *take_spare(ps_edges *s, int weighted)
{
    pthread_mutex_lock(&s->lock);
    chunk *c = s->spare;
    while (c && weighted && !c->weighted) {
        s->spare = c->next;
        free(c);
        c = s->spare;
    }
    if (c)
        s->spare = c->next;
    pthread_mutex_unlock(&s->lock);
    return c;
}

static void give_spare(ps_edges *s, chunk *first, chunk *last)
{
    pthread_mutex_lock(&s->lock);
    last->next = s->spare;
    s->spare = first;
    pthread_mutex_unlock(&s->lock);
}

static chunk *new_chunk(ps_edges *s)
{
    chunk *c = take_spare(s, s->weighted);
    if (!c && s->lender)
        c = take_spare(s->lender, s->weighted);
    if (!c) {
        c = ps_alloc(1, sizeof *c + (s->weighted ? CHUNK * sizeof(float) : 0));
        if (!c)
            return NULL;
        c->weighted = (uint32_t)s->weighted;
    }
    c->next = NULL;
    c->n = 0;
    return c;
}

static int extend(ps_edges *s, int i, bucket *b)
{
    chunk *c = new_chunk(s);
    if (!c)
        return PS_EMEM;
    if (b->last)
        b->last->next = c;
    else
        b->first = c;
    b->last = c;
    s->lane[i].chunks++;
    if (++b->chunks > s->lane[i].most)
        s->lane[i].most = b->chunks;
    return 0;
}

/* ---- buckets that cover twice the range ---- */

static void pour(chunk *to, chunk *from)
{
    memcpy(to->key + to->n, from->key, from->n * sizeof *to->key);
    for (uint32_t j = 0; to->weighted && j < from->n; j++)
        to->weight[to->n + j] = from->weighted ? from->weight[j] : 1;
    to->n += from->n;
}

/* Appends a's edges to those of b: they are of other nodes, so that any order will do. */
static void join(lane *l, bucket *to, bucket *from)
{
    if (from->first && to->last && from->last->n + to->last->n <= CHUNK &&
        (to->last->weighted || !from->last->weighted)) {
        pour(to->last, from->last);
        chunk *gone = from->last, **at = &from->first;
        while (*at != gone)
            at = &(*at)->next;
        *at = NULL;
        free(gone);
        l->chunks--;
        from->chunks--;
        chunk *last = to->last;
        to->last = NULL;
        for (chunk *c = from->first; c; c = c->next)
            to->last = c;
        last->next = from->first;
        if (!to->last)
            to->last = last;
    } else if (from->first && to->last) {
        to->last->next = from->first;
        to->last = from->last;
    } else if (from->first) {
        *to = *from;
        return;
    }
    to->chunks += from->chunks;
}

static void widen(lane *l)
{
    l->most = 0;
    for (int i = 0; i < PS_BUCKETS; i++) {
        bucket b = {0};
        if (2 * i < PS_BUCKETS) {
            b = l->b[2 * i];
            join(l, &b, &l->b[2 * i + 1]);
        }
        l->b[i] = b;
        if (b.chunks > l->most)
            l->most = b.chunks;
    }
    l->shift++;
}

/* ---- pushing ---- */

int ps_edges_push(ps_edges *s, int i, const uint64_t *keys, const float *weights, size_t n)
{
    lane *l = &s->lane[i];
    if (weights && !s->weighted)
        s->weighted = 1;
    for (size_t j = 0; j < n; j++) {
        const uint64_t key = keys[j];
        while (key >> 32 >> l->shift >= PS_BUCKETS)
            widen(l);
        bucket *b = &l->b[key >> 32 >> l->shift];
        chunk *c = b->last;
        if (!c || c->n == CHUNK || c->weighted < (uint32_t)s->weighted) {
            if (extend(s, i, b) < 0)
                return PS_EMEM;
            c = b->last;
        }
        if (c->weighted)
            c->weight[c->n] = weights ? weights[j] : 1;
        c->key[c->n++] = key;
    }
    l->n += n;
    return 0;
}

uint64_t ps_edges_count(const ps_edges *s)
{
    uint64_t n = 0;
    for (int i = 0; i < s->lanes; i++)
        n += s->lane[i].n;
    return n;
}

static void align_shifts(ps_edges *s, uint64_t nodes)
{
    int most = 0;
    for (int i = 0; i < s->lanes; i++)
        most = s->lane[i].shift > most ? s->lane[i].shift : most;
    while (nodes && (nodes - 1) >> most >= PS_BUCKETS)
        most++;
    for (int i = 0; i < s->lanes; i++)
        while (s->lane[i].shift < most)
            widen(&s->lane[i]);
}

int ps_edges_shift(const ps_edges *s)
{
    return s->lane[0].shift;
}

size_t ps_edges_in(const ps_edges *s, size_t i)
{
    size_t chunks = 0;
    for (int l = 0; l < s->lanes; l++)
        chunks += s->lane[l].b[i].chunks;
    return chunks * CHUNK;
}

static void unload(chunk *c, ps_edge_list *b)
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
    size_t n = 0;
    for (size_t i = from; i < to; i++)
        for (int l = 0; l < s->lanes; l++)
            for (chunk *c = s->lane[l].b[i].first; c; c = c->next)
                n += c->n;
    b->n = 0;
    b->weighted = s->weighted;
    if (ps_edge_list_room(b, n, s->weighted) < 0)
        return PS_EMEM;
    for (int l = s->lanes - 1; l >= 0; l--)
        for (size_t i = from; i < to; i++) {
            bucket *from_bucket = &s->lane[l].b[i];
            for (chunk *c = from_bucket->first; c; c = c->next)
                unload(c, b);
            if (from_bucket->first)
                give_spare(s, from_bucket->first, from_bucket->last);
            *from_bucket = (bucket){0};
        }
    return ps_edge_list_sort(b);
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
    align_shifts(s, 0);
    if (!s->runs && !(s->runs = ps_runs_new(s->dir)))
        return PS_EMEM;
    sorting *w = ps_zalloc(1, sizeof *w);
    if (!w)
        return PS_EMEM;
    w->s = s;
    int rc = ps_runs_begin(s->runs);
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
    const uint64_t record = s->weighted ? 12 : 8;
    uint64_t chunks = 0, most = 0;
    for (int i = 0; i < s->lanes; i++) {
        chunks += s->lane[i].chunks;
        most += s->lane[i].most;
    }
    /* A run needs the chunks, and of each bucket being sorted two arrays. */
    uint64_t sorting_now = 2 * most * (uint64_t)ps_pool_threads(pool);
    if (sorting_now > 2 * chunks)
        sorting_now = 2 * chunks;
    if (chunks == 0 || (chunks + sorting_now) * CHUNK * record + used < s->memory)
        return 0;
    /* A share that other things have eaten must not make runs of nothing. */
    if (chunks * CHUNK * record < s->memory / 8)
        return 0;
    return write_run(s, pool);
}

int ps_edges_finish(ps_edges *s, ps_pool *pool, uint64_t nodes)
{
    align_shifts(s, nodes);
    if (!s->runs)
        return 0;
    int rc = write_run(s, pool);
    free_list(s->spare);
    s->spare = NULL;
    return rc < 0 ? rc : (rc = ps_runs_start(s->runs, s->memory / 4)) < 0 ? rc : 1;
}

int ps_edges_merge(ps_edges *s, uint64_t limit, size_t most, ps_edge_list *b)
{
    b->weighted = s->weighted;
    return ps_runs_merge(s->runs, limit, most, b);
}
