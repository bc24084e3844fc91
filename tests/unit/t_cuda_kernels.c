/* t_cuda_kernels.c - every operation of device.h on the device (emulated, or a GPU: make gpu-check) against its twin on
 * the host, over odd shapes.
 *
 * Outputs stand between guard words and start as NaN where they are only written.  A value that is not finite fails
 * unless its twin's is not finite either; one trial of each shape has a NaN among its inputs.  Next to each operation:
 * how far it may be off, as a share of the largest magnitude of the array or of 1.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../cuda/emulator.h"
#include "check.h"
#include "device.h"
#include "rng.h"

/* What the emulation adds: not there on a GPU. */
extern __typeof__(emulator_seed) emulator_seed __attribute__((weak));
extern __typeof__(emulator_overruns) emulator_overruns __attribute__((weak));
extern __typeof__(emulator_blocks) emulator_blocks __attribute__((weak));
extern int planted_run(int which, int with_barrier) __attribute__((weak));

enum { GUARD = 64, ARRAYS = 40 };

/* The same array twice: for the host's operation and for the device's. */
typedef struct {
    size_t n, size; /* elements; bytes of one */
    char *host, *device, *block;
} array;

static ps_device *host, *device;
static array arrays[ARRAYS];
static int used;
static uint64_t draws;
static int with_nan, shift; /* of this trial: a NaN among the inputs; elements that rows are away from alignment */
static char trial[160];
static double worst;
static const char *worst_of;

static void need(const void *p)
{
    if (!p) {
        fprintf(stderr, "t_cuda_kernels: %s\n", ps_errmsg());
        exit(1);
    }
}

static uint32_t draw(uint32_t below)
{
    return (uint32_t)(ps_rng(7, draws++) % below);
}

static float draw_real(void)
{
    return (float)(2 * ps_unit(ps_rng(8, draws++)) - 1);
}

/* Guard, the elements from `from` (NULL: all bits set), guard: on both sides. */
static array *make(size_t n, size_t size, const void *from)
{
    array *a = &arrays[used++];
    size_t before = (GUARD + (size_t)shift) * size, bytes = before + n * size + GUARD * size;
    if (used > ARRAYS)
        exit(1);
    *a = (array){.n = n, .size = size, .block = malloc(bytes), .device = device->ops->alloc(device, bytes)};
    need(a->block);
    need(a->device);
    memset(a->block, 0x5a, bytes);
    memset(a->block + before, 0xff, n * size);
    if (from && n)
        memcpy(a->block + before, from, n * size);
    CHECK_OK(device->ops->put(device, a->device, a->block, bytes));
    a->host = a->block + before;
    a->device += before;
    return a;
}

static array *reals(size_t n)
{
    float *x = malloc((n + 1) * sizeof *x);
    need(x);
    for (size_t i = 0; i < n; i++)
        x[i] = draw_real();
    if (with_nan && n)
        x[draw((uint32_t)n)] = NAN;
    array *a = make(n, sizeof *x, x);
    free(x);
    return a;
}

/* ReLU's outputs: a third of them 0. */
static array *positives(size_t n)
{
    float *x = malloc((n + 1) * sizeof *x);
    need(x);
    for (size_t i = 0; i < n; i++)
        x[i] = i % 3 ? fabsf(draw_real()) : 0;
    array *a = make(n, sizeof *x, x);
    free(x);
    return a;
}

static array *empty(size_t n)
{
    return make(n, sizeof(float), NULL);
}

static array *words(size_t n, uint32_t below)
{
    uint32_t *x = malloc((n + 1) * sizeof *x);
    need(x);
    for (size_t i = 0; i < n; i++)
        x[i] = draw(below);
    array *a = make(n, sizeof *x, x);
    free(x);
    return a;
}

static void free_arrays(void)
{
    for (; used > 0; used--) {
        array *a = &arrays[used - 1];
        size_t before = (GUARD + (size_t)shift) * a->size;
        device->ops->release(device, a->device - before, before + a->n * a->size + GUARD * a->size);
        free(a->block);
    }
}

