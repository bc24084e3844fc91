/* bench.c - how fast the device's operations are, beside its own limits; then training on it at the paper's size.
 *
 *     bench [small]     small: sizes at which the emulation can try the program itself
 *
 * Limits, measured first: the runtime's own copy within the device, and cuBLAS on square matrices.  Bytes and
 * operations are kernels/README's counts, so a kernel that reads something twice from memory shows as slow.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "device_train.h"
#include "mem.h"
#include "rng.h"

static const sizes paper = {4352, 2048, 1024, 50, 2048, 500, 200000, 100000, 8192};
static const sizes small = {24, 16, 8, 3, 16, 5, 60, 40, 32};

ps_device *dev;
static const ps_device_ops *ops;
static ps_pool *pool;

double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void need(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "bench: %s\n", ps_errmsg());
        exit(1);
    }
}

/* Memory of the device, given back together. */
static struct {
    void *p;
    size_t bytes;
} rooms[40];
static int rooms_used;

void *room(size_t bytes)
{
    void *p = ops->alloc(dev, bytes);
    need(p ? 0 : -1);
    rooms[rooms_used].p = p;
    rooms[rooms_used++].bytes = bytes;
    return p;
}

void free_rooms(void)
{
    for (; rooms_used > 0; rooms_used--)
        ops->release(dev, rooms[rooms_used - 1].p, rooms[rooms_used - 1].bytes);
}

float *random_reals(size_t n)
{
    float *host = ps_alloc(n, sizeof *host), *p = room(n * sizeof *p);
    need(host ? 0 : -1);
    for (size_t i = 0; i < n; i++)
        host[i] = (float)(ps_unit(ps_rng(1, i)) - .5);
    need(ops->put(dev, p, host, n * sizeof *p));
    free(host);
    return p;
}

uint32_t *words(size_t n, uint32_t step, uint32_t below)
{
    uint32_t *host = ps_alloc(n, sizeof *host), *p = room(n * sizeof *p);
    need(host ? 0 : -1);
    for (size_t i = 0; i < n; i++)
        host[i] = step ? (uint32_t)i * step : (uint32_t)(ps_rng(2, i) % below);
    need(ops->put(dev, p, host, n * sizeof *p));
    free(host);
    return p;
}

/* ---- products ---- */

static double mean_of(int times, size_t n, int form, const float *a, const float *b, float *c)
{
    double t = 0;
    for (int i = 0; i <= times; i++) {
        if (i == 1) {
            need(ops->finish(dev));
            t = now();
        }
        if (form == 0)
            ops->gemm(dev, PS_N, PS_T, n, n, n, a, n, b, n, 0, c, n);
        else if (form == 1)
            ops->gemm_bias_relu(dev, n, n, n, a, b, n, a, c);
        else
            ops->to_bf16(dev, n, n, a, n, (uint16_t *)c);
    }
    need(ops->finish(dev));
    return (now() - t) / times;
}

/* Of n x n matrices; those of bf16 without the rounding of both factors. */
static double product_rate(size_t n, ps_products how, const char *name)
{
    float *a = random_reals(n * n), *b = random_reals(n * n), *c = random_reals(n * n);
    const double flop = 2 * (double)n * (double)n * (double)n;
    double rounding = how == PS_PRODUCTS_BF16 ? 2 * mean_of(5, n, 2, a, b, c) : 0;
    dev->products = how;
    double alone = mean_of(5, n, 0, a, b, c) - rounding, fused = mean_of(5, n, 1, a, b, c) - rounding;
    dev->products = PS_PRODUCTS_F32;
    free_rooms();
    printf("products of %s: %.1f TFLOP/s (%zu x %zu); bias and ReLU add %.3f ms to %.3f\n", name, 1e-12 * flop / alone,
           n, n, 1e3 * (fused - alone), 1e3 * alone);
    return flop / alone;
}

/* ---- training ---- */

typedef struct {
    ps_minibatch mb;
    ps_loss_batch loss;
    uint32_t *items, *rows;
    float *weight;
} batch;

