/* knn.h - exact nearest neighbours: every candidate's product with every query.
 *
 * ps_knn_search finds scores that are nearly right first, by products of floats in any order or by 8-bit codes of the
 * candidates (ps_knn_code), and scores only those that the error bound cannot rule out: the same hits, sooner.
 *
 * Candidates are the rows of a vectors or a sparse stream, or a graph's boards (ps_sparse_boards).  Dense
 * rows are scored by ps_dots (dots.h), sparse ones through an inverted index: the score of a query and a
 * candidate is the same number whatever else is asked for in the same call, wherever the two stand, and for
 * any number of threads; equal rows have equal scores.
 */
#ifndef PS_KNN_H
#define PS_KNN_H

#include "par.h"
#include "quant.h"
#include "sparse.h"
#include "topk.h"
#include "vectors.h"

/* Not to be copied: it points into itself. */
typedef struct {
    uint64_t n; /* candidates */
    uint32_t d; /* dense: elements of the products; without the item bias if cosine */
    int cosine; /* score: cosine instead of the dot product; of a zero vector: 0 */
    int is_sparse;
    const ps_head *head; /* of the stream */
    ps_vectors dense;
    ps_sparse sparse;
    ps_postings postings;
    float *inverse;  /* cosine: 1 / norm of each row; of a zero row 0 */
    ps_quant quant;  /* codes of the rows, once ps_knn_code has made them */
    uint8_t *denied; /* rows that are never found: 1; NULL: there are none */
    uint64_t n_denied;
    double longest;   /* the largest norm */
    const char *name; /* of the stream, for messages */
    char *name_own;
} ps_knn;

/* path NULL or "-": stdin.  `g` NULL: any graph; otherwise the stream must match it and hold items of it only, and a
 * sparse stream has all its items as rows.  Vectors so long that a product could overflow are PS_EDATA. */
PS_MUST_USE int ps_knn_open(ps_knn *knn, const char *path, const ps_graph *g, int cosine);

/* The same for a table of either kind, which it takes over (and closes on failure). */
PS_MUST_USE int ps_knn_take(ps_knn *knn, ps_table *table, const ps_graph *g, int cosine);

/* The classical item-kNN: boards weighted by inverse frequency, rows of norm 1. */
PS_MUST_USE int ps_knn_boards(ps_knn *knn, const ps_graph *g);
void ps_knn_close(ps_knn *knn);

/* Item of a row (0..n-1); row of an item, PS_NONE if it has none. */
uint64_t ps_knn_item(const ps_knn *knn, uint64_t row);
uint64_t ps_knn_find(const ps_knn *knn, uint64_t item);

/* Makes codes of dense rows for ps_knn_search, which pays from some dozen queries on.  They take a quarter of the
 * rows' memory.  Does nothing where there are codes already or none can be. */
PS_MUST_USE int ps_knn_code(ps_knn *knn, ps_pool *pool);

/* From now on the row is never found (ps_knn_search, ps_knn_scan). */
PS_MUST_USE int ps_knn_deny(ps_knn *knn, uint64_t row);

/* ---- queries ---- */

/* Query i is dense + i x d, or the ascending entries off[i] .. off[i + 1] - 1; the rows skip[skip_off[i]] ..
 * skip[skip_off[i + 1] - 1] are left out of what it finds. */
typedef struct {
    size_t n;
    float *dense;
    size_t *off;
    uint32_t *index;
    float *value;
    size_t *skip_off;
    uint64_t *skip;  /* ascending in each query, each once, when it is ended */
    float *scale;    /* what its products are multiplied by: 1, for cosines 1 / norm */
    size_t *members; /* rows that were added to it; one with none finds nothing */
    double weight;   /* of the query being made */
    size_t cap[8];
} ps_knn_queries;

/* A query is made by begin, one or more adds, leave_outs, end.  Its vector is the weighted mean of the rows
 * added, its bias element (if the candidates have one) 1. */
void ps_knn_clear(ps_knn_queries *q);
PS_MUST_USE int ps_knn_begin(ps_knn_queries *q, const ps_knn *knn);

/* `from`: what the row belongs to: knn itself, or other vectors that ps_knn_suits has accepted.  weight: positive
 * and finite, else PS_EDATA. */
PS_MUST_USE int ps_knn_add(ps_knn_queries *q, const ps_knn *knn, const ps_knn *from, uint64_t row, float weight);
PS_MUST_USE int ps_knn_leave_out(ps_knn_queries *q, uint64_t row);
PS_MUST_USE int ps_knn_end(ps_knn_queries *q, const ps_knn *knn);
void ps_knn_queries_free(ps_knn_queries *q);

/* Is the row one of those that the query leaves out? */
int ps_knn_leaves_out(const ps_knn_queries *q, size_t query, uint64_t row);

/* Can rows of `from` be queries for knn?  0, or PS_EMATCH saying why not.  Both are dense, with the same dimension
 * when bias elements are not counted, or both are sparse; and no two graphs have numbered them. */
PS_MUST_USE int ps_knn_suits(const ps_knn *knn, const ps_knn *from);

/* ---- scores ---- */

/* Scores of query `query` with the rows first .. first + n - 1; -infinity where the row is left out.  Called
 * from several threads, but never at once for the same query and part; parts cover the rows in order. */
typedef void (*ps_knn_visit)(void *ctx, size_t query, size_t part, uint64_t first, size_t n, const float *scores);

/* How many parts to cut the rows into so that all threads have work, and k hits kept for each query and part
 * stay within a fixed amount of memory. */
size_t ps_knn_parts(const ps_knn *knn, size_t queries, size_t k, int threads);

/* Scores everything with everything. */
PS_MUST_USE int ps_knn_scan(const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool, size_t parts, ps_knn_visit visit,
                            void *ctx);

/* score[i] = the very number that a scan gives query[i] and row[i]; query[] ascending. */
PS_MUST_USE int ps_knn_score(const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool, size_t n, const size_t *query,
                             const uint64_t *row, float *score);

/* The k best of each query at hits + i x k, found[i] of them, best first.  Of sparse candidates only those with
 * a score above 0 are listed: with the others the query has nothing in common. */
PS_MUST_USE int ps_knn_search(const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool, size_t k, ps_hit *hits,
                              size_t *found);

/* Queries to take on at once so that k hits of each stay within the same amount of memory. */
size_t ps_knn_batch(size_t k);

/* Cosine of two rows, the item bias left out, in double; 0 if one is a zero vector. */
double ps_knn_cosine(const ps_knn *knn, uint64_t a, uint64_t b);

#endif
