/* embed_parts.h - what embed*.c share. */
#ifndef PS_EMBED_PARTS_H
#define PS_EMBED_PARTS_H

#include "embed.h"
#include "packed.h"
#include "temp.h"

/* Rows that go through a layer's products together: packed.h's whole strips, in the second-level cache.  bf16's
 * products lay the weights out anew for every block, and so have larger ones. */
enum { PS_EMBED_BLOCK = 96, PS_EMBED_BLOCK_BF16 = 768 };

/* ---- hidden vectors, in memory or in a file ---- */

typedef struct {
    size_t m; /* elements of a row */
    size_t rows;
    ps_real *p; /* in memory; NULL: in the file */
    size_t cap; /* elements of p */
    ps_temp file;
} ps_hidden;

/* Room for the rows, whose contents are lost; dir NULL: in memory. */
PS_MUST_USE int ps_hidden_room(ps_hidden *h, size_t m, size_t rows, const char *dir);
void ps_hidden_free(ps_hidden *h);

/* Where rows local[0..n-1] stand one after the other in memory; NULL: they do not. */
ps_real *ps_hidden_at(const ps_hidden *h, const uint32_t *local, size_t n);

/* Rows local[0..n-1] from and to an array of n x m; any thread. */
PS_MUST_USE int ps_hidden_get(const ps_hidden *h, const uint32_t *local, size_t n, ps_real *to);
PS_MUST_USE int ps_hidden_put(const ps_hidden *h, const uint32_t *local, size_t n, const ps_real *from);

/* ---- which items each layer needs ----
 *
 * Items are numbered anew, "locally", in the order of their item numbers, the new ones behind: 0 .. items - 1 are those
 * of S_0, which are all.  Rows number those of x, then the new items. */

typedef struct {
    size_t items;  /* of S_0 */
    uint32_t *row; /* of each; NULL: row i is local i */
    size_t row_cap;
    uint32_t *local; /* of each row of x, UINT32_MAX: not needed; NULL: the same */
    struct {
        size_t n;
        uint32_t *at; /* locals of S_k: ascending, but S_K as asked for; NULL: all */
        size_t cap;
    } set[PS_LAYERS_MAX + 1];
    uint64_t *key; /* scratch: item << 32 | row */
    size_t key_cap;
} ps_need;

struct ps_embedder;

/* Everything, in the order of x. */
PS_MUST_USE int ps_need_all(struct ps_embedder *m);
/* These rows, new items among them, in this order. */
PS_MUST_USE int ps_need_rows(struct ps_embedder *m, const uint32_t *rows, size_t n);
/* The same for a device: locals are numbered as they are found, so that S_k is the first level[k] of them (K + 1
 * numbers), and no sets are listed. */
PS_MUST_USE int ps_need_found(struct ps_embedder *m, const uint32_t *rows, size_t n, size_t *level);
void ps_need_free(ps_need *need);

/* ---- neighbours ---- */

/* Neighbours of some items: of the i-th, index[off[i]] .. as local numbers, ascending, with the weights that they are
 * pooled with. */
typedef struct {
    size_t n;
    uint32_t *off, *index;
    ps_real *weight;
    uint32_t *items; /* scratch: one neighbourhood */
    float *alpha;
    size_t off_cap, index_cap, weight_cap, items_cap, alpha_cap;
} ps_near;

/* Lists them for locals (NULL: 0 .. n - 1), added behind those that are listed already. */
PS_MUST_USE int ps_near_add(const struct ps_embedder *m, ps_near *near, const uint32_t *local, size_t n);
void ps_near_free(ps_near *near);

/* Items and weights of a row's neighbourhood into arrays with room for ps_near_most(). */
size_t ps_near_get(const struct ps_embedder *m, uint32_t row, uint32_t *items, float *alpha);
size_t ps_near_most(const struct ps_embedder *m);

/* Row of x of a neighbour of `row`.  PS_NONE: it has none, and is left out. */
PS_MUST_USE int ps_near_row(const struct ps_embedder *m, uint32_t row, uint32_t item, uint64_t *at);

/* ---- products ---- */

/* A weight matrix: laid out, or (bf16) as it is in the model. */
typedef struct {
    size_t n, k, ld;
    const ps_real *w;
    ps_packed packed;
} ps_weights;

