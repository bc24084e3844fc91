#include "net.h"

#include <stdlib.h>
#include <string.h>

#include "gemm.h"
#include "mem.h"
#include "net_rows.h"
#include "vec.h"

/* Columns of p at a time: so many that they are at most TILE elements; fewer than COLUMNS_MIN make poor products. */
enum { COLUMNS = 256, COLUMNS_MIN = 64, TILE = 12 << 20, BLOCK = 6144 };

void ps_net_init(ps_net *net, const ps_model *model, ps_pool *pool)
{
    memset(net, 0, sizeof *net);
    net->pool = pool;
    net->gemm = ps_gemm;
    net->columns = COLUMNS;
    net->block = BLOCK;
    net->shape = model->shape;
    net->at = model->at;
}

void ps_net_free(ps_net *net)
{
    for (int k = 0; k < PS_LAYERS_MAX; k++) {
        free(net->layer[k].live);
        free(net->layer[k].pooled);
        free(net->layer[k].h);
        free(net->layer[k].norm);
        free(net->layer[k].arg);
    }
    ps_real *const all[] = {net->r, net->z, net->norm, net->beta, net->work, net->sums};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    memset(net, 0, sizeof *net);
}

int ps_net_room(ps_real **array, size_t *cap, size_t rows, size_t cols)
{
    return ps_room(array, cap, rows * cols, sizeof **array);
}

/* ---- rows ---- */

enum { ROWS = 128 };

size_t ps_rows_blocks(size_t n)
{
    return (n + ROWS - 1) / ROWS;
}

static int rows_task(void *ctx, size_t task, int thread)
{
    const ps_rows *job = ctx;
    size_t first = task * ROWS, last = first + ROWS < job->n ? first + ROWS : job->n;
    ps_rows block = *job;
    (void)thread;
    if (job->sums) {
        block.sums = job->sums + task * job->m;
        memset(block.sums, 0, job->m * sizeof *block.sums);
    }
    job->work(&block, first, last);
    return 0;
}

void ps_rows_run(ps_pool *pool, const ps_rows *job)
{
    ps_rows copy = *job;
    (void)!ps_pool_run(pool, ps_rows_blocks(job->n), rows_task, &copy); /* such a task cannot fail */
}

void ps_rows_sums(ps_pool *pool, const ps_rows *job, ps_real *out)
{
    ps_rows_run(pool, job);
    for (size_t b = 0; b < ps_rows_blocks(job->n); b++)
        ps_vec()->axpy(job->m, 1, job->sums + b * job->m, out);
}

/* ---- the steps ---- */

static void bias_relu_rows(const ps_rows *job, size_t first, size_t last)
{
    const ps_vec_ops *v = ps_vec();
    v->bias_relu(last - first, job->m, job->out + first * job->m, job->m, job->b);
    for (size_t u = first; job->live && u < last; u++)
        v->positive(job->m, job->out + u * job->m, job->live + u * job->words);
}

/* Columns j .. j + cols - 1 of p = ReLU(in Q^T + q) [n x m], side by side in out, and where they are positive. */
static void project(const ps_net *net, const ps_real *param, uint32_t k, size_t n, const ps_real *in, size_t j,
                    size_t cols, ps_real *out, uint16_t *live)
{
    size_t c = ps_layer_inputs(&net->shape, k);
    net->gemm(net->pool, PS_N, PS_T, n, cols, c, 1, in, c, param + net->at.Q[k] + j * c, c, 0, out, cols);
    ps_rows_run(net->pool, &(ps_rows){bias_relu_rows, n, cols, .out = out, .b = param + net->at.q[k] + j,
                                      .live = live + j / 16, .words = ps_net_words(net->shape.m)});
}

