/* t_kernels.c - every form of every loop of vec.h against straightforward loops in long double.
 *
 * Each operation has a bound on its rounding error next to it, in units of u = half the machine epsilon; two forms
 * that both keep it also agree with each other.  A NaN or Inf fails before anything is compared.  Outputs
 * stand between guard words; inputs end where their memory ends (for the address sanitizer) and have NaN in the
 * gaps between rows.  Beyond the bounds: an element's bytes must not depend on its address or on n, because blocks
 * of work are cut in different places by different programs.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rng.h"
#include "vec.h"

typedef long double wide;

#ifdef PS_DOUBLE
static const wide u = DBL_EPSILON / 2;
#else
static const wide u = FLT_EPSILON / 2;
#endif

static const size_t sizes[] = {0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 256, 1000};
enum { SIZES = sizeof sizes / sizeof *sizes, SHIFTS = 4, GUARD = 16, BUFFERS_MAX = 16, ROWS = 40 };

static const ps_vec_ops *ops;
static uint64_t draws;

/* ---- buffers: freed together after each trial ---- */

static void *buffers[BUFFERS_MAX];
static int buffers_used;

static void *keep(void *p)
{
    if (!p || buffers_used == BUFFERS_MAX) {
        fprintf(stderr, "t_kernels: no memory\n");
        exit(1);
    }
    return buffers[buffers_used++] = p;
}

static void free_buffers(void)
{
    while (buffers_used > 0)
        free(buffers[--buffers_used]);
}

static ps_real draw(void)
{
    return (ps_real)(2 * ps_unit(ps_rng(1, draws++)) - 1);
}

/* n random elements, `shift` elements away from malloc's alignment. */
static ps_real *input(size_t n, size_t shift)
{
    ps_real *p = keep(malloc((shift + n + 1) * sizeof *p));
    p++; /* one element in front even of shift 0: 16-byte alignment is never given */
    for (size_t i = 0; i < shift + n; i++)
        p[i] = draw();
    return p + shift;
}

/* rows x ld, NaN beyond each row's n. */
static ps_real *input_rows(size_t rows, size_t n, size_t ld, size_t shift)
{
    ps_real *p = input(rows * ld, shift);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = n; i < ld; i++)
            p[r * ld + i] = NAN;
    return p;
}

static const ps_real guard_word = (ps_real)-7777.25;

/* A copy of n elements (zeros if `from` is NULL) between guard words. */
static ps_real *output(size_t n, size_t shift, const ps_real *from)
{
    size_t all = GUARD + shift + n + GUARD;
    ps_real *p = keep(malloc(all * sizeof *p));
    for (size_t i = 0; i < all; i++)
        p[i] = guard_word;
    p += GUARD + shift;
    for (size_t i = 0; i < n; i++)
        p[i] = from ? from[i] : 0;
    return p;
}

static void check_guards(const char *op, size_t n, const ps_real *p)
{
    for (size_t i = 0; i < GUARD; i++)
        if (p[n + i] != guard_word || p[-1 - (ptrdiff_t)i] != guard_word) {
            fprintf(stderr, "%s: %s: n %zu: wrote outside its output\n", ops->name, op, n);
            check_failures++;
            return;
        }
}

static void check_close(const char *op, size_t n, size_t i, ps_real got, wide want, wide bound)
{
    if (!isfinite(got) || !(fabsl((wide)got - want) <= bound)) {
        if (check_failures++ < 20)
            fprintf(stderr, "%s: %s: n %zu: element %zu is %.9g, should be %.9Lg, bound %.2Lg\n", ops->name, op, n, i,
                    (double)got, want, bound);
    }
}

/* Byte for byte, for what must not depend on place. */
static void check_same(const char *op, size_t n, const ps_real *a, const ps_real *b)
{
    if (n > 0 && memcmp(a, b, n * sizeof *a) != 0) {
        fprintf(stderr, "%s: %s: n %zu: other bytes at another address or length\n", ops->name, op, n);
        check_failures++;
    }
}

