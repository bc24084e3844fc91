#include "eigen.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

/* Quadratic convergence: a sweep that still rotates is rarely more than the tenth. */
enum { LANES = 8, PAIRS = 16, SWEEPS = 60 };
static const double tolerance = 1e-11; /* cosine of two rows that count as orthogonal */
static const double least = 1e-13;     /* length, against the longest row's, that counts as 0 */

typedef struct {
    size_t n, even; /* even: n, or n + 1 with a row that is not there */
    double *a;
    const size_t *seat; /* even: seats i and even - 1 - i meet */
    double floor;
    int *turned; /* by pair */
} job;

/* In fixed lanes, which the compiler keeps in vector registers. */
static double dot(size_t n, const double *restrict x, const double *restrict y)
{
    double lane[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lane[l] += x[i + l] * y[i + l];
    for (; i < n; i++)
        sum += x[i] * y[i];
    for (size_t l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

/* Turns two rows in their plane so that they become orthogonal; 1 if they were not. */
static int rotate(const job *j, size_t p, size_t q)
{
    double *restrict x = j->a + p * j->n, *restrict y = j->a + q * j->n;
    double xx = dot(j->n, x, x), yy = dot(j->n, y, y), xy = dot(j->n, x, y);
    if (fabs(xy) <= tolerance * sqrt(xx * yy) || xx <= j->floor || yy <= j->floor)
        return 0;
    double zeta = (yy - xx) / (2 * xy);
    double t = (zeta < 0 ? -1 : 1) / (fabs(zeta) + sqrt(1 + zeta * zeta)), c = 1 / sqrt(1 + t * t), s = c * t;
    for (size_t i = 0; i < j->n; i++) {
        double u = x[i], v = y[i];
        x[i] = c * u - s * v;
        y[i] = s * u + c * v;
    }
    return 1;
}

static int round_task(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    (void)thread;
    for (size_t i = task * PAIRS; i < (task + 1) * PAIRS && i < j->even / 2; i++) {
        size_t p = j->seat[i], q = j->seat[j->even - 1 - i];
        j->turned[i] = p < j->n && q < j->n && (p < q ? rotate(j, p, q) : rotate(j, q, p));
    }
    return 0;
}

/* Every row meets every other once, as in a tournament: the first stays, the others move on by a seat. */
static int sweep(job *j, size_t *seat, ps_pool *pool)
{
    int turned = 0;
    for (size_t round = 1; round < j->even; round++) {
        (void)!ps_pool_run(pool, (j->even / 2 + PAIRS - 1) / PAIRS, round_task, j); /* cannot fail */
        for (size_t i = 0; i < j->even / 2; i++)
            turned |= j->turned[i];
        size_t last = seat[j->even - 1];
        memmove(seat + 2, seat + 1, (j->even - 2) * sizeof *seat);
        seat[1] = last;
    }
    return turned;
}

typedef struct {
    double length;
    size_t row;
} ranked;

static int longer_first(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->length != y->length)
        return x->length < y->length ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row);
}

/* The rows are value x eigenvector now. */
static int finish(const job *j, double *value)
{
    size_t n = j->n;
    ranked *order = ps_alloc(n, sizeof *order);
    double *from = ps_alloc(n * n, sizeof *from);
    if (order && from) {
        memcpy(from, j->a, n * n * sizeof *from);
        for (size_t i = 0; i < n; i++)
            order[i] = (ranked){sqrt(dot(n, from + i * n, from + i * n)), i};
        qsort(order, n, sizeof *order, longer_first);
        for (size_t i = 0; i < n; i++) {
            value[i] = order[i].length * order[i].length > j->floor ? order[i].length : 0;
            for (size_t k = 0; k < n; k++)
                j->a[i * n + k] = value[i] > 0 ? from[order[i].row * n + k] / value[i] : 0;
        }
    }
    int rc = order && from ? 0 : PS_EMEM;
    free(order);
    free(from);
    return rc;
}

int ps_eigen(size_t n, double *a, double *value, ps_pool *pool)
{
    job j = {.n = n, .even = n + n % 2, .a = a};
    double longest = 0;
    for (size_t i = 0; i < n; i++)
        longest = fmax(longest, dot(n, a + i * n, a + i * n));
    j.floor = longest * least * least;
    if (n == 0)
        return 0;
    size_t *seat = ps_alloc(j.even, sizeof *seat);
    j.seat = seat;
    j.turned = ps_alloc(j.even, sizeof *j.turned);
    int rc = seat && j.turned ? 0 : PS_EMEM;
    for (size_t i = 0; i < j.even && rc == 0; i++)
        seat[i] = i;
    for (int s = 0; rc == 0 && s < SWEEPS && sweep(&j, seat, pool); s++)
        ;
    if (rc == 0)
        rc = finish(&j, value);
    free(seat);
    free(j.turned);
    return rc;
}
