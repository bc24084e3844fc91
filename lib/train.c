#include "train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "checkpoint.h"
#include "device_train.h"
#include "gemm.h"
#include "mem.h"
#include "optim.h"
#include "shares.h"

typedef struct {
    const ps_training *t;
    ps_model *model;
    ps_producer producer;
    ps_ring *ring;
    ps_shares shares;
    ps_loss loss;
    ps_optim optim;
    ps_device_train *device; /* NULL: net, loss and optim work here; else optim holds what is stored */
    uint64_t staged;         /* batches taken for the device, of all */
    ps_real *grad, *dz, *dbeta;
    size_t dz_cap, dbeta_cap;
    uint64_t batches, steps, warmup; /* batches: of an epoch */
    ps_position at;
    ps_real *best; /* parameters of the best epoch */
    double began, operations; /* of this epoch; ps_gemm_operations() when it began */
    double saved, stepped; /* when the last checkpoint and the last step were */
    size_t log_len, log_cap;
} work;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int diverged(const ps_step *s, const char *what, double value)
{
    return ps_fail(PS_EDATA, "the %s of epoch %u, batch %llu of all is %g: training has diverged; a lower learning rate may help",
                   what, s->epoch, (unsigned long long)s->step, value);
}

static int gradients_room(work *w, const ps_batch *batch)
{
    uint32_t rows = batch->mb.n[w->t->recipe->shape.layers];
    int rc = ps_grow(&w->dz, &w->dz_cap, (size_t)rows * w->t->recipe->shape.d, sizeof *w->dz);
    return rc < 0 ? rc : ps_grow(&w->dbeta, &w->dbeta_cap, rows, sizeof *w->dbeta);
}

/* Algorithm 1 forward, the loss, its gradients, the step. */
static int consume(work *w, const ps_batch *batch, ps_step *s)
{
    const ps_recipe *r = w->t->recipe;
    uint32_t rows = batch->mb.n[r->shape.layers];
    if (gradients_room(w, batch) < 0)
        return PS_EMEM;
    int rc = ps_shares_forward(&w->shares, w->model->param, batch);
    if (rc == 0)
        rc = ps_loss_run(&w->loss, &batch->loss, rows, w->shares.z, r->shape.bias ? w->shares.beta : NULL, w->dz, w->dbeta,
                         &s->loss);
    if (rc < 0)
        ps_comm_lost(w->t->comm); /* unless the others know of it: they are on their way to the sums */
    if (rc == 0 && !isfinite(s->loss))
        rc = diverged(s, "loss", s->loss);
    if (rc == 0)
        rc = ps_shares_backward(&w->shares, w->model->param, batch, w->dz, w->dbeta, w->grad);
    if (rc < 0)
        return rc;
    s->gradient = ps_optim_norm(&w->optim, w->grad);
    if (!isfinite(s->gradient))
        return diverged(s, "gradient's norm", s->gradient);
    ps_optim_step(&w->optim, s->rate, w->model->param, w->grad);
    if (batch->mb.tokens.items)
        rc = ps_tokens_step(&batch->mb.tokens, w->dz, r->shape.d,
                            ps_rate(r->schedule, r->token_rate, w->at.step, w->warmup, w->steps), w->model->param + w->model->at.E,
                            w->model->param + w->model->at.s, w->t->pool);
    return rc;
}

/* The next batch goes on its way to the device, and back to the ring. */
static int stage(work *w)
{
    const ps_batch *batch;
    int rc = ps_ring_take(w->ring, &batch);
    if (rc == 0)
        rc = ps_device_train_stage(w->device, &batch->mb, &batch->mb, &batch->loss, &batch->from);
    if (rc < 0)
        return rc;
    ps_ring_give_back(w->ring);
    w->staged++;
    return 0;
}

