#include "optim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "vec.h"

enum { CHUNK = 1 << 14 };

int ps_optim_init(ps_optim *o, ps_optimizer kind, double decay, const ps_model *layout, ps_pool *pool)
{
    *o = (ps_optim){.kind = kind, .decay = decay, .layout = layout, .pool = pool};
    o->m = ps_aligned(layout->dense, sizeof *o->m);
    o->v = kind == PS_ADAM ? ps_aligned(layout->dense, sizeof *o->v) : NULL;
    o->part = ps_alloc(layout->dense / CHUNK + 1, sizeof *o->part);
    if (o->part && o->m && (o->v || kind != PS_ADAM))
        return 0;
    ps_optim_free(o);
    return PS_EMEM;
}

void ps_optim_free(ps_optim *o)
{
    free(o->m);
    free(o->v);
    free(o->part);
    memset(o, 0, sizeof *o);
}

typedef struct {
    ps_optim *o;
    const ps_tensor *t;
    ps_real rate, step_size, root_scale, keep, *param;
    const ps_real *grad;
} job;

/* In double precision: the squares of what f32 holds need not fit f32. */
static double squares(size_t n, const ps_real *x)
{
    enum { LANES = 8 };
    double sum[LANES] = {0}, all = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            sum[k] += (double)x[i + (size_t)k] * (double)x[i + (size_t)k];
    for (; i < n; i++)
        sum[0] += (double)x[i] * (double)x[i];
    for (int k = 0; k < LANES; k++)
        all += sum[k];
    return all;
}

static int norm_chunk(void *ctx, size_t task, int thread)
{
    const job *g = ctx;
    (void)thread;
    size_t first = task * CHUNK, left = g->o->layout->dense - first, n = left < CHUNK ? left : CHUNK;
    g->o->part[task] = squares(n, g->grad + first);
    return 0;
}

double ps_optim_norm(ps_optim *o, const ps_real *grad)
{
    job g = {.o = o, .grad = grad};
    size_t chunks = (o->layout->dense + CHUNK - 1) / CHUNK;
    double sum = 0;
    (void)!ps_pool_run(o->pool, chunks, norm_chunk, &g); /* cannot fail */
    for (size_t i = 0; i < chunks; i++)
        sum += o->part[i];
    return sqrt(sum);
}

static int chunk(void *ctx, size_t task, int thread)
{
    const job *g = ctx;
    (void)thread;
    size_t size = (size_t)g->t->rows * g->t->cols, first = task * CHUNK, n = size - first < CHUNK ? size - first : CHUNK;
    size_t at = g->t->at + first;
    if (g->o->kind == PS_ADAM)
        ps_vec()->adam(n, g->param + at, g->grad + at, g->o->m + at, g->o->v + at, g->step_size, g->root_scale, g->keep);
    else
        ps_vec()->sgd(n, g->param + at, g->grad + at, g->o->m + at, g->rate, (ps_real)PS_MOMENTUM);
    return 0;
}

void ps_optim_step(ps_optim *o, double rate, ps_real *param, const ps_real *grad)
{
    double t = (double)++o->steps;
    for (int i = 0; i < o->layout->tensors; i++) {
        const ps_tensor *x = &o->layout->tensor[i];
        if (x->at >= o->layout->dense)
            break; /* ps_tokens_step's */
        job g = {.o = o, .t = x, .rate = (ps_real)rate, .param = param, .grad = grad};
        g.step_size = (ps_real)(rate / (1 - pow((double)PS_ADAM_BETA1, t)));
        g.root_scale = (ps_real)(1 / sqrt(1 - pow((double)PS_ADAM_BETA2, t)));
        g.keep = (ps_real)(x->vector ? 1 : 1 - rate * o->decay);
        (void)!ps_pool_run(o->pool, ((size_t)x->rows * x->cols + CHUNK - 1) / CHUNK, chunk, &g); /* cannot fail */
    }
}

double ps_rate(ps_schedule schedule, double peak, uint64_t s, uint64_t warmup, uint64_t total)
{
    if (s < warmup)
        return peak * (double)(s + 1) / (double)warmup;
    if (schedule == PS_CONSTANT || total <= warmup + 1)
        return peak;
    double way = (double)(s - warmup) / (double)(total - warmup - 1);
    if (schedule == PS_EXPONENTIAL)
        return peak * pow(PS_RATE_END, way);
    return peak * (PS_RATE_END + (1 - PS_RATE_END) * (1 + cos(3.14159265358979323846 * way)) / 2);
}
