/* t_loss.c - every loss with every kind of negatives against a few lines that follow loss.h's formulas, in double: on
 * hand-made batches with repeated items, known positives, weights, an item bias and logQ. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "loss.h"
#include "rng.h"

/* Two equal pairs, an item that is query, positive and negative, a negative that stands there twice. */
enum { ITEMS = 12, B = 5, N = 6, H = 2, D = 4 };
static const uint32_t query[B] = {0, 1, 0, 3, 4}, positive[B] = {5, 6, 5, 0, 7}, negative[N] = {8, 0, 9, 8, 6, 10},
                      hard[B * H] = {9, 6, 5, 11, 8, 8, 4, 3, 10, 7};
static const float weight[B] = {1, 2, 1, .5f, 3};
static const double margin = .2, tau = .3, log_bq[B] = {.1, -.4, .1, .7, -1}, log_np[N] = {-1, -.5, 0, -1, .3, .2};

static double z[ITEMS * D], beta[ITEMS];
static ps_known known;

static double score(uint32_t q, uint32_t c, int biased)
{
    double sum = biased ? tau * beta[c] : 0;
    for (int i = 0; i < D; i++)
        sum += z[q * D + i] * z[c * D + i];
    return sum;
}

/* The negatives of pair j that count, with the log of how often they are expected. */
static int candidates(int j, int in_batch, int hards, uint32_t *item, double *expected, int *all)
{
    int n = 0;
    *all = 0;
    for (int i = 0; i < N + B + H; i++) {
        uint32_t c = i < N ? negative[i] : i < N + B ? positive[i - N] : hard[j * H + i - N - B];
        if ((i >= N && i < N + B && !in_batch) || (i >= N + B && !hards))
            continue;
        if (c == query[j] || c == positive[j] || ps_known_has(&known, query[j], c))
            continue;
        item[n] = c;
        expected[n++] = i < N ? log_np[i] : i < N + B ? log_bq[i - N] : 0;
    }
    *all = N + (in_batch ? B - 1 : 0);
    return n;
}

static double reference(ps_loss_kind kind, int in_batch, int hards, int biased)
{
    double loss = 0, weights = 0;
    for (int j = 0; j < B; j++) {
        uint32_t item[N + B + H];
        double expected[N + B + H], own = score(query[j], positive[j], biased), l = 0, sum = exp(own / tau);
        int all, n = candidates(j, in_batch, hards, item, expected, &all);
        for (int i = 0; i < n; i++) {
            double s = score(query[j], item[i], biased);
            sum += exp(s / tau - expected[i]);
            if (kind == PS_LOSS_MARGIN)
                l += fmax(0, s - own + margin) / all;
            else if (kind == PS_LOSS_XENT)
                l += log(1 + exp(s)) / all;
        }
        l += kind == PS_LOSS_XENT ? log(1 + exp(-own)) : kind == PS_LOSS_SOFTMAX ? -log(exp(own / tau) / sum) : 0;
        loss += (double)weight[j] * l;
        weights += (double)weight[j];
    }
    return loss / weights;
}

/* The gradient by one number, by a difference of the reference. */
static double slope(double *at, ps_loss_kind kind, int in_batch, int hards, int biased)
{
    double old = *at, step = 1e-6, up, down;
    *at = old + step;
    up = reference(kind, in_batch, hards, biased);
    *at = old - step;
    down = reference(kind, in_batch, hards, biased);
    *at = old;
    return (up - down) / (2 * step);
}

