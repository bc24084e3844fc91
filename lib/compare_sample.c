/* compare_sample.c - how sure means over queries are: bootstrap and randomisation. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "mem.h"
#include "rng.h"

/* ---- sums ---- */

int ps_sums_make(ps_sums *s, const ps_ranks *r, const ps_cutoffs *c, const ps_part *part)
{
    *s = (ps_sums){.measures = ps_measures(c)};
    s->pairs_of = ps_alloc(r->queries, sizeof *s->pairs_of);
    s->row = ps_alloc(r->queries * s->measures, sizeof *s->row);
    if (!s->pairs_of || !s->row) {
        ps_sums_free(s);
        return PS_EMEM;
    }
    for (size_t at = 0, end; at < r->pairs->n; at = end) {
        end = ps_query_end(r, at);
        const size_t positives = ps_query_measures(r, c, part, at, end, s->row + s->queries * s->measures);
        if (positives == 0)
            continue;
        s->pairs += positives;
        s->pairs_of[s->queries++] = (double)positives;
    }
    return 0;
}

void ps_sums_free(ps_sums *s)
{
    free(s->pairs_of);
    free(s->row);
    *s = (ps_sums){0};
}

/* Sums to means, `queries` and `pairs` being what they are of. */
static void divide(double *sum, const ps_cutoffs *c, double queries, double pairs)
{
    for (size_t m = 0; m < ps_measures(c); m++)
        sum[m] /= ps_measure_of_pairs(c, m) ? pairs : queries;
}

void ps_sums_mean(const ps_sums *s, const ps_cutoffs *c, double *value)
{
    memset(value, 0, s->measures * sizeof *value);
    if (s->queries == 0)
        return;
    for (size_t q = 0; q < s->queries; q++)
        for (size_t m = 0; m < s->measures; m++)
            value[m] += s->row[q * s->measures + m];
    divide(value, c, (double)s->queries, (double)s->pairs);
}

/* ---- bootstrap ---- */

typedef struct {
    const ps_sums *sums;
    size_t n, measures;
    const ps_cutoffs *c;
    uint64_t seed, samples;
    double *value; /* (file x measure) x sample */
} bootstrap;

/* Queries drawn for one sample; the same for all files, so that differences are of the same queries. */
static int draw_sample(void *ctx, size_t sample, int thread)
{
    const bootstrap *b = ctx;
    const uint64_t key = ps_rng_key(b->seed, sample);
    const size_t queries = b->sums[0].queries, measures = b->measures;
    double sum[PS_FILES_MAX][PS_MEASURES_MAX] = {{0}}, pairs = 0;
    (void)thread;
    for (size_t i = 0; i < queries; i++) {
        const size_t q = ps_below(ps_rng(key, i), queries);
        pairs += b->sums[0].pairs_of[q];
        for (size_t f = 0; f < b->n; f++)
            for (size_t m = 0; m < measures; m++)
                sum[f][m] += b->sums[f].row[q * measures + m];
    }
    for (size_t f = 0; f < b->n; f++) {
        divide(sum[f], b->c, (double)queries, pairs);
        for (size_t m = 0; m < measures; m++)
            b->value[(f * measures + m) * b->samples + sample] = sum[f][m];
    }
    return 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static ps_interval percentiles(double *x, uint64_t n)
{
    qsort(x, n, sizeof *x, by_value);
    return (ps_interval){x[(size_t)floor(.025 * (double)(n - 1))], x[(size_t)ceil(.975 * (double)(n - 1))]};
}

/* Differences before the values are sorted. */
static void summarise(const bootstrap *b, double *room, ps_interval *interval, ps_interval *difference)
{
    for (size_t i = 0; i < b->n; i++)
        for (size_t j = i + 1; j < b->n; j++)
            for (size_t m = 0; m < b->measures; m++) {
                const double *x = b->value + (i * b->measures + m) * b->samples;
                const double *y = b->value + (j * b->measures + m) * b->samples;
                for (uint64_t s = 0; s < b->samples; s++)
                    room[s] = y[s] - x[s];
                *difference++ = percentiles(room, b->samples);
            }
    for (size_t k = 0; k < b->n * b->measures; k++)
        interval[k] = percentiles(b->value + k * b->samples, b->samples);
}

int ps_bootstrap(const ps_sums *sums, size_t n, const ps_cutoffs *c, uint64_t samples, uint64_t seed, ps_pool *pool,
                 ps_interval *interval, ps_interval *difference)
{
    const size_t measures = ps_measures(c);
    memset(interval, 0, n * measures * sizeof *interval);
    memset(difference, 0, n * (n - 1) / 2 * measures * sizeof *difference);
    if (sums[0].queries == 0)
        return 0;
    double *value = ps_alloc(n * measures * samples, sizeof *value), *room = ps_alloc(samples, sizeof *room);
    bootstrap b = {sums, n, measures, c, seed, samples, value};
    int rc = value && room ? ps_pool_run(pool, samples, draw_sample, &b) : PS_EMEM;
    if (rc == 0)
        summarise(&b, room, interval, difference);
    free(value);
    free(room);
    return rc;
}

/* ---- randomisation ---- */

/* Trials are numbered after all samples of a bootstrap: other random numbers. */
#define FIRST_TRIAL (UINT64_C(1) << 32)

typedef struct {
    const ps_sums *a, *b;
    size_t measures;
    uint64_t seed;
    const double *observed; /* measure: sum of b - a */
    unsigned char *as_far;  /* trial x measure */
} randomisation;

static int swap_some(void *ctx, size_t trial, int thread)
{
    const randomisation *w = ctx;
    const uint64_t key = ps_rng_key(w->seed, FIRST_TRIAL + trial);
    double sum[PS_MEASURES_MAX] = {0};
    uint64_t bits = 0;
    (void)thread;
    for (size_t q = 0; q < w->a->queries; q++) {
        const double *x = w->a->row + q * w->measures, *y = w->b->row + q * w->measures;
        bits = q % 64 == 0 ? ps_rng(key, q / 64) : bits >> 1;
        const double sign = bits & 1 ? -1 : 1;
        for (size_t m = 0; m < w->measures; m++)
            sum[m] += sign * (y[m] - x[m]);
    }
    /* Sums of the same terms in another order or sign differ in their last bits. */
    for (size_t m = 0; m < w->measures; m++)
        w->as_far[trial * w->measures + m] = fabs(sum[m]) >= fabs(w->observed[m]) - 1e-9;
    return 0;
}

int ps_randomisation(const ps_sums *a, const ps_sums *b, const ps_cutoffs *c, uint64_t trials, uint64_t seed,
                     ps_pool *pool, double *p)
{
    const size_t measures = ps_measures(c);
    double observed[PS_MEASURES_MAX] = {0};
    for (size_t q = 0; q < a->queries; q++)
        for (size_t m = 0; m < measures; m++)
            observed[m] += b->row[q * measures + m] - a->row[q * measures + m];
    unsigned char *as_far = ps_alloc(trials * measures, 1);
    if (!as_far)
        return PS_EMEM;
    randomisation w = {a, b, measures, seed, observed, as_far};
    int rc = ps_pool_run(pool, trials, swap_some, &w);
    for (size_t m = 0; m < measures && rc == 0; m++) {
        uint64_t n = 1;
        for (uint64_t t = 0; t < trials; t++)
            n += as_far[t * measures + m];
        p[m] = (double)n / (double)(trials + 1);
    }
    free(as_far);
    return rc;
}
