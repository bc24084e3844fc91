/* index_inner.h - what the files of index.h share: sections, rows as they are indexed. */
#ifndef PS_INDEX_INNER_H
#define PS_INDEX_INNER_H

#include "index.h"
#include "knn_inner.h"

enum { INDEX_ALIGN = 64, INDEX_ENTRY = 32, INDEX_SECTIONS = 16 };

enum {
    SEC_ITEM = 1,  /* u64 x n */
    SEC_HASH,      /* u32 x n */
    SEC_EFFORT,    /* u32 x PS_INDEX_EFFORTS */
    SEC_RECALL,    /* f32 x PS_INDEX_CURVES x PS_INDEX_EFFORTS */
    SEC_CENTROID,  /* f32 x cells x d */
    SEC_CELL_OFF,  /* u32 x (cells + 1) */
    SEC_CODES,     /* u8 x groups x words x 64 */
    SEC_SCALE,     /* f32 x groups x 16 */
    SEC_OFFSET,    /* f32 x groups x 16 */
    SEC_ROW,       /* u32 x groups x 16 */
    SEC_SIGNATURE, /* u16 x n x bands */
    SEC_TOKEN_OFF, /* u32 x (windows x bands x 4096 + 1) */
    SEC_POSTING,   /* u16 */
    SEC_FORM,      /* f32 x 4: length, mean and factor of the bias, 0 */
    SEC_HISTORY,   /* text */
    SEC_END
};

enum { INDEX_BIAS = 1, INDEX_COSINE = 2 }; /* flags */

/* Rows of a window of posting lists, bits of a band, values they have. */
enum { LSH_WINDOW = 65536, LSH_BITS = 12, LSH_VALUES = 1 << LSH_BITS, LSH_BANDS_MAX = 42 };

/* A section to be written. */
typedef struct {
    uint32_t id;
    const void *data;
    uint64_t bytes;
} index_part;

/* Header fields and history are x's; owned < INDEX_SECTIONS. */
PS_MUST_USE int index_write(const ps_index *x, const index_part *own, size_t owned, ps_out *out);

/* Row i as it is indexed: of x->d elements, of length 1 for cosines. */
void index_row(const void *knn, size_t i, float *x);

/* The hash of each row's elements, and of all with their items. */
void index_hash(const ps_knn *knn, uint32_t *hash, uint64_t *all);

/* ---- ivf ---- */

PS_MUST_USE int ivf_build(ps_knn *knn, const ps_index_options *o, const ps_index *old, ps_index *x, ps_pool *pool,
                          ps_out *out);
PS_MUST_USE int ivf_open(ps_index *x);
PS_MUST_USE int ivf_search(const ps_index *x, const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool, uint32_t cells,
                           size_t k, ps_hit *hits, size_t *found);

/* ---- lsh ---- */

PS_MUST_USE int lsh_build(ps_knn *knn, const ps_index *old, ps_index *x, ps_pool *pool, ps_out *out);
PS_MUST_USE int lsh_open(ps_index *x);
PS_MUST_USE int lsh_search(const ps_index *x, const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool,
                           uint32_t effort, size_t k, ps_hit *hits, size_t *found);

/* x->planes of x->seed: of each bit, d + 1 elements. */
PS_MUST_USE int lsh_planes(ps_index *x);

/* A query's d + 1 elements, as long as it says. */
double lsh_query(const ps_index *x, const float *query, float times, float *out);

/* A bit for each product above 0. */
void lsh_signs(const float *product, uint32_t bands, uint16_t *signature);

/* ---- curves ---- */

/* Queries that no k-means was trained on: every so-many-th row. */
size_t index_held_out(const ps_knn *knn, uint64_t *row, size_t max);

/* They as queries, and their true neighbours: hits + i x k, found[i]. */
typedef struct {
    ps_knn_queries q;
    size_t n, k;
    ps_hit *hits;
    size_t *found;
} index_sample;

PS_MUST_USE int index_sample_make(index_sample *s, ps_knn *knn, size_t max, size_t k, ps_pool *pool);
void index_sample_free(index_sample *s);

/* The share of the true `depth` best that are among `depth` hits of each. */
double index_sample_recall(const index_sample *s, const ps_hit *hits, const size_t *found, size_t depth);

/* The efforts 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, ... up to `most`; then that again. */
void index_efforts(uint32_t *effort, uint32_t most);

#endif
