#include "device_net.h"

#include <string.h>

void ps_device_net_init(ps_device_net *net, ps_device *dev, const ps_model *model, ps_products products)
{
    *net = (ps_device_net){.dev = dev, .products = products, .shape = model->shape, .at = model->at};
}

void ps_device_net_free(ps_device_net *net)
{
    if (!net->dev)
        return;
    for (int k = 0; k < PS_LAYERS_MAX; k++) {
        ps_device_layer *l = &net->layer[k];
        ps_device_room *const of_layer[] = {&l->p, &l->pooled, &l->h, &l->norm, &l->arg};
        for (size_t i = 0; i < sizeof of_layer / sizeof *of_layer; i++)
            ps_device_room_free(net->dev, of_layer[i]);
    }
    ps_device_room *const all[] = {&net->r,  &net->z,     &net->norm,  &net->beta,
                                   &net->dr, &net->dh[0], &net->dh[1], &net->part};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ps_device_room_free(net->dev, all[i]);
    memset(net, 0, sizeof *net);
}

static int room(ps_device_net *net, ps_device_room *r, size_t rows, size_t cols)
{
    return ps_device_room_for(net->dev, r, rows * cols, sizeof(ps_real));
}

/* ---- products: y [n x outputs] (+)= x M^T; its gradients ---- */

static void times_matrix(ps_device_net *net, size_t n, size_t outputs, size_t inputs, const ps_real *x,
                         const ps_real *M, size_t ld, ps_real beta, ps_real *y)
{
    net->dev->ops->gemm(net->dev, PS_N, PS_T, n, outputs, inputs, x, inputs, M, ld, beta, y, outputs);
}

/* dx (+)= dy M */
static void input_gradient(ps_device_net *net, size_t n, size_t outputs, size_t inputs, const ps_real *dy,
                           const ps_real *M, size_t ld, ps_real beta, ps_real *dx)
{
    net->dev->ops->gemm(net->dev, PS_N, PS_N, n, inputs, outputs, dy, outputs, M, ld, beta, dx, inputs);
}

/* dM = dy^T x */
static void matrix_gradient(ps_device_net *net, size_t n, size_t outputs, size_t inputs, const ps_real *dy,
                            const ps_real *x, ps_real *dM, size_t ld)
{
    net->dev->ops->gemm(net->dev, PS_T, PS_N, outputs, inputs, n, dy, outputs, x, inputs, 0, dM, ld);
}

/* ---- forward ---- */

static int layer_room(ps_device_net *net, ps_device_layer *l, size_t below, size_t n)
{
    size_t m = net->shape.m;
    int rc = room(net, &l->p, below, m);
    if (rc == 0)
        rc = room(net, &l->pooled, n, m);
    if (rc == 0)
        rc = room(net, &l->h, n, m);
    if (rc == 0)
        rc = room(net, &l->norm, n, 1);
    if (rc == 0 && net->shape.pooling == PS_POOL_MAX)
        rc = ps_device_room_for(net->dev, &l->arg, n * m, sizeof(uint32_t));
    return rc;
}

/* Algorithm 1; W's two halves are multiplied one after the other. */
static int layer_forward(ps_device_net *net, const ps_real *param, const ps_device_batch *b, uint32_t k,
                         const ps_real *in)
{
    ps_device *dev = net->dev;
    ps_device_layer *l = &net->layer[k];
    size_t c = ps_layer_inputs(&net->shape, k), m = net->shape.m, below = b->n[k], n = b->n[k + 1];
    const ps_real *W = param + net->at.W[k];
    int rc = layer_room(net, l, below, n);
    if (rc < 0)
        return rc;
    dev->ops->gemm_bias_relu(dev, below, m, c, in, param + net->at.Q[k], c, param + net->at.q[k], l->p.p);
    if (net->shape.pooling == PS_POOL_MAX)
        dev->ops->pool_max(dev, n, m, b->off, b->index, l->p.p, l->pooled.p, l->arg.p);
    else
        dev->ops->pool_sum(dev, n, m, b->off, b->index, b->weight, l->p.p, 0, l->pooled.p);
    times_matrix(net, n, m, c, in, W, c + m, 0, l->h.p);
    times_matrix(net, n, m, m, l->pooled.p, W + c, c + m, 1, l->h.p);
    dev->ops->normalize(dev, n, m, l->h.p, param + net->at.w[k], l->norm.p);
    return 0;
}

