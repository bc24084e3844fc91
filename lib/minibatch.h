/* minibatch.h - Algorithm 2: the unique items that a set of items needs, layer by layer, renumbered.
 *
 * S_K is the set whose embeddings are wanted, S_(k-1) = S_k and all neighbours of S_k.  Items are numbered
 * in the order in which they are first needed, so that S_k is the first n[k] of them for every k, one list of
 * neighbours serves all layers, and h_u of the layer below is simply a prefix.  The features of S_0 are
 * gathered once each; nothing here is as large as the graph.
 */
#ifndef PS_MINIBATCH_H
#define PS_MINIBATCH_H

#include <stdint.h>

#include "model.h"
#include "neigh.h"
#include "par.h"
#include "vectors.h"
#include "walk.h"

typedef struct {
    uint32_t layers;
    uint32_t n[PS_LAYERS_MAX + 1]; /* n[k] = |S_k|, n[0] >= n[1] >= ... >= n[layers] */
    uint32_t *item;                /* n[0]: the item with that local number */
    ps_real *x;                    /* n[0] x dx: their features */
    uint32_t dx;

    /* Neighbours of local u < n[1], by local number: index[off[u]] .. index[off[u+1] - 1], with the weight that
     * pooling gives them (importance: alpha; mean: 1 / their number). */
    uint32_t *off, *index;
    ps_real *weight;

    /* The other way round, for the gradients: v is the slot[]-th (max pooling only) neighbour of user[], users
     * ascending. */
    uint32_t *back_off, *user, *slot;
    ps_real *back_weight;

    int complete; /* has features and, with gradients, back lists: not so a large batch that is still to be cut into parts (parts.h) */

    ps_token_lists tokens; /* of S_K's items; no items without token embeddings */

    uint32_t *neighbour; /* room for one neighbourhood */
    float *alpha;
    uint32_t cap_neighbours;
    ps_walker *walker; /* for neighbourhoods walked on the fly */
    uint64_t walker_seed;
    uint64_t *walked; /* items that walk together */
    size_t cap_walked;

    uint32_t *hash; /* item to local number + 1, open addressing */
    size_t slots;
    size_t cap_item, cap_x, cap_off, cap_edge[2], cap_back[4]; /* capacities */
} ps_minibatch;

/* Where neighbours and features come from.  The features must be finite (ps_vectors_open sees to that). */
typedef struct {
    const ps_shape *shape;
    const ps_vectors *x;
    const ps_minibatch *batch; /* not NULL: neighbours as this larger batch has them */
    const ps_neighbours *neighbours; /* not used when shape->layers == 0; NULL: walked on the fly */
    const ps_graph *graph;           /* to walk on; an item's neighbourhood is then what psneigh would make */
    ps_walk_options walk;
    uint32_t top; /* T of such a neighbourhood */
    const ps_sparse *texts; /* with their vocabulary, for token embeddings; NULL: none */
    const ps_vocabulary *vocabulary;
    double dropout;       /* of training: every element of the features and every token of a text is left out with this
                             probability, the others grow by 1 / (1 - dropout) (Srivastava et al., 2014) */
    uint64_t dropout_key; /* which ones are functions of it */
    int apart; /* batches are made without features: who needs them takes them by ps_minibatch_features */
} ps_sources;

void ps_minibatch_free(ps_minibatch *mb);

/* Begins a new batch, keeping the memory of the last one. */
PS_MUST_USE int ps_minibatch_begin(ps_minibatch *mb, const ps_shape *shape, size_t expect);

/* Local number of an item of S_K, new if it is not there yet. */
PS_MUST_USE int ps_minibatch_add(ps_minibatch *mb, uint32_t item, uint32_t *local);

/* Local number of an item; UINT32_MAX if the batch does not have it. */
uint32_t ps_minibatch_find(const ps_minibatch *mb, uint32_t item);

/* Takes in the neighbours, layer by layer.  With `gradients`, the lists that the backward pass needs are made too.
 * Gathers the features, unless that makes the batch larger than `most` bytes: then neither features nor those lists are made.
 * PS_EMATCH naming the item if one has no feature vector. */
PS_MUST_USE int ps_minibatch_finish(ps_minibatch *mb, const ps_sources *from, int gradients, size_t most, ps_pool *pool);

/* The features of local numbers first .. end - 1, to an array of (end - first) x dx: for a batch that was made from
 * `from`.  PS_EMATCH as above. */
PS_MUST_USE int ps_minibatch_features(const ps_minibatch *mb, const ps_sources *from, size_t first, size_t end,
                                      ps_real *to);

/* Instead of that: a batch of S_K and its token lists alone, whose items are embedded elsewhere (shares.h). */
PS_MUST_USE int ps_minibatch_outputs(ps_minibatch *mb, const ps_sources *from);

/* Memory of a batch of that many items and edges, complete or not. */
size_t ps_minibatch_bytes(size_t items, size_t edges, size_t dx, int complete);
static inline size_t ps_minibatch_edges(const ps_minibatch *mb)
{
    return mb->layers ? mb->off[mb->n[1]] : 0;
}

#endif
