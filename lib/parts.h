/* parts.h - a batch whose activations would take too much memory goes through the network in parts.
 *
 * A part is some of the outputs S_K with all that they need.  Parts overlap below, so that this costs work: the whole
 * batch goes forward part by part, the loss is that of all its embeddings, then each part goes forward once more and
 * backward.  A batch that fits is one part.  Where it is cut depends on the batch alone.
 */
#ifndef PS_PARTS_H
#define PS_PARTS_H

#include "net.h"

typedef struct {
    ps_net *net;
    /* As the net's, for the sum over all parts; the net's is set by these functions. */
    void (*ready)(void *ctx, size_t from);
    void *ready_ctx;
    size_t most;             /* bytes of a part: its activations, itself and the batch; tests set another */
    const ps_real *z, *beta; /* of the batch, after ps_parts_forward: n[K] x d; n[K] */
    ps_minibatch part;
    uint32_t first, end; /* its outputs */
    ps_real *all_z, *all_beta;
    uint8_t *level; /* of the batch's items: 1 + the highest k with the item in S_k of the part */
    size_t cap[3];
} ps_parts;

void ps_parts_init(ps_parts *p, ps_net *net);
void ps_parts_free(ps_parts *p);

/* As ps_net_forward, of any batch; from: what it was made from. */
PS_MUST_USE int ps_parts_forward(ps_parts *p, const ps_real *param, const ps_minibatch *mb, const ps_sources *from);

/* As ps_net_backward, after a forward pass on the same batch. */
PS_MUST_USE int ps_parts_backward(ps_parts *p, const ps_real *param, const ps_minibatch *mb, const ps_sources *from,
                                  ps_real *dz, const ps_real *dbeta, ps_real *grad);

#endif
