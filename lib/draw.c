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

/* How often each positive is one: of few pairs among many numbers, by sorting. */
typedef struct {
    uint32_t *sorted; /* n positives, or NULL */
    uint64_t *times;  /* of each number below `bound`, or NULL */
    uint64_t n, bound;
} tally;

static int count(tally *t, const ps_pairs *pairs)
{
    *t = (tally){.n = pairs->n};
    for (size_t i = 0; i < pairs->n; i++) {
        const uint64_t end = (uint64_t)ps_pairs_get(pairs, i).positive + 1;
        t->bound = end > t->bound ? end : t->bound;
    }
    if (t->bound <= t->n) {
        t->times = ps_zalloc(t->bound, sizeof *t->times);
        for (size_t i = 0; t->times && i < pairs->n; i++)
            t->times[ps_pairs_get(pairs, i).positive]++;
        return t->times ? 0 : PS_EMEM;
    }
    t->sorted = ps_alloc(pairs->n, sizeof *t->sorted);
    for (size_t i = 0; t->sorted && i < pairs->n; i++)
        t->sorted[i] = ps_pairs_get(pairs, i).positive;
    if (t->sorted)
        qsort(t->sorted, pairs->n, sizeof *t->sorted, compare);
    return t->sorted ? 0 : PS_EMEM;
}

/* The next different positive, ascending, and how often it is one; *at: 0 at first.  0 behind the last. */
static int next(const tally *t, uint64_t *at, uint32_t *item, uint64_t *times)
{
    while (t->times && *at < t->bound && t->times[*at] == 0)
        ++*at;
    if (*at >= (t->times ? t->bound : t->n))
        return 0;
    const uint64_t begin = *at;
    *item = t->times ? (uint32_t)begin : t->sorted[begin];
    do
        ++*at;
    while (t->sorted && *at < t->n && t->sorted[*at] == *item);
    *times = t->times ? t->times[begin] : *at - begin;
    return 1;
}

static int fill(ps_draw *d, const tally *t, double popularity)
{
    uint32_t item, different = 0;
    uint64_t at = 0, times;
    double sum = 0;
    while (next(t, &at, &item, &times))
        different++;
    d->item = ps_alloc(different, sizeof *d->item);
    d->log_share = ps_alloc(different, sizeof *d->log_share);
    d->log_weight = ps_alloc(different, sizeof *d->log_weight);
    d->extra = ps_alloc(different, sizeof *d->extra);
    if (!d->item || !d->log_share || !d->log_weight || !d->extra)
        return PS_EMEM;
    for (at = 0; next(t, &at, &item, &times); d->positives++) {
        d->item[d->positives] = item;
        d->log_share[d->positives] = log((double)times / (double)t->n);
        d->log_weight[d->positives] = popularity * log1p((double)times);
        sum += expm1(d->log_weight[d->positives]);
        d->extra[d->positives] = sum;
    }
    return 0;
}

int ps_draw_make(ps_draw *d, uint64_t items, const ps_pairs *pairs, double popularity)
{
    tally t;
    *d = (ps_draw){.items = items};
    int rc = count(&t, pairs);
    if (rc == 0)
        rc = fill(d, &t, popularity);
    if (rc < 0)
        ps_draw_free(d);
    free(t.sorted);
    free(t.times);
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
