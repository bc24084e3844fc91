/* index.h - indexes of dense vectors, that find most of the nearest neighbours and look at few rows: psindex(5).
 *
 *   ivf   cells of a balanced k-means; rows as 8-bit codes, cell by cell.  A query looks at the cells whose centroids
 *         have the highest products with it.
 *   lsh   signatures by random hyperplanes.  A signature's first bits are its token, and each token has a list of the
 *         rows that have it.  Two levels of weak AND (Broder et al., 2003; section 3.4 of the paper): lists whose token
 *         speaks too much against a near row are not read; in the others the bits that tell most are compared, and only
 *         rows that can still reach the threshold get their full score.  The best by that are scored exactly.
 *
 * An index holds no vectors: it belongs to a vectors stream, whose rows it numbers, and is of no use with another.
 * Scores are exact (ps_knn_score), whatever found the rows.
 */
#ifndef PS_INDEX_H
#define PS_INDEX_H

#include "knn.h"

typedef enum { PS_INDEX_IVF = 1, PS_INDEX_LSH } ps_index_type;

enum {
    PS_INDEX_VERSION = 6,
    PS_INDEX_HEAD = 64,
    PS_INDEX_CURVES = 2,   /* recall of the 10 and of the 100 best */
    PS_INDEX_EFFORTS = 64, /* points of a curve */
};

typedef struct {
    ps_index_type type;
    uint64_t n; /* rows */
    uint32_t d; /* elements of their products, the item bias included */
    int has_bias, cosine;
    uint64_t vectors; /* hash of items and rows: which stream it belongs to */
    uint64_t seed;    /* hyperplanes */
    int version;      /* of the file's format */
    char *name;
    ps_blob blob;
    const uint64_t *item; /* of each row */
    const uint32_t *hash; /* of each row's elements */
    ps_str history;       /* lines of the vectors' history and one of its own; empty in older files */
    /* What a search of a certain effort finds, as the share of the true 10 or 100 best of queries that were not
     * trained on: ivf, cells that are looked at; lsh, how many rows are scored exactly, and how many lists are read. */
    const uint32_t *effort;               /* ascending */
    const float *recall[PS_INDEX_CURVES]; /* at that effort */
    /* ivf */
    uint32_t cells;
    const float *centroid;    /* cells x d */
    const uint32_t *cell_off; /* lanes of cell c: cell_off[c] .. cell_off[c + 1] - 1 */
    const uint8_t *codes;     /* kernels/codes.h */
    const float *scale, *offset;
    const uint32_t *row; /* of each lane of the groups; after the n-th UINT32_MAX */
    /* lsh */
    uint32_t token_bits;
    float length, bias_times;  /* of all rows; of the bias elements (lsh.c) */
    const float *mean;         /* of the rows */
    const float *planes;       /* PS_BITS x (d + 1) */
    const uint32_t *list_off;  /* blocks of token t's list: list_off[t] .. list_off[t + 1] - 1 */
    const uint64_t *signature; /* kernels/bits.h */
    const uint32_t *posting;   /* row of each lane of the blocks; UINT32_MAX: none */
    /* made when it is opened */
    ps_quant coarse; /* ivf: centroids */
} ps_index;

/* ---- building ---- */

typedef struct {
    ps_index_type type;
    uint64_t seed;
    uint32_t cells; /* ivf; 0: about 4 sqrt(n) */
    /* NULL, or an index of other vectors: its cells or planes and its curves are kept, rows it knows stay as they are.
     */
    const char *update;
} ps_index_options;

/* Builds an index of the candidates, which must be dense, and writes it. */
PS_MUST_USE int ps_index_build(ps_knn *knn, const ps_index_options *o, ps_pool *pool, ps_out *out);

/* ---- using ---- */

/* Maps `path`, checks all of it; the index must be of these candidates (PS_EMATCH).  knn NULL: of any. */
PS_MUST_USE int ps_index_open(ps_index *x, const char *path, const ps_knn *knn);
void ps_index_close(ps_index *x);

/* The smallest effort with a recall of at least `recall` for k hits: of the 10 best, for 100 and more of the 100 best,
 * between them of both; the largest if there is none. */
uint32_t ps_index_effort(const ps_index *x, double recall, size_t k);

/* As ps_knn_search, by the index: at most k of the best, exactly scored. */
PS_MUST_USE int ps_index_search(const ps_index *x, const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool,
                                uint32_t effort, size_t k, ps_hit *hits, size_t *found);

#endif