static void differ(const char *what, size_t i, double got, double want)
{
    if (check_failures++ < 20)
        fprintf(stderr, "%s: %s[%zu] is %.9g, should be %.9g\n", trial, what, i, got, want);
}

/* What the device has, with its guards. */
static char *fetched(const array *a)
{
    size_t before = (GUARD + (size_t)shift) * a->size, bytes = before + a->n * a->size + GUARD * a->size;
    char *all = malloc(bytes);
    need(all);
    CHECK_OK(device->ops->get(device, all, a->device - before, bytes));
    for (size_t i = 0; i < bytes; i++)
        if ((i < before || i >= before + a->n * a->size) && all[i] != 0x5a) {
            fprintf(stderr, "%s: written beside an array of %zu elements\n", trial, a->n);
            check_failures++;
            break;
        }
    memmove(all, all + before, a->n * a->size);
    return all;
}

static void compare(const char *what, const array *a, double bound)
{
    float *got = (float *)fetched(a), *want = (float *)a->host;
    double most = 1;
    for (size_t i = 0; i < a->n; i++)
        most = isfinite(want[i]) && fabs((double)want[i]) > most ? fabs((double)want[i]) : most;
    for (size_t i = 0; i < a->n; i++) {
        double off = fabs((double)got[i] - (double)want[i]) / most;
        if (!isfinite(want[i]) || !isfinite(got[i])) {
            if (isnan(want[i]) != isnan(got[i]) || isinf(want[i]) != isinf(got[i]))
                differ(what, i, (double)got[i], (double)want[i]);
        } else if (!(off <= bound)) {
            differ(what, i, (double)got[i], (double)want[i]);
        } else if (bound > 0 && off / bound > worst) {
            worst = off / bound;
            worst_of = what;
        }
    }
    free(got);
}

static void same_words(const char *what, const array *a)
{
    uint32_t *got = (uint32_t *)fetched(a), *want = (uint32_t *)a->host;
    for (size_t i = 0; i < a->n; i++)
        if (got[i] != want[i])
            differ(what, i, got[i], want[i]);
    free(got);
}

/* A call on the host's arrays, then on the device's. */
#define A(array) ((void *)(side ? (array)->device : (array)->host))
#define ON_BOTH(call)                          \
    for (int side = 0; side < 2; side++) {     \
        ps_device *dev = side ? device : host; \
        dev->ops->call;                        \
    }                                          \
    CHECK_OK(device->ops->finish(device))

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

/* Lists of 0 to `most` entries, some empty; *edges: their entries.  The last: longer than a block reads at once. */
static array *offsets(size_t rows, uint32_t most, uint32_t *edges)
{
    uint32_t *off = calloc(rows + 1, sizeof *off);
    need(off);
    for (size_t u = 0; u < rows; u++)
        off[u + 1] = off[u] + (u + 1 == rows ? 150 : u % 4 == 2 ? 0 : draw(most + 1));
    *edges = off[rows];
    array *a = make(rows + 1, sizeof *off, off);
    free(off);
    return a;
}

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
    if (with_nan) /* the host's order of a NaN's comparisons is its own */
        return;
    ON_BOTH(pool_max(dev, rows, n, A(off), A(index), A(base), A(top), A(arg)));
    compare("pool_max", top, 0);
    same_words("pool_max's argument", arg);
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
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

/* ---- loss ---- */

/* Known positives of each pair: ascending, among few items, so that many candidates are left out. */
static array *known_lists(array *off, uint32_t items)
{
    uint32_t *at = (uint32_t *)off->host, n = at[off->n - 1];
    array *draft = words(n, items);
    for (size_t j = 0; j + 1 < off->n; j++)
        qsort((uint32_t *)draft->host + at[j], at[j + 1] - at[j], sizeof *at, ascending);
    return make(n, sizeof *at, draft->host);
}