static void pool_rows(const ps_rows *job, size_t first, size_t last)
{
    const ps_vec_ops *v = ps_vec();
    for (size_t u = first; u < last; u++) {
        uint32_t e = job->off[u], count = job->off[u + 1] - e;
        ps_real *out = job->out + u * job->ld;
        if (job->pooling != PS_POOL_MAX)
            v->pool_sum(job->m, count, job->index + e, job->weight + e, job->a, job->m, out);
        else if (count)
            v->pool_max(job->m, count, job->index + e, job->a, job->m, out, job->arg + u * job->ld);
        else
            memset(out, 0, job->m * sizeof *out);
    }
}

/* `cols` columns of pooled and arg from those of p, which stand side by side. */
static void pool(const ps_net *net, size_t n, const uint32_t *off, const uint32_t *index, const ps_real *weight,
                 const ps_real *p, size_t cols, ps_real *pooled, uint32_t *arg)
{
    ps_rows_run(net->pool, &(ps_rows){pool_rows, n, cols, .a = p, .weight = weight, .out = pooled, .off = off,
                                      .index = index, .arg = arg, .ld = net->shape.m, .pooling = net->shape.pooling});
}

/* out = out / |out|, row by row */
static void normalize_rows(const ps_rows *job, size_t first, size_t last)
{
    const ps_vec_ops *v = ps_vec();
    for (size_t u = first; u < last; u++) {
        ps_real *row = job->out + u * job->m;
        ps_real norm = PS_SQRT(v->dot(job->m, row, row));
        job->norm[u] = norm;
        v->scale(job->m, 1 / (norm > PS_NORM_MIN ? norm : PS_NORM_MIN), row);
    }
}

static void relu_normalize_rows(const ps_rows *job, size_t first, size_t last)
{
    bias_relu_rows(job, first, last);
    normalize_rows(job, first, last);
}

/* h [n x m] = a / |a| with a = ReLU(W [in ; pooled] + w); norm [n] = |a|.
 * [in ; pooled] is never put together: W's two halves are multiplied one after the other. */
static void combine(const ps_net *net, const ps_real *param, uint32_t k, size_t n, const ps_real *in,
                    const ps_real *pooled, ps_real *h, ps_real *norm)
{
    size_t c = ps_layer_inputs(&net->shape, k), m = net->shape.m;
    const ps_real *W = param + net->at.W[k];
    net->gemm(net->pool, PS_N, PS_T, n, m, c, 1, in, c, W, c + m, 0, h, m);
    net->gemm(net->pool, PS_N, PS_T, n, m, m, 1, pooled, m, W + c, c + m, 1, h, m);
    ps_rows_run(net->pool, &(ps_rows){relu_normalize_rows, n, m, .out = h, .norm = norm, .b = param + net->at.w[k]});
}

static void beta_rows(const ps_rows *job, size_t first, size_t last)
{
    for (size_t u = first; u < last; u++)
        job->out[u] = ps_vec()->dot(job->m, job->a + u * job->m, job->b);
}

/* r [n x m], z [n x d], norm [n], beta [n]. */
static void head(const ps_net *net, const ps_real *param, size_t n, const ps_real *h, const ps_real *x,
                 const ps_token_lists *tokens, ps_real *r, ps_real *z, ps_real *norm, ps_real *beta)
{
    const ps_shape *s = &net->shape;
    size_t c = s->layers ? s->m : s->dx, m = s->m, d = s->d;
    net->gemm(net->pool, PS_N, PS_T, n, m, c, 1, h, c, param + net->at.G1, c, 0, r, m);
    ps_rows_run(net->pool, &(ps_rows){bias_relu_rows, n, m, .out = r, .b = param + net->at.g});
    net->gemm(net->pool, PS_N, PS_T, n, d, m, 1, r, m, param + net->at.G2, m, 0, z, d);
    if (s->bypass)
        net->gemm(net->pool, PS_N, PS_T, n, d, s->dx, 1, x, s->dx, param + net->at.G3, s->dx, 1, z, d);
    if (tokens->items)
        ps_tokens_add(tokens, param + net->at.E, s->d, z, net->pool);
    if (s->normalize)
        ps_rows_run(net->pool, &(ps_rows){normalize_rows, n, d, .out = z, .norm = norm});
    if (s->bias)
        ps_rows_run(net->pool, &(ps_rows){beta_rows, n, m, .a = r, .b = param + net->at.b, .out = beta});
}

