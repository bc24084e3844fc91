/* device_net.h - the model on one minibatch on a device: as net.h, forward and backward, by kernels/device.h's
 * operations.
 *
 * Everything is the device's: parameters, activations, gradients.  Operations are queued; a failure of theirs shows in
 * the device's `finish`, a lack of memory in what these return.
 */
#ifndef PS_DEVICE_NET_H
#define PS_DEVICE_NET_H

#include "device_batch.h"
#include "model.h"

typedef struct {
    ps_device_room p, pooled, h, norm, arg; /* as ps_layer_state; the gradient by p takes the place of p */
} ps_device_layer;

typedef struct {
    ps_device *dev;
    ps_products products; /* of the network; the loss's are float */
    ps_shape shape;
    ps_places at;
    ps_device_layer layer[PS_LAYERS_MAX];
    ps_device_room r, z, norm, beta, dr, dh[2], part;
    /* Told in the backward pass that gradients from that place on are queued (ps_device_net_from, from number 0 up);
     * its failure ends the pass.  NULL: nobody. */
    int (*ready)(void *ctx, size_t from);
    void *ready_ctx;
} ps_device_net;

void ps_device_net_init(ps_device_net *net, ps_device *dev, const ps_model *model, ps_products products);
void ps_device_net_free(ps_device_net *net);

/* Leaves z (n[K] x d) and, with an item bias, beta (n[K]) in the net. */
PS_MUST_USE int ps_device_net_forward(ps_device_net *net, const ps_real *param, const ps_device_batch *b);

/* How many places those are, and where they are: of the head; then of each layer, from the last one down, W's and Q's.
 */
uint32_t ps_device_net_places(const ps_device_net *net);
size_t ps_device_net_from(const ps_device_net *net, uint32_t number);

/* As ps_net_backward, but writes the gradient: dz becomes the gradient by y. */
PS_MUST_USE int ps_device_net_backward(ps_device_net *net, const ps_real *param, const ps_device_batch *b, ps_real *dz,
                                       const ps_real *dbeta, ps_real *grad);

#endif
