/* net_back.c - the gradients of net.c, step by step from the head down. */
#include <string.h>

#include "gemm.h"
#include "mem.h"
#include "net_rows.h"
#include "vec.h"

/* out = d y from a = d z where z = y / |y|:  (dz - z (z . dz)) / |y| */
static void normalize_back_rows(const ps_rows *job, size_t first, size_t last)
{
    const ps_vec_ops *v = ps_vec();
    for (size_t u = first; u < last; u++) {
        const ps_real *z = job->b + u * job->m, *dz = job->a + u * job->m;
        ps_real *dy = job->out + u * job->m, norm = job->norm[u];
        ps_real along = norm > PS_NORM_MIN ? v->dot(job->m, z, dz) : 0;
        if (dy != dz)
            memcpy(dy, dz, job->m * sizeof *dy);
        v->axpy(job->m, -along, z, dy);
        v->scale(job->m, 1 / (norm > PS_NORM_MIN ? norm : PS_NORM_MIN), dy);
    }
}

static void relu_back_rows(const ps_rows *job, size_t first, size_t last)
{
    for (size_t u = first; u < last; u++)
        ps_vec()->relu_grad(job->m, job->out + u * job->m, job->b + u * job->m, job->sums);
}

/* Both at once: from d h' in out to d a. */
static void unit_relu_back_rows(const ps_rows *job, size_t first, size_t last)
{
    const ps_vec_ops *v = ps_vec();
    for (size_t u = first; u < last; u++) {
        const ps_real *h = job->b + u * job->m;
        ps_real *dh = job->out + u * job->m, norm = job->norm[u];
        ps_real along = norm > PS_NORM_MIN ? v->dot(job->m, h, dh) : 0;
        v->unit_relu_grad(job->m, dh, h, along, 1 / (norm > PS_NORM_MIN ? norm : PS_NORM_MIN), job->sums);
    }
}

/* Sums of rows times their weights: d b from d beta. */
static void weighted_rows(const ps_rows *job, size_t first, size_t last)
{
    for (size_t u = first; u < last; u++)
        ps_vec()->axpy(job->m, job->weight[u], job->a + u * job->m, job->sums);
}

/* out += weight x b for every row: d r from d beta. */
static void outer_rows(const ps_rows *job, size_t first, size_t last)
{
    for (size_t u = first; u < last; u++)
        ps_vec()->axpy(job->m, job->weight[u], job->b, job->out + u * job->m);
}

/* grad = dy^T in: of a matrix [outputs x inputs] that made y from in. */
static void weight_grad(const ps_net *net, size_t n, size_t outputs, const ps_real *dy, size_t inputs,
                        const ps_real *in, ps_real *grad, size_t ld)
{
    net->gemm(net->pool, PS_T, PS_N, outputs, inputs, n, 1, dy, outputs, in, inputs, 0, grad, ld);
}

/* Leaves d h of the last layer in *dh, unless there is no convolution. */
static void head_back(ps_net *net, const ps_real *param, const ps_minibatch *mb, const ps_real *h, const ps_real *dz,
                      const ps_real *dbeta, ps_real *grad, ps_real *dh)
{
    const ps_shape *s = &net->shape;
    const ps_places *at = &net->at;
    size_t n = mb->n[s->layers], m = s->m, d = s->d, c = s->layers ? s->m : s->dx;
    const ps_real *dy = dz;
    if (s->normalize) {
        ps_rows_run(net->pool, &(ps_rows){normalize_back_rows, n, d, .a = dz, .b = net->z, .out = net->dy, .norm = net->norm});
        dy = net->dy;
    }
    net->output_gradient = dy;
    weight_grad(net, n, d, dy, m, net->r, grad + at->G2, m);
    if (s->bypass)
        weight_grad(net, n, d, dy, s->dx, mb->x, grad + at->G3, s->dx);
    net->gemm(net->pool, PS_N, PS_N, n, m, d, 1, dy, d, param + at->G2, m, 0, net->dr, m);
    if (s->bias) {
        ps_rows_sums(net->pool, &(ps_rows){weighted_rows, n, m, .a = net->r, .weight = dbeta, .sums = net->sums}, grad + at->b);
        ps_rows_run(net->pool, &(ps_rows){outer_rows, n, m, .b = param + at->b, .weight = dbeta, .out = net->dr});
    }
    ps_rows_sums(net->pool, &(ps_rows){relu_back_rows, n, m, .b = net->r, .out = net->dr, .sums = net->sums}, grad + at->g);
    weight_grad(net, n, m, net->dr, c, h, grad + at->G1, c);
    if (s->layers)
        net->gemm(net->pool, PS_N, PS_N, n, c, m, 1, net->dr, m, param + at->G1, c, 0, dh, c);
}

/* d p of v, what its users' pooling passes back.  Gathering by v keeps the sums in a fixed order, which scattering from the
 * users would not. */