static int head_forward(ps_device_net *net, const ps_real *param, const ps_device_batch *b, const ps_real *h)
{
    ps_device *dev = net->dev;
    const ps_shape *s = &net->shape;
    size_t n = b->n[s->layers], c = s->layers ? s->m : s->dx;
    int rc = room(net, &net->r, n, s->m);
    if (rc == 0)
        rc = room(net, &net->z, n, s->d);
    if (rc == 0)
        rc = room(net, &net->norm, n, 1);
    if (rc == 0)
        rc = room(net, &net->beta, n, 1);
    if (rc < 0)
        return rc;
    dev->ops->gemm_bias_relu(dev, n, s->m, c, h, param + net->at.G1, c, param + net->at.g, net->r.p);
    times_matrix(net, n, s->d, s->m, net->r.p, param + net->at.G2, s->m, 0, net->z.p);
    if (s->bypass)
        times_matrix(net, n, s->d, s->dx, b->x, param + net->at.G3, s->dx, 1, net->z.p);
    if (b->token_items)
        dev->ops->pool_sum(dev, b->token_items, s->d, b->token_off, b->token_row, b->token_weight, param + net->at.E, 1,
                           net->z.p);
    if (s->normalize)
        dev->ops->normalize(dev, n, s->d, net->z.p, NULL, net->norm.p);
    if (s->bias)
        dev->ops->row_dots(dev, n, s->m, net->r.p, param + net->at.b, net->beta.p);
    return 0;
}

/* What layer k reads. */
static const ps_real *inputs(const ps_device_net *net, const ps_device_batch *b, uint32_t k)
{
    return k ? net->layer[k - 1].h.p : b->x;
}

int ps_device_net_forward(ps_device_net *net, const ps_real *param, const ps_device_batch *b)
{
    int rc = 0;
    net->dev->products = net->products;
    for (uint32_t k = 0; k < net->shape.layers && rc == 0; k++)
        rc = layer_forward(net, param, b, k, inputs(net, b, k));
    if (rc == 0)
        rc = head_forward(net, param, b, inputs(net, b, net->shape.layers));
    net->dev->products = PS_PRODUCTS_F32;
    return rc;
}

/* ---- backward ---- */

/* Leaves d h of the last layer in dh, unless there is no convolution. */
static void head_back(ps_device_net *net, const ps_real *param, const ps_device_batch *b, const ps_real *h, ps_real *dz,
                      const ps_real *dbeta, ps_real *grad, ps_real *dh)
{
    ps_device *dev = net->dev;
    const ps_shape *s = &net->shape;
    const ps_places *at = &net->at;
    size_t n = b->n[s->layers], m = s->m, d = s->d, c = s->layers ? s->m : s->dx;
    if (s->normalize)
        dev->ops->normalize_back(dev, n, d, dz, net->z.p, net->norm.p, dz);
    matrix_gradient(net, n, d, m, dz, net->r.p, grad + at->G2, m);
    if (s->bypass)
        matrix_gradient(net, n, d, s->dx, dz, b->x, grad + at->G3, s->dx);
    input_gradient(net, n, d, m, dz, param + at->G2, m, 0, net->dr.p);
    if (s->bias) {
        dev->ops->column_sums(dev, n, m, dbeta, net->r.p, grad + at->b, net->part.p);
        dev->ops->outer_add(dev, n, m, dbeta, param + at->b, net->dr.p);
    }
    dev->ops->relu_back(dev, n, m, net->dr.p, net->r.p, grad + at->g, net->part.p);
    matrix_gradient(net, n, m, c, net->dr.p, h, grad + at->G1, c);
    if (s->layers)
        input_gradient(net, n, m, c, net->dr.p, param + at->G1, c, 0, dh);
}

