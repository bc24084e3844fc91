/* index_inner.h - what the files of index.h share: sections, rows as they are indexed. */
#ifndef PS_INDEX_INNER_H
#define PS_INDEX_INNER_H

#include "bits.h"
#include "index.h"
#include "knn_inner.h"

enum { INDEX_ALIGN = 64, INDEX_ENTRY = 32, INDEX_SECTIONS = 16 };

enum {
    SEC_ITEM = 1,  /* u64 x n */
    SEC_HASH,      /* u32 x n */
    SEC_EFFORT,    /* u32 x PS_INDEX_EFFORTS */
    SEC_RECALL,    /* f32 x PS_INDEX_CURVES x PS_INDEX_EFFORTS */
    SEC_CENTROID,  /* f32 x cells x d */
    SEC_CELL_OFF,  /* u32 x (cells + 1): lanes */
    SEC_CODES,     /* u8 x groups x words x 64 */
    SEC_SCALE,     /* f32 x groups x 16 */
    SEC_OFFSET,    /* f32 x groups x 16 */
    SEC_ROW,       /* u32 x groups x 16 */
    SEC_SIGNATURE, /* u64 x blocks x PS_BITS_BLOCK */
    SEC_LIST_OFF,  /* u32 x (lists + 1) */
    SEC_POSTING,   /* u32 x blocks x PS_BITS_LANES */
    SEC_FORM,      /* f32 x 4: length, factor of the bias, 0, 0 */
    SEC_HISTORY,   /* text */
    SEC_MEAN,      /* f32 x d */
    SEC_PLANES,    /* f32 x PS_BITS x (d + 1) */
    SEC_END
};

enum { INDEX_BIAS = 1, INDEX_COSINE = 2 }; /* flags */

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

/* Groups of codes: all lanes are rows but the last ones. */
static inline size_t ivf_groups(const ps_index *x)
{
    return (size_t)((x->n + PS_CODES_LANES - 1) / PS_CODES_LANES);
}

PS_MUST_USE int ivf_build(ps_knn *knn, const ps_index_options *o, const ps_index *old, ps_index *x, ps_pool *pool,
                          ps_out *out);
PS_MUST_USE int ivf_open(ps_index *x);
PS_MUST_USE int ivf_search(const ps_index *x, const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool, uint32_t cells,
                           size_t k, ps_hit *hits, size_t *found);

/* ---- lsh ---- */

/* A token is the first bits of a signature: so many that a list has LSH_LIST rows on the average, or more. */
enum { LSH_LIST = 96, LSH_BITS_MAX = 16 };

#define LSH_ROWS_MAX (UINT32_MAX - ((uint64_t)PS_BITS_LANES << LSH_BITS_MAX)) /* with lanes without a row */

uint32_t lsh_token_bits(uint64_t n);

static inline size_t lsh_token(const ps_index *x, uint64_t first)
{
    return first & (((uint64_t)1 << x->token_bits) - 1);
}

static inline size_t lsh_lanes(const ps_index *x)
{
    return (size_t)x->list_off[(size_t)1 << x->token_bits] * PS_BITS_LANES;
}

/* Where word w of a lane's signature is. */
static inline size_t lsh_word(size_t lane, size_t w)
{
    return lane / PS_BITS_LANES * PS_BITS_BLOCK + w * PS_BITS_LANES + lane % PS_BITS_LANES;
}

PS_MUST_USE int lsh_build(ps_knn *knn, const ps_index *old, ps_index *x, ps_pool *pool, ps_out *out);
PS_MUST_USE int lsh_open(ps_index *x);
PS_MUST_USE int lsh_search(const ps_index *x, const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool,
                           uint32_t effort, size_t k, ps_hit *hits, size_t *found);

/* A query's d + 1 elements, as long as it says. */
double lsh_query(const ps_index *x, const float *query, float times, float *out);

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

/* The efforts 1, 2, 3, ... to `part`, then each that part of it more than the one before, up to `most`; that again. */
void index_efforts(uint32_t *effort, uint32_t most, uint32_t part);

#endif
