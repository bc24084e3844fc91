/* train.h - training: epochs of batches, each produced, run forward, scored, run backward, stepped. */
#ifndef PS_TRAIN_H
#define PS_TRAIN_H

#include "producer.h"

/* What came of one epoch. */
typedef struct {
    uint32_t epoch;  /* from 1 */
    double loss;     /* mean over its batches, weighted by their pairs */
    double rate;     /* the last */
    double valid;    /* score on the validation pairs; NaN without them */
    int best;        /* the best so far by that score */
} ps_epoch;

typedef struct {
    const ps_graph *graph;
    const ps_pairs *pairs;
    const ps_known *known; /* of the training pairs */
    ps_sources from;       /* its shape is the model's */
    const ps_recipe *recipe;
    ps_pool *pool;
    /* Score of a model on held-out pairs, higher is better; NULL: none, the last epoch's parameters are kept. */
    int (*validate)(void *ctx, const ps_model *model, double *score);
    /* Told after every step and every epoch; either may be NULL. */
    void (*on_step)(void *ctx, uint64_t step, uint64_t steps, double loss);
    void (*on_epoch)(void *ctx, const ps_epoch *epoch);
    void *ctx;
} ps_training;

/* Trains a model that has been made and initialised; leaves the best (or last) parameters and the log in it.
 * PS_EDATA if the loss is no longer finite. */
PS_MUST_USE int ps_train(const ps_training *t, ps_model *model);

#endif