/* A prefix length to compare with: cut neither at a vector's end nor always in the last one. */
static size_t shorter(size_t n)
{
    return n - n / 3;
}

/* ---- the operations ---- */

/* At most n / 16 + 1 additions in a lane and 4 of lanes, one rounding a product. */
static void test_dot(size_t n, size_t shift)
{
    ps_real *a = input(n, shift), *b = input(n, (shift + 1) % SHIFTS);
    wide want = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        want += (wide)a[i] * b[i];
        size += fabsl((wide)a[i] * b[i]);
    }
    ps_real got = ops->dot(n, a, b);
    check_close("dot", n, 0, got, want, (wide)(n / 16 + 7) * u * size);
    ps_real moved = ops->dot(n, output(n, shift + 1, a), output(n, 0, b));
    check_same("dot", 1, &got, &moved);
    if (n > 0) {
        a[n - 1] = NAN;
        CHECK(isnan(ops->dot(n, a, b)));
        a[n - 1] = INFINITY;
        CHECK(!isfinite(ops->dot(n, a, b)));
    }
}

/* Two roundings. */
static void test_axpy(size_t n, size_t shift)
{
    ps_real *x = input(n, shift), *y = input(n, 0), alpha = draw();
    ps_real *got = output(n, SHIFTS - shift, y), *other = output(n, 0, y);
    ops->axpy(n, alpha, x, got);
    for (size_t i = 0; i < n; i++) {
        wide add = (wide)alpha * x[i];
        check_close("axpy", n, i, got[i], y[i] + add, 2 * u * (fabsl(add) + fabsl((wide)y[i])));
    }
    check_guards("axpy", n, got);
    ops->axpy(shorter(n), alpha, output(n, 1, x), other);
    check_same("axpy", shorter(n), got, other);
}

/* Correctly rounded. */
static void test_scale(size_t n, size_t shift)
{
    ps_real *y = input(n, 0), *got = output(n, shift, y), alpha = draw();
    ops->scale(n, alpha, got);
    for (size_t i = 0; i < n; i++)
        check_close("scale", n, i, got[i], (wide)alpha * y[i], u * fabsl((wide)alpha * y[i]));
    check_guards("scale", n, got);
}

/* Correctly rounded; the gaps between rows stay as they are. */
static void test_bias_relu(size_t n, size_t shift)
{
    size_t ld = n + shift, length;
    for (size_t rows = 0; rows <= 3; rows++) {
        length = rows ? (rows - 1) * ld + n : 0;
        ps_real *y = input(length, 0), *bias = input(n, shift), *got = output(length, shift, y);
        ops->bias_relu(rows, n, got, ld, bias);
        for (size_t i = 0; i < length; i++) {
            wide sum = (wide)y[i] + (i % ld < n ? bias[i % ld] : 0), want = i % ld < n && sum < 0 ? 0 : sum;
            check_close("bias_relu", n, i, got[i], want, u * fabsl(want));
        }
        check_guards("bias_relu", length, got);
    }
}

/* Exact, and one addition. */
static void test_relu_grad(size_t n, size_t shift)
{
    ps_real *y = input(n, shift), *dy = input(n, 0), *got = output(n, (shift + 2) % SHIFTS, dy);
    ps_real *sum = input(n, 0), *added = output(n, (shift + 1) % SHIFTS, sum);
    for (size_t i = 0; i < n; i++)
        y[i] = i % 5 == 2 ? 0 : y[i];
    ops->relu_grad(n, got, y, added);
    for (size_t i = 0; i < n; i++) {
        check_close("relu_grad", n, i, got[i], y[i] > 0 ? dy[i] : 0, 0);
        check_close("relu_grad's sum", n, i, added[i], (wide)sum[i] + got[i], u * fabsl((wide)sum[i] + got[i]));
    }
    check_guards("relu_grad", n, got);
    check_guards("relu_grad's sum", n, added);
}

