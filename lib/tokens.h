/* tokens.h - a learned embedding of every hashed token, added to the output of the items whose text has it.
 *
 *     y_u += scale x sum over tokens w of u of tfidf_uw E_w
 *
 * E has a row for every bucket of the hash that occurs in the texts; its size depends on the vocabulary and
 * not on the graph.  A row starts as random signs / 16, a function of the bucket alone: a bucket that training never
 * saw has that row still, so that new words of new items work as a random projection does.
 * A row's rate is Adagrad's (Duchi et al., 2011) with one accumulator for the row: the running sum of the mean squared
 * gradient.  Only rows of tokens in the batch are touched.
 */
#ifndef PS_TOKENS_H
#define PS_TOKENS_H

#include "par.h"
#include "real.h"
#include "sparse.h"

/* The buckets that have a row, ascending: row i belongs to bucket[i]. */
typedef struct {
    uint32_t n;
    uint32_t *bucket;
} ps_vocabulary;

/* Every index that occurs in the texts. */
PS_MUST_USE int ps_vocabulary_make(ps_vocabulary *v, const ps_sparse *texts);
/* Those of `v` and every index that occurs in the texts. */
PS_MUST_USE int ps_vocabulary_union(ps_vocabulary *all, const ps_vocabulary *v, const ps_sparse *texts);
void ps_vocabulary_free(ps_vocabulary *v);

/* Row of a bucket, UINT32_MAX if it has none. */
uint32_t ps_vocabulary_find(const ps_vocabulary *v, uint32_t bucket);

/* The starting row of a bucket: d elements. */
void ps_token_start(uint32_t bucket, uint32_t d, ps_real *row);

/* The tokens of a batch's items, in order, and the same by row of E. */
typedef struct {
    size_t items;
    size_t *off;        /* items + 1 */
    uint32_t *row;      /* of item i: row[off[i]] .. row[off[i + 1] - 1] */
    ps_real *weight;    /* scale x tfidf */
    size_t rows;        /* different rows of E */
    uint32_t *touched;  /* which they are, ascending */
    size_t *back_off;   /* rows + 1 */
    uint32_t *user;     /* of touched[r]: the items user[back_off[r]] .., ascending */
    ps_real *back_weight;
    uint64_t *key[2];
    size_t cap[9];
} ps_token_lists;

/* Lists the tokens of items[0..n-1]; one without texts has none, and tokens without a row are left out. */
PS_MUST_USE int ps_token_lists_make(ps_token_lists *l, const ps_vocabulary *v, const ps_sparse *texts, double scale,
                                    const uint32_t *items, size_t n);

/* The lists by row, which ps_tokens_step needs, with the weights that the lists by item have now. */
PS_MUST_USE int ps_token_lists_turn(ps_token_lists *l);
void ps_token_lists_free(ps_token_lists *l);

/* y [items x d] += the items' sums of rows of E [vocabulary x d]. */
void ps_tokens_add(const ps_token_lists *l, const ps_real *E, uint32_t d, ps_real *y, ps_pool *pool);

/* g [d]: the gradient by row touched[r], from dy [items x d]. */
void ps_tokens_gradient(const ps_token_lists *l, size_t r, const ps_real *dy, uint32_t d, ps_real *g);

/* One step of row-wise Adagrad on the touched rows; squares [vocabulary]: the accumulators. */
PS_MUST_USE int ps_tokens_step(const ps_token_lists *l, const ps_real *dy, uint32_t d, double rate, ps_real *E,
                               ps_real *squares, ps_pool *pool);

#endif
