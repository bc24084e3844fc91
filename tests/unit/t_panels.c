/* t_panels.c - products of queries with panels of rows in every instruction set: nearly those of a plain loop in
 * double, of every row once that reaches the floor, of no other. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "panels.h"
#include "rng.h"

static float value(uint64_t seed, uint64_t i)
{
    return (float)(ps_unit(ps_rng(seed, i)) - 0.5);
}

typedef struct {
    size_t m, d, n, groups, stride;
    float *rows, *queries, *times, *panels, *offset;
} data;

static void make(data *w)
{
    w->groups = (w->n + PS_CODES_LANES - 1) / PS_CODES_LANES;
    w->stride = w->d + 3;
    w->rows = malloc((w->n * w->stride + 1) * sizeof(float));
    w->queries = malloc((w->m * w->d + 1) * sizeof(float));
    w->times = malloc((w->n + 1) * sizeof(float));
    w->panels = malloc((w->groups * PS_CODES_LANES * w->d + 1) * sizeof(float));
    w->offset = malloc((w->groups * PS_CODES_LANES + 1) * sizeof(float));
    for (size_t i = 0; i < w->n * w->stride; i++)
        w->rows[i] = value(1, i);
    for (size_t i = 0; i < w->m * w->d; i++)
        w->queries[i] = value(2, i);
    for (size_t i = 0; i < w->n; i++)
        w->times[i] = 1 + value(3, i);
    for (size_t g = 0; g < w->groups; g++) {
        const size_t first = g * PS_CODES_LANES;
        ps_panels_pack(w->panels + first * w->d, w->d, w->n - first < PS_CODES_LANES ? w->n - first : PS_CODES_LANES,
                       w->rows + first * w->stride, w->stride, w->times + first);
    }
    for (size_t i = 0; i < w->groups * PS_CODES_LANES; i++)
        w->offset[i] = i < w->n && i % 7 != 3 ? (float)(i % 2) : -INFINITY;
}

static double plain(const data *w, size_t query, size_t row)
{
    double sum = 0;
    for (size_t p = 0; p < w->d; p++)
        sum += (double)w->queries[query * w->d + p] * (double)w->rows[row * w->stride + p] * (double)w->times[row];
    return sum + (double)w->offset[row];
}

/* Near the floor, rounding may let a row in or not. */
static int right(const data *w, const ps_codes_query *q, size_t query)
{
    const double near = FLT_EPSILON * (double)(w->d + 8) * (double)(w->d + 1);
    char *seen = calloc(w->n + 1, 1);
    int ok = 1;
    for (size_t k = 0; k < q->n; k++) {
        const size_t r = q->row[k] - 1000;
        ok = ok && r < w->n && !seen[r]++ && q->score[k] >= q->floor &&
             fabs((double)q->score[k] - plain(w, query, r)) <= near;
    }
    for (size_t r = 0; r < w->n; r++)
        ok = ok && (seen[r] || !(plain(w, query, r) >= (double)q->floor + near));
    free(seen);
    return ok;
}

static int all_right(ps_panels_fn *scan, size_t m, size_t d, size_t n)
{
    data w = {.m = m, .d = d, .n = n};
    make(&w);
    ps_codes_query *q = calloc(m + 1, sizeof *q), **at = calloc(m + 1, sizeof *at);
    for (size_t i = 0; i < m; i++) {
        q[i].x = w.queries + i * d;
        q[i].floor = i % 3 == 0 ? -FLT_MAX : i % 3 == 1 ? 0.5f : NAN;
        q[i].row = malloc((n + 1) * sizeof *q[i].row);
        q[i].score = malloc((n + 1) * sizeof *q[i].score);
        at[i] = &q[i];
    }
    scan(m, at, d, w.groups, w.panels, w.offset, 1000);
    int ok = 1;
    for (size_t i = 0; i < m; i++) {
        ok &= i % 3 == 2 ? q[i].n == 0 : right(&w, &q[i], i);
        free(q[i].row);
        free(q[i].score);
    }
    free(q);
    free(at);
    free(w.rows);
    free(w.queries);
    free(w.times);
    free(w.panels);
    free(w.offset);
    return ok;
}

int main(void)
{
    static const char *const names[] = {"plain", "avx2", "avx512"};
    static const size_t sizes[] = {0, 1, 2, 5, 12, 27}, dims[] = {1, 3, 4, 17, 128}, rows[] = {0, 1, 16, 37, 100};
    for (size_t k = 0; k < 3; k++) {
        ps_panels_fn *scan = ps_panels_named(names[k]);
        for (size_t i = 0; scan && i < 6; i++)
            for (size_t j = 0; j < 5; j++)
                for (size_t g = 0; g < 5; g++)
                    CHECK(all_right(scan, sizes[i], dims[j], rows[g]));
    }
    CHECK(ps_panels_named("mmx") == NULL);
    CHECK(ps_panels() != NULL);
    CHECK_END();
}
