#include "walk_block.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "mix.h"
#include "rng.h"
#include "walk_ring.h"

static int make_room(ps_block *b, size_t steps)
{
    if (steps <= b->cap)
        return 0;
    const size_t n = steps < PS_BLOCK_STEPS ? PS_BLOCK_STEPS : steps;
    ps_block_free(b);
    b->out = ps_alloc(n, sizeof *b->out);
    b->ends = ps_alloc(n, sizeof *b->ends);
    b->queue = ps_alloc(n + 1 + PS_MIX_SLACK, sizeof *b->queue);
    if (!b->out || !b->ends || !b->queue)
        return PS_EMEM;
    b->cap = n;
    return 0;
}

void ps_block_free(ps_block *b)
{
    free(b->out);
    free(b->ends);
    free(b->queue);
    *b = (ps_block){0};
}

static int restarts(const ps_block_rules *r)
{
    return r->threshold > 0 || r->length > 0;
}

/* ends[s] for every step of the leg: bit 0 a restart, bit 1 the leg's last step. */
static void mark_ends(const ps_block_rules *r, const ps_leg *leg, uint8_t *ends)
{
    if (r->threshold == 0 || r->threshold == UINT64_MAX) /* probability 1 */
        memset(ends, r->threshold != 0, leg->steps);
    else
        ps_mix()->below(leg->steps, leg->key + (3 * leg->first + 3) * PS_WALK_STRIDE, 3 * PS_WALK_STRIDE, r->threshold,
                        ends);
    for (uint32_t s = 0, done = leg->done; r->length && s < leg->steps; s++) {
        ends[s] |= ++done == r->length;
        done = ends[s] ? 0 : done;
    }
    ends[leg->steps - 1] |= 2;
}

/* Queues the stretches of the leg, whose steps begin at `place`: their first steps. */
static size_t queue_leg(ps_block *b, size_t n, const ps_block_rules *r, const ps_leg *leg, size_t place)
{
    const uint8_t *ends = b->ends + place;
    if (leg->done > 0 && leg->at == UINT32_MAX)
        ps_ring_dead_end(b->ends, b->out, (uint32_t)place);
    else if (leg->done > 0 || !(leg->skip_first & ends[0]))
        b->queue[n++] = (uint32_t)place;
    if (!restarts(r))
        return n;
    return n + ps_mix()->starts(leg->steps, ends, leg->skip_first != 0, (uint32_t)place, b->queue + n);
}

/* Where the queue has come to. */
typedef struct {
    const ps_leg *leg; /* of the next stretch, or one before it */
    uint32_t place;    /* where its steps begin */
    uint64_t number;   /* of its first step's board */
    size_t next, n;
} reader;

static reader read_queue(const ps_leg *leg, size_t n)
{
    return (reader){.leg = leg, .n = n, .number = leg->key + (3 * leg->first + 1) * PS_WALK_STRIDE};
}

static void next_leg(reader *q)
{
    q->place += q->leg++->steps;
    q->number = q->leg->key + (3 * q->leg->first + 1) * PS_WALK_STRIDE;
}

/* Lets the next stretches of the queue into the ring. */
static void let_in(ps_ring *ring, const ps_block *b, const ps_side *from, reader *q)
{
    for (; ring->n < PS_RING && q->next < q->n; q->next++) {
        const uint32_t step = b->queue[q->next];
        while (step - q->place >= q->leg->steps)
            next_leg(q);
        const uint64_t s = step - q->place;
        ps_ring_add(ring, from, q->number + 3 * s * PS_WALK_STRIDE, step, s == 0 ? q->leg->at : q->leg->start);
    }
}

/* Walks all that is queued to its end.  From a start that is no item, stretches are let in together: their first step
 * is on another side than those that follow. */
static int run(const ps_block *b, const ps_block_rules *r, const ps_side *start, reader *q)
{
    const ps_side *items = &r->g->items;
    ps_ring ring;
    int rc = 0;
    ring.ops = ps_mix();
    ring.n = 0;
    while (rc == 0 && (ring.n > 0 || q->next < q->n)) {
        const ps_side *from = ring.n == 0 ? start : items;
        if (from == start)
            let_in(&ring, b, start, q);
        rc = ps_ring_step(&ring, r->g, from, r->bias, b->ends, b->out);
    }
    return rc;
}

static int walk_queue(const ps_block *b, const ps_block_rules *r, const ps_leg *leg, size_t queued)
{
    const ps_side *items = &r->g->items;
    reader q = read_queue(leg, queued);
    if (r->start && leg->done > 0 && leg->at != UINT32_MAX) { /* the first stretch goes on from an item */
        q.n = 1;
        int rc = run(b, r, items, &q);
        if (rc < 0)
            return rc;
        q.n = queued;
    }
    return run(b, r, r->start ? r->start : items, &q);
}

static void move_on(const ps_block *b, const ps_block_rules *r, ps_leg *leg, size_t place)
{
    const uint8_t *ends = b->ends + place;
    const uint32_t last = leg->steps - 1;
    const uint8_t *end = !restarts(r) ? NULL : ends[last] & 1 ? ends + last : memrchr(ends, 1, last);
    const uint32_t done = end ? (uint32_t)(ends + last - end) : leg->steps;
    leg->first += leg->steps;
    leg->done = done == leg->steps ? leg->done + done : done;
    leg->at = done ? b->out[place + leg->steps - 1] : leg->start;
}

static void move_all(const ps_block *b, const ps_block_rules *r, ps_leg *leg, size_t n)
{
    size_t place = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t steps = leg[i].steps;
        move_on(b, r, &leg[i], place);
        place += steps;
    }
}

int ps_block_walk(ps_block *b, const ps_block_rules *r, ps_leg *leg, size_t n)
{
    size_t steps = 0, queued = 0, place = 0;
    for (size_t i = 0; i < n; i++)
        steps += leg[i].steps;
    if (make_room(b, steps) < 0)
        return PS_EMEM;
    for (size_t i = 0; i < n; place += leg[i++].steps) {
        mark_ends(r, &leg[i], b->ends + place);
        queued = queue_leg(b, queued, r, &leg[i], place);
    }
    const int rc = queued > 0 ? walk_queue(b, r, leg, queued) : 0;
    if (rc == 0)
        move_all(b, r, leg, n);
    return rc;
}
