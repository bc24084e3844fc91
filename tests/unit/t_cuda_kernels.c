/* t_cuda_kernels.c - rows, pooling, sums, steps and conversions on the device, over odd shapes; one trial of each has a
 * NaN among its inputs, another an infinity.
 *
 *     t_cuda_kernels [short]     short: few shapes, for compute-sanitizer
 */
#include "cuda_twins.h"

static int few;

/* ---- rows ---- */

static array *part_for(size_t rows, size_t n)
{
    return empty(ps_device_parts(rows) * n);
}

static void test_gather(size_t rows, size_t n)
{
    array *from = reals(7 * n), *row = words(rows, 7), *to = empty(rows * n);
    ON_BOTH(gather_rows(dev, rows, n, A(from), A(row), A(to)));
    compare("gather_rows", to, 0);
}

static void test_bias(size_t rows, size_t n)
{
    array *y = reals(rows * n), *b = reals(n), *w = reals(rows), *x = reals(rows * n);
    ON_BOTH(bias_relu(dev, rows, n, A(y), A(b)));
    compare("bias_relu", y, 1e-7);
    ON_BOTH(outer_add(dev, rows, n, A(w), A(b), A(x)));
    compare("outer_add", x, 2e-7);
}

static void test_normalize(size_t rows, size_t n)
{
    array *y = reals(rows * n), *h = reals(rows * n), *b = reals(n), *norm = empty(rows), *length = empty(rows);
    array *dz = reals(rows * n), *dy = empty(rows * n), *dh = reals(rows * n), *dot = empty(rows),
          *in_place = reals(rows * n);
    ON_BOTH(normalize(dev, rows, n, A(y), NULL, A(norm)));
    compare("normalize", y, 1e-6);
    compare("normalize's norm", norm, 1e-6);
    ON_BOTH(normalize(dev, rows, n, A(h), A(b), A(length)));
    compare("normalize with a bias", h, 1e-6);
    compare("normalize with a bias, norm", length, 1e-6);
    ON_BOTH(normalize_back(dev, rows, n, A(dz), A(y), A(norm), A(dy)));
    compare("normalize_back", dy, 3e-6);
    ON_BOTH(normalize_back(dev, rows, n, A(in_place), A(y), A(norm), A(in_place)));
    compare("normalize_back in place", in_place, 3e-6);
    ON_BOTH(unit_relu_back(dev, rows, n, A(dh), A(h), A(length)));
    compare("unit_relu_back", dh, 3e-6);
    ON_BOTH(row_dots(dev, rows, n, A(y), A(b), A(dot)));
    compare("row_dots", dot, 1e-6);
}

/* A row of zeros has norm 0 and stays zero; its gradient is finite. */
static void test_zero_row(void)
{
    float zeros[33] = {0};
    array *y = make(33, sizeof *zeros, zeros), *norm = empty(1), *dz = reals(33), *dy = empty(33);
    ON_BOTH(normalize(dev, 1, 33, A(y), NULL, A(norm)));
    ON_BOTH(normalize_back(dev, 1, 33, A(dz), A(y), A(norm), A(dy)));
    compare("normalize of zeros", y, 0);
    compare("its norm", norm, 0);
    compare("its gradient", dy, 1e-6);
}

static void test_sums(size_t rows, size_t n)
{
    array *x = reals(rows * n), *w = reals(rows), *sum = empty(n), *weighted = empty(n), *part = part_for(rows, n);
    array *y = positives(rows * n), *dy = reals(rows * n), *passed = empty(n);
    ON_BOTH(column_sums(dev, rows, n, NULL, A(x), A(sum), A(part)));
    compare("column_sums", sum, 2e-6);
    ON_BOTH(column_sums(dev, rows, n, A(w), A(x), A(weighted), A(part)));
    compare("column_sums with weights", weighted, 2e-6);
    ON_BOTH(relu_back(dev, rows, n, A(dy), A(y), A(passed), A(part)));
    compare("relu_back", dy, 0);
    compare("relu_back's sums", passed, 2e-6);
}

