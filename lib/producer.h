/* producer.h - the producer's half of training (paper, 3.3): which pairs, negatives and hard negatives make up a
 * batch, and the minibatch of Algorithm 2 around them.  Everything random is a function of (seed, epoch,
 * batch). */
#ifndef PS_PRODUCER_H
#define PS_PRODUCER_H

#include "hard.h"
#include "loss.h"
#include "minibatch.h"
#include "recipe.h"

/* One batch, ready for the consumer; its arrays are reused from batch to batch. */
typedef struct {
    ps_minibatch mb;
    ps_loss_batch loss;
    uint32_t *items; /* query, positive, negatives, hard: as loss points into it */
    uint32_t *rows;  /* their local numbers */
    float *weight;
    ps_real *log_bq;
    size_t cap[4];
} ps_batch;

typedef struct {
    ps_sources from;
    const ps_pairs *pairs;
    const ps_recipe *recipe;
    uint64_t items;    /* of the catalogue that negatives are drawn from: rows of from.x */
    ps_hard hard;      /* empty unless the recipe has hard negatives */
    double *log_share; /* by pair: log of its positive's share among the training positives */
    uint32_t *order;   /* of this epoch's pairs */
    uint32_t epoch;    /* from 1 */
    ps_pool *pool;
} ps_producer;

/* The pairs must not be empty.  Walks for hard negatives, if the recipe has any, over g. */
PS_MUST_USE int ps_producer_init(ps_producer *p, const ps_sources *from, const ps_graph *g, const ps_pairs *pairs,
                                 const ps_recipe *recipe, ps_pool *pool);
void ps_producer_free(ps_producer *p);

uint64_t ps_producer_batches(const ps_producer *p); /* of one epoch */

/* Begins an epoch: a new order of the pairs. */
void ps_producer_epoch(ps_producer *p, uint32_t epoch);

/* Makes batch number b (from 0) of this epoch. */
PS_MUST_USE int ps_producer_batch(const ps_producer *p, uint64_t b, ps_batch *batch);
void ps_batch_free(ps_batch *batch);

#endif
