#include "ring.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mem.h"

/* Bytes of the batches that are made ahead.  One with its features is always made ahead; of one without, which is
 * large, all that it costs to make it late is some of its walks. */
enum { COMPLETE_AHEAD = 128 << 20, LARGE_AHEAD = 32 << 20 };

typedef struct {
    ps_batch *batch; /* made, being made or in use */
    int ready, rc;
    char message[512];
} slot;

struct ps_ring {
    const ps_producer *producer;
    ps_pool *pool;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    slot *slot;               /* batch b is in slot b % slots */
    uint64_t slots, ahead;    /* ahead: how many may be made beside the one in use, slots - 1 or what memory allows */
    ps_batch *batch, **spare; /* slots each; the spares that were used last come first, so that few are ever large */
    uint64_t spares;
    uint64_t next, current, end; /* batches: the next to be made, the one in use or to be taken next */
    uint64_t batches;            /* of an epoch */
    uint32_t **order;            /* of epoch e in order[e % orders]; NULL where none is needed */
    uint64_t orders, known;      /* known: the last epoch that has its order */
    int makers;
    ps_ring_times times;
    double since, took; /* when `makers` became or ceased to be 0; when the consumer went away */
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- making ---- */

/* Books the time since the last change of `makers`. */
static void book(ps_ring *r)
{
    double t = now();
    *(r->makers ? &r->times.producing : &r->times.full) += t - r->since;
    r->since = t;
}

/* A batch to make, or -1.  The lock is held. */
static int64_t claim(ps_ring *r)
{
    if (r->next >= r->end || r->next > r->current + r->ahead)
        return -1;
    uint64_t epoch = r->next / r->batches + 1;
    if (epoch != r->known && r->order[0]) {
        ps_producer_order(r->producer, (uint32_t)epoch, r->order[epoch % r->orders]);
        r->known = epoch;
    }
    if (r->makers == 0)
        book(r);
    r->makers++;
    r->slot[r->next % r->slots].batch = r->spare[--r->spares];
    return (int64_t)r->next++;
}

/* How many batches like this one are to be made ahead. */
static uint64_t ahead_of(const ps_ring *r, const ps_batch *batch)
{
    int complete;
    size_t bytes = ps_batch_bytes(batch, &complete) + 1;
    uint64_t n = (complete ? COMPLETE_AHEAD : LARGE_AHEAD) / bytes;
    if (n == 0 && complete)
        n = 1;
    return n < r->slots - 1 ? n : r->slots - 1;
}

/* The lock is held on entry and on return. */
static void make(ps_ring *r, uint64_t b, ps_pool *helpers)
{
    slot *s = &r->slot[b % r->slots];
    uint64_t epoch = b / r->batches + 1;
    pthread_mutex_unlock(&r->lock);
    s->rc = ps_producer_batch(r->producer, (uint32_t)epoch, r->order[epoch % r->orders], b % r->batches, s->batch,
                              helpers);
    if (s->rc < 0)
        snprintf(s->message, sizeof s->message, "%s", ps_errmsg());
    pthread_mutex_lock(&r->lock);
    if (r->makers == 1)
        book(r);
    r->makers--;
    if (s->rc == 0)
        r->ahead = ahead_of(r, s->batch);
    s->ready = 1;
    pthread_cond_broadcast(&r->changed);
}

static int make_ahead(void *ctx)
{
    ps_ring *r = ctx;
    pthread_mutex_lock(&r->lock);
    int64_t b = claim(r);
    if (b >= 0)
        make(r, (uint64_t)b, NULL);
    pthread_mutex_unlock(&r->lock);
    return b >= 0;
}

/* ---- taking ---- */

int ps_ring_take(ps_ring *r, const ps_batch **batch)
{
    slot *s = &r->slot[r->current % r->slots];
    double start = now();
    pthread_mutex_lock(&r->lock);
    while (!s->ready) {
        int64_t b = claim(r);
        if (b >= 0)
            make(r, (uint64_t)b, r->slots == 1 ? r->pool : NULL);
        else
            pthread_cond_wait(&r->changed, &r->lock);
    }
    r->times.starved += now() - start;
    pthread_mutex_unlock(&r->lock);
    *batch = s->batch;
    return s->rc < 0 ? ps_fail(s->rc == PS_ESYS ? PS_EDATA : s->rc, "%s", s->message) : 0;
}

void ps_ring_give_back(ps_ring *r)
{
    pthread_mutex_lock(&r->lock);
    slot *s = &r->slot[r->current++ % r->slots];
    s->ready = 0;
    r->spare[r->spares++] = s->batch;
    pthread_mutex_unlock(&r->lock);
    if (r->slots > 1)
        ps_pool_wake(r->pool);
}

ps_ring_times ps_ring_clock(ps_ring *r)
{
    pthread_mutex_lock(&r->lock);
    book(r);
    ps_ring_times t = r->times;
    r->times = (ps_ring_times){0};
    t.training = r->since - r->took - t.starved;
    r->took = r->since;
    pthread_mutex_unlock(&r->lock);
    return t;
}

/* ---- beginning and end ---- */

static int make_room(ps_ring *r)
{
    r->slot = ps_zalloc(r->slots, sizeof *r->slot);
    r->order = ps_zalloc(r->orders, sizeof *r->order);
    r->batch = ps_zalloc(r->slots, sizeof *r->batch);
    r->spare = ps_zalloc(r->slots, sizeof *r->spare);
    if (!r->slot || !r->order || !r->batch || !r->spare)
        return PS_EMEM;
    while (r->spares < r->slots) {
        r->spare[r->spares] = &r->batch[r->spares];
        r->spares++;
    }
    const size_t list = ps_producer_list(r->producer);
    for (uint64_t e = 0; list && e < r->orders; e++)
        if (!(r->order[e] = ps_alloc(list, sizeof **r->order)))
            return PS_EMEM;
    return 0;
}

ps_ring *ps_ring_new(const ps_producer *p, ps_pool *pool, uint32_t ahead, uint64_t first, uint64_t end)
{
    ps_ring *r = ps_zalloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->producer = p;
    r->pool = pool;
    r->slots = ps_pool_threads(pool) > 1 ? (uint64_t)ahead + 1 : 1;
    r->batches = ps_producer_batches(p);
    r->next = r->current = first;
    r->end = end;
    r->ahead = r->slots - 1;
    /* The batches in the ring belong to that many epochs at most. */
    r->orders = (r->slots + r->batches - 2) / r->batches + 1;
    r->since = r->took = now();
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    if (make_room(r) < 0) {
        ps_ring_free(r);
        return NULL;
    }
    if (r->slots > 1)
        ps_pool_idle(pool, make_ahead, r);
    return r;
}

void ps_ring_free(ps_ring *r)
{
    if (!r)
        return;
    if (r->slots > 1)
        ps_pool_idle(r->pool, NULL, NULL);
    for (uint64_t i = 0; r->batch && i < r->slots; i++)
        ps_batch_free(&r->batch[i]);
    for (uint64_t e = 0; r->order && e < r->orders; e++)
        free(r->order[e]);
    free(r->slot);
    free(r->batch);
    free(r->spare);
    free(r->order);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->changed);
    free(r);
}
