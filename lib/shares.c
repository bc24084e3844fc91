#include "shares.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

int ps_shares_init(ps_shares *s, const ps_model *model, ps_pool *pool, ps_gemm_fn *gemm, ps_comm *comm, uint32_t shares)
{
    const int rank = ps_comm_rank(comm), size = ps_comm_size(comm);
    *s = (ps_shares){
        .comm = comm,
        .cut = {shares, ps_comm_first_share(shares, rank, size), ps_comm_first_share(shares, rank + 1, size)},
        .dense = model->dense};
    s->own = s->cut.end - s->cut.first;
    s->net = ps_zalloc(s->own, sizeof *s->net);
    s->parts = ps_zalloc(s->own, sizeof *s->parts);
    s->grad = ps_zalloc(s->own, sizeof *s->grad);
    if (!s->net || !s->parts || !s->grad)
        return PS_EMEM;
    for (uint32_t i = 0; i < s->own; i++) {
        ps_net_init(&s->net[i], model, pool);
        s->net[i].gemm = gemm;
        ps_parts_init(&s->parts[i], &s->net[i]);
        s->parts[i].most /= shares; /* and not this rank's: how a share is cut decides in which order its sums are taken */
        if (shares > 1 && !(s->grad[i] = ps_aligned(s->dense, sizeof **s->grad)))
            return PS_EMEM;
    }
    return shares == 1 || (s->sum = ps_comm_sum_new(comm, shares, s->dense)) ? 0 : PS_EMEM;
}

void ps_shares_free(ps_shares *s)
{
    for (uint32_t i = 0; s->net && s->parts && s->grad && i < s->own; i++) {
        ps_parts_free(&s->parts[i]);
        ps_net_free(&s->net[i]);
        free(s->grad[i]);
    }
    ps_comm_sum_free(s->sum);
    free(s->net);
    free(s->parts);
    free(s->grad);
    free(s->all);
    free(s->all_beta);
    free(s->rows_z);
    free(s->rows_beta);
    memset(s, 0, sizeof *s);
}

/* Every rank's part of an array with `width` elements a row, share by share, becomes everybody's. */
static int gather(const ps_shares *s, const ps_batch *batch, size_t width, ps_real *all)
{
    const int size = ps_comm_size(s->comm);
    size_t *at = ps_alloc((size_t)size + 1, sizeof *at);
    if (!at) {
        ps_comm_lost(s->comm);
        return PS_EMEM;
    }
    for (int r = 0; r <= size; r++)
        at[r] = batch->share_at[ps_comm_first_share(s->cut.count, r, size)] * width;
    int rc = ps_comm_gather(s->comm, all, at);
    free(at);
    return rc;
}

/* From the order of shares to that of rows, and back. */
static void to_rows(const ps_batch *batch, size_t width, const ps_real *all, ps_real *rows)
{
    for (size_t i = 0, n = batch->mb.n[0]; i < n; i++)
        memcpy(rows + batch->share_row[i] * width, all + i * width, width * sizeof *rows);
}

static void from_rows(const ps_batch *batch, uint32_t share, size_t width, const ps_real *rows, ps_real *all)
{
    for (size_t i = batch->share_at[share]; i < batch->share_at[share + 1]; i++)
        memcpy(all + i * width, rows + batch->share_row[i] * width, width * sizeof *rows);
}

static int forward_own(ps_shares *s, const ps_real *param, const ps_batch *batch)
{
    const ps_shape *shape = &s->net->shape;
    size_t rows = batch->mb.n[0], d = shape->d;
    if (ps_room(&s->all, &s->cap[0], rows * d, sizeof *s->all) < 0 ||
        ps_room(&s->rows_z, &s->cap[1], rows * d, sizeof *s->rows_z) < 0 ||
        ps_room(&s->all_beta, &s->cap[2], rows, sizeof *s->all_beta) < 0 ||
        ps_room(&s->rows_beta, &s->cap[3], rows, sizeof *s->rows_beta) < 0)
        return PS_EMEM;
    for (uint32_t i = 0; i < s->own; i++) {
        size_t first = batch->share_at[s->cut.first + i], n = batch->share_at[s->cut.first + i + 1] - first;
        if (s->work.ctx && n)
            return s->work.forward(s->work.ctx, s->all + first * d, s->all_beta + first);
        int rc = n ? ps_parts_forward(&s->parts[i], param, &batch->share[i], &batch->from) : 0;
        if (rc < 0)
            return rc;
        if (n)
            memcpy(s->all + first * d, s->parts[i].z, n * d * sizeof *s->all);
        if (n && shape->bias)
            memcpy(s->all_beta + first, s->parts[i].beta, n * sizeof *s->all_beta);
    }
    return 0;
}

