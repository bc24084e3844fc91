/* embed_new.h - embedding items that the graph does not hold: from their features, and from their neighbourhoods or
 * the boards that they are on. */
#ifndef PS_EMBED_NEW_H
#define PS_EMBED_NEW_H

#include "embed_ask.h"
#include "walk.h"

/* What is known of the new items beside their vectors, in the same order. */
typedef struct {
    ps_reader *near;    /* their neighbourhoods; NULL: these are walked, as by psneigh --boards, */
    ps_queries *boards; /* from their boards (query.h), */
    const ps_graph *graph;
    ps_walk_options walk;   /* with these walks, */
    uint32_t top;           /* of so many neighbours */
    const ps_sparse *texts; /* NULL: none */
} ps_new_from;

/* Vectors and, record by record, their neighbourhoods or boards.  PS_EMATCH if these are not those of the same items
 * or the vectors not of the model's dimension.  soon: each is answered before the next is read. */
PS_MUST_USE int ps_embed_ask_new(ps_embedder *m, ps_embed_answer *a, ps_reader *vectors, const ps_new_from *from,
                                 int soon);

#endif