/* Every place of the batch in the list of a row drawn for it. */
static void make_uses(const ps_device_loss *l, uint32_t rows, const uint32_t *query_row, array **use_off, array **use)
{
    uint32_t count[4] = {l->pairs, l->pairs, l->negatives, l->pairs * l->hard}, n = 0;
    const uint32_t *row[4] = {query_row, l->positive_row, l->negative_row, l->hard_row};
    uint32_t *off = calloc(rows + 1, sizeof *off),
             *list = calloc(count[0] + count[1] + count[2] + count[3] + 1, sizeof *list);
    need(off);
    need(list);
    for (uint32_t u = 0; u < rows; u++) {
        off[u] = n;
        for (uint32_t kind = 0; kind < 4; kind++)
            for (uint32_t i = 0; i < count[kind]; i++)
                if (row[kind][i] == u)
                    list[n++] = kind << PS_USE_SHIFT | i;
    }
    off[rows] = n;
    *use_off = make(rows + 1, sizeof *off, off);
    *use = make(n, sizeof *list, list);
    free(off);
    free(list);
}

static array *counts(size_t n, uint32_t most)
{
    uint32_t *off = calloc(n + 1, sizeof *off);
    need(off);
    for (size_t j = 0; j < n; j++)
        off[j + 1] = off[j] + draw(most + 1);
    array *a = make(n + 1, sizeof *off, off);
    free(off);
    return a;
}

static void test_loss(int kind, int in_batch, uint32_t B, uint32_t N, uint32_t H, uint32_t d)
{
    uint32_t items = 3 * B + 5, rows = B + 4;
    array *query = words(B, items), *positive = words(B, items), *negative = words(N, items),
          *hard = words(B * H, items);
    array *query_row = words(B, rows), *positive_row = words(B, rows), *negative_row = words(N, rows),
          *hard_row = words(B * H, rows);
    array *weight = positives(B), *log_bq = reals(B), *log_np = reals(N), *known_off = counts(B, 4),
          *known = known_lists(known_off, items);
    array *q = reals(B * d), *p = reals(B * d), *z = reals(rows * d), *beta = reals(rows);
    array *sn = reals((size_t)B * N), *sp = reals((size_t)B * B), *sh = empty((size_t)B * H), *down = empty(B),
          *each = empty(B);
    ps_device_loss side_of[2], *l = side_of;
    for (int side = 0; side < 2; side++)
        side_of[side] = (ps_device_loss){.kind = kind,
                                         .pairs = B,
                                         .negatives = N,
                                         .hard = H,
                                         .d = d,
                                         .margin = .1f,
                                         .tau = .2f,

                                         .weight_sum = B,
                                         .query = A(query),
                                         .positive = A(positive),
                                         .negative = A(negative),
                                         .hard_item = A(hard),
                                         .positive_row = A(positive_row),
                                         .negative_row = A(negative_row),
                                         .hard_row = A(hard_row),
                                         .weight = A(weight),
                                         .log_bq = A(log_bq),
                                         .log_np = A(log_np),
                                         .known_off = A(known_off),
                                         .known = A(known),
                                         .q = A(q),
                                         .p = A(p),
                                         .z = A(z),
                                         .beta = B % 2 ? A(beta) : NULL,
                                         .sn = A(sn),
                                         .sp = in_batch ? A(sp) : NULL,
                                         .sh = A(sh),
                                         .down = A(down),
                                         .pair_loss = A(each)};
    ON_BOTH(loss_pairs(dev, &side_of[side]));
    compare("loss: shared", sn, 5e-6);
    compare("loss: hard", sh, 5e-6);
    if (in_batch)
        compare("loss: in batch", sp, 5e-6);
    compare("loss: pairs", each, 5e-6);
    compare("loss: own score's gradient", down, 5e-6);

    array *use_off, *use, *dq = reals(B * d), *dp = reals(B * d), *dn = reals(N * d), *sum_n = reals(N),
                          *sum_p = reals(B);
    array *dz = empty(rows * d), *dbeta = empty(rows);
    make_uses(l, rows, (uint32_t *)query_row->host, &use_off, &use);
    ON_BOTH(loss_rows(dev, &side_of[side], rows, A(use_off), A(use), A(dq), in_batch ? A(dp) : NULL, A(dn), A(sum_n),
                      in_batch ? A(sum_p) : NULL, A(dz), B % 2 ? A(dbeta) : NULL));
    compare("loss_rows", dz, 5e-6);
    if (B % 2)
        compare("loss_rows' bias", dbeta, 5e-6);
}

