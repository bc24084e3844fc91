/* lsa.h - latent semantic analysis (Deerwester et al., 1990): texts in few dimensions, by the right singular vectors of
 * their tf-idf matrix A, rows of length 1.
 *
 * A ~ U S V' to k dimensions by a randomised subspace (Halko, Martinsson and Tropp, 2011): k + PS_LSA_OVERSAMPLING
 * random directions, A'A applied PS_LSA_POWER + 1 times, each time made orthonormal, then rotated to A's singular
 * vectors within what they span, of which the first k are V.  The text of row i is  L2(a_i V)  (a_i V = row i of U S),
 * and a text that was not there then is  L2(u V)  in the same way.
 */
#ifndef PS_LSA_H
#define PS_LSA_H

#include "feat_text.h"
#include "real.h"

enum { PS_LSA_OVERSAMPLING = 16, PS_LSA_POWER = 2 };

typedef struct {
    uint32_t k, terms;
    uint32_t *bucket; /* terms: those that weigh anything in A, ascending */
    float *v;         /* terms x k: their rows of V; columns beyond A's rank are zero */
} ps_lsa;

/* The same bytes for any number of threads.  Memory: 3 (k + 16) floats a term, 64 a text. */
PS_MUST_USE int ps_lsa_make(ps_lsa *lsa, const ps_tfidf *m, uint32_t k, uint64_t seed, ps_pool *pool);
void ps_lsa_free(ps_lsa *lsa);

/* out[0..k-1] = L2(u V) sqrt(k) / 4 of the n terms `index`, ascending, with their weights; terms that V does not have
 * are left out, and without any other the row is zeros. */
void ps_lsa_fold_in(const ps_lsa *lsa, size_t n, const uint32_t *index, const float *weight, float *out);

#endif
