/* net.h - the model on one minibatch: forward (Algorithms 1 and 2) and backward.
 *
 * Convolution k, for every u of S_k (paper, Algorithm 1; alpha: importance weights):
 *     p_v  = ReLU(Q_k h_v + q_k)                       each v of S_(k-1) once
 *     n_u  = pool of p_v over v in N(u)                 0 without neighbours
 *     h'_u = a / |a|,  a = ReLU(W_k [h_u ; n_u] + w_k)
 * Head:
 *     r = ReLU(G1 h + g),  y = G2 r (+ G3 x) (+ tokens),  z = y or y / |y|,  beta = b . r
 */
#ifndef PS_NET_H
#define PS_NET_H

#include "gemm.h"
#include "minibatch.h"
#include "model.h"
#include "par.h"

/* Activations of one batch that the backward pass needs; rows as in the minibatch.  p itself is made and pooled some
 * columns at a time and never kept: where it was positive is enough. */
typedef struct {
    uint16_t *live;  /* n[k-1] x ps_net_words(m): bit j % 16 of word j / 16 of a row: p[j] > 0 */
    ps_real *pooled; /* n[k] x m: n_u */
    ps_real *h;      /* n[k] x m: h' */
    ps_real *norm;   /* n[k]: |a| */
    uint32_t *arg;   /* n[k] x m, max pooling only: which neighbour it was */
    size_t cap[5];
} ps_layer_state;

typedef struct {
    ps_pool *pool;
    ps_gemm_fn *gemm; /* ps_gemm; may be set to another */
    size_t columns;   /* of p at a time forward, at most, a multiple of 16; */
    size_t block;     /* rows of gradients by h and p at a time backward; tests set others of both */
    ps_shape shape;
    ps_places at;
    ps_layer_state layer[PS_LAYERS_MAX];
    ps_real *r, *z, *norm, *beta; /* n_K x m, n_K x d, n_K, n_K */
    ps_real *work;                /* forward those columns of p, backward those two blocks of rows */
    ps_real *sums;                /* of net_rows.h */
    size_t cap[6];
    /* Told now and then in the backward pass that gradients from that place on are complete; NULL: nobody. */
    void (*ready)(void *ctx, size_t from);
    void *ready_ctx;
} ps_net;

void ps_net_init(ps_net *net, const ps_model *model, ps_pool *pool);
void ps_net_free(ps_net *net);

/* Memory of the activations of a batch with n[k] = |S_k|. */
size_t ps_net_bytes(const ps_net *net, const uint32_t *n);

/* Leaves z (n[K] x d) and, with an item bias, beta (n[K]) in the net. */
PS_MUST_USE int ps_net_forward(ps_net *net, const ps_real *param, const ps_minibatch *mb);

/* After a forward pass on the same batch and parameters: from dz (n[K] x d) and dbeta (n[K]; NULL without a
 * bias), the gradients of the loss by z and beta, adds its gradient by every dense parameter to grad.  In dz it leaves
 * the gradient by y, which ps_tokens_step needs; gradients take the place of the activations. */
PS_MUST_USE int ps_net_backward(ps_net *net, const ps_real *param, const ps_minibatch *mb, ps_real *dz,
                                const ps_real *dbeta, ps_real *grad);

#endif
