/* hard.h - hard negatives: items that personalised PageRank ranks near the query, but not at its top
 * (paper, section 3.3: close enough to be hard to tell from a positive). */
#ifndef PS_HARD_H
#define PS_HARD_H

#include <stdint.h>

#include "graph.h"
#include "pairs.h"
#include "par.h"
#include "recipe.h"

/* The rank band of every query: item[off[i]] .. item[off[i + 1] - 1] for the i-th of the `n` queries. */
typedef struct {
    size_t n;
    uint32_t *query; /* ascending */
    uint64_t *off;
    uint32_t *item;
} ps_hard;

/* Walks from every query of the pairs (steps, restart and seed of the recipe) and keeps the items of ranks
 * band_low .. band_high. */
PS_MUST_USE int ps_hard_make(ps_hard *hard, const ps_graph *g, const ps_pairs *pairs, const ps_recipe *r, ps_pool *pool);
void ps_hard_free(ps_hard *hard);

/* One of the query's band from 64 random bits; a random item of 0 .. items - 1 if its walk reached no such
 * rank. */
uint32_t ps_hard_draw(const ps_hard *hard, uint32_t query, uint64_t random, uint64_t items);

#endif
