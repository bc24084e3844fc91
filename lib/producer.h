/* producer.h - the producer's half of training (paper, 3.3): which pairs, negatives and hard negatives make up a
 * batch, and the minibatch of Algorithm 2 around them.  Everything random is a function of (seed, epoch,
 * batch), so that any thread can make any batch at any time. */
#ifndef PS_PRODUCER_H
#define PS_PRODUCER_H

#include "draw.h"
#include "hard.h"
#include "loss.h"
#include "minibatch.h"
#include "recipe.h"

/* The most pairs whose order is a list, then of 64 MiB.  A longer one would be most of what training takes beside mapped
 * files: the order of more pairs is a permutation by a key, which takes no memory. */
enum { PS_ORDER_LISTED = 1 << 24 };

/* How a batch is cut into shares (shares.h): how many, and which of them are made here, first .. end - 1. */
typedef struct {
    uint32_t count, first, end;
} ps_cut;

/* One batch, ready for the consumer; its arrays are reused from batch to batch. */
typedef struct {
    ps_minibatch mb; /* in shares: of the outputs alone */
    ps_minibatch *share;  /* of each that is made here; its outputs are rows of mb's, in the order of share_row */
    uint32_t shares;      /* they; 0: the batch is not cut */
    uint32_t *share_row;  /* rows of z, share by share; ascending in each */
    uint32_t *share_at;   /* count + 1: where a share begins in share_row */
    ps_sources from; /* what it was made from */
    ps_loss_batch loss;
    uint32_t *items; /* query, positive, negatives, hard: as loss points into it */
    uint32_t *rows;  /* their local numbers */
    float *weight;
    ps_real *log_bq, *log_np;
    size_t cap[7];
} ps_batch;

typedef struct {
    ps_sources from;
    const ps_pairs *pairs;
    const ps_recipe *recipe;
    ps_draw draw;      /* of random negatives, out of the rows of from.x */
    ps_hard hard;      /* empty unless the recipe has hard negatives */
    uint64_t listed;   /* PS_ORDER_LISTED; tests set another */
    ps_cut cut;        /* 1, 0, 1 after ps_producer_init: whole */
    size_t most;       /* bytes of a batch with its features; of a larger one they are gathered part by part (parts.h) */
} ps_producer;

/* The pairs must not be empty.  Walks for hard negatives, if the recipe has any, over g. */
PS_MUST_USE int ps_producer_init(ps_producer *p, const ps_sources *from, const ps_graph *g, const ps_pairs *pairs,
                                 const ps_recipe *recipe, ps_pool *pool);
void ps_producer_free(ps_producer *p);

uint64_t ps_producer_batches(const ps_producer *p); /* of one epoch */

/* The order of an epoch's (from 1) pairs is a list of so many numbers; 0: none is needed. */
size_t ps_producer_list(const ps_producer *p);
void ps_producer_order(const ps_producer *p, uint32_t epoch, uint32_t *order);

/* Makes batch number b (from 0) of an epoch with that order (NULL where none is needed); neighbourhoods walked on the
 * fly are other ones in each epoch.  The pool (NULL: none) helps.  Any number of threads at once. */
PS_MUST_USE int ps_producer_batch(const ps_producer *p, uint32_t epoch, const uint32_t *order, uint64_t b,
                                  ps_batch *batch, ps_pool *pool);
void ps_batch_free(ps_batch *batch);

/* Its memory, and whether all of it has its features. */
size_t ps_batch_bytes(const ps_batch *batch, int *complete);

#endif
