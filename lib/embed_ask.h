/* embed_ask.h - embedding what is asked for: all items, or those that a stream names. */
#ifndef PS_EMBED_ASK_H
#define PS_EMBED_ASK_H

#include "embed.h"
#include "embed_out.h"
#include "query.h"

/* Where results go: ps_embed_write is the sink of an embedder whose ctx this is. */
typedef struct {
    ps_embed_out *to;
    const ps_vectors *x;
    const uint64_t *item; /* of each result; NULL: they are x's rows in order */
    uint64_t again;       /* ids that were left out because they had been asked for before */
} ps_embed_answer;
int ps_embed_write(void *ctx, uint64_t first, size_t n, const ps_real *z);

/* The items of the queries, each once, in their order; soon: each is answered before the next is read, as often as it
 * is asked for.  PS_EMATCH for one that x does not hold. */
PS_MUST_USE int ps_embed_ask(ps_embedder *m, ps_embed_answer *a, ps_queries *q, int soon);

#endif
