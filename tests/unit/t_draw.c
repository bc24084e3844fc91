/* t_draw.c - how often items are drawn as negatives, against (1 + n)^x over its sum. */
#include <math.h>

#include "check.h"
#include "draw.h"
#include "rng.h"

enum { ITEMS = 20, PAIRS = 30, DRAWS = 200000 };

/* far: the numbers are so large that positives are sorted instead of counted. */
static void test_power(double x, uint32_t far)
{
    uint32_t positive[PAIRS], times[ITEMS] = {0}, drawn[ITEMS] = {0};
    const ps_pairs pairs = {.n = PAIRS, .query = positive, .positive = positive};
    ps_draw d;
    double sum = 0, all = 0;
    for (uint32_t i = 0; i < PAIRS; i++) {
        positive[i] = i < 12 ? 7 : i < 20 ? 3 : i % 5; /* item 7 in 12 pairs; most items in none */
        times[positive[i]]++;
        positive[i] *= far;
    }
    CHECK_OK(ps_draw_make(&d, ITEMS, &pairs, x));
    for (uint32_t c = 0; c < ITEMS; c++)
        sum += pow(1 + times[c], x);
    for (uint64_t i = 0; i < DRAWS; i++) {
        uint64_t random = ps_rng(3, i);
        uint32_t item = ps_draw_popular(&d, random);
        drawn[item == UINT32_MAX ? ps_below(random, ITEMS) : item / far]++;
    }
    for (uint32_t c = 0; c < ITEMS; c++) {
        double p = pow(1 + times[c], x) / sum, sigma = sqrt(DRAWS * p * (1 - p));
        CHECK(fabs(drawn[c] - DRAWS * p) < 4.5 * sigma);
        CHECK(fabs(ps_draw_log(&d, c * far) - log(p)) < 1e-12);
        if (times[c])
            CHECK(fabs(ps_draw_log_share(&d, c * far) - log((double)times[c] / PAIRS)) < 1e-12);
        all += exp(ps_draw_log(&d, c * far));
    }
    CHECK(fabs(all - 1) < 1e-12);
    ps_draw_free(&d);
}

int main(void)
{
    const double powers[] = {0, .5, 1, 2};
    for (int i = 0; i < 4; i++)
        test_power(powers[i], 1), test_power(powers[i], 1000);
    CHECK_END();
}
