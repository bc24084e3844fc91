/* t_dots.c - dot products in every instruction set: right, nothing written beside them, and the same number
 * wherever the two rows stand and whatever stands beside them. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "dots.h"
#include "rng.h"

enum { GUARD = 7 };

/* Large and small, so that another order of the sum shows. */
static float value(uint64_t seed, uint64_t i)
{
    uint64_t r = ps_rng(seed, i);
    return (float)((ps_unit(r) - 0.5) * exp2((double)(r % 11)));
}

static float *rows(size_t n, size_t d, size_t ld, uint64_t seed)
{
    float *p = malloc((n * ld + 1) * sizeof *p);
    for (size_t i = 0; i < n * ld + 1; i++)
        p[i] = i % ld < d && i < n * ld ? value(seed, i) : NAN; /* what no sum may touch */
    return p;
}

static int right(ps_dots_fn *dots, size_t m, size_t n, size_t d)
{
    const size_t lda = d + 1, ldb = d + 3, ldc = n + GUARD;
    float *a = rows(m, d, lda, 1), *b = rows(n, d, ldb, 2), *c = malloc((m * ldc + 1) * sizeof *c);
    int ok = 1;
    for (size_t i = 0; i < m * ldc + 1; i++)
        c[i] = -77.25f;
    dots(m, n, d, a, lda, b, ldb, c, ldc);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < ldc; j++) {
            double want = -77.25, size = 0;
            if (j < n) {
                want = 0;
                for (size_t p = 0; p < d; p++) {
                    want += (double)a[i * lda + p] * b[j * ldb + p];
                    size += fabs((double)a[i * lda + p] * b[j * ldb + p]);
                }
            }
            double bound = size * (double)(d + 1) * FLT_EPSILON / 2;
            if (!(fabs(c[i * ldc + j] - want) <= bound))
                ok = 0;
        }
    ok &= c[m * ldc] == -77.25f;
    free(a);
    free(b);
    free(c);
    return ok;
}

/* Each pair of rows alone gives what all together gave. */
static int same_anywhere(ps_dots_fn *dots, ps_dots_rows_fn *dots_rows, size_t m, size_t n, size_t d)
{
    float *a = rows(m, d, d, 3), *b = rows(n, d, d + 1, 4), *c = malloc(m * n * sizeof *c);
    int ok = 1;
    dots(m, n, d, a, d, b, d + 1, c, n);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            float one;
            dots(1, 1, d, a + i * d, d, b + j * (d + 1), d + 1, &one, 1);
            ok &= one == c[i * n + j];
        }
    const float **at = malloc(n * sizeof *at);
    float *all = malloc((n + 1) * sizeof *all);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++)
            at[j] = b + (n - 1 - j) * (d + 1);
        all[n] = -77.25f;
        dots_rows(n, d, a + i * d, at, all);
        for (size_t j = 0; j < n; j++)
            ok &= all[j] == c[i * n + n - 1 - j];
        ok &= all[n] == -77.25f;
    }
    free(at);
    free(all);
    free(a);
    free(b);
    free(c);
    return ok;
}

int main(void)
{
    static const size_t sizes[] = {1, 2, 3, 4, 5, 6, 7, 12, 13, 25};
    static const size_t dims[] = {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 257};
    static const char *const names[] = {"plain", "avx2", "avx512"};
    for (size_t k = 0; k < 3; k++) {
        ps_dots_fn *dots = ps_dots_named(names[k]);
        if (!dots)
            continue;
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++)
                for (size_t p = 0; p < sizeof dims / sizeof *dims; p++)
                    CHECK(right(dots, sizes[i], sizes[j], dims[p]));
        for (size_t p = 0; p < sizeof dims / sizeof *dims; p++)
            CHECK(same_anywhere(dots, ps_dots_rows_named(names[k]), 11, 23, dims[p]));
        float nothing = 5;
        dots(0, 3, 2, &nothing, 2, &nothing, 2, &nothing, 3);
        dots(3, 0, 2, &nothing, 2, &nothing, 2, &nothing, 3);
        CHECK(nothing == 5);
    }
    CHECK(ps_dots_named("mmx") == NULL);
    CHECK(ps_dots() != NULL);
    CHECK_END();
}
