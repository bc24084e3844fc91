/* embed.h - inference (paper, section 3.4): layer by layer, ReLU(Q h + q) of each item computed once, then pooled by
 * neighbourhood.
 *
 * An item's embedding is a function of the model, of its features, its neighbourhood and those of the items it reaches
 * in K steps: the same bytes whatever else is embedded beside it, in which order, by how many threads and in how much
 * memory.  For that, products are those of packed.h, and neighbours are added in the order of their item numbers.
 *
 * Blocks of rows go through all products of a layer while they are in the cache; pooled vectors never go to
 * memory.  What does: p = ReLU(Q h + q) and h of all items, 2 n m floats.  Where that is more than `memory`, both are
 * in temporary files, and a layer reads p once for every part of the items whose pooled vectors fit, in pieces and in
 * order, so that the disk is never asked for single rows.
 */
#ifndef PS_EMBED_H
#define PS_EMBED_H

#include "device.h"
#include "model.h"
#include "neigh.h"
#include "par.h"
#include "vectors.h"

/* Takes results first .. first + n - 1: n x ps_embedding_dim(), the last element tau beta with an item bias.  They come
 * in order, from any of the pool's threads: by the rows of x, or by the rows or new items that were asked for.  A
 * negative result ends the work. */
typedef int (*ps_embed_sink)(void *ctx, uint64_t first, size_t n, const ps_real *z);

/* What items are embedded from.  All of it stays the caller's and must outlive the embedder. */
typedef struct {
    const ps_model *model;
    const ps_vectors *x;
    const ps_neighbours *neighbours; /* NULL: nobody has any */
    const ps_sparse *texts;          /* for a model with token embeddings, which has a row for every bucket of theirs */
    int skip_missing;                /* leave out neighbours that have no vector in x (weights are scaled up again) */
    int bf16;        /* products of numbers rounded to bf16; only where ps_bf16_backend(), or on a device */
    uint64_t memory; /* bytes for all that is in memory at once, inputs that are mapped not counted; 0: no limit.  Some
                      * tens of megabytes are needed in any case.  Where the limit tells, mapped inputs in order rest
                      * behind every pass. */
    const char *dir; /* of temporary files, if memory is limited */
    ps_device *device; /* NULL: this processor.  Else a block of items after the other goes there, each with what it
                        * needs, so that nothing as large as the graph is there: an item that several blocks need is
                        * projected for each of them.  The same bytes each time, but other ones than this processor's,
                        * and than for other items beside it: products round as their shapes have it. */
    ps_pool *pool;
    ps_embed_sink sink;
    void *ctx;
    void (*progress)(uint64_t done, uint64_t items); /* from the caller's thread, now and then; NULL: nobody asks */
} ps_embedding;

typedef struct ps_embedder ps_embedder;

/* Lays the weights out.  PS_EMATCH if the model reads vectors of another dimension or has token embeddings and there
 * are no texts; PS_EDATA for more than 2^32 - 2 vectors. */
PS_MUST_USE ps_embedder *ps_embedder_new(const ps_embedding *e);
void ps_embedder_free(ps_embedder *m); /* NULL is allowed */

/* All items of x in their order.  PS_EMATCH if a neighbour has no vector. */
PS_MUST_USE int ps_embed_all(ps_embedder *m);

/* These rows of x, each once, and what they need.  Takes 4 bytes for each row of x, once. */
PS_MUST_USE int ps_embed_rows(ps_embedder *m, const uint32_t *rows, size_t n);

/* Items that x does not hold, with features and neighbourhoods of their own; their neighbours are items of x. */
typedef struct {
    size_t n;
    const ps_real *x;          /* n x dx */
    const uint64_t *item;      /* for messages, and to look texts up */
    const uint32_t *off;       /* n + 1: of item i, index[off[i]] .. */
    const uint32_t *neighbour; /* items, heaviest first */
    const float *weight;
    const ps_sparse *texts; /* NULL: they have none */
} ps_new_items;
PS_MUST_USE int ps_embed_new(ps_embedder *m, const ps_new_items *items);

/* ps_embedder_new, ps_embed_all, ps_embedder_free. */
PS_MUST_USE int ps_embed(const ps_embedding *e);

#endif