uint32_t ps_device_net_places(const ps_device_net *net)
{
    return 2 * net->shape.layers + 1;
}

size_t ps_device_net_from(const ps_device_net *net, uint32_t number)
{
    const uint32_t k = net->shape.layers - (number + 1) / 2;
    return number == 0 ? net->at.G1 : number % 2 ? net->at.W[k] : net->at.Q[k];
}

static int tell(const ps_device_net *net, uint32_t number)
{
    return net->ready ? net->ready(net->ready_ctx, ps_device_net_from(net, number)) : 0;
}

/* dh: on entry d h' of S_(k+1) (n x m), on return d h of S_k in `below` (not for the first layer). */
static int layer_back(ps_device_net *net, const ps_real *param, const ps_device_batch *b, uint32_t k, ps_real *dh,
                      ps_real *below, ps_real *grad)
{
    ps_device *dev = net->dev;
    ps_device_layer *l = &net->layer[k];
    const ps_places *at = &net->at;
    size_t c = ps_layer_inputs(&net->shape, k), m = net->shape.m, n = b->n[k + 1], n_below = b->n[k];
    const ps_real *in = inputs(net, b, k), *W = param + at->W[k];
    dev->ops->unit_relu_back(dev, n, m, dh, l->h.p, l->norm.p);
    dev->ops->column_sums(dev, n, m, NULL, dh, grad + at->w[k], net->part.p);
    matrix_gradient(net, n, m, c, dh, in, grad + at->W[k], c + m);
    matrix_gradient(net, n, m, m, dh, l->pooled.p, grad + at->W[k] + c, c + m);
    int rc = tell(net, 2 * (net->shape.layers - k) - 1);
    if (rc < 0)
        return rc;
    input_gradient(net, n, m, m, dh, W + c, c + m, 0, l->pooled.p);
    if (net->shape.pooling == PS_POOL_MAX)
        dev->ops->pool_max_back(dev, n_below, m, b->back_off, b->user, b->slot, (uint32_t)n, l->pooled.p, l->arg.p,
                                l->p.p);
    else
        dev->ops->pool_sum_back(dev, n_below, m, b->back_off, b->user, b->back_weight, (uint32_t)n, l->pooled.p,
                                l->p.p);
    dev->ops->column_sums(dev, n_below, m, NULL, l->p.p, grad + at->q[k], net->part.p);
    matrix_gradient(net, n_below, m, c, l->p.p, in, grad + at->Q[k], c);
    rc = tell(net, 2 * (net->shape.layers - k));
    if (k == 0 || rc < 0)
        return rc; /* the features are given */
    input_gradient(net, n_below, m, c, l->p.p, param + at->Q[k], c, 0, below);
    input_gradient(net, n, m, c, dh, W, c + m, 1, below);
    return 0;
}

static int back_room(ps_device_net *net, const ps_device_batch *b)
{
    const ps_shape *s = &net->shape;
    int rc = room(net, &net->dr, b->n[s->layers], s->m);
    if (rc == 0)
        rc = room(net, &net->part, ps_device_parts(b->n[0]) + 1, s->m);
    for (int i = 0; i < 2 && rc == 0 && s->layers; i++)
        rc = room(net, &net->dh[i], b->n[1], s->m);
    return rc;
}

int ps_device_net_backward(ps_device_net *net, const ps_real *param, const ps_device_batch *b, ps_real *dz,
                           const ps_real *dbeta, ps_real *grad)
{
    uint32_t K = net->shape.layers;
    int rc = back_room(net, b);
    if (rc < 0)
        return rc;
    ps_real *dh = net->dh[0].p, *below = net->dh[1].p;
    net->dev->products = net->products;
    head_back(net, param, b, inputs(net, b, K), dz, dbeta, grad, dh);
    rc = tell(net, 0);
    for (uint32_t k = K; k-- > 0 && rc == 0;) {
        rc = layer_back(net, param, b, k, dh, below, grad);
        ps_real *swap = dh;
        dh = below;
        below = swap;
    }
    net->dev->products = PS_PRODUCTS_F32;
    return rc;
}
