/* t_packed.c - products with a constant matrix and pooling, each instruction set: against double, each row the same
 * wherever it stands, nothing written beside. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "packed.h"
#include "rng.h"

enum { GUARD = 5 };
#ifdef PS_DOUBLE
#define EPSILON DBL_EPSILON
#else
#define EPSILON FLT_EPSILON
#endif

static ps_real value(uint64_t i)
{
    return (ps_real)((double)(ps_mix64(i) >> 40) * 0x1p-23 - 1);
}

static ps_real *numbers(size_t n, uint64_t seed)
{
    ps_real *p = malloc((n + GUARD) * sizeof *p);
    for (size_t i = 0; i < n + GUARD; i++)
        p[i] = value(i + seed * 1000000);
    return p;
}

static void test_multiply(const ps_packed_ops *o, size_t m, size_t n, size_t k, int add, int turned)
{
    const size_t ldx = k + 3, ldw = turned ? n + 2 : k + 1, ldy = n + GUARD;
    ps_real *x = numbers(m * ldx, 1), *w = numbers((turned ? k : n) * ldw, 2), *y = numbers(m * ldy, 3),
            *one = numbers(ldy, 4);
    ps_packed p;
    int right = 1, alike = 1;
    CHECK_OK(o->pack(&p, n, k, w, ldw, turned));
    o->multiply(m, x, ldx, &p, add, y, ldy);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < ldy; j++) {
            double was = (double)value(i * ldy + j + 3000000), want = j < n && !add ? 0 : was, size = fabs(want);
            for (size_t q = 0; q < k && j < n; q++) {
                double product = (double)x[i * ldx + q] * (double)(turned ? w[q * ldw + j] : w[j * ldw + q]);
                want += product;
                size += fabs(product);
            }
            right &= fabs((double)y[i * ldy + j] - want) <= size * (double)(k + 2) * EPSILON;
        }
        for (size_t j = 0; j < n; j++)
            one[j] = value(i * ldy + j + 3000000);
        o->multiply(1, x + i * ldx, ldx, &p, add, one, ldy);
        alike &= memcmp(one, y + i * ldy, n * sizeof *one) == 0;
    }
    if (!right || !alike)
        fprintf(stderr, "%s %zu x %zu x %zu add %d turned %d: right %d alike %d\n", o->name, m, n, k, add, turned,
                right, alike);
    CHECK(right && alike);
    ps_packed_free(&p);
    free(x);
    free(w);
    free(y);
    free(one);
}

static void test_turned(const ps_packed_ops *o, size_t m, size_t n, size_t k, int add)
{
    const size_t lda = m + 3, ldb = n + 1, ldy = n + GUARD;
    ps_real *a = numbers(k * lda, 1), *b = numbers(k * ldb, 2), *y = numbers(m * ldy, 3);
    int right = 1;
    CHECK_OK(o->multiply_turned(m, n, k, a, lda, b, ldb, add, y, ldy));
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < ldy; j++) {
            double was = (double)value(i * ldy + j + 3000000), want = j < n && !add ? 0 : was, size = fabs(want);
            for (size_t q = 0; q < k && j < n; q++) {
                double product = (double)a[q * lda + i] * (double)b[q * ldb + j];
                want += product;
                size += fabs(product);
            }
            right &= fabs((double)y[i * ldy + j] - want) <= size * (double)(k + 2) * EPSILON;
        }
    if (!right)
        fprintf(stderr, "%s turned %zu x %zu x %zu add %d\n", o->name, m, n, k, add);
    CHECK(right);
    free(a);
    free(b);
    free(y);
}

static void test_pool(const ps_packed_ops *o, size_t n, size_t count)
{
    enum { ROWS = 50 };
    const size_t ld = n + 2;
    ps_real *base = numbers(ROWS * ld, 5), *weight = numbers(count, 6), *out = numbers(n, 7), *parts = numbers(n, 7);
    ps_real *most = numbers(n, 7);
    uint32_t index[64];
    int right = 1;
    for (size_t t = 0; t < count; t++)
        index[t] = (uint32_t)(ps_mix64(t) % ROWS);
    o->pool_sum(n, count, index, weight, base, ld, out);
    o->pool_max(n, count, index, base, ld, most);
    for (size_t t = 0, step; t < count; t += step) { /* in pieces: the same bytes */
        step = count - t < 3 ? count - t : 3;
        o->pool_sum(n, step, index + t, weight + t, base, ld, parts);
    }
    CHECK(memcmp(out, parts, (n + GUARD) * sizeof *out) == 0);
    for (size_t i = 0; i < n + GUARD; i++) {
        double want = (double)value(i + 7000000), size = fabs(want), top = want;
        for (size_t t = 0; t < count && i < n; t++) {
            double v = (double)base[index[t] * ld + i];
            want += (double)weight[t] * v;
            size += fabs((double)weight[t] * v);
            top = v > top ? v : top;
        }
        right &= fabs((double)out[i] - want) <= size * (double)(count + 1) * EPSILON && (double)most[i] == top;
    }
    CHECK(right);
    free(base);
    free(weight);
    free(out);
    free(parts);
    free(most);
}

int main(void)
{
    static const size_t some[] = {1, 2, 11, 12, 13, 31, 33, 70};
    static const char *const isa[] = {"plain", "avx2", "avx512"};
    for (size_t s = 0; s < sizeof isa / sizeof *isa; s++) {
        const ps_packed_ops *o = ps_packed_named(isa[s]);
        if (!o)
            continue;
        CHECK(strcmp(o->name, isa[s]) == 0);
        for (size_t i = 0; i < sizeof some / sizeof *some; i++)
            for (size_t j = 0; j < sizeof some / sizeof *some; j++)
                for (int add = 0; add < 2; add++)
                    for (int turned = 0; turned < 2; turned++)
                        test_multiply(o, some[i], some[j], some[(i + j) % 8], add, turned);
        for (size_t i = 0; i < sizeof some / sizeof *some; i++)
            for (size_t j = 0; j < sizeof some / sizeof *some; j++)
                test_turned(o, some[i], some[j], some[(i + j) % 8], (int)(i + j) % 2);
        test_multiply(o, 25, 40, 513, 0, 0); /* a sum in pieces */
        test_multiply(o, 14, 33, 1024, 1, 1);
        test_multiply(o, 200, 70, 260, 1, 0); /* and some rows at a time */
        test_multiply(o, 3, 5, 0, 0, 0);
        test_turned(o, 200, 70, 600, 1);
        test_turned(o, 100, 33, 256, 0);
        test_turned(o, 3, 5, 0, 0);
        for (size_t i = 0; i < sizeof some / sizeof *some; i++)
            for (size_t count = 0; count < 64; count += 7)
                test_pool(o, some[i], count);
    }
    CHECK(ps_packed_named("none") == NULL);
    CHECK_END();
}
