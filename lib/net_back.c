/* net_back.c - the gradients of net.c, step by step from the head down, a block of rows at a time: only what the layer
 * below pools from is kept for all rows. */
#include <string.h>

#include "gemm.h"
#include "mem.h"
#include "net_rows.h"
#include "vec.h"

/* out: from d z to d y where b = z = y / |y|:  (dz - z (z . dz)) / |y| */
static void normalize_back_rows(const ps_rows *job, size_t first, size_t last)
{
    const ps_vec_ops *v = ps_vec();
    for (size_t u = first; u < last; u++) {
        const ps_real *z = job->b + u * job->m;
        ps_real *dy = job->out + u * job->m, norm = job->norm[u];
        ps_real along = norm > PS_NORM_MIN ? v->dot(job->m, z, dy) : 0;
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

/* grad += dy^T in: of a matrix [outputs x inputs] that made y from in. */
static void weight_grad(const ps_net *net, size_t n, size_t outputs, const ps_real *dy, size_t inputs,
                        const ps_real *in, ps_real *grad, size_t ld)
{
    net->gemm(net->pool, PS_T, PS_N, outputs, inputs, n, 1, dy, outputs, in, inputs, 1, grad, ld);
}

/* One block on its way down. */
typedef struct {
    ps_net *net;
    const ps_real *param;
    const ps_minibatch *mb;
    ps_real *grad;
    ps_real *dp, *dh; /* rows x m each, in the net's work: d r or d p, and what comes of it by the layer below */
    size_t rows;
} descent;

/* What layer k, or the head for k = K, reads. */
static const ps_real *input(const descent *g, uint32_t k)
{
    return k ? g->net->layer[k - 1].h : g->mb->x;
}

/* Rows first .. first + n - 1 of S_K; leaves their d h in dh, unless there is no convolution. */
static void head_back(const descent *g, size_t first, size_t n, ps_real *dy, const ps_real *dbeta)
{
    ps_net *net = g->net;
    const ps_shape *s = &net->shape;
    const ps_places *at = &net->at;
    size_t m = s->m, d = s->d, c = s->layers ? s->m : s->dx;
    const ps_real *r = net->r + first * m, *h = input(g, s->layers) + first * c;
    if (s->normalize)
        ps_rows_run(net->pool, &(ps_rows){normalize_back_rows, n, d, .b = net->z + first * d, .out = dy,
                                          .norm = net->norm + first});
    weight_grad(net, n, d, dy, m, r, g->grad + at->G2, m);
    if (s->bypass)
        weight_grad(net, n, d, dy, s->dx, g->mb->x + first * s->dx, g->grad + at->G3, s->dx);
    net->gemm(net->pool, PS_N, PS_N, n, m, d, 1, dy, d, g->param + at->G2, m, 0, g->dp, m);
    if (s->bias) {
        ps_rows_sums(net->pool, &(ps_rows){weighted_rows, n, m, .a = r, .weight = dbeta, .sums = net->sums},
                     g->grad + at->b);
        ps_rows_run(net->pool, &(ps_rows){outer_rows, n, m, .b = g->param + at->b, .weight = dbeta, .out = g->dp});
    }
    ps_rows_sums(net->pool, &(ps_rows){relu_back_rows, n, m, .b = r, .out = g->dp, .sums = net->sums}, g->grad + at->g);
    weight_grad(net, n, m, g->dp, c, h, g->grad + at->G1, c);
    if (s->layers)
        net->gemm(net->pool, PS_N, PS_N, n, c, m, 1, g->dp, m, g->param + at->G1, c, 0, g->dh, c);
}

/* d p of v, what its users' pooling passes back.  Gathering by v keeps the sums in a fixed order, which scattering from
 * the users would not. */
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

/* Through p's ReLU too. */
static void pool_back_rows(const ps_rows *job, size_t first, size_t last)
{
    for (size_t v = first; v < last; v++) {
        ps_real *dp = job->out + v * job->m;
        pool_back_row(job, v, dp);
        ps_vec()->live_grad(job->m, dp, job->live + v * job->words, job->sums);
    }
}

/* From d h' of rows first .. first + n - 1 of S_(k+1), in dh, to d a; d pooled takes the place of pooled and, for the
 * layer below, d a that of h'. */
static void combine_back(const descent *g, uint32_t k, size_t first, size_t n)
{
    ps_net *net = g->net;
    ps_layer_state *l = &net->layer[k];
    size_t c = ps_layer_inputs(&net->shape, k), m = net->shape.m, W = net->at.W[k];
    ps_real *h = l->h + first * m, *pooled = l->pooled + first * m;
    ps_rows_sums(
        net->pool,
        &(ps_rows){unit_relu_back_rows, n, m, .b = h, .out = g->dh, .norm = l->norm + first, .sums = net->sums},
        g->grad + net->at.w[k]);
    weight_grad(net, n, m, g->dh, c, input(g, k) + first * c, g->grad + W, c + m);
    weight_grad(net, n, m, g->dh, m, pooled, g->grad + W + c, c + m);
    net->gemm(net->pool, PS_N, PS_N, n, m, m, 1, g->dh, m, g->param + W + c, c + m, 0, pooled, m);
    if (k > 0)
        memcpy(h, g->dh, n * m * sizeof *h);
}

/* From d pooled of layer k to the layer below, for rows first .. first + n - 1 of S_k. */
static void project_back(const descent *g, uint32_t k, size_t first, size_t n)
{
    ps_net *net = g->net;
    const ps_minibatch *mb = g->mb;
    ps_layer_state *l = &net->layer[k];
    size_t c = ps_layer_inputs(&net->shape, k), m = net->shape.m, words = ps_net_words(m), users = mb->n[k + 1];
    ps_rows_sums(net->pool,
                 &(ps_rows){pool_back_rows, n, m, .a = l->pooled, .weight = mb->back_weight, .out = g->dp,
                            .off = mb->back_off + first, .index = mb->user, .slot = mb->slot, .arg_in = l->arg,
                            .live = l->live + first * words, .words = words, .users = (uint32_t)users,
                            .pooling = net->shape.pooling, .sums = net->sums},
                 g->grad + net->at.q[k]);
    weight_grad(net, n, m, g->dp, c, input(g, k) + first * c, g->grad + net->at.Q[k], c);
    if (k == 0)
        return; /* the features are given */
    net->gemm(net->pool, PS_N, PS_N, n, c, m, 1, g->dp, m, g->param + net->at.Q[k], c, 0, g->dh, c);
    if (first < users)
        net->gemm(net->pool, PS_N, PS_N, users - first < n ? users - first : n, c, m, 1, l->h + first * m, m,
                  g->param + net->at.W[k], c + m, 1, g->dh, c);
    combine_back(g, k - 1, first, n);
}

static int back_room(descent *g)
{
    ps_net *net = g->net;
    size_t m = net->shape.m;
    g->rows = g->mb->n[0] < net->block ? g->mb->n[0] : net->block;
    if (ps_net_room(&net->work, &net->cap[4], 2 * g->rows, m) < 0 ||
        ps_net_room(&net->sums, &net->cap[5], ps_rows_blocks(g->rows), m) < 0)
        return PS_EMEM;
    g->dp = net->work;
    g->dh = net->work + g->rows * m;
    return 0;
}

/* Parameters from that place on have their gradients. */
static void tell(const ps_net *net, size_t from)
{
    if (net->ready)
        net->ready(net->ready_ctx, from);
}

int ps_net_backward(ps_net *net, const ps_real *param, const ps_minibatch *mb, ps_real *dz, const ps_real *dbeta,
                    ps_real *grad)
{
    descent g = {.net = net, .param = param, .mb = mb, .grad = grad};
    uint32_t K = net->shape.layers;
    int rc = back_room(&g);
    if (rc < 0)
        return rc;
    for (size_t i = 0, n; i < mb->n[K]; i += n) {
        n = mb->n[K] - i < g.rows ? mb->n[K] - i : g.rows;
        head_back(&g, i, n, dz + i * net->shape.d, dbeta ? dbeta + i : NULL);
        if (K)
            combine_back(&g, K - 1, i, n);
    }
    size_t from = K ? net->at.W[K - 1] : 0;
    tell(net, from);
    for (uint32_t k = K; k-- > 0;) {
        for (size_t i = 0, n; i < mb->n[k]; i += n) {
            n = mb->n[k] - i < g.rows ? mb->n[k] - i : g.rows;
            project_back(&g, k, i, n);
            tell(net, from);
        }
        from = k ? net->at.W[k - 1] : 0;
        tell(net, from);
    }
    return 0;
}
