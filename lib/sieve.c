#include "sieve.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { DROP_AFTER = 4 }; /* rounds */

/* Whole numbers in the order of the floats (-0 below 0); its own inverse. */
static inline int32_t ordered(int32_t bits)
{
    return bits ^ ((bits >> 31) & INT32_MAX);
}

static float number(int32_t key)
{
    float x;
    key = ordered(key);
    memcpy(&x, &key, sizeof x);
    return x;
}

static float least_from(const int32_t *key, size_t n, int32_t middle)
{
    int32_t least = INT32_MAX;
    for (size_t i = 0; i < n; i++)
        least = key[i] >= middle && key[i] < least ? key[i] : least;
    return number(least);
}

/* Those from `low` to `high`, to the front; *above: how many are higher. */
static size_t within(int32_t *key, size_t n, int32_t low, int32_t high, size_t *above)
{
    size_t kept = 0;
    *above = 0;
    for (size_t i = 0; i < n; i++) {
        const int32_t x = key[i];
        key[kept] = x;
        kept += x >= low && x <= high;
        *above += x > high;
    }
    return kept;
}

/* By halving the range of the values: no branch depends on a number, and the counting is done many at a time.  Now and
 * then what is out of the range is dropped. */
float ps_highest(const float *x, size_t n, size_t k, int32_t *key)
{
    int32_t low = INT32_MAX, high = INT32_MIN;
    memcpy(key, x, n * sizeof *key);
    for (size_t i = 0; i < n; i++) {
        key[i] = ordered(key[i]);
        low = key[i] < low ? key[i] : low;
        high = key[i] > high ? key[i] : high;
    }
    for (int round = 1; low < high; round++) { /* at least k are not below `low`, fewer than k above `high` */
        const int32_t middle = (int32_t)(((int64_t)low + high + 1) >> 1);
        uint32_t above = 0;
        for (size_t i = 0; i < n; i++)
            above += key[i] >= middle;
        if (above == k) /* the least of these */
            return least_from(key, n, middle);
        if (above > k)
            low = middle;
        else
            high = middle - 1;
        if (round % DROP_AFTER == 0) {
            size_t higher;
            n = within(key, n, low, high, &higher);
            k -= higher;
        }
    }
    return number(low);
}

void ps_sieve_start(ps_sieve *s, size_t keep, double margin)
{
    s->keep = keep;
    s->margin = margin;
    s->q.n = s->kept = 0;
    s->q.floor = -FLT_MAX;
}

static float below(double x)
{
    const float f = (float)x;
    return x < -(double)FLT_MAX ? -FLT_MAX : (double)f > x ? nextafterf(f, -FLT_MAX) : f;
}

void ps_sieve_end(ps_sieve *s)
{
    ps_codes_query *q = &s->q;
    if (q->n <= s->keep)
        return;
    q->floor = below((double)ps_highest(q->score, q->n, s->keep, s->scratch) - s->margin);
    size_t n = 0;
    for (size_t i = 0; i < q->n; i++) {
        q->row[n] = q->row[i];
        q->score[n] = q->score[i];
        n += q->score[i] >= q->floor;
    }
    q->n = s->kept = n;
}

void ps_sieve_often(ps_sieve *s)
{
    if (s->q.n >= 2 * s->kept + s->keep / 2)
        ps_sieve_end(s);
}

int ps_sieve_room(ps_sieve *s, size_t more)
{
    more += PS_CODES_LANES;
    if (s->q.n + more <= s->cap)
        return 0;
    ps_sieve_end(s);
    /* Half of it free at least, so that this stays rare. */
    if (s->cap > 0 && s->q.n + more <= s->cap && s->q.n <= s->cap / 2)
        return 0;
    size_t cap = 2 * (s->q.n + more) + 2 * s->keep;
    uint32_t *row = realloc(s->q.row, cap * sizeof *row);
    s->q.row = row ? row : s->q.row;
    float *score = realloc(s->q.score, cap * sizeof *score);
    s->q.score = score ? score : s->q.score;
    int32_t *scratch = realloc(s->scratch, cap * sizeof *scratch);
    s->scratch = scratch ? scratch : s->scratch;
    if (!row || !score || !scratch)
        return ps_fail(PS_EMEM, "out of memory");
    s->cap = cap;
    return 0;
}

void ps_sieve_free(ps_sieve *s)
{
    free(s->q.row);
    free(s->q.score);
    free(s->scratch);
    *s = (ps_sieve){0};
}