static void test_losses(void)
{
    static const uint32_t shapes[][4] = {{1, 1, 0, 1},    {1, 0, 2, 3},    {2, 3, 1, 4},
                                         {33, 31, 2, 33}, {31, 40, 3, 64}, {5, 300, 0, 260}};
    for (int form = 0; form < 6; form++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            snprintf(trial, sizeof trial, "loss %d of %u pairs, %u and %u negatives, d %u%s", form, shapes[s][0],
                     shapes[s][1], shapes[s][2], shapes[s][3], with_nan ? ", a NaN" : "");
            test_loss(form / 2, form % 2, shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3]);
            free_arrays();
        }
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

/* ---- products and conversions ---- */

static void test_gemm(size_t m, size_t n, size_t k, ps_products how, double bound)
{
    for (int form = 0; form < 8; form++) {
        ps_trans ta = form & 1 ? PS_T : PS_N, tb = form & 2 ? PS_T : PS_N;
        float beta = form & 4 ? 1.f : 0.f;
        size_t lda = (ta == PS_T ? m : k) + 2, ldb = (tb == PS_T ? k : n) + 1, ldc = n + 3;
        array *a = reals((ta == PS_T ? k : m) * lda), *b = reals((tb == PS_T ? n : k) * ldb), *c = reals(m * ldc);
        snprintf(trial, sizeof trial, "gemm %zu x %zu x %zu, form %d, products %d", m, n, k, form, how);
        device->products = how;
        ON_BOTH(gemm(dev, ta, tb, m, n, k, A(a), lda, A(b), ldb, beta, A(c), ldc));
        device->products = PS_PRODUCTS_F32;
        compare("gemm", c, bound);
        free_arrays();
    }
}

/* On the CPU the fused product launches no kernel but bf16's two conversions; cublasLt cannot have every shape. */
static void test_fused(size_t m, size_t n, size_t k, ps_products how, double bound)
{
    array *a = reals(m * k), *b = reals(n * (k + 4)), *bias = reals(n), *c = empty(m * n);
    snprintf(trial, sizeof trial, "gemm_bias_relu %zu x %zu x %zu, products %d", m, n, k, how);
    CHECK_OK(device->ops->finish(device));
    uint64_t before = emulator_blocks ? emulator_blocks() : 0;
    device->products = how;
    ON_BOTH(gemm_bias_relu(dev, m, n, k, A(a), A(b), k + 4, A(bias), A(c)));
    device->products = PS_PRODUCTS_F32;
    compare("gemm_bias_relu", c, bound);
    if (emulator_blocks && how == PS_PRODUCTS_TF32 && m && k)
        CHECK((emulator_blocks() == before) == (n % 4 == 0 && k % 4 == 0));
    free_arrays();
}

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
                snprintf(trial, sizeof trial, "%zu rows of %zu%s%s", rows[r], dims[k], shift ? ", not aligned" : "",
                         with_nan ? ", a NaN" : "");
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
        snprintf(trial, sizeof trial, "%zu elements%s", counts_of[i], with_nan ? ", a NaN" : "");
        test_total(counts_of[i]);
        free_arrays();
        test_optimizers(counts_of[i]);
        free_arrays();
    }
}