int ps_shares_forward(ps_shares *s, const ps_real *param, const ps_batch *batch)
{
    const ps_shape *shape = &s->net->shape;
    if (s->cut.count == 1) {
        int rc = ps_parts_forward(s->parts, param, &batch->mb, &batch->from);
        s->z = s->parts->z;
        s->beta = s->parts->beta;
        return rc;
    }
    int rc = ps_comm_agree(s->comm, forward_own(s, param, batch), NULL);
    if (rc == 0)
        rc = gather(s, batch, shape->d, s->all);
    if (rc == 0 && shape->bias)
        rc = gather(s, batch, 1, s->all_beta);
    if (rc < 0)
        return rc;
    to_rows(batch, shape->d, s->all, s->rows_z);
    if (shape->bias)
        to_rows(batch, 1, s->all_beta, s->rows_beta);
    s->z = s->rows_z;
    s->beta = s->rows_beta;
    return 0;
}

static void ready(void *ctx, size_t from)
{
    ps_comm_sum_ready(ctx, from);
}

static int backward_own(ps_shares *s, const ps_real *param, const ps_batch *batch, const ps_real *dz,
                        const ps_real *dbeta, uint32_t i)
{
    size_t first = batch->share_at[s->cut.first + i], n = batch->share_at[s->cut.first + i + 1] - first;
    const size_t d = s->net->shape.d;
    if (!s->work.sum)
        memset(s->grad[i], 0, s->dense * sizeof **s->grad);
    if (n == 0)
        return 0;
    from_rows(batch, s->cut.first + i, d, dz, s->all);
    if (dbeta)
        from_rows(batch, s->cut.first + i, 1, dbeta, s->all_beta);
    if (s->work.ctx)
        return s->work.backward(s->work.ctx, s->all + first * d, s->all_beta + first, s->work.sum ? NULL : s->grad[i]);
    /* What others have of the sum is on its way while the last share goes down. */
    s->parts[i].ready = i + 1 == s->own ? ready : NULL;
    s->parts[i].ready_ctx = s->sum;
    return ps_parts_backward(&s->parts[i], param, &batch->share[i], &batch->from, s->all + first * d,
                             dbeta ? s->all_beta + first : NULL, s->grad[i]);
}

int ps_shares_backward(ps_shares *s, const ps_real *param, const ps_batch *batch, ps_real *dz, const ps_real *dbeta,
                       ps_real *grad)
{
    int rc = 0;
    if (s->cut.count == 1) {
        memset(grad, 0, s->dense * sizeof *grad);
        return ps_parts_backward(s->parts, param, &batch->mb, &batch->from, dz, dbeta, grad);
    }
    if (!s->work.sum)
        ps_comm_sum_begin(s->sum, s->grad, grad);
    for (uint32_t i = 0; i < s->own && rc == 0; i++)
        rc = backward_own(s, param, batch, dz, dbeta, i);
    if (rc == 0 && s->work.sum)
        rc = s->work.sum(s->work.ctx, batch->share_at[s->cut.end] > batch->share_at[s->cut.first]);
    else if (rc == 0)
        rc = ps_comm_sum_end(s->sum);
    if (rc < 0) {
        ps_comm_lost(s->comm); /* the others wait for these messages */
        return rc;
    }
    if (batch->mb.tokens.items == 0)
        return 0;
    rc = gather(s, batch, s->net->shape.d, s->all);
    if (rc == 0)
        to_rows(batch, s->net->shape.d, s->all, dz);
    return rc;
}