/* The same on a device, which computes while the next batch is staged. */
static int step_on_device(work *w, ps_step *s)
{
    const ps_recipe *r = w->t->recipe;
    ps_device_result result = {0};
    int rc = w->staged == w->at.step ? stage(w) : 0;
    if (rc == 0)
        rc = ps_device_train_launch(w->device, s->rate,
                                    ps_rate(r->schedule, r->token_rate, w->at.step, w->warmup, w->steps));
    if (rc == 0 && w->staged < w->steps)
        rc = stage(w);
    if (rc == 0)
        rc = ps_device_train_wait(w->device, &result);
    s->loss = result.loss;
    s->gradient = result.gradient;
    s->pairs = result.pairs;
    if (rc == 0 && !isfinite(s->loss))
        rc = diverged(s, "loss", s->loss);
    if (rc == 0 && !isfinite(s->gradient))
        rc = diverged(s, "gradient's norm", s->gradient);
    return rc;
}

/* One share of a batch on this rank's device; what ranks tell each other goes through the host, but the sum of gradients
 * if the devices are a group. */
static int consume_share(work *w, const ps_batch *batch, ps_step *s)
{
    const ps_recipe *r = w->t->recipe;
    ps_device_result result = {0};
    int rc = gradients_room(w, batch);
    if (rc == 0)
        rc = ps_device_train_stage(w->device, batch->share, &batch->mb, &batch->loss, &batch->from);
    rc = ps_comm_agree(w->t->comm, rc, NULL);
    if (rc == 0)
        rc = ps_shares_forward(&w->shares, NULL, batch);
    if (rc == 0)
        rc = ps_device_train_loss(w->device, w->shares.z, w->shares.beta, w->dz, w->dbeta, &result);
    if (rc < 0)
        ps_comm_lost(w->t->comm);
    s->loss = result.loss;
    if (rc == 0 && !isfinite(s->loss))
        rc = diverged(s, "loss", s->loss);
    if (rc == 0)
        rc = ps_shares_backward(&w->shares, NULL, batch, w->dz, w->dbeta, w->grad);
    if (rc < 0)
        return rc;
    rc = ps_device_train_step(w->device, w->shares.work.sum ? NULL : w->grad, w->dz, s->rate,
                              ps_rate(r->schedule, r->token_rate, w->at.step, w->warmup, w->steps), &result);
    if (rc < 0 && w->shares.work.sum)
        ps_comm_lost(w->t->comm); /* the others wait on their devices for what this one has of the sum */
    s->gradient = result.gradient;
    return rc == 0 && !isfinite(s->gradient) ? diverged(s, "gradient's norm", s->gradient) : rc;
}

static int embed_share(void *ctx, ps_real *z, ps_real *beta)
{
    return ps_device_train_forward(ctx, z, beta);
}

static int back_share(void *ctx, ps_real *dz, const ps_real *dbeta, ps_real *grad)
{
    return ps_device_train_backward(ctx, dz, dbeta, grad);
}

static int sum_shares(void *ctx, int any)
{
    return ps_device_train_sum(ctx, any);
}

/* Takes the parameters and moments back from the device. */
static int fetch(work *w)
{
    return w->device ? ps_device_train_store(w->device, w->model, &w->optim) : 0;
}