/* T neighbours at random for every item of S_1, as a minibatch of Algorithm 2 has them. */
static void add_neighbours(ps_minibatch *mb, const sizes *s, uint64_t seed)
{
    uint64_t draws = 0;
    uint32_t done = 0;
    for (uint32_t k = mb->layers; k >= 1; k--) {
        uint32_t n = mb->n[0];
        mb->n[k] = n;
        need(ps_grow(&mb->off, &mb->cap_off, (size_t)n + 1, sizeof *mb->off));
        need(ps_grow(&mb->index, &mb->cap_edge[0], (size_t)n * s->T, sizeof *mb->index));
        need(ps_grow(&mb->weight, &mb->cap_edge[1], (size_t)n * s->T, sizeof *mb->weight));
        mb->off[0] = 0;
        for (; done < n; done++) {
            for (uint32_t t = 0; t < s->T; t++) {
                uint32_t e = done * s->T + t;
                need(ps_minibatch_add(mb, (uint32_t)(ps_rng(seed, draws++) % s->items), &mb->index[e]));
                mb->weight[e] = 1 / (float)s->T;
            }
            mb->off[done + 1] = (done + 1) * s->T;
        }
    }
}

/* The lists by neighbour, users ascending. */
static void turn_round(ps_minibatch *mb)
{
    uint32_t n = mb->n[0], edges = mb->off[mb->n[1]];
    need(ps_grow(&mb->back_off, &mb->cap_back[0], (size_t)n + 2, sizeof *mb->back_off));
    need(ps_grow(&mb->user, &mb->cap_back[1], edges, sizeof *mb->user));
    need(ps_grow(&mb->slot, &mb->cap_back[2], edges, sizeof *mb->slot));
    need(ps_grow(&mb->back_weight, &mb->cap_back[3], edges, sizeof *mb->back_weight));
    memset(mb->back_off, 0, ((size_t)n + 2) * sizeof *mb->back_off);
    for (uint32_t e = 0; e < edges; e++)
        mb->back_off[mb->index[e] + 2]++;
    for (uint32_t v = 0; v < n; v++)
        mb->back_off[v + 2] += mb->back_off[v + 1];
    for (uint32_t u = 0; u < mb->n[1]; u++)
        for (uint32_t e = mb->off[u]; e < mb->off[u + 1]; e++) {
            uint32_t to = mb->back_off[mb->index[e] + 1]++;
            mb->user[to] = u;
            mb->slot[to] = e - mb->off[u];
            mb->back_weight[to] = mb->weight[e];
        }
}

static void make_batch(batch *b, const ps_shape *shape, const sizes *s)
{
    size_t n = 2 * (size_t)s->batch + s->negatives;
    b->items = ps_alloc(n, sizeof *b->items);
    b->rows = ps_alloc(n, sizeof *b->rows);
    b->weight = ps_alloc(s->batch, sizeof *b->weight);
    need(b->items && b->rows && b->weight ? 0 : -1);
    need(ps_minibatch_begin(&b->mb, shape, s->items));
    for (size_t i = 0; i < n; i++) {
        b->items[i] = (uint32_t)(ps_rng(3, i) % s->items);
        need(ps_minibatch_add(&b->mb, b->items[i], &b->rows[i]));
    }
    for (uint32_t j = 0; j < s->batch; j++)
        b->weight[j] = 1;
    add_neighbours(&b->mb, s, 4);
    turn_round(&b->mb);
    size_t features = (size_t)b->mb.n[0] * s->dx;
    need(ps_grow(&b->mb.x, &b->mb.cap_x, features, sizeof *b->mb.x));
    for (size_t i = 0; i < features; i++)
        b->mb.x[i] = (float)(i * 2654435761u % 1000) * 1e-3f - .5f;
    b->loss = (ps_loss_batch){.pairs = s->batch,
                              .negatives = s->negatives,
                              .query = b->items,
                              .query_row = b->rows,
                              .positive = b->items + s->batch,
                              .positive_row = b->rows + s->batch,
                              .negative = b->items + 2 * s->batch,
                              .negative_row = b->rows + 2 * s->batch,
                              .weight = b->weight};
}

/* Operations of the products of a step: forward, and backward twice that but for the gradient by the features. */
static double step_operations(const sizes *s, const uint32_t *n)
{
    double m = s->m, dx = s->dx, d = s->d, N = s->negatives, B = s->batch;
    double one = n[0] * m * dx + n[1] * m * (dx + m), two = n[1] * m * m + n[2] * m * 2 * m;
    double inputs = n[1] * m * m + two, head = n[2] * m * (m + d);
    return 2 * (2 * one + inputs + 2 * two + 3 * head + 3 * B * N * d);
}

