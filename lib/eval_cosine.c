/* eval_cosine.c - how the cosines of random pairs of items are spread. */
#include <math.h>
#include <stdlib.h>

#include "eval.h"
#include "mem.h"
#include "rng.h"

enum { SAMPLES_A_TASK = 4096 };

const double ps_quantiles[PS_QUANTILES] = {.01, .05, .25, .5, .75, .95, .99};

typedef struct {
    const ps_knn *knn;
    const uint64_t *rows; /* that are no zero vectors */
    uint64_t n, key, samples;
    float *cosine;
} job;

static int sample(void *ctx, size_t task, int thread)
{
    const job *w = ctx;
    (void)thread;
    uint64_t end = (task + 1) * (uint64_t)SAMPLES_A_TASK < w->samples ? (task + 1) * (uint64_t)SAMPLES_A_TASK
                                                                      : w->samples;
    for (uint64_t i = task * (uint64_t)SAMPLES_A_TASK; i < end; i++) {
        uint64_t a = ps_below(ps_rng(w->key, 2 * i), w->n), b = ps_below(ps_rng(w->key, 2 * i + 1), w->n - 1);
        b += b >= a;
        w->cosine[i] = (float)ps_knn_cosine(w->knn, w->rows[a], w->rows[b]);
    }
    return 0;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* From sorted values: the sums' order is theirs. */
static void summarise(ps_distribution *d, const float *x, uint64_t n)
{
    double sum = 0, second = 0, fourth = 0;
    for (uint64_t i = 0; i < n; i++) {
        int bin = (int)floor((x[i] + 1) * (PS_BINS / 2.0));
        sum += x[i];
        d->histogram[bin < 0 ? 0 : bin >= PS_BINS ? PS_BINS - 1 : bin]++;
    }
    d->pairs = n;
    d->mean = sum / (double)n;
    for (uint64_t i = 0; i < n; i++) {
        double square = (x[i] - d->mean) * (x[i] - d->mean);
        second += square;
        fourth += square * square;
    }
    second /= (double)n;
    fourth /= (double)n;
    d->sd = sqrt(second);
    d->kurtosis = second > 0 ? fourth / (second * second) - 3 : 0;
    d->min = x[0];
    d->max = x[n - 1];
    for (int i = 0; i < PS_QUANTILES; i++)
        d->quantile[i] = x[(uint64_t)(ps_quantiles[i] * (double)(n - 1))];
}

int ps_distribution_make(ps_distribution *d, const ps_knn *knn, uint64_t pairs, uint64_t seed, ps_pool *pool)
{
    *d = (ps_distribution){0};
    uint64_t *rows = ps_alloc(knn->n, sizeof *rows);
    float *cosine = ps_alloc(pairs, sizeof *cosine);
    job w = {knn, rows, 0, ps_rng_key(seed, 0), pairs, cosine};
    int rc = rows && cosine ? 0 : PS_EMEM;
    for (uint64_t i = 0; i < knn->n && rc == 0; i++)
        if (ps_knn_cosine(knn, i, i) > 0)
            rows[w.n++] = i;
    d->zero = knn->n - w.n;
    if (rc == 0 && (w.n < 2 || pairs == 0))
        rc = ps_fail(PS_EDATA, "%s: fewer than two vectors that are not zero: no pairs to compare", knn->name);
    if (rc == 0)
        rc = ps_pool_run(pool, (pairs + SAMPLES_A_TASK - 1) / SAMPLES_A_TASK, sample, &w);
    if (rc == 0) {
        qsort(cosine, pairs, sizeof *cosine, by_value);
        summarise(d, cosine, pairs);
    }
    free(rows);
    free(cosine);
    return rc;
}
