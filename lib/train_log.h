/* train_log.h - the training log: a line for every batch, tab separated, below one line of names.
 *
 *   step epoch loss rate pairs/s gradient valid
 *
 * `valid` stands in the last line of an epoch if there are validation pairs, and is empty elsewhere.
 */
#ifndef PS_TRAIN_LOG_H
#define PS_TRAIN_LOG_H

#include <stdio.h>

#include "train.h"

typedef struct {
    const char *path;
    FILE *file;
    int failed; /* the first failure, 0: none */
} ps_train_log;

/* Begins the log, or goes on after `step` of the one that is there: what it tells about later batches, of a training
 * that went on after its last checkpoint, is cut off. */
PS_MUST_USE int ps_train_log_open(ps_train_log *log, const char *path, uint64_t step);

/* Adds a line; visible at once.  After the first failure it does nothing. */
int ps_train_log_add(ps_train_log *log, const ps_step *step);

/* The first failure of all. */
PS_MUST_USE int ps_train_log_close(ps_train_log *log);

#endif
