#include "device_train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device_net.h"
#include "mem.h"
#include "vec.h"

_Static_assert(PS_LOSS_SOFTMAX == 0 && PS_LOSS_MARGIN == 1 && PS_LOSS_XENT == 2, "as kernels/device.h has them");

enum { LOSS, SQUARES, RESULTS };

struct ps_device_train {
    ps_device *dev;
    const ps_known *known;
    ps_pool *pool;
    const ps_model *layout;
    ps_loss_kind loss;
    int in_batch;
    double margin, decay;
    ps_optimizer optimizer;
    uint64_t steps; /* taken */
    ps_device_net net;
    ps_device_slot slot[PS_SLOTS];
    uint64_t staged, launched; /* batches */
    ps_device_room param, grad, m, v;
    ps_device_room others; /* for the sum over a group: made where all ranks still hear of it if it cannot be */
    size_t unsummed;       /* the gradient's elements, some behind its end too, whose sum has not begun */
    ps_device_room q, p, n, sn, sp, sh, down, pair_loss, dq, dp, dn, sum_n, sum_p, dz, dbeta; /* of the loss */
    ps_device_room z, beta;    /* of a batch in shares: all of it */
    ps_device_room sums, part; /* double: loss and squares of the gradient; on the way to them */
    double *results;           /* pinned */
    uint32_t pairs;            /* of the batch that was launched last */
};

/* ---- making one ---- */

/* That many elements, or the few more with which a sum over a group can begin or end. */
static size_t summed(const ps_device_train *t, size_t n)
{
    const size_t unit = ps_group_unit(t->dev->ranks);
    return (n + unit - 1) / unit * unit;
}

static int make(ps_device_train *t, const ps_model *model, ps_products products)
{
    ps_device *dev = t->dev;
    ps_device_net_init(&t->net, dev, model, products);
    for (int i = 0; i < PS_SLOTS; i++)
        ps_device_slot_init(&t->slot[i], dev, i);
    int rc = ps_device_room_for(dev, &t->param, model->size, sizeof(ps_real));
    if (rc == 0)
        rc = ps_device_room_for(dev, &t->grad, summed(t, model->dense), sizeof(ps_real));
    if (rc == 0 && dev->ranks)
        rc = ps_device_room_for(dev, &t->others, summed(t, model->dense), sizeof(ps_real));
    if (rc == 0)
        rc = ps_device_room_for(dev, &t->m, model->dense, sizeof(ps_real));
    if (rc == 0 && t->optimizer == PS_ADAM)
        rc = ps_device_room_for(dev, &t->v, model->dense, sizeof(ps_real));
    if (rc == 0)
        rc = ps_device_room_for(dev, &t->sums, RESULTS, sizeof(double));
    if (rc == 0)
        rc = ps_device_room_for(dev, &t->part, PS_SUM_BLOCKS, sizeof(double));
    if (rc == 0 && !(t->results = dev->ops->alloc_pinned(dev, RESULTS * sizeof *t->results)))
        rc = PS_EMEM;
    return rc;
}

ps_device_train *ps_device_train_new(ps_device *dev, const ps_model *model, const ps_recipe *r, const ps_known *known,
                                     ps_pool *pool)
{
    ps_device_train *t = ps_zalloc(1, sizeof *t);
    if (!t)
        return NULL;
    *t = (ps_device_train){.dev = dev,
                           .known = known,
                           .pool = pool,
                           .layout = model,
                           .loss = r->loss,
                           .in_batch = ps_recipe_in_batch(r),
                           .margin = r->margin,
                           .decay = r->decay,
                           .optimizer = r->optimizer};
    if (make(t, model, r->bf16 ? PS_PRODUCTS_BF16 : r->tf32 ? PS_PRODUCTS_TF32 : PS_PRODUCTS_F32) == 0)
        return t;
    ps_device_train_free(t);
    return NULL;
}

