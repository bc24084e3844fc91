#include "quant.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { GROUPS_AT_ONCE = 64 };

void ps_quant_free(ps_quant *c)
{
    for (size_t i = 0; i < sizeof c->own / sizeof *c->own; i++)
        free(c->own[i]);
    *c = (ps_quant){0};
}

float *ps_quant_offsets(ps_quant *c)
{
    return c->own[2];
}

static float largest(uint32_t d, const float *x)
{
    float most = 0;
    for (uint32_t i = 0; i < d; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    return most;
}

/* Numbers so small that their scale would have no reciprocal count as 0. */
static float scale_of(float most)
{
    return most > 127 * FLT_MIN ? most / 127 : 0;
}

float ps_quant_row(uint32_t d, const float *x, uint8_t *at, size_t step, double *error, double *coded)
{
    const float scale = scale_of(largest(d, x)), inverse = scale > 0 ? 1 / scale : 0;
    float left = 0, kept = 0;
    for (uint32_t i = 0; i < ps_codes_words(d) * 4; i++) {
        const float v = i < d ? x[i] : 0, c = rintf(v * inverse);
        const float rest = v - c * scale;
        at[i / 4 * step + i % 4] = (uint8_t)((int)c + 128);
        left += rest * rest;
        kept += c * c;
    }
    /* Squares below the smallest float are lost to `left`, its sum is rounded d times, `rest` twice (of c x scale,
     * which is at most 127 x scale): made up for. */
    const double more = 1 + (double)d * FLT_EPSILON;
    if (error)
        *error = sqrt((double)left * more + d * (double)FLT_MIN) + 2e-5 * sqrt(d) * (double)scale;
    if (coded)
        *coded = sqrt((double)kept * more) * (double)scale;
    return scale;
}

typedef struct {
    ps_quant *c;
    const float *row, *times;
    size_t stride;
    uint8_t *codes;
    float *scale, *offset;
    double (*most)[3]; /* of each task */
} job;

static void code_row(const job *w, size_t i, double most[3])
{
    const ps_quant *c = w->c;
    const float *x = w->row + i * w->stride, times = w->times ? w->times[i] : 1;
    double error, coded, bias = c->has_bias ? x[c->d] : 0, squares = bias * bias;
    w->scale[i] = ps_quant_row(c->d, x, ps_quant_lane(w->codes, i, c->d), PS_CODES_WORD, &error, &coded) * times;
    w->offset[i] = (float)bias;
    squares += (error + coded) * (error + coded); /* at least |x|^2 */
    const double is[3] = {error * times, coded * times, sqrt(squares) * times};
    for (int j = 0; j < 3; j++)
        most[j] = is[j] > most[j] ? is[j] : most[j];
}

static int code_rows(void *ctx, size_t task, int thread)
{
    const job *w = ctx;
    const size_t begin = task * GROUPS_AT_ONCE * PS_CODES_LANES, end = begin + GROUPS_AT_ONCE * PS_CODES_LANES;
    (void)thread;
    for (size_t i = begin; i < end && i < w->c->groups * PS_CODES_LANES; i++)
        if (i < w->c->n)
            code_row(w, i, w->most[task]);
        else
            w->offset[i] = -INFINITY;
    return 0;
}

int ps_quant_make(ps_quant *c, size_t n, uint32_t d, int has_bias, const float *row, size_t stride, const float *times,
                  ps_pool *pool)
{
    *c = (ps_quant){.n = n, .groups = (n + PS_CODES_LANES - 1) / PS_CODES_LANES, .d = d, .has_bias = has_bias};
    const size_t tasks = (c->groups + GROUPS_AT_ONCE - 1) / GROUPS_AT_ONCE;
    job w = {.c = c, .row = row, .times = times, .stride = stride};
    w.codes = c->own[0] = ps_aligned(c->groups, ps_codes_group(d));
    w.scale = c->own[1] = ps_aligned(c->groups * PS_CODES_LANES, sizeof(float));
    w.offset = c->own[2] = ps_aligned(c->groups * PS_CODES_LANES, sizeof(float));
    w.most = ps_zalloc(tasks, sizeof *w.most);
    int rc = w.codes && w.scale && w.offset && w.most ? ps_pool_run(pool, tasks, code_rows, &w) : PS_EMEM;
    for (size_t t = 0; t < tasks && rc == 0; t++) {
        c->error = fmax(c->error, w.most[t][0]);
        c->coded = fmax(c->coded, w.most[t][1]);
        c->longest = fmax(c->longest, w.most[t][2]);
    }
    c->codes = w.codes;
    c->scale = w.scale;
    c->offset = w.offset;
    free(w.most);
    if (rc < 0)
        ps_quant_free(c);
    return rc;
}

double ps_quant_query(const ps_quant *c, const float *x, float times, int8_t *code, ps_codes_query *q)
{
    const float scale = scale_of(largest(c->d, x)), inverse = scale > 0 ? 1 / scale : 0;
    double left = 0, kept = 0, squares = 0;
    int32_t sum = 0;
    for (uint32_t i = 0; i < ps_codes_words(c->d) * 4; i++) {
        const float v = i < c->d ? x[i] : 0, n = rintf(v * inverse);
        const double rest = (double)v - (double)n * (double)scale;
        code[i] = (int8_t)n;
        sum += (int32_t)n;
        left += rest * rest;
        kept += (double)n * (double)n;
        squares += (double)v * (double)v;
    }
    q->code = code;
    q->sum = 128 * sum;
    q->scale = scale * times;
    const double bias = c->has_bias ? 1 : 0, size = sqrt(squares) * times, whole = sqrt(squares * times * times + bias);
    const double coding = c->error * size + c->coded * sqrt(left) * times;
    /* What rounding can do to the sum of d products in floats, and to the few operations of either score. */
    const double products = 0.5 * FLT_EPSILON * ((double)c->d + 8) * c->longest * whole;
    const double code_score = 4 * FLT_EPSILON * (c->coded * sqrt(kept) * scale * times + c->longest * whole);
    return 1.0001 * (coding + products + code_score) + 4 * (double)c->d * FLT_MIN;
}
