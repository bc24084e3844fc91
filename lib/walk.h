/* walk.h - random walks with restart over the bipartite graph.
 *
 * One step goes from an item to one of its boards and on to one of that board's items, each chosen
 * uniformly or, in a weighted graph, by weight.  After each step the walk returns to the query with
 * probability `restart`.  The share of an item among the visits tends to its personalised PageRank
 *     sum over k >= 1 of restart (1 - restart)^(k - 1) e_u P^k,      P: one step.
 *
 * Random numbers are a function of (seed, query, step): with key = ps_rng_key(seed, u), step s = 0, 1, ...
 * takes number 3s for the board, 3s + 1 for the item, 3s + 2 for the restart.  So a query's walk is the
 * same in any thread, process and company, and a longer walk begins with the shorter one.
 */
#ifndef PS_WALK_H
#define PS_WALK_H

#include "graph.h"
#include "visits.h"
#include "walk_bias.h"

#define PS_WALK_STEPS_MAX UINT32_MAX

typedef struct {
    uint64_t steps; /* in all for each query; 1 to PS_WALK_STEPS_MAX */
    double restart; /* 0 to 1 */
    uint64_t seed;
    uint64_t early_items;  /* stop when that many items have been visited */
    uint32_t early_visits; /* that often each; 0: walk all steps */
    uint64_t exact;        /* the first steps of an item whose two-hop surroundings have at most that many edges are
                              not walked but counted with their expectation; 0: none.  Not with a bias or early stopping */
    double push;           /* instead of walks: forward push with that error (push.h); 0: walks.  Only for
                              visits, with restart above 0 and none of the others */
    const ps_bias *bias;   /* NULL: none; must outlive the walker */
} ps_walk_options;

#define PS_WALK_DEFAULT                         \
    {                                           \
        .steps = 1000, .restart = .5, .seed = 1 \
    }

typedef struct ps_walker ps_walker;

/* For one thread; the graph must outlive it.  NULL on failure. */
PS_MUST_USE ps_walker *ps_walker_new(const ps_graph *g, const ps_walk_options *o);
void ps_walker_free(ps_walker *w);

/* Walks from the item; every item arrived at is a visit, the item itself included.  Their number, by count
 * descending, then item ascending; 0 if the item is on no board; PS_EDATA if there is no such item or
 * the graph is damaged.  *visits is valid until the next call with this walker. */
PS_MUST_USE long ps_walker_visits(ps_walker *w, uint64_t item, const ps_visit **visits);

/* The same without the item itself: its ranking by personalised PageRank, for hard negatives. */
PS_MUST_USE long ps_walker_rank(ps_walker *w, uint64_t item, const ps_visit **visits);

/* Walks from n items, many at once, and hands each one's visits, the first `top` of them (0: all), to `take` in
 * the items' order; without_self: the item itself left out.  A negative result of `take` ends it.  With options.exact
 * the counts are scaled by ps_walker_scale. */
typedef int (*ps_walk_taker)(void *ctx, size_t i, const ps_visit *visits, size_t n);
PS_MUST_USE int ps_walker_many(ps_walker *w, const uint64_t *item, size_t n, size_t top, int without_self,
                               ps_walk_taker take, void *ctx);

/* So many items walk best together. */
size_t ps_walker_company(const ps_walker *w);

/* What one visit counts: 1, or with options.exact a power of two so that expectations are whole numbers. */
uint32_t ps_walker_scale(const ps_walker *w);

/* Visits of an item that is not in the graph, given its boards and the weights of those edges (NULL: all 1), as
 * ps_walker_visits gives them; `number` takes the item's place in the random numbers.  An item of the graph with its
 * own number and boards has its own visits.  The boards' order does not matter. */
PS_MUST_USE long ps_walker_new_item(ps_walker *w, uint64_t number, const uint64_t *board, const float *weight, size_t n,
                                    size_t top, const ps_visit **visits);

/* Walks `steps` (up to PS_WALK_STEPS_MAX) steps instead of the options' and gives the visits in no particular
 * order as item << 32 | count, appended to keys[*n ..]; grows keys. */
PS_MUST_USE int ps_walker_collect(ps_walker *w, uint64_t item, uint64_t steps, uint64_t **keys, size_t *cap, size_t *n);

/* Steps that the last call walked: fewer than asked for after early stopping, 0 on no board; of a push: half the
 * edges it followed. */
uint64_t ps_walker_steps(const ps_walker *w);

/* Of the last push: the share of all that it left out. */
double ps_walker_left_out(const ps_walker *w);

/* The paths of the walk from the item.  A path begins at the item and ends with a restart, after `length` steps, or
 * with the last step of all; the next one begins at the item again.  Row i of *paths holds the items that
 * path i arrived at, padded with UINT32_MAX to `length`.  Their number, 0 on no board.  With a length that no
 * path reaches, the rows together hold the visits of ps_walker_visits.  *paths is valid until the next call.
 * Early stopping does not apply. */
PS_MUST_USE long ps_walker_paths(ps_walker *w, uint64_t item, uint32_t length, const uint32_t **paths);

#endif
