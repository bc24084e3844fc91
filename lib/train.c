#include "train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "net.h"
#include "optim.h"

typedef struct {
    const ps_training *t;
    ps_model *model;
    ps_producer producer;
    ps_batch batch;
    ps_net net;
    ps_loss loss;
    ps_optim optim;
    ps_real *grad, *dz, *dbeta;
    size_t dz_cap, dbeta_cap;
    uint64_t step, steps, warmup;
    ps_real *best; /* parameters of the best epoch */
    double best_score;
    uint32_t since_best;
    size_t log_len, log_cap;
} work;

/* One minibatch: Algorithm 2 (producer), Algorithm 1 (forward), the loss, its gradients, the step. */
static int one_step(work *w, uint64_t b, double *loss)
{
    const ps_recipe *r = w->t->recipe;
    int rc = ps_producer_batch(&w->producer, b, &w->batch);
    if (rc == 0)
        rc = ps_net_forward(&w->net, w->model->param, &w->batch.mb);
    uint32_t rows = w->batch.mb.n[r->shape.layers];
    if (rc == 0 && (ps_grow(&w->dz, &w->dz_cap, (size_t)rows * r->shape.d, sizeof *w->dz) < 0 ||
                    ps_grow(&w->dbeta, &w->dbeta_cap, rows, sizeof *w->dbeta) < 0))
        rc = PS_EMEM;
    if (rc == 0)
        rc = ps_loss_run(&w->loss, &w->batch.loss, rows, w->net.z, r->shape.bias ? w->net.beta : NULL, w->dz,
                         w->dbeta, loss);
    if (rc == 0 && !isfinite(*loss))
        rc = ps_fail(PS_EDATA, "the loss of epoch %u, batch %llu is %g: training has diverged; a lower learning rate may help",
                     w->producer.epoch, (unsigned long long)b + 1, *loss);
    if (rc == 0)
        rc = ps_net_backward(&w->net, w->model->param, &w->batch.mb, w->dz, w->dbeta, w->grad);
    if (rc == 0)
        ps_optim_step(&w->optim, ps_rate(r->schedule, r->rate, w->step, w->warmup, w->steps), w->model->param, w->grad);
    w->step++;
    return rc;
}

static int note(work *w, const ps_epoch *e)
{
    char line[160];
    int n = snprintf(line, sizeof line, "epoch=%u loss=%.6g rate=%.6g", e->epoch, e->loss, e->rate);
    if (!isnan(e->valid))
        n += snprintf(line + n, sizeof line - (size_t)n, " valid-scaled-mrr=%.6f%s", e->valid, e->best ? " best" : "");
    if (ps_grow(&w->model->log, &w->log_cap, w->log_len + (size_t)n + 2, 1) < 0)
        return PS_EMEM;
    snprintf(w->model->log + w->log_len, (size_t)n + 2, "%s\n", line);
    w->log_len += (size_t)n + 1;
    return 0;
}

/* The loss of the last batch is of the parameters before its step. */
static int check_parameters(const ps_model *model, uint32_t epoch)
{
    for (size_t i = 0; i < model->size; i++)
        if (!isfinite(model->param[i]))
            return ps_fail(PS_EDATA, "parameters are not finite after epoch %u: training has diverged; "
                           "a lower learning rate may help", epoch);
    return 0;
}

static int end_epoch(work *w, ps_epoch *e)
{
    int rc = check_parameters(w->model, e->epoch);
    e->valid = NAN;
    if (rc == 0 && w->t->validate) {
        rc = w->t->validate(w->t->ctx, w->model, &e->valid);
        e->best = rc == 0 && e->valid > w->best_score;
        w->since_best = e->best ? 0 : w->since_best + 1;
        if (e->best) {
            w->best_score = e->valid;
            memcpy(w->best, w->model->param, w->model->size * sizeof *w->best);
        }
    }
    if (rc == 0)
        rc = note(w, e);
    if (rc == 0 && w->t->on_epoch)
        w->t->on_epoch(w->t->ctx, e);
    return rc;
}

static int one_epoch(work *w, uint32_t epoch)
{
    const ps_recipe *r = w->t->recipe;
    uint64_t batches = ps_producer_batches(&w->producer);
    double sum = 0, pairs = 0;
    ps_producer_epoch(&w->producer, epoch);
    for (uint64_t b = 0; b < batches; b++) {
        double loss;
        int rc = one_step(w, b, &loss);
        if (rc < 0)
            return rc;
        sum += loss * w->batch.loss.pairs;
        pairs += w->batch.loss.pairs;
        if (w->t->on_step)
            w->t->on_step(w->t->ctx, w->step, w->steps, sum / pairs);
    }
    ps_epoch e = {.epoch = epoch, .loss = sum / pairs,
                  .rate = ps_rate(r->schedule, r->rate, w->step - 1, w->warmup, w->steps)};
    return end_epoch(w, &e);
}

static int run(work *w)
{
    const ps_recipe *r = w->t->recipe;
    uint64_t batches = ps_producer_batches(&w->producer);
    w->steps = batches * r->epochs;
    w->warmup = (uint64_t)((double)batches * r->warmup);
    w->best_score = -1;
    int rc = 0;
    for (uint32_t epoch = 1; epoch <= r->epochs && rc == 0; epoch++) {
        rc = one_epoch(w, epoch);
        if (r->patience && w->since_best >= r->patience)
            break;
    }
    if (rc == 0 && w->t->validate && w->best_score >= 0)
        memcpy(w->model->param, w->best, w->model->size * sizeof *w->best);
    return rc;
}

static int set_up(work *w)
{
    const ps_training *t = w->t;
    const ps_recipe *r = t->recipe;
    ps_net_init(&w->net, w->model, t->pool);
    ps_loss_init(&w->loss, r->loss, r->margin, r->shape.tau, r->shape.d, t->known, t->pool);
    w->grad = ps_aligned(w->model->size, sizeof *w->grad);
    w->best = t->validate ? ps_alloc(w->model->size, sizeof *w->best) : NULL;
    if (!w->grad || (t->validate && !w->best))
        return PS_EMEM;
    int rc = ps_optim_init(&w->optim, r->optimizer, r->decay, w->model, t->pool);
    return rc < 0 ? rc : ps_producer_init(&w->producer, &t->from, t->graph, t->pairs, r, t->pool);
}

int ps_train(const ps_training *t, ps_model *model)
{
    work w = {.t = t, .model = model};
    int rc = set_up(&w);
    if (rc == 0)
        rc = run(&w);
    ps_producer_free(&w.producer);
    ps_batch_free(&w.batch);
    ps_net_free(&w.net);
    ps_loss_free(&w.loss);
    ps_optim_free(&w.optim);
    free(w.grad);
    free(w.dz);
    free(w.dbeta);
    free(w.best);
    return rc;
}