static void test_products(void)
{
    static const size_t sizes[][3] = {{0, 3, 4}, {3, 0, 4}, {3, 4, 0}, {1, 1, 1}, {31, 33, 17}, {64, 5, 130}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        test_gemm(sizes[i][0], sizes[i][1], sizes[i][2], PS_PRODUCTS_F32, 2e-6);
        test_gemm(sizes[i][0], sizes[i][1], sizes[i][2], PS_PRODUCTS_TF32, 4e-3);
        test_gemm(sizes[i][0], sizes[i][1], sizes[i][2], PS_PRODUCTS_BF16, 3e-2);
    }
    static const size_t fused[][3] = {{0, 4, 4}, {1, 4, 8}, {3, 4, 0}, {31, 32, 36}, {64, 5, 16}, {33, 64, 31}};
    for (size_t i = 0; i < sizeof fused / sizeof *fused; i++) {
        test_fused(fused[i][0], fused[i][1], fused[i][2], PS_PRODUCTS_F32, 2e-6);
        test_fused(fused[i][0], fused[i][1], fused[i][2], PS_PRODUCTS_TF32, 4e-3);
        test_fused(fused[i][0], fused[i][1], fused[i][2], PS_PRODUCTS_BF16, 3e-2);
    }
}

/* Batches one after the other through two slots, as training has them: with the waiting each is read as it was sent. */
static int batches_arrive(int waiting)
{
    enum { N = 1000, BATCHES = 6 };
    const ps_device_ops *ops = device->ops;
    float *pinned[PS_SLOTS], *there[PS_SLOTS];
    double *sums = ops->alloc(device, (BATCHES + PS_SUM_BLOCKS) * sizeof *sums), got[BATCHES];
    int right = 1;
    need(sums);
    for (int s = 0; s < PS_SLOTS; s++) {
        need(pinned[s] = ops->alloc_pinned(device, N * sizeof **pinned));
        need(there[s] = ops->alloc(device, N * sizeof **there));
    }
    for (int b = 0; b < BATCHES; b++) {
        int s = b % PS_SLOTS;
        if (waiting)
            ops->stage_begin(device, s);
        for (int i = 0; i < N; i++)
            pinned[s][i] = (float)(b + 1);
        ops->upload(device, there[s], pinned[s], N * sizeof **pinned);
        ops->stage_end(device, s);
        if (waiting)
            ops->use_begin(device, s);
        ops->sum(device, N, there[s], sums + b, sums + BATCHES);
        ops->use_end(device, s);
    }
    CHECK_OK(ops->get(device, got, sums, sizeof got));
    for (int b = 0; b < BATCHES; b++)
        right = right && got[b] == N * (b + 1);
    for (int s = 0; s < PS_SLOTS; s++) {
        ops->release_pinned(device, pinned[s]);
        ops->release(device, there[s], N * sizeof **there);
    }
    ops->release(device, sums, (BATCHES + PS_SUM_BLOCKS) * sizeof *sums);
    return right;
}

/* Does the emulation show what is wrong? */
static void test_emulation(void)
{
    enum { SEEDS = 20 };
    int wrong[2] = {0}, late = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        emulator_seed(seed);
        for (int which = 0; which < 2; which++) {
            CHECK(planted_run(which, 1) == 1);
            wrong[which] += planted_run(which, 0) == 0;
        }
        CHECK(batches_arrive(1));
        late += !batches_arrive(0);
    }
    printf("planted: missing barriers show with %d and %d of %d seeds, missing waits with %d\n", wrong[0], wrong[1],
           SEEDS, late);
    fflush(stdout);
    CHECK(wrong[0] == SEEDS && wrong[1] == SEEDS && late > SEEDS / 2);
    emulator_seed(1);
}

int main(void)
{
    host = ps_device_host();
    device = ps_device_cuda(0);
    need(host);
    if (!device) {
        printf("%s\n", ps_errmsg());
        return 77;
    }
    if (planted_run)
        test_emulation();
    else
        CHECK(batches_arrive(1));
    for (with_nan = 0; with_nan < 2; with_nan++) {
        for (shift = 0; shift < 2 - with_nan; shift++)
            test_shapes();
        shift = 0;
        test_counts();
        test_losses();
    }
    with_nan = 0;
    test_zero_row();
    free_arrays();
    test_many_rows();
    test_products();
    CHECK(!emulator_overruns || emulator_overruns() == 0);
    printf("%s: nearest to its bound: %s, %.2f of it\n", device->name, worst_of, worst);
    device->ops->close(device);
    host->ops->close(host);
    CHECK_END();
}
