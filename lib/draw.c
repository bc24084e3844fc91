#include "draw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "rng.h"

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Different positives with their numbers of pairs; what follows from these. */
static void count(ps_draw *d, const uint32_t *sorted, size_t n, double popularity)
{
    double sum = 0;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && sorted[end] == sorted[i]; end++)
            ;
        double times = (double)(end - i);
        d->item[d->positives] = sorted[i];
        d->log_share[d->positives] = log(times / (double)n);
        d->log_weight[d->positives] = popularity * log1p(times);
        sum += expm1(d->log_weight[d->positives]);
        d->extra[d->positives++] = sum;
    }
}

int ps_draw_make(ps_draw *d, uint64_t items, const uint32_t *positive, size_t n, double popularity)
{
    uint32_t *sorted = ps_alloc(n, sizeof *sorted);
    *d = (ps_draw){.items = items,
                   .item = ps_alloc(n, sizeof *d->item),
                   .log_share = ps_alloc(n, sizeof *d->log_share),
                   .log_weight = ps_alloc(n, sizeof *d->log_weight),
                   .extra = ps_alloc(n, sizeof *d->extra)};
    int rc = sorted && d->item && d->log_share && d->log_weight && d->extra ? 0 : PS_EMEM;
    if (rc == 0) {
        memcpy(sorted, positive, n * sizeof *sorted);
        qsort(sorted, n, sizeof *sorted, compare);
        count(d, sorted, n, popularity);
    } else {
        ps_draw_free(d);
    }
    free(sorted);
    return rc;
}

void ps_draw_free(ps_draw *d)
{
    free(d->item);
    free(d->log_share);
    free(d->log_weight);
    free(d->extra);
    *d = (ps_draw){0};
}

static double total(const ps_draw *d)
{
    return (double)d->items + (d->positives ? d->extra[d->positives - 1] : 0);
}

uint32_t ps_draw_popular(const ps_draw *d, uint64_t random)
{
    double at = ps_unit(ps_mix64(random)) * total(d) - (double)d->items;
    uint32_t low = 0, n = d->positives;
    if (at < 0 || n == 0)
        return UINT32_MAX;
    while (n > 1) { /* the first whose sum is above `at` */
        uint32_t half = n / 2;
        if (d->extra[low + half - 1] <= at) {
            low += half;
            n -= half;
        } else {
            n = half;
        }
    }
    return d->item[low];
}

/* d->positives if the item is none. */
static uint32_t find(const ps_draw *d, uint32_t item)
{
    const uint32_t *at = d->positives ? bsearch(&item, d->item, d->positives, sizeof item, compare) : NULL;
    return at ? (uint32_t)(at - d->item) : d->positives;
}

double ps_draw_log(const ps_draw *d, uint32_t item)
{
    uint32_t at = find(d, item);
    return (at < d->positives ? d->log_weight[at] : 0) - log(total(d));
}

double ps_draw_log_share(const ps_draw *d, uint32_t item)
{
    return d->log_share[find(d, item)];
}