/* ---- forward ---- */

static size_t tile_columns(const ps_net *net, size_t rows)
{
    size_t cols = net->columns;
    while (cols > COLUMNS_MIN && rows * cols > TILE)
        cols /= 2;
    return cols < net->shape.m ? cols : net->shape.m;
}

size_t ps_net_bytes(const ps_net *net, const uint32_t *n)
{
    size_t m = net->shape.m, K = net->shape.layers, bytes = n[K] * (m + net->shape.d + 2) * sizeof *net->r, work = 0;
    for (size_t k = 0; k < K; k++) {
        size_t rows = n[k] < net->block ? n[k] : net->block, forward = n[k] * tile_columns(net, n[k]),
               back = 2 * rows * m;
        work = forward > work ? forward : work;
        work = back > work ? back : work;
        bytes += n[k] * ps_net_words(m) * sizeof *net->layer[k].live + n[k + 1] * (2 * m + 1) * sizeof *net->work;
        bytes += net->shape.pooling == PS_POOL_MAX ? n[k + 1] * m * sizeof *net->layer[k].arg : 0;
    }
    return bytes + work * sizeof *net->work;
}

static int layer_room(ps_net *net, ps_layer_state *l, size_t below, size_t n)
{
    size_t m = net->shape.m;
    if (ps_room(&l->live, &l->cap[0], below * ps_net_words(m), sizeof *l->live) < 0 ||
        ps_net_room(&net->work, &net->cap[4], below, tile_columns(net, below)) < 0 ||
        ps_net_room(&l->pooled, &l->cap[1], n, m) < 0 || ps_net_room(&l->h, &l->cap[2], n, m) < 0 ||
        ps_net_room(&l->norm, &l->cap[3], n, 1) < 0)
        return PS_EMEM;
    return net->shape.pooling == PS_POOL_MAX ? ps_room(&l->arg, &l->cap[4], n * m, sizeof *l->arg) : 0;
}

static int head_room(ps_net *net, size_t n)
{
    const ps_shape *s = &net->shape;
    if (ps_net_room(&net->r, &net->cap[0], n, s->m) < 0 || ps_net_room(&net->z, &net->cap[1], n, s->d) < 0 ||
        ps_net_room(&net->norm, &net->cap[2], n, 1) < 0 || ps_net_room(&net->beta, &net->cap[3], n, 1) < 0)
        return PS_EMEM;
    return 0;
}

static int layer_forward(ps_net *net, const ps_real *param, const ps_minibatch *mb, uint32_t k, const ps_real *in)
{
    ps_layer_state *l = &net->layer[k];
    size_t below = mb->n[k], n = mb->n[k + 1], m = net->shape.m, step = tile_columns(net, below);
    int rc = layer_room(net, l, below, n);
    if (rc < 0)
        return rc;
    for (size_t j = 0; j < m; j += step) {
        size_t cols = m - j < step ? m - j : step;
        project(net, param, k, below, in, j, cols, net->work, l->live);
        pool(net, n, mb->off, mb->index, mb->weight, net->work, cols, l->pooled + j, l->arg ? l->arg + j : NULL);
    }
    combine(net, param, k, n, in, l->pooled, l->h, l->norm);
    return 0;
}

int ps_net_forward(ps_net *net, const ps_real *param, const ps_minibatch *mb)
{
    const ps_real *h = mb->x;
    uint32_t K = net->shape.layers;
    for (uint32_t k = 0; k < K; k++) {
        int rc = layer_forward(net, param, mb, k, h);
        if (rc < 0)
            return rc;
        h = net->layer[k].h;
    }
    int rc = head_room(net, mb->n[K]);
    if (rc == 0)
        head(net, param, mb->n[K], h, mb->x, &mb->tokens, net->r, net->z, net->norm, net->beta);
    return rc;
}
