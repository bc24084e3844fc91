/* checkpoint.h - everything that training needs to go on where it was.  psmodel(5), CHECKPOINTS.
 *
 * Random numbers are functions of (seed, epoch, batch): the number of steps taken is their whole state.
 */
#ifndef PS_CHECKPOINT_H
#define PS_CHECKPOINT_H

#include "model.h"
#include "optim.h"

typedef struct {
    uint64_t step;              /* batches trained on, of all epochs */
    double loss_sum, pairs_sum; /* of the epoch that it stands in */
    double best_score;          /* of the epochs so far; -1: none yet */
    uint32_t since_best;        /* epochs */
} ps_position;

/* What a checkpoint holds.  All arrays are as long as the parameters and belong to the caller. */
typedef struct {
    ps_position at;
    const char *run; /* "key=value" lines: what is trained, on what; must be the same to go on */
    ps_model *model; /* parameters, log and history; the history is not read back */
    ps_optim *optim;
    ps_real *best;   /* the best epoch's parameters; NULL without validation */
} ps_checkpoint;

/* Writes it whole or not at all.  PS_EDATA, and the file stays what it was, if a parameter is not finite. */
PS_MUST_USE int ps_checkpoint_write(const ps_checkpoint *c, const char *path);

/* Reads it into c's arrays.  PS_EMATCH, naming the first difference, if it is of another run. */
PS_MUST_USE int ps_checkpoint_read(ps_checkpoint *c, const char *path);

/* A checkpoint by itself. */
typedef struct {
    ps_position at;
    uint64_t optimizer_steps, size; /* size: parameters */
    uint32_t arrays;                /* bits: parameters, first and second moments, best parameters */
    ps_str run, log, history;       /* in the file */
    const uint8_t *values;          /* in the file: n f32 */
    size_t n;
} ps_checkpoint_head;

/* Opens one and reads it through: whole, and its numbers finite.  Close with ps_blob_close, after success only. */
PS_MUST_USE int ps_checkpoint_open(ps_checkpoint_head *h, ps_blob *b, const char *path);

#endif
