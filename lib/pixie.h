/* pixie.h - walks from a set of items: Eksombatchai et al., "Pixie: A System for Recommending 3+ Billion Items
 * to 200+ Million Users in Real-Time" (WWW 2018), sections 3.1 (2) to (4).
 */
#ifndef PS_PIXIE_H
#define PS_PIXIE_H

#include "walk.h"

/* A member of a set. */
typedef struct {
    uint64_t item;
    double weight;   /* finite, not negative */
    uint64_t degree; /* boards it is on */
    uint64_t steps;  /* its share, set by ps_pixie_share */
} ps_member;

/* Shares `steps` out over the n members of a set, by degree and weight (equations 1 and 2):
 *     s_q = d_q (C - ln d_q),    steps of q = steps w_q s_q / sum over r of w_r s_r,
 * C being `most`, the largest degree of any item of the graph.  Whole numbers that add up to `steps`: rounded down,
 * and what is left goes one each to the largest remainders (to 32 bits; ties: the first).  All 0 if every degree or
 * weight is.  `spare` has room for 2n. */
void ps_pixie_share(ps_member *member, size_t n, uint64_t steps, uint64_t most, uint64_t *spare);

/* The largest degree of any item: reads all offsets of the graph. */
uint64_t ps_pixie_most(const ps_graph *g);

/* Multi-hit booster (equation 3): (sum over members q of sqrt(visits from q)) squared.  keys: item << 32 | count, from
 * ps_walker_collect of one member after another; sorted with the help of `spare` (room for n).  Writes
 * one (item, score) for each item to out (room for n), by item; an item reached from one member
 * scores its count exactly.  Returns their number. */
typedef struct {
    uint32_t item;
    float score;
} ps_scored;
size_t ps_pixie_boost(uint64_t *keys, uint64_t *spare, size_t n, ps_scored *out);

/* One set after another, in one thread. */
typedef struct ps_pixie ps_pixie;

/* `walker` and its graph must outlive it; o: the walker's options, whose steps are those of a set. `most` from
 * ps_pixie_most.  NULL on failure. */
PS_MUST_USE ps_pixie *ps_pixie_new(const ps_graph *g, ps_walker *walker, const ps_walk_options *o, uint64_t most);
void ps_pixie_free(ps_pixie *p);

enum {
    PS_PIXIE_LEAVE_OUT = 1, /* the members are not among the results */
    PS_PIXIE_WHOLE = 2      /* scores are rounded to whole numbers, at most 2^32 - 2^8 */
};

/* Walks from the n items (weights: of each, finite and not negative; an item given twice counts with the sum) and gives
 * the boosted visits, best first, then by item, the first `top` of them (0: all).  Each member walks the first steps of
 * its own walk (walk.h), so that the result depends neither on the order of the members nor on the set's number; with
 * early stopping each member's walk stops by itself.  Their number; *list is valid until the next call. */
PS_MUST_USE long ps_pixie_rank(ps_pixie *p, const uint64_t *items, const float *weights, size_t n, int flags,
                               size_t top, const ps_scored **list);

/* Steps that the last call walked, of all members together. */
uint64_t ps_pixie_steps(const ps_pixie *p);

#endif
