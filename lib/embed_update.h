/* embed_update.h - inference on a graph that has changed a little: what is the same is copied.
 *
 * With h^0 = x, h^k of an item is another one if its h^(k-1) is, if its neighbourhood is, or if the h^(k-1) of one of
 * its neighbours is.  Everything else is, to the byte, what a run on all items would compute. */
#ifndef PS_EMBED_UPDATE_H
#define PS_EMBED_UPDATE_H

#include "embed_ask.h"

typedef struct {
    const ps_vectors *x, *z;         /* features and embeddings of the earlier run */
    const ps_neighbours *neighbours; /* NULL: none */
    const ps_sparse *texts;          /* NULL: none */
} ps_embed_earlier;

/* PS_EMATCH if these embeddings are not what the same model would write with the same options: `head` is the header
 * that is going to be written. */
PS_MUST_USE int ps_embed_earlier_check(const ps_embed_earlier *old, const ps_head *head);

/* A byte for each row of e->x, not 0 if its embedding must be computed: the caller frees it; their number in *n. */
PS_MUST_USE int ps_embed_changed(const ps_embedding *e, const ps_embed_earlier *old, uint8_t **changed, size_t *n);

/* Writes all embeddings in the order of e->x.  `m` is the embedder of `e`, whose sink is replaced for the while.
 * *computed: how many were not copied. */
PS_MUST_USE int ps_embed_update(ps_embedder *m, const ps_embedding *e, const ps_embed_earlier *old, ps_embed_out *to,
                                size_t *computed);

#endif