void ps_device_train_free(ps_device_train *t)
{
    if (!t)
        return;
    ps_device_room *const all[] = {&t->param, &t->grad, &t->m,    &t->v,     &t->q,     &t->p,
                                   &t->n,     &t->sn,   &t->sp,   &t->sh,    &t->down,  &t->pair_loss,
                                   &t->dq,    &t->dp,   &t->dn,   &t->sum_n, &t->sum_p, &t->dz,
                                   &t->dbeta, &t->sums, &t->part, &t->z,     &t->beta,  &t->others};
    ps_device_net_free(&t->net);
    for (int i = 0; i < PS_SLOTS; i++)
        ps_device_slot_free(&t->slot[i]);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ps_device_room_free(t->dev, all[i]);
    t->dev->ops->release_pinned(t->dev, t->results);
    free(t);
}

int ps_device_train_load(ps_device_train *t, const ps_model *model, const ps_optim *o)
{
    const ps_device_ops *ops = t->dev->ops;
    int rc = ops->put(t->dev, t->param.p, model->param, model->size * sizeof(ps_real));
    if (rc == 0)
        rc = ops->put(t->dev, t->m.p, o->m, model->dense * sizeof(ps_real));
    if (rc == 0 && o->v)
        rc = ops->put(t->dev, t->v.p, o->v, model->dense * sizeof(ps_real));
    t->steps = o->steps;
    return rc;
}

int ps_device_train_store(ps_device_train *t, ps_model *model, ps_optim *o)
{
    const ps_device_ops *ops = t->dev->ops;
    int rc = ops->get(t->dev, model->param, t->param.p, model->size * sizeof(ps_real));
    if (rc == 0)
        rc = ops->get(t->dev, o->m, t->m.p, model->dense * sizeof(ps_real));
    if (rc == 0 && o->v)
        rc = ops->get(t->dev, o->v, t->v.p, model->dense * sizeof(ps_real));
    o->steps = t->steps;
    return rc;
}

/* ---- the loss ---- */

static int loss_room(ps_device_train *t, const ps_device_batch *b)
{
    size_t B = b->pairs, N = b->negatives, d = t->net.shape.d, rows = b->rows, widest = N > B ? N : B;
    struct {
        ps_device_room *room;
        size_t need;
    } const want[] = {{&t->q, B * d},
                      {&t->p, B * d},
                      {&t->n, N * d},
                      {&t->sn, B * N},
                      {&t->sp, t->in_batch ? B * B : 0},
                      {&t->sh, B * b->hard},
                      {&t->down, B},
                      {&t->pair_loss, B},
                      {&t->dq, B * d},
                      {&t->dp, t->in_batch ? B * d : 0},
                      {&t->dn, N * d},
                      {&t->sum_n, N},
                      {&t->sum_p, B},
                      {&t->dz, rows * d},
                      {&t->dbeta, rows},
                      {&t->net.part, (ps_device_parts(B) + 1) * widest}};
    int rc = 0;
    for (size_t i = 0; i < sizeof want / sizeof *want && rc == 0; i++)
        rc = ps_device_room_for(t->dev, want[i].room, want[i].need, sizeof(ps_real));
    return rc;
}

/* sn = q n^T and, with in-batch negatives, sp = q p^T. */
static void scores(ps_device_train *t, const ps_device_batch *b, const ps_real *z)
{
    ps_device *dev = t->dev;
    size_t B = b->pairs, N = b->negatives, d = t->net.shape.d;
    dev->ops->gather_rows(dev, B, d, z, b->query_row, t->q.p);
    dev->ops->gather_rows(dev, B, d, z, b->positive_row, t->p.p);
    dev->ops->gather_rows(dev, N, d, z, b->negative_row, t->n.p);
    dev->ops->gemm(dev, PS_N, PS_T, B, N, d, t->q.p, d, t->n.p, d, 0, t->sn.p, N);
    if (t->in_batch)
        dev->ops->gemm(dev, PS_N, PS_T, B, B, d, t->q.p, d, t->p.p, d, 0, t->sp.p, B);
}

