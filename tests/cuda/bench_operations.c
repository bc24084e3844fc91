/* bench_operations.c - what each of the device's operations takes, beside a copy within the device.  Bytes and
 * operations are kernels/README's counts, so that one which reads something twice from memory shows as slow. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

typedef struct {
    const sizes *s;
    size_t n;
    float *a, *b, *c, *v, *row, *part; /* v: mean squares, not negative */
    uint32_t *off, *index, *near, *slot, *line, *use, *arg;
    double *sums;
    ps_device_loss loss;
} arrays;

static void run_copy(const arrays *x)
{
    dev->ops->copy(dev, x->c, x->a, x->s->rows * x->n * sizeof *x->a);
}

static void run_gather(const arrays *x)
{
    dev->ops->gather_rows(dev, x->s->rows, x->n, x->a, x->index, x->c);
}

static void run_bias_relu(const arrays *x)
{
    dev->ops->bias_relu(dev, x->s->rows, x->n, x->c, x->row);
}

static void run_normalize(const arrays *x)
{
    dev->ops->normalize(dev, x->s->rows, x->n, x->c, x->row, x->part);
}

static void run_normalize_back(const arrays *x)
{
    dev->ops->normalize_back(dev, x->s->rows, x->n, x->a, x->b, x->row, x->c);
}

static void run_relu_back(const arrays *x)
{
    dev->ops->relu_back(dev, x->s->rows, x->n, x->c, x->b, x->row, x->part);
}

static void run_column_sums(const arrays *x)
{
    dev->ops->column_sums(dev, x->s->rows, x->n, NULL, x->b, x->row, x->part);
}

static void run_pool_sum(const arrays *x)
{
    dev->ops->pool_sum(dev, x->s->rows / x->s->T, x->n, x->off, x->index, x->b, x->a, 0, x->c);
}

static void run_pool_sum_back(const arrays *x)
{
    dev->ops->pool_sum_back(dev, x->s->rows / x->s->T, x->n, x->off, x->index, x->b, UINT32_MAX, x->a, x->c);
}

static void run_pool_max(const arrays *x)
{
    dev->ops->pool_max(dev, x->s->rows / x->s->T, x->n, x->off, x->index, x->a, x->c, x->arg);
}

static void run_adam(const arrays *x)
{
    size_t n = x->s->rows * x->n / 4;
    const ps_segments one = {.n = 1, .end = {n}, .keep = {1}};
    dev->ops->adam(dev, &one, x->a, x->a + n, x->b, x->v, 1e-9f, 1);
}

static void run_squares(const arrays *x)
{
    dev->ops->squares(dev, x->s->rows * x->n, x->a, x->sums, x->sums + 1);
}

static void run_to_bf16(const arrays *x)
{
    dev->ops->to_bf16(dev, x->s->rows, x->n, x->a, x->n, (uint16_t *)x->c);
}

static void run_unit_relu_back(const arrays *x)
{
    dev->ops->unit_relu_back(dev, x->s->rows, x->n, x->c, x->b, x->row);
}

static void run_row_dots(const arrays *x)
{
    dev->ops->row_dots(dev, x->s->rows, x->n, x->a, x->row, x->part);
}

static void run_outer_add(const arrays *x)
{
    dev->ops->outer_add(dev, x->s->rows, x->n, x->row, x->b, x->c);
}

static void run_pool_max_back(const arrays *x)
{
    dev->ops->pool_max_back(dev, x->s->rows / x->s->T, x->n, x->off, x->near, x->slot, UINT32_MAX, x->a, x->arg, x->c);
}

static void run_loss_pairs(const arrays *x)
{
    dev->ops->loss_pairs(dev, &x->loss);
}

static void run_loss_rows(const arrays *x)
{
    const ps_device_loss *l = &x->loss;
    dev->ops->loss_rows(dev, l, 2 * (size_t)l->pairs + l->negatives, x->line, x->use, x->a, x->b, x->c, x->row, x->row,
                        x->part, NULL);
}

static void run_sgd(const arrays *x)
{
    dev->ops->sgd(dev, x->s->rows * x->n / 4, x->a, x->b, x->c, 1e-9f, .9f);
}

static void run_token_step(const arrays *x)
{
    dev->ops->token_step(dev, x->s->rows / x->s->T, x->n, x->line, x->off, x->index, x->row, x->a, 1e-9f, x->c,
                         x->part);
}

static void run_sum(const arrays *x)
{
    dev->ops->sum(dev, x->s->rows * x->n, x->a, x->sums, x->sums + 1);
}

static void run_count_bad(const arrays *x)
{
    dev->ops->count_bad(dev, x->s->rows * x->n, x->a, (uint32_t *)x->sums);
}

static void run_from_bf16(const arrays *x)
{
    dev->ops->from_bf16(dev, x->s->rows * x->n, (const uint16_t *)x->a, x->c);
}

/* Seconds of one run: after a first, as many as take a while. */
static double seconds(void (*run)(const arrays *), const arrays *x, int times)
{
    run(x);
    need(dev->ops->finish(dev));
    double t = now();
    for (int i = 0; i < times; i++)
        run(x);
    need(dev->ops->finish(dev));
    return (now() - t) / times;
}

