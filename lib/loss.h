/* loss.h - what training minimises, on the embeddings of one batch of pairs, and its gradient.
 *
 * A pair (q, i) of weight w has loss l; the batch's loss is  L = sum of w l / sum of w.
 * Scores: S(q, c) = z_q . z_c + tau beta_c.  Negatives: N random items shared by the batch, H hard ones for each pair, and,
 * if they are asked for, the B - 1 other positives of the batch (in-batch negatives).  An item is no negative for q, and is
 * left out, if it is q, i, or a known positive of q.  With M = N, plus B - 1 with in-batch negatives:
 *
 *   margin   l = 1/M times the sum over all negatives n of max(0, S(q,n) - S(q,i) + margin)                    (Eq. 1)
 *   xent     l = softplus(-S(q,i)) + 1/M times the sum over all negatives of softplus(S(q,n))
 *   softmax  l = -log( exp(s_i) / (exp(s_i) + sum over all negatives of exp(s_n)) ),  s_c = S(q,c) / tau, and less the log of
 *            how often the batch can expect to hold it (logQ correction): of an in-batch negative log(B Q_n), Q_n its
 *            share of the training positives; of a random one log(N P_n), P_n the probability that it is drawn;
 *            nothing of a hard one.
 */
#ifndef PS_LOSS_H
#define PS_LOSS_H

#include <stdint.h>

#include "comm.h"
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
    const ps_real *log_np;                              /* N, softmax: log(N P) of the random negatives */
} ps_loss_batch;

typedef struct {
    ps_loss_kind kind;
    ps_real margin, tau;
    int in_batch; /* the batch's other positives are negatives */
    const ps_known *known; /* NULL: none */
    ps_pool *pool;
    uint32_t d;
    /* Ranks share out the pairs, share by share (shares.h), and hand each other the gradients of their scores.  NULL and 0 after
     * ps_loss_init: this process has all. */
    ps_comm *comm;
    uint32_t shares;
    /* workspace */
    ps_real *q, *p, *n;         /* gathered rows: B x d, B x d, N x d */
    ps_real *sn, *sp, *sh;      /* scores, then their gradients: B x N, B x B, B x H */
    ps_real *down, *pair_loss; /* B: gradient of S(q,i), w l / sum of w */
    ps_real *dq, *dp, *dn;
    size_t cap[11];
} ps_loss;

void ps_loss_init(ps_loss *loss, ps_loss_kind kind, int in_batch, double margin, double tau, uint32_t d,
                  const ps_known *known, ps_pool *pool);
void ps_loss_free(ps_loss *loss);

/* ALL (comm.h), with the same z.  z: rows x d, beta: rows (NULL: no item bias).  Writes dz and dbeta (as large; dbeta NULL with beta) and *value. */
PS_MUST_USE int ps_loss_run(ps_loss *loss, const ps_loss_batch *batch, uint32_t rows, const ps_real *z,
                            const ps_real *beta, ps_real *dz, ps_real *dbeta, double *value);

#endif
