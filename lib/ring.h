/* ring.h - the producer-consumer pipeline (paper, 3.3): batches are made ahead of the one that is trained on.
 *
 * A bounded ring of reusable batches.  The pool's threads make the next ones whenever the consumer has no task for
 * them; the consumer makes one itself when none is ready.  So no thread waits while there is something to do, and
 * -j is the number of threads in all.  A batch is a function of its number: who made it, and when, changes nothing.
 */
#ifndef PS_RING_H
#define PS_RING_H

#include "par.h"
#include "producer.h"

typedef struct ps_ring ps_ring;

/* Seconds. */
typedef struct {
    double producing; /* at least one batch was being made */
    double full;      /* none was: all that fit were there */
    double training;  /* between taking a batch and giving it back, and between epochs */
    double starved;   /* no batch was ready */
} ps_ring_times;

/* Batches number first .. end - 1, counted through all epochs; at most `ahead` are ready or being made beside the one
 * in use, fewer where they are large (128 MiB in all; a large batch without its features: 32).  With ahead 0, or one thread, they are made one by one as they are taken.  NULL on failure. */
PS_MUST_USE ps_ring *ps_ring_new(const ps_producer *p, ps_pool *pool, uint32_t ahead, uint64_t first, uint64_t end);
void ps_ring_free(ps_ring *ring); /* NULL is allowed */

/* The next batch, valid until it is given back.  Whatever went wrong in making it is reported here. */
PS_MUST_USE int ps_ring_take(ps_ring *ring, const ps_batch **batch);
void ps_ring_give_back(ps_ring *ring);

/* Times since the last call (or ps_ring_new). */
ps_ring_times ps_ring_clock(ps_ring *ring);

#endif
