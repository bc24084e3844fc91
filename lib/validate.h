/* validate.h - the score of a model on held-out pairs while it is trained: scaled MRR over the whole catalogue. */
#ifndef PS_VALIDATE_H
#define PS_VALIDATE_H

#include "embed.h"
#include "pairs.h"

typedef struct {
    const ps_vectors *x;
    const ps_neighbours *neighbours;
    const ps_sparse *texts; /* for token embeddings, else NULL */
    const ps_pairs *pairs;
    ps_pool *pool;
} ps_validation;

/* Embeds all items of x and ranks every pair's positive among them, the query left out: *score is the mean of
 * 1 / ceil(rank / 100), ties at their middle (paper, section 4.1).  PS_EMATCH if an item of a pair has no vector. */
PS_MUST_USE int ps_validate(const ps_validation *v, const ps_model *model, double *score);

#endif
