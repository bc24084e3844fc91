/* t_codes.c - products of 8-bit codes in every instruction set: the same sums as a plain loop, nothing taken that is
 * below the floor; the bound on what coding costs holds, and the sieve keeps what it must. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "codes.h"
#include "dots.h"
#include "quant.h"
#include "rng.h"
#include "sieve.h"

static int extreme(uint64_t seed, uint64_t i)
{
    uint64_t r = ps_rng(seed, i);
    return r % 5 == 0 ? 127 : r % 5 == 1 ? -127 : (int)(r >> 8) % 128;
}

static int8_t row_number(size_t row, size_t j)
{
    return (int8_t)extreme(1, row * 4096 + j);
}

/* m queries with the rows of some groups: every score of a row once, equal to the plain sum's, and those only that
 * reach the floor. */
static int right(ps_codes_fn *scan, size_t m, size_t d, size_t groups)
{
    const size_t words = ps_codes_words(d), n = groups * PS_CODES_LANES;
    uint8_t *codes = malloc(groups * ps_codes_group(d) + 1);
    float *scale = malloc(n * sizeof *scale), *offset = malloc(n * sizeof *offset);
    memset(codes, 128, groups * ps_codes_group(d));
    for (size_t r = 0; r < n; r++) {
        for (size_t j = 0; j < d; j++)
            codes[r / 16 * ps_codes_group(d) + j / 4 * PS_CODES_WORD + r % 16 * 4 + j % 4] =
                (uint8_t)(row_number(r, j) + 128);
        scale[r] = 0.5f;
        offset[r] = r % 7 == 3 ? -INFINITY : (float)(r % 3);
    }
    ps_codes_query *q = calloc(m + 1, sizeof *q), **at = calloc(m + 1, sizeof *at);
    for (size_t i = 0; i < m; i++) {
        int8_t *code = calloc(words, 4);
        for (size_t j = 0; j < d; j++) {
            code[j] = (int8_t)extreme(2, i * 4096 + j);
            q[i].sum += 128 * code[j];
        }
        q[i].code = code;
        q[i].scale = 0.25f;
        q[i].floor = i % 3 == 0 ? -FLT_MAX : i % 3 == 1 ? 100 : NAN;
        q[i].row = malloc((n + PS_CODES_LANES + 1) * sizeof *q[i].row);
        q[i].score = malloc((n + PS_CODES_LANES + 1) * sizeof *q[i].score);
        at[i] = &q[i];
    }
    scan(m, at, words, groups, codes, scale, offset, 1000);
    int ok = 1;
    for (size_t i = 0; i < m; i++) {
        size_t want = 0;
        char *seen = calloc(n, 1);
        for (size_t k = 0; k < q[i].n; k++) {
            const size_t r = q[i].row[k] - 1000;
            int sum = 0;
            ok &= r < n && !seen[r];
            seen[r % n] = 1;
            for (size_t j = 0; j < d; j++)
                sum += row_number(r, j) * q[i].code[j];
            ok &= q[i].score[k] == (float)sum * 0.125f + offset[r] && q[i].score[k] >= q[i].floor;
        }
        for (size_t r = 0; r < n; r++) {
            int sum = 0;
            for (size_t j = 0; j < d; j++)
                sum += row_number(r, j) * q[i].code[j];
            want += (float)sum * 0.125f + offset[r] >= q[i].floor;
        }
        ok &= q[i].n == want;
        free(seen);
        free((void *)(uintptr_t)q[i].code);
        free(q[i].row);
        free(q[i].score);
    }
    free(q);
    free(at);
    free(codes);
    free(scale);
    free(offset);
    return ok;
}

static void kernels(void)
{
    static const char *const names[] = {"plain", "avx2", "avx512"};
    static const size_t sizes[] = {0, 1, 3, 4, 5, 9}, dims[] = {1, 3, 4, 5, 64, 129}, groups[] = {0, 1, 3, 4, 9};
    for (size_t k = 0; k < 3; k++) {
        ps_codes_fn *scan = ps_codes_named(names[k]);
        for (size_t i = 0; scan && i < 6; i++)
            for (size_t j = 0; j < 6; j++)
                for (size_t g = 0; g < 5; g++)
                    CHECK(right(scan, sizes[i], dims[j], groups[g]));
    }
    CHECK(ps_codes_named("mmx") == NULL);
    CHECK(ps_codes() != NULL);
}