/* Of the whole batch, with in-batch negatives, and nothing known. */
static ps_device_loss loss_of(const sizes *s)
{
    const size_t B = s->batch, N = s->negatives, d = s->d;
    uint32_t *item = words(2 * B + N, 1, 0), *none = words(B + 1, 0, 1);
    return (ps_device_loss){.pairs = s->batch,
                            .negatives = s->negatives,
                            .d = s->d,
                            .tau = 1,
                            .weight_sum = s->batch,
                            .query = item,
                            .positive = item + B,
                            .negative = item + 2 * B,
                            .positive_row = item + B,
                            .negative_row = item + 2 * B,
                            .weight = random_reals(B),
                            .log_bq = random_reals(B),
                            .log_np = random_reals(N),
                            .known_off = none,
                            .known = none,
                            .q = random_reals(B * d),
                            .p = random_reals(B * d),
                            .z = random_reals((2 * B + N) * d),
                            .sn = random_reals(B * N),
                            .sp = random_reals(B * B),
                            .down = room(B * sizeof(float)),
                            .pair_loss = room(B * sizeof(float))};
}

/* Every query, positive and negative in a row of its own. */
static uint32_t *uses_of(const sizes *s)
{
    const uint32_t B = s->batch, n = 2 * B + s->negatives;
    uint32_t *host = malloc(n * sizeof *host), *use = room(n * sizeof *use);
    need(host ? 0 : -1);
    for (uint32_t i = 0; i < n; i++)
        host[i] = i < B       ? (uint32_t)PS_USE_QUERY << PS_USE_SHIFT | i
                  : i < 2 * B ? (uint32_t)PS_USE_POSITIVE << PS_USE_SHIFT | (i - B)
                              : (uint32_t)PS_USE_NEGATIVE << PS_USE_SHIFT | (i - 2 * B);
    need(dev->ops->put(dev, use, host, n * sizeof *use));
    free(host);
    return use;
}

void operations(const sizes *s)
{
    size_t n = s->m, all = s->rows * n, few = s->rows / s->T, B = s->batch, N = s->negatives, uses = 2 * B + N;
    double rows = (double)s->rows, element = rows * (double)n, pooled = element / s->T;
    double scores = (double)B * (double)(B + N), parts = (double)uses * s->d;
    const arrays x = {.s = s,
                      .n = n,
                      .a = random_reals(all),
                      .b = random_reals(all),
                      .c = random_reals(all),
                      .v = room(all / 4 * sizeof(float)),
                      .row = random_reals(s->rows > n ? s->rows : n),
                      .part = room((ps_device_parts(s->rows) + s->rows) * n * 4),
                      .off = words(few + 1, s->T, 0),
                      .index = words(s->rows, 0, (uint32_t)s->rows),
                      .near = words(s->rows, 0, (uint32_t)few),
                      .slot = words(s->rows, 0, s->T),
                      .line = words(s->rows > uses + 1 ? s->rows : uses + 1, 1, 0),
                      .use = uses_of(s),
                      .arg = words(all / s->T, 0, 1),
                      .sums = room((1 + PS_SUM_BLOCKS) * sizeof(double)),
                      .loss = loss_of(s)};
    const struct {
        const char *name;
        void (*run)(const arrays *);
        double bytes, flop;
    } each[] = {{"copy (the runtime's)", run_copy, 8 * element, 0},
                {"gather_rows", run_gather, 8 * element, 0},
                {"bias_relu", run_bias_relu, 8 * element, 2 * element},
                {"normalize, with a bias", run_normalize, 8 * element, 5 * element},
                {"normalize_back", run_normalize_back, 12 * element, 5 * element},
                {"unit_relu_back", run_unit_relu_back, 12 * element, 5 * element},
                {"relu_back and sums", run_relu_back, 12.25 * element, 2 * element},
                {"column_sums", run_column_sums, 4.25 * element, 2 * element},
                {"row_dots", run_row_dots, 4 * element, 2 * element},
                {"outer_add", run_outer_add, 8 * element, 2 * element},
                {"pool_sum", run_pool_sum, 4 * (element + pooled) + 8 * rows, 2 * element},
                {"pool_sum_back", run_pool_sum_back, 4 * (element + 2 * pooled) + 8 * rows, 2 * element},
                {"pool_max", run_pool_max, 4 * (element + 2 * pooled) + 4 * rows, element},
                {"pool_max_back", run_pool_max_back, 8 * (element + pooled + rows), 2 * element},
                {"loss_pairs", run_loss_pairs, 8 * scores, 20 * scores},
                {"loss_rows", run_loss_rows, 16 * parts, 4 * parts},
                {"adam", run_adam, 7 * element, 3 * element},
                {"sgd", run_sgd, 5 * element, element},
                {"token_step", run_token_step, 4 * (element + 2 * pooled), 4 * element},
                {"sum", run_sum, 4 * element, element},
                {"squares", run_squares, 4 * element, 2 * element},
                {"count_bad", run_count_bad, 4 * element, element},
                {"to_bf16", run_to_bf16, 6 * element, 0},
                {"from_bf16", run_from_bf16, 6 * element, 0}};
    double copy_rate = 0;
    dev->ops->zero(dev, x.v, all / 4 * sizeof *x.v);
    printf("%-24s %9s %9s %9s %9s   %zu rows of %zu, T %u\n", "operation", "ms", "GB/s", "of copy", "GFLOP/s", s->rows,
           n, s->T);
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        double t = seconds(each[i].run, &x, 20), rate = each[i].bytes / t;
        copy_rate = i ? copy_rate : rate;
        printf("%-24s %9.3f %9.1f %8.0f%% %9.1f\n", each[i].name, 1e3 * t, 1e-9 * rate, 100 * rate / copy_rate,
               1e-9 * each[i].flop / t);
    }
    free_rooms();
}
