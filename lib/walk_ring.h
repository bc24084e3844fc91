/* walk_ring.h - the walkers of walk_block.h that are on their way: few enough to stay in the first cache, enough to
 * keep the memory busy. */
#ifndef PS_WALK_RING_H
#define PS_WALK_RING_H

#include "graph.h"
#include "mix.h"
#include "walk_bias.h"

#define PS_WALK_STRIDE                                                                            \
    UINT64_C(0x9e3779b97f4a7c15) /* rng.h: number s of a stream is ps_mix64(key + (s + 1) STRIDE) \
                                  */

enum { PS_RING = 128 };

typedef struct {
    const ps_mix_ops *ops;
    size_t n;
    uint64_t number[PS_RING]; /* of the next step's board, before ps_mix64 */
    uint32_t step[PS_RING];   /* the next step's place in out and ends */
    uint32_t at[PS_RING];     /* where it begins */
} ps_ring;

/* One step of all: out[step] is the item arrived at, UINT32_MAX beyond a dead end; those whose ends[step] is 0 are then
 * one step further, the others are gone.  They stand on nodes of `from`, the graph's items or a side of a new item's
 * boards, which has off32 if the graph's sides have.  PS_EDATA if the graph is damaged. */
PS_MUST_USE int ps_ring_step(ps_ring *r, const ps_graph *g, const ps_side *from, const ps_bias *bias,
                             const uint8_t *ends, uint32_t *out);

/* Asks for memory that the next half-step reads.  It goes to the second cache: that one can wait for more at a time
 * than the first, and half as much again comes in (tests/bench/walks). */
static inline void ps_ring_ask(const void *p)
{
    __builtin_prefetch(p, 0, 2);
}

/* Adds a walker; there must be room.  Its node's offsets on `from` are asked for. */
static inline void ps_ring_add(ps_ring *r, const ps_side *from, uint64_t number, uint32_t step, uint32_t at)
{
    if (from->off32)
        ps_ring_ask(&from->off32[at]);
    else
        ps_ring_ask(&from->off[at]);
    r->number[r->n] = number;
    r->step[r->n] = step;
    r->at[r->n++] = at;
}

/* No arrivals from step s up to the next restart. */
void ps_ring_dead_end(const uint8_t *ends, uint32_t *out, uint32_t s);

#endif