/* From gradients of scores to those of the gathered embeddings. */
static void score_gradients(ps_device_train *t, const ps_device_batch *b)
{
    ps_device *dev = t->dev;
    size_t B = b->pairs, N = b->negatives, d = t->net.shape.d;
    dev->ops->gemm(dev, PS_N, PS_N, B, d, N, t->sn.p, N, t->n.p, d, 0, t->dq.p, d);
    dev->ops->gemm(dev, PS_T, PS_N, N, d, B, t->sn.p, N, t->q.p, d, 0, t->dn.p, d);
    if (t->in_batch) {
        dev->ops->gemm(dev, PS_N, PS_N, B, d, B, t->sp.p, B, t->p.p, d, 1, t->dq.p, d);
        dev->ops->gemm(dev, PS_T, PS_N, B, d, B, t->sp.p, B, t->q.p, d, 0, t->dp.p, d);
    }
    if (!t->net.shape.bias)
        return;
    dev->ops->column_sums(dev, B, N, NULL, t->sn.p, t->sum_n.p, t->net.part.p);
    if (t->in_batch)
        dev->ops->column_sums(dev, B, B, NULL, t->sp.p, t->sum_p.p, t->net.part.p);
}

static int run_loss(ps_device_train *t, const ps_device_batch *b, const ps_real *z, const ps_real *beta)
{
    ps_device *dev = t->dev;
    const ps_shape *s = &t->net.shape;
    int rc = loss_room(t, b), biased = s->bias;
    if (rc < 0)
        return rc;
    const ps_device_loss l = {.kind = (int)t->loss,
                              .pairs = b->pairs,
                              .negatives = b->negatives,
                              .hard = b->hard,
                              .d = s->d,
                              .margin = (ps_real)t->margin,
                              .tau = (ps_real)s->tau,
                              .weight_sum = b->weight_sum,
                              .query = b->query,
                              .positive = b->positive,
                              .negative = b->negative,
                              .hard_item = b->hard_item,
                              .positive_row = b->positive_row,
                              .negative_row = b->negative_row,
                              .hard_row = b->hard_row,
                              .weight = b->pair_weight,
                              .log_bq = b->log_bq,
                              .log_np = b->log_np,
                              .known_off = b->known_off,
                              .known = b->known,
                              .q = t->q.p,
                              .p = t->p.p,
                              .z = z,
                              .beta = biased ? beta : NULL,
                              .sn = t->sn.p,
                              .sp = t->in_batch ? t->sp.p : NULL,
                              .sh = t->sh.p,
                              .down = t->down.p,
                              .pair_loss = t->pair_loss.p};
    scores(t, b, z);
    dev->ops->loss_pairs(dev, &l);
    score_gradients(t, b);
    dev->ops->loss_rows(dev, &l, b->rows, b->use_off, b->use, t->dq.p, t->in_batch ? t->dp.p : NULL, t->dn.p,
                        t->sum_n.p, t->in_batch ? t->sum_p.p : NULL, t->dz.p, biased ? t->dbeta.p : NULL);
    dev->ops->sum(dev, b->pairs, t->pair_loss.p, (double *)t->sums.p + LOSS, t->part.p);
    return 0;
}

/* ---- the step ---- */

/* Decoupled decay is the matrices'. */
static ps_segments segments(const ps_model *layout, double rate, double decay)
{
    ps_segments s = {0};
    for (int i = 0; i < layout->tensors && layout->tensor[i].at < layout->dense; i++) {
        const ps_tensor *x = &layout->tensor[i];
        s.end[s.n] = x->at + (size_t)x->rows * x->cols;
        s.keep[s.n++] = (ps_real)(x->vector ? 1 : 1 - rate * decay);
    }
    return s;
}

static void step(ps_device_train *t, const ps_device_batch *b, double rate, double token_rate)
{
    ps_device *dev = t->dev;
    ps_real *param = t->param.p;
    size_t dense = t->layout->dense;
    double n = (double)++t->steps;
    dev->ops->squares(dev, dense, t->grad.p, (double *)t->sums.p + SQUARES, t->part.p);
    if (t->optimizer == PS_ADAM) {
        const ps_segments s = segments(t->layout, rate, t->decay);
        dev->ops->adam(dev, &s, param, t->grad.p, t->m.p, t->v.p, (ps_real)(rate / (1 - pow((double)PS_ADAM_BETA1, n))),
                       (ps_real)(1 / sqrt(1 - pow((double)PS_ADAM_BETA2, n))));
    } else {
        dev->ops->sgd(dev, dense, param, t->grad.p, t->m.p, (ps_real)rate, (ps_real)PS_MOMENTUM);
    }
    if (b->token_rows)
        dev->ops->token_step(dev, b->token_rows, t->net.shape.d, b->touched, b->token_back_off, b->token_user,
                             b->token_back_weight, t->dz.p, (ps_real)token_rate, param + t->net.at.E,
                             param + t->net.at.s);
}