/* Two products, a subtraction; one addition. */
/* The bits of what is positive, of zero, minus zero and NaN, and what they let through: exact. */
static void test_live(size_t n, size_t shift)
{
    const size_t words = (n + 15) / 16;
    ps_real *y = input(n, shift), *dy = input(n, 0), *got = output(n, (shift + 2) % SHIFTS, dy);
    ps_real *sum = input(n, 0), *added = output(n, (shift + 1) % SHIFTS, sum);
    uint16_t *bits = keep(malloc((words + 1) * sizeof *bits));
    for (size_t i = 0; i < n; i++)
        y[i] = i % 5 == 2 ? (ps_real)0 : i % 11 == 3 ? -(ps_real)0 : i % 13 == 4 ? (ps_real)NAN : y[i];
    memset(bits, 0x5a, (words + 1) * sizeof *bits);
    ops->positive(n, y, bits);
    for (size_t i = 0; i < 16 * words; i++)
        CHECK((bits[i / 16] >> i % 16 & 1) == (i < n && y[i] > 0));
    CHECK(bits[words] == 0x5a5a);
    ops->live_grad(n, got, bits, added);
    for (size_t i = 0; i < n; i++) {
        check_close("live_grad", n, i, got[i], y[i] > 0 ? dy[i] : 0, 0);
        check_close("live_grad's sum", n, i, added[i], (wide)sum[i] + got[i], u * fabsl((wide)sum[i] + got[i]));
    }
    check_guards("live_grad", n, got);
    check_guards("live_grad's sum", n, added);
}

static void test_unit_relu_grad(size_t n, size_t shift)
{
    ps_real *z = input(n, shift), *dz = input(n, 0), *got = output(n, (shift + 2) % SHIFTS, dz);
    ps_real *sum = input(n, 0), *added = output(n, (shift + 1) % SHIFTS, sum), along = draw(), scale = 3 + draw();
    for (size_t i = 0; i < n; i++)
        z[i] = i % 5 == 2 ? 0 : z[i];
    ops->unit_relu_grad(n, got, z, along, scale, added);
    for (size_t i = 0; i < n; i++) {
        wide want = z[i] > 0 ? (wide)scale * (dz[i] - (wide)along * z[i]) : 0;
        wide size = scale * (fabsl((wide)dz[i]) + fabsl((wide)along * z[i]));
        check_close("unit_relu_grad", n, i, got[i], want, 3 * u * size);
        check_close("unit_relu_grad's sum", n, i, added[i], (wide)sum[i] + got[i], u * (fabsl((wide)sum[i]) + 4 * size));
    }
    check_guards("unit_relu_grad", n, got);
    check_guards("unit_relu_grad's sum", n, added);
}

/* Exact: the nearer of the two neighbours, of equally near ones the even one. */
static void test_to_bf16(size_t n, size_t shift)
{
    static const float special[] = {0, -0.f, 1, 1.00390625f, 1.01171875f, 3.0e38f, 3.4e38f, -INFINITY, 1e-40f};
    ps_real *x = input(n, shift);
    uint16_t *out = keep(malloc((n + 1) * sizeof *out));
    for (size_t i = 0; i < n && i < sizeof special / sizeof *special; i++)
        x[i] = (ps_real)special[i];
    if (n > 20)
        x[20] = NAN;
    out[n] = 0x1234;
    ops->to_bf16(n, x, out);
    for (size_t i = 0; i < n; i++) {
        float f = (float)x[i], low, high;
        uint32_t bits, got = (uint32_t)out[i] << 16;
        memcpy(&bits, &f, sizeof bits);
        if (isnan(f)) {
            CHECK((got & 0x7f800000) == 0x7f800000 && (got & 0x7f0000) != 0);
            continue;
        }
        uint32_t down = bits & 0xffff0000, up = (bits & 0xffff) ? down + 0x10000 : down;
        memcpy(&low, &down, sizeof low);
        memcpy(&high, &up, sizeof high);
        double to_low = fabs((double)f - (double)low);
        double to_high = isinf(high) ? 0x1p128 - fabs((double)f) : fabs((double)high - (double)f);
        uint32_t want = isinf(f) || to_low < to_high || (to_low == to_high && !(down >> 16 & 1)) ? down : up;
        if (got != want && check_failures++ < 20)
            fprintf(stderr, "%s: to_bf16 of %a is %x, not %x\n", ops->name, (double)f, got, want);
    }
    CHECK(out[n] == 0x1234);
}

