/* walk_block.h - the engine under walk.h: a block of steps of one or many walks, walked side by side.
 *
 * Where a walk restarts depends on its random numbers only, not on where it is.  So a block's restarts are known
 * first; the stretches between them are then walked many at once (walk_ring.h), each new one taking the place of one
 * that has come to its end.
 */
#ifndef PS_WALK_BLOCK_H
#define PS_WALK_BLOCK_H

#include "graph.h"
#include "walk_bias.h"

enum { PS_BLOCK_STEPS = 1 << 14 };

/* A query's part of a block. */
typedef struct {
    uint64_t key;   /* of its random numbers: walk.h */
    uint64_t first; /* number of its first step here */
    uint32_t start; /* where it goes after a restart */
    uint32_t at;    /* where step `first` begins */
    uint32_t steps; /* here */
    uint32_t done;  /* steps since the last restart: 0, or `at` is on the way */
    int skip_first; /* the first steps after a (re)start are not looked at: walk them only if another follows */
} ps_leg;

/* What all legs share. */
typedef struct {
    const ps_graph *g;
    const ps_side *start; /* NULL, or the boards of a start that is no item of the graph: its node 0,
                             with off32 if the graph has that; one leg then */
    const ps_bias *bias;  /* NULL: none */
    uint64_t threshold;   /* a restart number below it: restart */
    uint32_t length;      /* restart after so many steps at the latest; 0: no limit */
} ps_block_rules;

/* All zero is an empty block.  For one thread. */
typedef struct {
    uint32_t *out;   /* of each step, leg after leg: the item arrived at; UINT32_MAX: beyond a dead end.
                        With skip_first first steps hold anything */
    uint8_t *ends;   /* bit 0: a restart follows the step */
    uint32_t *queue; /* first steps of the stretches */
    size_t cap;
} ps_block;

/* Walks the n legs, at most PS_BLOCK_STEPS steps together, and moves them on: first, at and done are then those of the
 * block that follows.  PS_EDATA if the graph is damaged. */
PS_MUST_USE int ps_block_walk(ps_block *b, const ps_block_rules *rules, ps_leg *leg, size_t n);
void ps_block_free(ps_block *b);

/* Asks the system to map the graph by huge pages, where random reads of a large one cost less, if it holds the file in
 * such; psgraph-build writes it so that it may. */
void ps_walk_pages(const ps_graph *g);

/* Before long walks: ps_graph_narrow, and asks the system to bring the file into huge pages if it can, which may take as
 * long as reading it.  No other thread may use the graph meanwhile. */
void ps_walk_ready(ps_graph *g);

#endif