typedef struct {
    const ps_minibatch *mb;
    const ps_sources *from;
} gathering;

static int gather(void *ctx, size_t first, size_t end, ps_real *to)
{
    const gathering *g = ctx;
    return ps_minibatch_features(g->mb, g->from, first, end, to);
}

int ps_device_train_stage(ps_device_train *t, const ps_minibatch *mb, const ps_minibatch *outputs,
                          const ps_loss_batch *loss, const ps_sources *from)
{
    gathering g = {mb, from};
    const ps_device_features x = {gather, &g};
    int rc = ps_device_slot_fill(&t->slot[t->staged % PS_SLOTS], mb, outputs, loss, t->known, from ? &x : NULL,
                                 t->pool);
    t->staged += rc == 0;
    return rc;
}

int ps_device_train_launch(ps_device_train *t, double rate, double token_rate)
{
    ps_device *dev = t->dev;
    int slot = (int)(t->launched++ % PS_SLOTS);
    const ps_device_batch *b = &t->slot[slot].at;
    dev->ops->use_begin(dev, slot);
    int rc = ps_device_net_forward(&t->net, t->param.p, b);
    if (rc == 0)
        rc = run_loss(t, b, t->net.z.p, t->net.beta.p);
    if (rc == 0)
        rc = ps_device_net_backward(&t->net, t->param.p, b, t->dz.p, t->net.shape.bias ? t->dbeta.p : NULL, t->grad.p);
    if (rc < 0)
        return rc;
    step(t, b, rate, token_rate);
    dev->ops->use_end(dev, slot);
    dev->ops->fetch(dev, t->results, t->sums.p, RESULTS * sizeof *t->results);
    t->pairs = b->pairs;
    return 0;
}

int ps_device_train_wait(ps_device_train *t, ps_device_result *result)
{
    int rc = t->dev->ops->finish(t->dev);
    *result = (ps_device_result){t->results[LOSS], sqrt(t->results[SQUARES]), t->pairs};
    return rc;
}

/* ---- in shares ---- */

static const ps_device_batch *current(const ps_device_train *t, int *slot)
{
    *slot = (int)(t->launched % PS_SLOTS);
    return &t->slot[*slot].at;
}

int ps_device_train_forward(ps_device_train *t, ps_real *z, ps_real *beta)
{
    ps_device *dev = t->dev;
    int slot;
    const ps_device_batch *b = current(t, &slot);
    size_t n = b->n[t->net.shape.layers];
    dev->ops->use_begin(dev, slot);
    int rc = ps_device_net_forward(&t->net, t->param.p, b);
    if (rc == 0)
        rc = dev->ops->get(dev, z, t->net.z.p, n * t->net.shape.d * sizeof *z);
    if (rc == 0 && t->net.shape.bias)
        rc = dev->ops->get(dev, beta, t->net.beta.p, n * sizeof *beta);
    return rc < 0 ? rc : dev->ops->finish(dev);
}

