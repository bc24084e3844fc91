/* eval_exposure.c - whom the lists of recommendations favour. */
#include <stdlib.h>

#include "eval.h"

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* From ascending numbers: sum over i of (2 i - n - 1) x_i, divided by n times their sum. */
static double gini(uint32_t *x, uint64_t n)
{
    double weighted = 0, sum = 0;
    if (n > 1)
        qsort(x, n, sizeof *x, by_number);
    for (uint64_t i = 0; i < n; i++) {
        weighted += (2 * (double)(i + 1) - (double)n - 1) * x[i];
        sum += x[i];
    }
    return sum > 0 ? weighted / ((double)n * sum) : 0;
}

void ps_exposure_make(ps_exposure *e, ps_ranks *r, const uint32_t *boards)
{
    *e = (ps_exposure){0};
    for (size_t k = 0; k < r->counted->n; k++) {
        uint32_t *times = r->times + k * r->catalogue;
        double popular = 0;
        for (uint64_t i = 0; i < r->catalogue; i++) {
            e->listed[k] += times[i];
            popular += boards ? (double)times[i] * boards[i] : 0;
        }
        e->popularity[k] = e->listed[k] ? popular / (double)e->listed[k] : 0;
        e->gini[k] = gini(times, r->catalogue);
    }
}
