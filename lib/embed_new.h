/* embed_new.h - embedding items that the graph does not hold: from their features and neighbourhoods. */
#ifndef PS_EMBED_NEW_H
#define PS_EMBED_NEW_H

#include "embed_ask.h"

/* What is known of the new items beside their vectors, in the same order. */
typedef struct {
    ps_reader *near;        /* their neighbourhoods */
    const ps_sparse *texts; /* NULL: none */
} ps_new_from;

/* Vectors and, record by record, their neighbourhoods.  PS_EMATCH if these are not those of the same items
 * or the vectors not of the model's dimension.  soon: each is answered before the next is read. */
PS_MUST_USE int ps_embed_ask_new(ps_embedder *m, ps_embed_answer *a, ps_reader *vectors, const ps_new_from *from,
                                 int soon);

#endif