int ps_device_train_loss(ps_device_train *t, const ps_real *z, const ps_real *beta, ps_real *dz, ps_real *dbeta,
                         ps_device_result *result)
{
    ps_device *dev = t->dev;
    int slot;
    const ps_device_batch *b = current(t, &slot);
    size_t rows = b->rows, bytes = rows * t->net.shape.d * sizeof *z;
    dev->ops->use_begin(dev, slot); /* a share of nothing had no forward pass */
    int rc = ps_device_room_for(dev, &t->z, rows * t->net.shape.d, sizeof *z);
    if (rc == 0)
        rc = ps_device_room_for(dev, &t->beta, rows, sizeof *z);
    if (rc == 0)
        rc = dev->ops->put(dev, t->z.p, z, bytes);
    if (rc == 0 && t->net.shape.bias)
        rc = dev->ops->put(dev, t->beta.p, beta, rows * sizeof *beta);
    if (rc == 0)
        rc = run_loss(t, b, t->z.p, t->beta.p);
    if (rc == 0)
        rc = dev->ops->get(dev, dz, t->dz.p, bytes);
    if (rc == 0 && t->net.shape.bias)
        rc = dev->ops->get(dev, dbeta, t->dbeta.p, rows * sizeof *dbeta);
    dev->ops->fetch(dev, t->results, t->sums.p, RESULTS * sizeof *t->results);
    if (rc == 0)
        rc = dev->ops->finish(dev);
    *result = (ps_device_result){.loss = t->results[LOSS], .pairs = b->pairs};
    return rc;
}

/* Sums over the group from there on.  Every rank has the same places, and so the same sums. */
static int sum_from(void *ctx, size_t from)
{
    ps_device_train *t = ctx;
    const size_t first = summed(t, from), n = t->unsummed - first;
    ps_real *grad = t->grad.p, *others = t->others.p;
    t->unsummed = first;
    return n ? t->dev->ops->group_sum(t->dev, n, grad + first, others + first) : 0;
}

int ps_device_train_backward(ps_device_train *t, ps_real *dz, const ps_real *dbeta, ps_real *grad)
{
    ps_device *dev = t->dev;
    int slot;
    const ps_device_batch *b = current(t, &slot);
    size_t n = b->n[t->net.shape.layers], bytes = n * t->net.shape.d * sizeof *dz;
    t->net.ready = grad ? NULL : sum_from;
    t->net.ready_ctx = t;
    t->unsummed = summed(t, t->layout->dense);
    int rc = dev->ops->put(dev, t->dz.p, dz, bytes);
    if (rc == 0 && t->net.shape.bias)
        rc = dev->ops->put(dev, t->dbeta.p, dbeta, n * sizeof *dbeta);
    if (rc == 0)
        rc = ps_device_net_backward(&t->net, t->param.p, b, t->dz.p, t->net.shape.bias ? t->dbeta.p : NULL, t->grad.p);
    if (rc == 0 && b->token_rows)
        rc = dev->ops->get(dev, dz, t->dz.p, bytes);
    if (rc == 0 && grad)
        rc = dev->ops->get(dev, grad, t->grad.p, t->layout->dense * sizeof *grad);
    return rc;
}

int ps_device_train_sum(ps_device_train *t, int any)
{
    int rc = 0;
    if (!any) {
        t->dev->ops->zero(t->dev, t->grad.p, t->layout->dense * sizeof(ps_real));
        t->unsummed = summed(t, t->layout->dense);
        for (uint32_t i = 0; i < ps_device_net_places(&t->net) && rc == 0; i++)
            rc = sum_from(t, ps_device_net_from(&t->net, i));
    }
    t->dev->ops->group_end(t->dev);
    return rc;
}

int ps_device_train_step(ps_device_train *t, const ps_real *grad, const ps_real *dz, double rate, double token_rate,
                         ps_device_result *result)
{
    ps_device *dev = t->dev;
    int slot;
    const ps_device_batch *b = current(t, &slot);
    int rc = grad ? dev->ops->put(dev, t->grad.p, grad, t->layout->dense * sizeof *grad) : 0;
    if (rc == 0 && b->token_rows)
        rc = dev->ops->put(dev, t->dz.p, dz, (size_t)b->rows * t->net.shape.d * sizeof *dz);
    if (rc < 0)
        return rc;
    step(t, b, rate, token_rate);
    dev->ops->use_end(dev, slot);
    t->launched++;
    dev->ops->fetch(dev, t->results, t->sums.p, RESULTS * sizeof *t->results);
    rc = dev->ops->finish(dev);
    result->gradient = sqrt(t->results[SQUARES]);
    return rc;
}
