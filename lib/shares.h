/* shares.h - a batch cut into shares, which ranks (comm.h) work on side by side: synchronous data parallelism.
 *
 * A share is some pairs of the batch, and its part of the random negatives.  Every rank draws the numbers of the whole
 * batch, but makes the minibatch (neighbours, features) of its own shares only, embeds these, and gets all others'
 * embeddings; it scores its own pairs (loss.h), and gets the others' gradients by their scores; what follows of them for
 * the embeddings, a small part of the work, every rank computes for the whole batch.  Backward, each share gives a
 * gradient, and their sum is taken in the order of the shares (comm.h), bucket by bucket from the head down while layers
 * below are at work.  So the result depends on the number of shares by rounding only, and not on the number of ranks at
 * all.
 */
#ifndef PS_SHARES_H
#define PS_SHARES_H

#include "comm.h"
#include "parts.h"
#include "producer.h"

/* Who embeds a share, if not ps_parts: a device. z, dz: rows of the share x d; beta, dbeta: rows, not touched without
 * item bias; dz becomes the gradient by y, before it is made a unit vector; grad is written.  With `sum`, which all call
 * after it, it stays where it is instead (and grad is NULL); any 0: there was nothing to embed. */
typedef struct {
    void *ctx; /* NULL: ps_parts */
    int (*forward)(void *ctx, ps_real *z, ps_real *beta);
    int (*backward)(void *ctx, ps_real *dz, const ps_real *dbeta, ps_real *grad);
    int (*sum)(void *ctx, int any);   /* NULL: gradients are added up here */
} ps_share_work;

typedef struct {
    ps_comm *comm;
    ps_share_work work;      /* set after ps_shares_init, by who has one share only */
    ps_cut cut;              /* this rank's; 1, 0, 1: whole batches, and nothing of the above happens */
    uint32_t own;            /* its shares */
    size_t dense;            /* elements of a gradient */
    const ps_real *z, *beta; /* of the batch, after ps_shares_forward: n[K] x d; n[K] */
    ps_net *net;             /* of each own share */
    ps_parts *parts;
    ps_real **grad; /* of each, with more shares than one */
    ps_comm_sum *sum;
    ps_real *all, *all_beta; /* share by share: z, then its gradient */
    ps_real *rows_z, *rows_beta;
    size_t cap[4];
} ps_shares;

/* shares: 1, or as many as there are ranks or more.  gemm: of the networks.  After a failure too, ps_shares_free. */
PS_MUST_USE int ps_shares_init(ps_shares *s, const ps_model *model, ps_pool *pool, ps_gemm_fn *gemm, ps_comm *comm,
                               uint32_t shares);
void ps_shares_free(ps_shares *s);

/* ALL (comm.h).  As ps_net_forward, of a batch whose producer has the same cut. */
PS_MUST_USE int ps_shares_forward(ps_shares *s, const ps_real *param, const ps_batch *batch);

/* ALL.  As ps_net_backward, after a forward pass on the same batch; grad becomes the gradient (unless it is work.sum's).
 */
PS_MUST_USE int ps_shares_backward(ps_shares *s, const ps_real *param, const ps_batch *batch, ps_real *dz,
                                   const ps_real *dbeta, ps_real *grad);

#endif