static int step_here(work *w, ps_step *s)
{
    const ps_batch *batch;
    int rc = ps_ring_take(w->ring, &batch);
    if (rc == 0)
        rc = w->device ? consume_share(w, batch, s) : consume(w, batch, s);
    if (rc < 0)
        return rc;
    s->pairs = batch->loss.pairs;
    ps_ring_give_back(w->ring);
    return 0;
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

/* On rank 0, for all. */
static int validate(const work *w, double *score)
{
    const ps_training *t = w->t;
    int rc = ps_comm_rank(t->comm) == 0 ? t->validate(t->ctx, w->model, score) : 0;
    rc = ps_comm_agree(t->comm, rc, NULL);
    if (rc == 0)
        ps_comm_give(t->comm, score, sizeof *score);
    return rc;
}

static int end_epoch(work *w, ps_step *s)
{
    ps_epoch e = {.epoch = s->epoch, .loss = w->at.loss_sum / w->at.pairs_sum, .rate = s->rate, .valid = NAN,
                  .seconds = now() - w->began, .operations = ps_gemm_operations() - w->operations};
    int rc = fetch(w);
    if (rc == 0)
        rc = check_parameters(w->model, s->epoch);
    rc = ps_comm_agree(w->t->comm, rc, NULL);
    if (rc == 0 && !ps_comm_same(w->t->comm, w->model->param, w->model->size))
        rc = ps_fail(PS_EDATA, "after epoch %u the ranks have different parameters: are their machines of one kind?", s->epoch);
    if (rc == 0 && w->t->validate) {
        rc = validate(w, &e.valid);
        e.best = rc == 0 && e.valid > w->at.best_score;
        w->at.since_best = e.best ? 0 : w->at.since_best + 1;
        s->valid = e.valid;
        if (e.best) {
            w->at.best_score = e.valid;
            memcpy(w->best, w->model->param, w->model->size * sizeof *w->best);
        }
    }
    w->at.loss_sum = w->at.pairs_sum = 0;
    e.times = ps_ring_clock(w->ring);
    w->began = now();
    w->operations = ps_gemm_operations();
    if (rc == 0)
        rc = note(w, &e);
    if (rc == 0 && w->t->on_epoch)
        w->t->on_epoch(w->t->ctx, &e);
    return rc;
}

static int one_step(work *w)
{
    const ps_recipe *r = w->t->recipe;
    ps_step s = {.step = w->at.step + 1, .steps = w->steps, .epoch = (uint32_t)(w->at.step / w->batches) + 1,
                 .rate = ps_rate(r->schedule, r->rate, w->at.step, w->warmup, w->steps), .valid = NAN};
    int rc = w->device && w->shares.cut.count == 1 ? step_on_device(w, &s) : step_here(w, &s);
    /* A rank that has failed would miss what all do at the end of an epoch. */
    if ((w->at.step + 1) % w->batches == 0)
        rc = ps_comm_agree(w->t->comm, rc, NULL);
    if (rc < 0)
        return rc;
    w->at.step++;
    w->at.loss_sum += s.loss * s.pairs;
    w->at.pairs_sum += s.pairs;
    double t = now();
    s.seconds = t - w->stepped;
    if (w->at.step % w->batches == 0)
        rc = end_epoch(w, &s);
    w->stepped = now();
    if (rc == 0 && w->t->on_step)
        w->t->on_step(w->t->ctx, &s);
    return rc;
}

static ps_checkpoint contents(work *w)
{
    return (ps_checkpoint){w->at, w->t->run ? w->t->run : "", w->model, &w->optim, w->best};
}

/* A checkpoint if one is due.  One that cannot be written does not end training, which has the last one: unless
 * training ends here and would be lost, or its parameters are. */
static int save(work *w, int stop)
{
    const ps_training *t = w->t;
    int rc = 0;
    if (t->checkpoint && (stop || now() - w->saved >= t->every)) {
        const ps_checkpoint c = contents(w);
        rc = fetch(w);
        if (rc == 0)
            rc = ps_checkpoint_write(&c, t->checkpoint);
        w->saved = now();
        if (t->on_checkpoint)
            t->on_checkpoint(t->ctx, w->at.step, rc);
        if (rc == PS_ESYS && !stop)
            rc = 0;
    }
    if (rc == 0 && stop)
        rc = ps_fail(PS_EDATA, "stopped after batch %llu of %llu%s%s", (unsigned long long)w->at.step,
                     (unsigned long long)w->steps, t->checkpoint ? ": to go on, --resume " : "",
                     t->checkpoint ? t->checkpoint : "");
    return rc;
}

static int run(work *w)
{
    const ps_recipe *r = w->t->recipe;
    int rc = 0;
    w->saved = w->stepped = w->began = now();
    w->operations = ps_gemm_operations();
    while (rc == 0 && w->at.step < w->steps) {
        rc = one_step(w);
        int stop = w->t->stop && w->t->stop(w->t->ctx);
        rc = ps_comm_agree(w->t->comm, rc, &stop);
        if (r->patience && w->at.since_best >= r->patience)
            break;
        if (rc == 0 && w->at.step < w->steps)
            rc = ps_comm_agree(w->t->comm, save(w, stop), NULL);
    }
    if (rc == 0 && w->t->validate && w->at.best_score >= 0)
        memcpy(w->model->param, w->best, w->model->size * sizeof *w->best);
    return rc;
}

/* On rank 0, for all; the best parameters stay there. */
static int resume(work *w)
{
    ps_comm *comm = w->t->comm;
    ps_checkpoint c = contents(w);
    int rc = ps_comm_rank(comm) == 0 ? ps_checkpoint_read(&c, w->t->resume) : 0;
    if (rc == 0 && c.at.step > w->steps)
        rc = ps_fail(PS_EDATA, "%s: it stands behind the last batch", w->t->resume);
    w->at = c.at;
    w->log_len = strlen(w->model->log);
    w->log_cap = w->log_len + 1;
    rc = ps_comm_agree(comm, rc, NULL);
    if (rc < 0)
        return rc;
    ps_comm_give(comm, &w->at, sizeof w->at);
    ps_comm_give(comm, &w->optim.steps, sizeof w->optim.steps);
    ps_comm_give(comm, w->model->param, w->model->size * sizeof *w->model->param);
    ps_comm_give(comm, w->optim.m, w->model->dense * sizeof *w->optim.m);
    if (w->optim.v)
        ps_comm_give(comm, w->optim.v, w->model->dense * sizeof *w->optim.v);
    return 0;
}

static int set_up(work *w)
{
    const ps_training *t = w->t;
    const ps_recipe *r = t->recipe;
    ps_loss_init(&w->loss, r->loss, ps_recipe_in_batch(r), r->margin, r->shape.tau, r->shape.d, t->known, t->pool);
    w->loss.comm = t->comm;
    w->loss.shares = t->shares;
    w->grad = ps_aligned(w->model->dense, sizeof *w->grad);
    w->best = t->validate ? ps_aligned(w->model->size, sizeof *w->best) : NULL;
    if (!w->grad || (t->validate && !w->best))
        return PS_EMEM;
    int rc = ps_shares_init(&w->shares, w->model, t->pool, r->bf16 ? ps_gemm_bf16 : ps_gemm, t->comm, t->shares);
    if (rc == 0)
        rc = ps_optim_init(&w->optim, r->optimizer, r->decay, w->model, t->pool);
    if (rc == 0)
        rc = ps_producer_init(&w->producer, &t->from, t->graph, t->pairs, r, t->pool);
    if (rc < 0)
        return rc;
    w->producer.cut = w->shares.cut;
    if (t->device) {
        w->producer.most = SIZE_MAX;    /* a device takes no batch in parts */
        w->producer.from.apart = 1; /* features are written where they are sent from */
    }
    w->batches = ps_producer_batches(&w->producer);
    w->steps = w->batches * r->epochs;
    w->warmup = (uint64_t)((double)w->batches * r->warmup);
    w->at.best_score = -1;
    return 0;
}

/* Where training begins, and all that is there from then on. */
static int start(work *w)
{
    const ps_training *t = w->t;
    int rc = t->resume ? resume(w) : 0;
    w->staged = w->at.step;
    if (rc == 0 && t->device && !(w->device = ps_device_train_new(t->device, w->model, t->recipe, t->known, t->pool)))
        rc = PS_EMEM;
    if (rc == 0 && t->device)
        rc = ps_device_train_load(w->device, w->model, &w->optim);
    if (rc == 0 && t->device)
        w->shares.work = (ps_share_work){w->device, embed_share, back_share, t->device->ranks ? sum_shares : NULL};
    if (rc == 0 && t->on_start)
        rc = t->on_start(t->ctx, w->at.step);
    if (rc == 0 && !(w->ring = ps_ring_new(&w->producer, t->pool, t->ahead, w->at.step, w->steps)))
        rc = PS_EMEM;
    return rc;
}

int ps_train(const ps_training *t, ps_model *model)
{
    work w = {.t = t, .model = model};
    int rc = ps_comm_agree(t->comm, set_up(&w), NULL);
    if (rc == 0)
        rc = ps_comm_agree(t->comm, start(&w), NULL);
    if (rc == 0)
        rc = run(&w);
    ps_ring_free(w.ring);
    ps_producer_free(&w.producer);
    ps_shares_free(&w.shares);
    ps_device_train_free(w.device);
    ps_loss_free(&w.loss);
    ps_optim_free(&w.optim);
    free(w.grad);
    free(w.dz);
    free(w.dbeta);
    free(w.best);
    return rc;
}