/* ---- pooling ---- */

static void test_pool(size_t rows, size_t n)
{
    uint32_t edges, below = 9;
    array *off = offsets(rows, 5, &edges), *index = words(edges, below), *weight = reals(edges),
          *base = reals(below * n);
    array *out = empty(rows * n), *added = reals(rows * n), *top = empty(rows * n), *arg = words(rows * n, 1);
    ON_BOTH(pool_sum(dev, rows, n, A(off), A(index), A(weight), A(base), 0, A(out)));
    compare("pool_sum", out, 3e-6);
    ON_BOTH(pool_sum(dev, rows, n, A(off), A(index), A(weight), A(base), 1, A(added)));
    compare("pool_sum, adding", added, 3e-6);
    if (with_nan && with_nan != INFINITE) /* the host's order of a NaN's comparisons is its own */
        return;
    ON_BOTH(pool_max(dev, rows, n, A(off), A(index), A(base), A(top), A(arg)));
    compare("pool_max", top, 0);
    same_words("pool_max's argument", arg);
}

/* Users ascend within a list, and only those below `users` count. */
static void test_pool_back(size_t rows, size_t n)
{
    uint32_t edges, all = 11, users = 8;
    array *off = offsets(rows, 5, &edges), *draft = words(edges, all);
    uint32_t *at = (uint32_t *)off->host, *list = (uint32_t *)draft->host;
    for (size_t v = 0; v < rows; v++)
        qsort(list + at[v], at[v + 1] - at[v], sizeof *list, ascending);
    array *user = make(edges, sizeof *list, list), *slot = words(edges, 3), *weight = reals(edges);
    array *d = reals(users * n), *arg = words(users * n, 3), *p = positives(rows * n), *p_max = positives(rows * n);
    ON_BOTH(pool_sum_back(dev, rows, n, A(off), A(user), A(weight), users, A(d), A(p)));
    compare("pool_sum_back", p, 3e-6);
    ON_BOTH(pool_max_back(dev, rows, n, A(off), A(user), A(slot), users, A(d), A(arg), A(p_max)));
    compare("pool_max_back", p_max, 3e-6);
}

/* ---- steps ---- */

static void test_total(size_t n)
{
    double want[2] = {0}, got[2] = {-1, -1};
    array *x = reals(n), *out = make(2, sizeof *want, want), *part = make(PS_SUM_BLOCKS, sizeof *want, NULL);
    uint32_t none = 3;
    array *bad = make(1, sizeof none, &none);
    ON_BOTH(sum(dev, n, A(x), A(out), A(part)));
    ON_BOTH(squares(dev, n, A(x), (double *)A(out) + 1, A(part)));
    ON_BOTH(count_bad(dev, n, A(x), A(bad)));
    memcpy(want, out->host, sizeof want);
    CHECK_OK(device->ops->get(device, got, out->device, sizeof got));
    for (int i = 0; i < 2; i++)
        if (isnan(want[i]) != isnan(got[i]) || fabs(got[i] - want[i]) > 1e-12 * (1 + fabs(want[i])))
            differ("sum", (size_t)i, got[i], want[i]);
    same_words("count_bad", bad);
    CHECK(*(uint32_t *)bad->host == (with_nan && n ? 4 : 3));
}

static void test_optimizers(size_t n)
{
    array *g = reals(n), *p = reals(n), *m = reals(n), *v = positives(n), *ps = reals(n), *ms = reals(n);
    const ps_segments s = {.n = 4, .end = {n / 3, n / 3, n / 3 + n / 2, n}, .keep = {1, 0, .5f, .99f}};
    ON_BOTH(adam(dev, &s, A(p), A(g), A(m), A(v), .01f, 3.1f));
    compare("adam p", p, 1e-6);
    compare("adam m", m, 2e-7);
    compare("adam v", v, 2e-7);
    ON_BOTH(sgd(dev, n, A(ps), A(g), A(ms), .03f, .9f));
    compare("sgd p", ps, 2e-7);
    compare("sgd m", ms, 2e-7);
}