/* Numbers of very different sizes, where the codes are bad: the bound holds all the same, and is no empty promise. */
static void bound(uint32_t d, int has_bias, double spread)
{
    enum { N = 200, QUERIES = 30 };
    const uint32_t width = d + (uint32_t)has_bias;
    float *x = malloc(N * width * sizeof *x), *y = malloc(QUERIES * width * sizeof *y);
    for (size_t i = 0; i < N * width; i++)
        x[i] = i / width % 9 == 4 ? 0 : (float)((ps_unit(ps_rng(5, i)) - 0.5) * exp(spread * ps_unit(ps_rng(6, i))));
    for (size_t i = 0; i < QUERIES * width; i++)
        y[i] = (float)((ps_unit(ps_rng(7, i)) - 0.5) * exp(spread * ps_unit(ps_rng(8, i))));
    ps_quant c;
    CHECK_OK(ps_quant_make(&c, N, d, has_bias, x, width, NULL, NULL));
    CHECK(c.n == N && c.groups == (N + 15) / 16);
    int8_t *code = calloc(ps_codes_words(d), 4);
    uint32_t row[N + 64];
    float score[N + 64];
    double most = 0, slack = 0;
    for (size_t i = 0; i < QUERIES; i++) {
        if (has_bias)
            y[i * width + d] = 1;
        ps_codes_query q = {.row = row, .score = score, .floor = -FLT_MAX}, *at = &q;
        const double b = ps_quant_query(&c, y + i * width, 0.75f, code, &q);
        /* The factor of a cosine applies to the bias, too, in no search: leave it out there. */
        if (has_bias)
            q.scale /= 0.75f;
        ps_codes()(1, &at, ps_codes_words(d), c.groups, c.codes, c.scale, c.offset, 0);
        CHECK(q.n == N);
        for (size_t k = 0; k < q.n; k++) {
            float product;
            ps_dots()(1, 1, width, y + i * width, width, x + q.row[k] * width, width, &product, 1);
            const double off = fabs((double)q.score[k] - (has_bias ? (double)product : (double)product * 0.75));
            CHECK(off <= (has_bias ? b / 0.75 : b));
            most = fmax(most, off);
            slack = fmax(slack, b);
        }
    }
    CHECK(most > slack / 500);
    free(code);
    free(x);
    free(y);
    ps_quant_free(&c);
}

static int by_size(const void *a, const void *b)
{
    const float *x = a, *y = b;
    return (*x < *y) - (*x > *y);
}

/* Whatever the order of arrival: all scores from the keep-th highest minus the margin on. */
static void sieve(size_t n, size_t keep, double margin)
{
    float *all = malloc(n * sizeof *all), *sorted = malloc(n * sizeof *all);
    int32_t *scratch = malloc(n * sizeof *scratch);
    for (size_t i = 0; i < n; i++)
        sorted[i] = all[i] = (float)((int)(ps_rng(3, i) % 1000) - 500) / 8;
    qsort(sorted, n, sizeof *sorted, by_size);
    for (size_t k = 1; k <= n; k += 1 + n / 7)
        CHECK(ps_highest(all, n, k, scratch) == sorted[k - 1]);
    const float floor = n > keep ? sorted[keep - 1] - (float)margin : -FLT_MAX;
    size_t want = 0;
    for (size_t i = 0; i < n; i++)
        want += all[i] >= floor;
    ps_sieve s = {0};
    for (int order = 0; order < 2; order++) {
        ps_sieve_start(&s, keep, margin);
        for (size_t i = 0; i < n; i++) {
            CHECK_OK(ps_sieve_room(&s, 1));
            const size_t at = order ? n - 1 - i : i;
            if (all[at] >= s.q.floor) {
                s.q.row[s.q.n] = (uint32_t)at;
                s.q.score[s.q.n++] = all[at];
            }
        }
        ps_sieve_end(&s);
        CHECK(s.q.n == want);
        for (size_t i = 0; i < s.q.n; i++)
            CHECK(s.q.score[i] >= floor && all[s.q.row[i]] == s.q.score[i]);
    }
    ps_sieve_free(&s);
    free(all);
    free(sorted);
    free(scratch);
}

int main(void)
{
    kernels();
    for (int has_bias = 0; has_bias < 2; has_bias++) {
        bound(1, has_bias, 0);
        bound(24, has_bias, 1);
        bound(130, has_bias, 8);
    }
    sieve(3000, 10, 0);
    sieve(3000, 10, 20);
    sieve(50, 100, 1);
    sieve(3000, 700, 0.5);
    CHECK_END();
}
