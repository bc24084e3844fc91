/* train.h - training: epochs of batches, each produced (ring.h), run forward, scored, run backward, stepped. */
#ifndef PS_TRAIN_H
#define PS_TRAIN_H

#include "device.h"
#include "producer.h"
#include "ring.h"
#include "shares.h"

/* What came of one batch. */
typedef struct {
    uint64_t step, steps; /* from 1; of all epochs */
    uint32_t epoch;       /* from 1 */
    double loss, rate, gradient; /* gradient: its L2 norm */
    uint32_t pairs;
    double seconds;       /* since the last batch */
    double valid;         /* behind an epoch's last batch with validation: the score; else NaN */
} ps_step;

/* What came of one epoch. */
typedef struct {
    uint32_t epoch;  /* from 1 */
    double loss;     /* mean over its batches, weighted by their pairs */
    double rate;     /* the last */
    double valid;    /* score on the validation pairs; NaN without them */
    int best;        /* the best so far by that score */
    ps_ring_times times;
    double seconds, operations; /* of the matrix products: 2 m n k each; validation is left out of both */
} ps_epoch;

typedef struct {
    const ps_graph *graph;
    const ps_pairs *pairs;
    const ps_known *known; /* of the training pairs */
    ps_sources from;       /* its shape is the model's */
    const ps_recipe *recipe;
    ps_pool *pool;
    ps_device *device;     /* that computes (device_train.h); NULL: the pool's threads */
    uint32_t ahead;        /* batches made ahead (ring.h); changes no result */
    ps_comm *comm;         /* the ranks that train together; NULL: this process alone.  Only rank 0's callbacks, validation and
                              checkpoints are used; its `validate` and `resume` must be there on all, as must `stop` */
    uint32_t shares;       /* that a batch is cut into (shares.h) */

    /* Checkpoints (checkpoint.h): NULL, or the file that gets one every `every` seconds and when told to stop; NULL, or the file to
     * go on from; what both belong to, as "key=value" lines. */
    const char *checkpoint, *resume, *run;
    double every;

    /* Score of a model on held-out pairs, higher is better; NULL: none, the last epoch's parameters are kept. */
    int (*validate)(void *ctx, const ps_model *model, double *score);
    /* Told after every step, every epoch and every checkpoint (step; rc < 0: it failed, the reason is in ps_errmsg(), training
     * goes on), and before the first step (those taken before a resumed checkpoint).  Each may be NULL. */
    void (*on_step)(void *ctx, const ps_step *step);
    void (*on_epoch)(void *ctx, const ps_epoch *epoch);
    void (*on_checkpoint)(void *ctx, uint64_t step, int rc);
    int (*on_start)(void *ctx, uint64_t step); /* negative: do not begin */
    /* Asked after every step: 1 ends training with PS_EDATA, after a last checkpoint.  NULL: never. */
    int (*stop)(void *ctx);
    void *ctx;
} ps_training;

/* ALL (comm.h).  Trains a model that has been made and initialised; leaves the best (or last) parameters and the log in it.
 * PS_EDATA if loss, gradient or parameters are no longer finite: the checkpoint is then the last good one.
 * Broken off and resumed, it leaves the same bytes as at one go. */
PS_MUST_USE int ps_train(const ps_training *t, ps_model *model);

#endif