/* Rows 1, 3, 5, ... of E. */
static void test_tokens(size_t rows, size_t d)
{
    uint32_t edges, items = 6, *touched = calloc(rows + 1, sizeof *touched);
    need(touched);
    for (size_t r = 0; r < rows; r++)
        touched[r] = (uint32_t)(2 * r + 1);
    array *list = make(rows, sizeof *touched, touched), *off = offsets(rows, 3, &edges), *user = words(edges, items);
    array *weight = reals(edges), *dy = reals(items * d), *E = reals((2 * rows + 1) * d),
          *squares_of = positives(2 * rows + 1);
    ON_BOTH(token_step(dev, rows, d, A(list), A(off), A(user), A(weight), A(dy), .05f, A(E), A(squares_of)));
    compare("token_step E", E, 3e-6);
    compare("token_step's squares", squares_of, 3e-6);
    free(touched);
}

/* ---- conversions ---- */

static void test_bf16(size_t rows, size_t n)
{
    array *x = reals(rows * (n + 3)), *out = make(rows * n, sizeof(uint16_t), NULL), *back = empty(rows * n);
    ON_BOTH(to_bf16(dev, rows, n, A(x), n + 3, A(out)));
    uint16_t *got = (uint16_t *)fetched(out), *want = (uint16_t *)out->host;
    for (size_t i = 0; i < rows * n; i++)
        if (got[i] != want[i])
            differ("to_bf16", i, got[i], want[i]);
    free(got);
    ON_BOTH(from_bf16(dev, rows * n, A(out), A(back)));
    compare("from_bf16", back, 0);
}

/* ---- all of it ---- */

static void test_shapes(void)
{
    static const size_t rows[] = {0, 1, 2, 31, 33, 100}, dims[] = {1, 3, 4, 31, 32, 33, 130, 257, 1028};
    static void (*const tests[])(size_t, size_t) = {test_gather, test_bias,      test_normalize, test_sums,
                                                    test_pool,   test_pool_back, test_tokens,    test_bf16};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (size_t k = 0; k < sizeof dims / sizeof *dims; k++)
            for (size_t t = 0; t < sizeof tests / sizeof *tests; t++) {
                if (rows[r] * dims[k] > 10000 && dims[k] > 130) /* the emulation takes its time */
                    continue;
                if (few && (rows[r] % 33 || (dims[k] != 3 && dims[k] != 33 && dims[k] != 1028)))
                    continue;
                snprintf(trial, sizeof trial, "%zu rows of %zu%s%s", rows[r], dims[k], shift ? ", not aligned" : "",
                         among_inputs());
                tests[t](rows[r], dims[k]);
                free_arrays();
            }
}

/* Enough rows that sums of sums are summed. */
static void test_many_rows(void)
{
    snprintf(trial, sizeof trial, "2100 rows of 5");
    test_sums(2100, 5);
    free_arrays();
}

static void test_counts(void)
{
    static const size_t counts_of[] = {0, 1, 31, 33, 1000, 70001};
    for (size_t i = 0; i < sizeof counts_of / sizeof *counts_of; i++) {
        snprintf(trial, sizeof trial, "%zu elements%s", counts_of[i], among_inputs());
        test_total(counts_of[i]);
        free_arrays();
        test_optimizers(counts_of[i]);
        free_arrays();
    }
}

int main(int argc, char **argv)
{
    int rc = begin();
    if (rc)
        return rc;
    const int asked = argc > 1 && strcmp(argv[1], "short") == 0;
    for (with_nan = 0; with_nan <= INFINITE; with_nan++) {
        few = asked || with_nan == INFINITE;
        for (shift = 0; shift < (with_nan ? 1 : 2); shift++)
            test_shapes();
        shift = 0;
        test_counts();
    }
    with_nan = 0;
    test_zero_row();
    free_arrays();
    test_many_rows();
    end();
    CHECK_END();
}