static void pool_back_row(const ps_rows *job, size_t v, ps_real *out)
{
    uint32_t e = job->off[v], end = e;
    while (end < job->off[v + 1] && job->index[end] < job->users)
        end++;
    if (job->pooling != PS_POOL_MAX) {
        ps_vec()->pool_sum(job->m, end - e, job->index + e, job->weight + e, job->a, job->m, out);
        return;
    }
    memset(out, 0, job->m * sizeof *out);
    for (; e < end; e++) {
        size_t u = job->index[e] * job->m;
        for (size_t j = 0; j < job->m; j++)
            out[j] += job->arg_in[u + j] == job->slot[e] ? job->a[u + j] : 0;
    }
}

/* Through p's ReLU too; the gradient takes the place of p. */
static void pool_back_rows(const ps_rows *job, size_t first, size_t last)
{
    for (size_t v = first; v < last; v++) {
        ps_real *p = job->out + v * job->m;
        pool_back_row(job, v, job->scratch);
        ps_vec()->relu_grad(job->m, job->scratch, p, job->sums);
        memcpy(p, job->scratch, job->m * sizeof *p);
    }
}

/* dh: on entry d h' of S_(k+1) (n x m), on return d h of S_k in `below` (not for the first layer). */
static void layer_back(ps_net *net, const ps_real *param, const ps_minibatch *mb, uint32_t k, const ps_real *in,
                       ps_real *dh, ps_real *below, ps_real *grad)
{
    ps_layer_state *l = &net->layer[k];
    const ps_places *at = &net->at;
    size_t c = ps_layer_inputs(&net->shape, k), m = net->shape.m, n = mb->n[k + 1], n_below = mb->n[k];
    ps_pool *pool = net->pool;
    ps_rows_sums(pool, &(ps_rows){unit_relu_back_rows, n, m, .b = l->h, .out = dh, .norm = l->norm, .sums = net->sums},
                 grad + at->w[k]);
    weight_grad(net, n, m, dh, c, in, grad + at->W[k], c + m);
    weight_grad(net, n, m, dh, m, l->pooled, grad + at->W[k] + c, c + m);

    net->gemm(pool, PS_N, PS_N, n, m, m, 1, dh, m, param + at->W[k] + c, c + m, 0, l->pooled, m);
    ps_rows_sums(pool, &(ps_rows){pool_back_rows, n_below, m, .a = l->pooled, .weight = mb->back_weight, .out = l->p,
                                  .off = mb->back_off, .index = mb->user, .slot = mb->slot, .arg_in = l->arg,
                                  .users = (uint32_t)n, .pooling = net->shape.pooling, .sums = net->sums,
                                  .scratch = net->scratch},
                 grad + at->q[k]);
    weight_grad(net, n_below, m, l->p, c, in, grad + at->Q[k], c);
    if (k == 0)
        return; /* the features are given */
    net->gemm(pool, PS_N, PS_N, n_below, c, m, 1, l->p, m, param + at->Q[k], c, 0, below, c);
    net->gemm(pool, PS_N, PS_N, n, c, m, 1, dh, m, param + at->W[k], c + m, 1, below, c);
}

static int back_room(ps_net *net, const ps_minibatch *mb)
{
    const ps_shape *s = &net->shape;
    size_t n = mb->n[s->layers], m = s->m;
    if (ps_net_room(&net->dr, &net->cap[4], n, m) < 0 || ps_net_room(&net->dy, &net->cap[5], n, s->d) < 0 ||
        ps_net_room(&net->sums, &net->cap[8], ps_rows_blocks(mb->n[0]), m) < 0 ||
        ps_net_room(&net->scratch, &net->cap[9], (size_t)ps_pool_threads(net->pool), m) < 0)
        return PS_EMEM;
    if (s->layers == 0)
        return 0;
    if (ps_net_room(&net->dh[0], &net->cap[6], mb->n[1], m) < 0 ||
        ps_net_room(&net->dh[1], &net->cap[7], mb->n[1], m) < 0)
        return PS_EMEM;
    return 0;
}

int ps_net_backward(ps_net *net, const ps_real *param, const ps_minibatch *mb, const ps_real *dz, const ps_real *dbeta,
                    ps_real *grad)
{
    uint32_t K = net->shape.layers;
    int rc = back_room(net, mb);
    if (rc < 0)
        return rc;
    ps_real *dh = net->dh[0], *below = net->dh[1];
    head_back(net, param, mb, K ? net->layer[K - 1].h : mb->x, dz, dbeta, grad, dh);
    for (uint32_t k = K; k-- > 0;) {
        layer_back(net, param, mb, k, k ? net->layer[k - 1].h : mb->x, dh, below, grad);
        ps_real *swap = dh;
        dh = below;
        below = swap;
    }
    return 0;
}
