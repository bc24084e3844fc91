/* loss.h - what training minimises, on the embeddings of one batch of pairs, and its gradient.
 *
 * A pair (q, i) of weight w has loss l; the batch's loss is  L = sum of w l / sum of w.
 * Scores: S(q, c) = z_q . z_c + tau beta_c.  Negatives: N items shared by the batch, H hard ones for each
 * pair.  An item is no negative for q, and is left out, if it is q, i, or a known positive of q.
 *
 *   margin   l = 1/N [ sum over shared n of max(0, S(q,n) - S(q,i) + margin) + the same over hard n ]   (Eq. 1)
 *   xent     l = softplus(-S(q,i)) + 1/N [ sum over shared n of softplus(S(q,n)) + the same over hard n ]
 *   softmax  l = -log( exp(s_i) / (exp(s_i) + sum of exp over all others) ),  s_c = S(q,c) / tau, with the batch's
 *            other positives as negatives, s_c - log(B Q_c) (logQ correction, Q_c: share of c among the training
 *            positives, B pairs a batch), the shared ones, s_n + log(items / N), and the hard ones.
 */
#ifndef PS_LOSS_H
#define PS_LOSS_H

#include <stdint.h>

#include "pairs.h"
#include "par.h"
#include "real.h"

typedef enum { PS_LOSS_SOFTMAX, PS_LOSS_MARGIN, PS_LOSS_XENT } ps_loss_kind;
#define PS_LOSSES "softmax|margin|xent"
const char *ps_loss_name(ps_loss_kind kind);

/* One batch of pairs; items by their number in the graph and by their row in z. */
typedef struct {
    uint32_t pairs, negatives, hard;                    /* B, N, H */
    const uint32_t *query, *positive, *negative;        /* B, B, N: items */
    const uint32_t *hard_item;                          /* B x H */
    const uint32_t *query_row, *positive_row, *negative_row, *hard_row; /* rows of z */
    const float *weight;                                /* B */
    const ps_real *log_bq;                              /* B, softmax: log(B Q) of the batch's positives */
    ps_real log_shared;                                 /* softmax: log(items / N) */
} ps_loss_batch;

typedef struct {
    ps_loss_kind kind;
    ps_real margin, tau;
    const ps_known *known; /* NULL: none */
    ps_pool *pool;
    uint32_t d;
    /* workspace */
    ps_real *q, *p, *n;         /* gathered rows: B x d, B x d, N x d */
    ps_real *sn, *sp, *sh;      /* scores, then their gradients: B x N, B x B, B x H */
    ps_real *down, *pair_loss; /* B: gradient of S(q,i), w l / sum of w */
    ps_real *dq, *dp, *dn;
    size_t cap[11];
} ps_loss;

void ps_loss_init(ps_loss *loss, ps_loss_kind kind, double margin, double tau, uint32_t d, const ps_known *known,
                  ps_pool *pool);
void ps_loss_free(ps_loss *loss);

/* z: rows x d, beta: rows (NULL: no item bias).  Writes dz and dbeta (as large; dbeta NULL with beta) and *value. */
PS_MUST_USE int ps_loss_run(ps_loss *loss, const ps_loss_batch *batch, uint32_t rows, const ps_real *z,
                            const ps_real *beta, ps_real *dz, ps_real *dbeta, double *value);

#endif
