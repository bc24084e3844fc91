/* embed.h - inference over all items (paper, section 3.4): layer by layer, ReLU(Q h + q) of each item computed
 * once, then pooled by neighbourhood. */
#ifndef PS_EMBED_H
#define PS_EMBED_H

#include "model.h"
#include "neigh.h"
#include "par.h"
#include "vectors.h"

/* Takes rows first .. first + n - 1 (as numbered in x): n x ps_embedding_dim(), the last element tau beta with an
 * item bias.  A negative result ends the work. */
typedef int (*ps_embed_sink)(void *ctx, uint64_t first, size_t n, const ps_real *z);

typedef struct {
    const ps_model *model;
    const ps_vectors *x;
    const ps_neighbours *neighbours; /* NULL: nobody has any */
    const ps_sparse *texts;          /* for a model with token embeddings, which has a row for every bucket of theirs */
    int skip_missing;  /* leave out neighbours that have no vector in x (weights are scaled up again) */
    ps_pool *pool;
    ps_embed_sink sink;
    void *ctx;
} ps_embedding;

/* Embeds the items of x in their order.  PS_EMATCH if the model reads vectors of another dimension, or if a
 * neighbour has no vector.  Memory: 2 n m floats. */
PS_MUST_USE int ps_embed(const ps_embedding *e);

#endif