typedef struct {
    ps_device_train *t;
    const batch *b;
} running;

static void stage(const running *r)
{
    need(ps_device_train_stage(r->t, &r->b->mb, &r->b->mb, &r->b->loss, NULL));
}

static void compute(const running *r)
{
    ps_device_result result;
    need(ps_device_train_launch(r->t, 1e-6, 0));
    need(ps_device_train_wait(r->t, &result));
}

/* Mean seconds of a step: with the next batch sent meanwhile; of sending alone; of computing alone. */
static void time_steps(const running *r, int steps, double *together, double *sending, double *computing)
{
    ps_device_result result;
    stage(r);
    compute(r); /* the first allocates */
    double t = now();
    *sending = *computing = 0;
    for (int i = 0; i < steps; i++) {
        t = now();
        stage(r);
        need(ops->finish(dev));
        *sending += (now() - t) / steps;
        t = now();
        compute(r);
        *computing += (now() - t) / steps;
    }
    stage(r);
    t = now();
    for (int i = 0; i < steps; i++) {
        need(ps_device_train_launch(r->t, 1e-6, 0));
        stage(r);
        need(ps_device_train_wait(r->t, &result));
    }
    *together = (now() - t) / steps;
    compute(r);
}

static void training(const sizes *s, const batch *b, const ps_model *model, ps_products how, const char *name,
                     double matrix_rate)
{
    double together, sending, computing, flop = step_operations(s, b->mb.n);
    const uint64_t fused = dev->fused, unfused = dev->unfused;
    ps_recipe r = ps_recipe_paper();
    ps_optim optim;
    r.shape = model->shape;
    r.tf32 = how == PS_PRODUCTS_TF32;
    r.bf16 = how == PS_PRODUCTS_BF16;
    need(ps_optim_init(&optim, r.optimizer, 0, model, NULL));
    const running run = {ps_device_train_new(dev, model, &r, NULL, pool), b};
    need(run.t ? 0 : -1);
    need(ps_device_train_load(run.t, model, &optim));
    time_steps(&run, 5, &together, &sending, &computing);
    double least = sending < computing ? sending : computing;
    printf("%-6s %9.1f %9.1f %9.1f %8.0f%% %10.0f %9.1f %8.0f%% %5llu of %llu\n", name, 1e3 * computing, 1e3 * sending,
           1e3 * together, 100 * (sending + computing - together) / least, s->batch / together,
           1e-12 * flop / computing, 100 * flop / computing / matrix_rate, (unsigned long long)(dev->fused - fused),
           (unsigned long long)(dev->fused - fused + dev->unfused - unfused));
    ps_device_train_free(run.t);
    ps_optim_free(&optim);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"f32", "tf32", "bf16"};
    const sizes *s = argc > 1 && strcmp(argv[1], "small") == 0 ? &small : &paper;
    double rate[3];
    batch b = {0};
    ps_model model;
    if (!(dev = ps_device_cuda(0))) {
        printf("%s\n", ps_errmsg());
        return 77;
    }
    ops = dev->ops;
    need((pool = ps_pool_new(ps_cores())) ? 0 : -1);
    printf("%s\n", dev->name);
    operations(s);
    for (int p = 0; p < 3; p++) {
        rate[p] = product_rate(s->square, (ps_products)p, names[p]);
    }
    const ps_shape shape = {.dx = s->dx, .layers = 2, .m = s->m, .d = s->d, .tau = 1};
    need(ps_model_make(&model, &shape));
    ps_model_init(&model, 1);
    make_batch(&b, &shape, s);
    printf("training: %u pairs, %u negatives; items in the layers %u, %u, %u; features %u, hidden %u, output %u\n",
           s->batch, s->negatives, b.mb.n[0], b.mb.n[1], b.mb.n[2], s->dx, s->m, s->d);
    printf("%-6s %9s %9s %9s %9s %10s %9s %9s %s\n", "", "compute", "send", "step, ms", "overlap", "pairs/s", "TFLOP/s",
           "of rate", "fused products");
    for (int p = 0; p < 3; p++)
        training(s, &b, &model, (ps_products)p, names[p], rate[p]);
    ps_minibatch_free(&b.mb);
    free(b.items);
    free(b.rows);
    free(b.weight);
    ps_model_free(&model);
    ps_pool_free(pool);
    ops->close(dev);
    return 0;
}