static uint32_t *input_index(size_t count)
{
    uint32_t *index = keep(malloc((count + 1) * sizeof *index));
    for (size_t t = 0; t < count; t++)
        index[t] = (uint32_t)ps_below(ps_rng(2, draws++), ROWS);
    return index;
}

/* count products, count additions. */
static void test_pool_sum(size_t n, size_t shift, size_t count)
{
    size_t ld = n + shift;
    ps_real *base = input_rows(ROWS, n, ld, shift), *weight = input(count, 0);
    ps_real *start = input(n, 0), *got = output(n, shift, start), *other = output(n, 0, start);
    uint32_t *index = input_index(count);
    ops->pool_sum(n, count, index, weight, base, ld, got);
    for (size_t i = 0; i < n; i++) {
        wide want = 0, size = 0;
        for (size_t t = 0; t < count; t++) {
            want += (wide)weight[t] * base[index[t] * ld + i];
            size += fabsl((wide)weight[t] * base[index[t] * ld + i]);
        }
        check_close("pool_sum", n, i, got[i], want, (wide)(count + 1) * u * size);
    }
    check_guards("pool_sum", n, got);
    ops->pool_sum(shorter(n), count, index, weight, output(ROWS * ld, 1, base), ld, other);
    check_same("pool_sum", shorter(n), got, other);
}

/* Exact, the first of equals: whole rows come twice, and zeros as ReLU leaves them. */
static void test_pool_max(size_t n, size_t shift, size_t count)
{
    if (count == 0)
        return;
    size_t ld = n + shift;
    ps_real *base = input_rows(ROWS, n, ld, shift), *got = output(n, shift, NULL);
    uint32_t *index = input_index(count), *arg = keep(malloc((n + 2 * GUARD) * sizeof *arg));
    for (size_t i = 0; i < ROWS * ld; i++)
        base[i] = base[i] < 0 ? 0 : base[i];
    index[count - 1] = index[0];
    for (size_t i = 0; i < n + 2 * GUARD; i++)
        arg[i] = UINT32_MAX;
    ops->pool_max(n, count, index, base, ld, got, arg + GUARD);
    for (size_t i = 0; i < n; i++) {
        uint32_t best = 0;
        for (uint32_t t = 1; t < count; t++)
            if (base[index[t] * ld + i] > base[index[best] * ld + i])
                best = t;
        check_close("pool_max", n, i, got[i], base[index[best] * ld + i], 0);
        CHECK(arg[GUARD + i] == best);
    }
    check_guards("pool_max", n, got);
    for (size_t i = 0; i < GUARD; i++)
        CHECK(arg[i] == UINT32_MAX && arg[GUARD + n + i] == UINT32_MAX);
}