/* Rows that a product reads, wherever they are: row i at `at` + i ld. */
typedef struct {
    const ps_real *at;
    size_t ld;
} ps_block;

/* What a thread works in: a block of rows each. */
typedef struct {
    ps_real *in, *x, *pooled, *out, *r, *y;
    uint32_t *local, *items;
    ps_near near;
    ps_token_lists tokens;
} ps_embed_room;

typedef struct ps_embedder {
    ps_embedding e;
    ps_shape shape;
    const ps_packed_ops *ops;
    ps_weights Q[PS_LAYERS_MAX], own[PS_LAYERS_MAX], pooled[PS_LAYERS_MAX]; /* own, pooled: the halves of W */
    ps_weights G1, G2, G3;
    size_t block; /* rows */
    int threads;
    ps_embed_room *room; /* of each thread */
    ps_hidden p, h;
    ps_need need;
    const ps_new_items *extra;      /* NULL: none */
    int filed;                      /* p and h are in files */
    uint64_t budget;                /* then: bytes for a part's pooled vectors and a piece of p */
    size_t passes, pass;            /* over all items, for progress */
    struct ps_on_device *on_device; /* NULL: this processor computes */
} ps_embedder;

PS_MUST_USE int ps_embed_weights(ps_embedder *m);
PS_MUST_USE int ps_embed_rooms(ps_embedder *m);
void ps_embed_block_free(ps_embedder *m);

/* The features of a row, a new item's among them. */
void ps_embed_features(const ps_embedder *m, uint32_t row, ps_real *to);

/* Locals of entries first .. of S_k, into room->local. */
void ps_embed_locals(const ps_embedder *m, uint32_t k, size_t first, size_t n, uint32_t *local);

/* Steps on n rows of layer k: to `out`, which is n x m and not among them.  bf16 reads and writes whole blocks. */
void ps_embed_projected(const ps_embedder *m, uint32_t k, size_t n, ps_block in, ps_real *out);
void ps_embed_combined(const ps_embedder *m, uint32_t k, size_t n, ps_block in, const ps_real *pooled, ps_real *out);

/* The embeddings of the n rows of h to z; x: their features (K = 0: the same), for a bypass; room->items: their
 * numbers, for tokens, the last `fresh` of them those of new items. */
PS_MUST_USE int ps_embed_headed(const ps_embedder *m, ps_embed_room *room, size_t n, size_t fresh, ps_block h,
                                ps_block x, ps_real *z);

/* The same for a block of room->local: reads layer k (0: the features), and leaves p in its place, */
PS_MUST_USE int ps_embed_project(const ps_embedder *m, ps_embed_room *room, uint32_t k, size_t n);
/* layer k + 1 in its place or, z given, the embeddings in z.  pooled NULL: all of p is in memory, and room->near lists
 * the neighbours. */
PS_MUST_USE int ps_embed_finish(const ps_embedder *m, ps_embed_room *room, uint32_t k, size_t n, const ps_real *pooled,
                                ps_real *z);

/* ---- on a device (embed_device.c) ---- */

typedef struct ps_on_device ps_on_device;

/* The parameters of m->e.model on m->e.device.  NULL after ps_fail. */
PS_MUST_USE ps_on_device *ps_on_device_new(const ps_embedder *m);
void ps_on_device_free(ps_on_device *d); /* NULL is allowed */
/* The embeddings of these rows, new items among them, to the sink; rows NULL: all of x. */
PS_MUST_USE int ps_on_device_run(ps_embedder *m, const uint32_t *rows, size_t n);

/* An embedder without items, for those who bring the rows themselves: e->x may be NULL. */
PS_MUST_USE ps_embedder *ps_embedder_bare(const ps_embedding *e);

/* out [n x m] += or max= the rows of p numbered from `first` that `near` lists for its items begin .. begin + n - 1;
 * those before at[i] are done, and it moves on.  at NULL: all of them. */
void ps_embed_pool(const ps_embedder *m, const ps_near *near, size_t begin, size_t n, const ps_real *p, size_t first,
                   size_t rows, uint32_t *at, ps_real *out);

#endif