static void test_one(ps_loss_kind kind, int in_batch, int hards, int biased)
{
    ps_real rz[ITEMS * D], rb[ITEMS], dz[ITEMS * D], db[ITEMS], bq[B], np[N];
    double value;
    for (int i = 0; i < ITEMS * D; i++)
        rz[i] = (ps_real)z[i];
    for (int i = 0; i < ITEMS; i++)
        rb[i] = (ps_real)beta[i];
    for (int i = 0; i < B; i++)
        bq[i] = (ps_real)log_bq[i];
    for (int i = 0; i < N; i++)
        np[i] = (ps_real)log_np[i];
    /* Rows of z are the items' numbers. */
    const ps_loss_batch batch = {.pairs = B,
                                 .negatives = N,
                                 .hard = hards ? H : 0,
                                 .query = query,
                                 .positive = positive,
                                 .negative = negative,
                                 .hard_item = hard,
                                 .query_row = query,
                                 .positive_row = positive,
                                 .negative_row = negative,
                                 .hard_row = hard,
                                 .weight = weight,
                                 .log_bq = bq,
                                 .log_np = np};
    ps_loss loss;
    ps_loss_init(&loss, kind, in_batch, margin, tau, D, &known, NULL);
    CHECK_OK(ps_loss_run(&loss, &batch, ITEMS, rz, biased ? rb : NULL, dz, biased ? db : NULL, &value));
    double want = reference(kind, in_batch, hards, biased);
    if (!(fabs(value - want) <= 1e-5 * (1 + fabs(want)))) {
        fprintf(stderr, "%s, in-batch %d, hard %d, bias %d: %.8g, by hand %.8g\n", ps_loss_name(kind), in_batch, hards,
                biased, value, want);
        check_failures++;
    }
    for (int i = 0; i < ITEMS * D + (biased ? ITEMS : 0); i++) {
        int of_bias = i >= ITEMS * D;
        double g = of_bias ? (double)db[i - ITEMS * D] : (double)dz[i];
        want = slope(of_bias ? &beta[i - ITEMS * D] : &z[i], kind, in_batch, hards, biased);
        if (!(fabs(g - want) <= 2e-5 * (1 + fabs(want)))) {
            fprintf(stderr, "%s, in-batch %d, hard %d, bias %d: gradient %d is %.8g, by hand %.8g\n",
                    ps_loss_name(kind), in_batch, hards, biased, i, g, want);
            check_failures++;
        }
    }
    ps_loss_free(&loss);
}

/* With every item a negative once, logQ makes the sampled softmax the full one. */
static void test_full_softmax(void)
{
    uint32_t all[ITEMS];
    ps_real rz[ITEMS * D], dz[ITEMS * D], bq[B] = {0}, np[ITEMS];
    double value, want = 0, weights = 0;
    for (int i = 0; i < ITEMS; i++) {
        all[i] = (uint32_t)i;
        np[i] = (ps_real)log(ITEMS * (1. / ITEMS));
    }
    for (int i = 0; i < ITEMS * D; i++)
        rz[i] = (ps_real)z[i];
    const ps_loss_batch batch = {.pairs = B,
                                 .negatives = ITEMS,
                                 .query = query,
                                 .positive = positive,
                                 .negative = all,
                                 .query_row = query,
                                 .positive_row = positive,
                                 .negative_row = all,
                                 .weight = weight,
                                 .log_bq = bq,
                                 .log_np = np};
    ps_loss loss;
    ps_loss_init(&loss, PS_LOSS_SOFTMAX, 0, margin, tau, D, NULL, NULL);
    CHECK_OK(ps_loss_run(&loss, &batch, ITEMS, rz, NULL, dz, NULL, &value));
    for (int j = 0; j < B; j++) {
        double sum = 0;
        for (uint32_t c = 0; c < ITEMS; c++)
            sum += c == query[j] ? 0 : exp(score(query[j], c, 0) / tau);
        want -= (double)weight[j] * log(exp(score(query[j], positive[j], 0) / tau) / sum);
        weights += (double)weight[j];
    }
    CHECK(fabs(value - want / weights) < 1e-5);
    ps_loss_free(&loss);
}

int main(void)
{
    uint32_t q[] = {0, 0, 1, 3}, p[] = {5, 9, 6, 0};
    float w[] = {1, 1, 1, 1};
    const ps_pairs pairs = {.n = 4, .query = q, .positive = p, .weight = w};
    CHECK_OK(ps_known_make(&known, &pairs, ITEMS));
    for (int i = 0; i < ITEMS * D; i++)
        z[i] = ps_unit(ps_rng(1, (uint64_t)i)) - .5;
    for (int i = 0; i < ITEMS; i++)
        beta[i] = ps_unit(ps_rng(2, (uint64_t)i)) - .5;
    for (int v = 0; v < 24; v++)
        test_one((ps_loss_kind)(v % 3), v / 3 & 1, v / 6 & 1, v / 12);
    test_full_softmax();
    ps_known_free(&known);
    CHECK_END();
}