/* Moments: 3 and 5 roundings. The step: those of m and (halved by the root) of v, and 8 of its own. */
static void test_adam(size_t n, size_t shift)
{
    static const ps_real keeps[] = {1, (ps_real)0.9921875};
    for (int k = 0; k < 2; k++) {
        ps_real *g = input(n, shift), *m = input(n, 0), *v = input(n, 0), *p = input(n, 0);
        for (size_t i = 0; i < n; i++) {
            v[i] *= v[i];
            if (i % 7 == 3)
                g[i] = m[i] = v[i] = 0; /* never touched: must stay where it is */
        }
        ps_real *gp = output(n, shift, p), *gm = output(n, 1, m), *gv = output(n, 2, v);
        ps_real step = (ps_real)0.01, root = (ps_real)3.1, b1 = PS_ADAM_BETA1, b2 = PS_ADAM_BETA2;
        ops->adam(n, gp, g, gm, gv, step, root, keeps[k]);
        for (size_t i = 0; i < n; i++) {
            wide old = (wide)b1 * m[i], new = (wide)(1 - b1) * g[i], size = fabsl(old) + fabsl(new);
            wide v2 = (wide)b2 * v[i] + (wide)(1 - b2) * g[i] * g[i];
            wide scale = step / (sqrtl(v2) * root + (wide)PS_ADAM_EPS), kept = (wide)keeps[k] * p[i];
            check_close("adam m", n, i, gm[i], old + new, 3 * u * size);
            check_close("adam v", n, i, gv[i], v2, 5 * u * v2);
            check_close("adam p", n, i, gp[i], kept - scale * (old + new), 3 * u * fabsl(kept) + 14 * u * scale * size);
        }
        check_guards("adam p", n, gp);
        check_guards("adam m", n, gm);
        check_guards("adam v", n, gv);
        ps_real *op = output(n, 0, p), *om = output(n, 0, m), *ov = output(n, 0, v);
        ops->adam(shorter(n), op, output(n, 1, g), om, ov, step, root, keeps[k]);
        check_same("adam p", shorter(n), gp, op);
        free_buffers();
    }
}

/* The moment: two roundings. The step: those and two of its own. */
static void test_sgd(size_t n, size_t shift)
{
    ps_real *g = input(n, shift), *m = input(n, 0), *p = input(n, 0), lr = (ps_real)0.03, momentum = (ps_real)0.9;
    ps_real *gp = output(n, shift, p), *gm = output(n, 1, m), *op = output(n, 0, p), *om = output(n, 0, m);
    ops->sgd(n, gp, g, gm, lr, momentum);
    for (size_t i = 0; i < n; i++) {
        wide size = fabsl((wide)momentum * m[i]) + fabsl((wide)g[i]), want = (wide)momentum * m[i] + g[i];
        check_close("sgd m", n, i, gm[i], want, 2 * u * size);
        check_close("sgd p", n, i, gp[i], p[i] - lr * want, 2 * u * fabsl((wide)p[i]) + 5 * u * lr * size);
    }
    check_guards("sgd p", n, gp);
    check_guards("sgd m", n, gm);
    ops->sgd(shorter(n), op, output(n, 1, g), om, lr, momentum);
    check_same("sgd p", shorter(n), gp, op);
}

static void test_form(void)
{
    static void (*const simple[])(size_t, size_t) = {test_dot,       test_axpy, test_scale, test_bias_relu,
                                                     test_relu_grad, test_live, test_unit_relu_grad, test_to_bf16, test_adam, test_sgd};
    static const size_t counts[] = {0, 1, 2, 3, 4, 5, 8, 11, 20};
    for (size_t s = 0; s < SIZES * SHIFTS; s++) {
        size_t n = sizes[s / SHIFTS], shift = s % SHIFTS;
        for (size_t t = 0; t < sizeof simple / sizeof *simple; t++) {
            simple[t](n, shift);
            free_buffers();
        }
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            test_pool_sum(n, shift, counts[c]);
            free_buffers();
            test_pool_max(n, shift, counts[c]);
            free_buffers();
        }
    }
}

int main(void)
{
    static const char *names[] = {"plain", "avx2", "avx512"};
    CHECK(ps_vec_named("no such form") == NULL);
    CHECK(ps_vec_named("plain") != NULL);
    CHECK(ps_vec() == ps_vec_named(ps_vec()->name));
    for (int i = 0; i < 3; i++) {
        ops = ps_vec_named(names[i]);
        if (!ops) {
            printf("%s: not built in, or not on this processor\n", names[i]);
            continue;
        }
        CHECK(strcmp(ops->name, names[i]) == 0);
        test_form();
        printf("%s: tried%s\n", names[i], ops == ps_vec() ? ", and what the programs use here" : "");
    }
    CHECK_END();
}
