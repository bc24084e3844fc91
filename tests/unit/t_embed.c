/* t_embed.c - inference: against plain loops in double precision, and every way to the same bytes: all items, some, new
 * ones, in files, by threads, in another order. */
#include "embed.h"
#include "model_case.h"
#include "rng.h"

enum { ITEMS = 1500, NEW = 40, OLD = ITEMS - NEW, T = 7, DX = 19, M = 24, D = 11 };

/* Elements of length-1 vectors, through three layers. */
#ifdef PS_DOUBLE
static const double close_enough = 1e-12;
#else
static const double close_enough = 1e-5;
#endif

static double uniform(uint64_t i, uint64_t what)
{
    return (double)(ps_mix64(i * 1000003 + what) >> 11) * 0x1p-53;
}

/* ---- inputs: new items have the highest numbers, and nobody has them for a neighbour ---- */

static size_t degree(uint32_t item)
{
    return item % 11 == 3 ? 0 : 1 + item % T;
}

static uint32_t neighbour(uint32_t item, size_t t)
{
    return (uint32_t)((item * 31 + 7 + t * (1 + item % 190)) % OLD);
}

static double weight(uint32_t item, size_t t)
{
    double sum = 0;
    for (size_t i = 0; i < degree(item); i++)
        sum += 1 / (double)(i + 1);
    return 1 / (double)(t + 1) / sum;
}

static float feature(uint32_t item, uint32_t j)
{
    return (float)(2 * uniform(item, j) - 1);
}

/* Items 0 .. n - 1, the first `turn` of them last. */
static void make_vectors(ps_vectors *x, uint32_t n, uint32_t turn)
{
    ps_head head = ps_head_make(PS_VECTORS, DX);
    head.elem = PS_F32;
    case_need(ps_head_size(&head), "vectors");
    uint8_t *records = case_alloc(n, head.size);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t item = (i + turn) % n;
        ps_put_num(records + i * head.size, 4, item);
        for (uint32_t j = 0; j < DX; j++)
            ps_putf32(records + i * head.size + 4 + 4 * j, feature(item, j));
    }
    char path[CASE_PATH];
    case_write(&head, records, n, path);
    free(records);
    case_need(ps_vectors_open(x, path, 0), "vectors");
    unlink(path);
}

static void make_neighbours(ps_neighbours *near, uint32_t n)
{
    ps_head head = ps_head_make(PS_NEIGHBOURS, T);
    uint8_t *records = case_alloc(n, head.size);
    for (uint32_t i = 0; i < n; i++) {
        uint8_t *p = records + i * head.size;
        ps_put_num(p, 4, i);
        p += 4;
        for (size_t t = 0; t < T; t++, p += 8) {
            ps_put_num(p, 4, t < degree(i) ? neighbour(i, t) : PS_NONE);
            ps_putf32(p + 4, t < degree(i) ? (float)weight(i, t) : 0);
        }
    }
    char path[CASE_PATH];
    case_write(&head, records, n, path);
    free(records);
    case_need(ps_neighbours_open(near, path, 0, 0), "neighbourhoods");
    unlink(path);
}

/* ---- the model by plain loops, in double ---- */

static double *matrix(const ps_model *m, size_t at, size_t rows, size_t cols)
{
    double *w = case_alloc(rows * cols + 1, sizeof *w);
    for (size_t i = 0; i < rows * cols; i++)
        w[i] = (double)m->param[at + i];
    return w;
}

/* out[i][n] (+)= in[i] W^T, W of n rows of k elements, ld apart */
static void times(size_t rows, size_t n, size_t k, const double *in, const double *w, size_t ld, int add, double *out)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = add ? out[i * n + j] : 0;
            for (size_t p = 0; p < k; p++)
                sum += in[i * k + p] * w[j * ld + p];
            out[i * n + j] = sum;
        }
}

static void relu(size_t rows, size_t n, const double *bias, double *y)
{
    for (size_t i = 0; i < rows * n; i++)
        y[i] = y[i] + bias[i % n] > 0 ? y[i] + bias[i % n] : 0;
}

static void unit(size_t rows, size_t n, double *y)
{
    for (size_t i = 0; i < rows; i++) {
        double sum = 0;
        for (size_t j = 0; j < n; j++)
            sum += y[i * n + j] * y[i * n + j];
        for (size_t j = 0; j < n && sum > 0; j++)
            y[i * n + j] /= sqrt(sum);
    }
}

static void pool(const ps_shape *s, const double *p, double *out)
{
    memset(out, 0, ITEMS * M * sizeof *out);
    for (uint32_t u = 0; u < ITEMS; u++)
        for (size_t t = 0; t < degree(u); t++)
            for (size_t j = 0; j < M; j++) {
                double v = p[neighbour(u, t) * M + j], *to = &out[u * M + j];
                if (s->pooling == PS_POOL_MAX)
                    *to = v > *to ? v : *to;
                else
                    *to += v * (s->pooling == PS_POOL_MEAN ? 1 / (double)degree(u) : (double)(float)weight(u, t));
            }
}

/* ITEMS x ps_embedding_dim() */
static double *reference(const ps_model *m)
{
    const ps_shape *s = &m->shape;
    double *x = case_alloc(ITEMS * DX, sizeof *x), *h = NULL, *z = case_alloc(ITEMS * (D + 1), sizeof *z);
    for (uint32_t i = 0; i < ITEMS * DX; i++)
        x[i] = (double)feature(i / DX, i % DX);
    for (uint32_t k = 0; k < s->layers; k++) {
        size_t c = ps_layer_inputs(s, k);
        double *Q = matrix(m, m->at.Q[k], M, c), *q = matrix(m, m->at.q[k], 1, M), *W = matrix(m, m->at.W[k], M, c + M);
        double *w = matrix(m, m->at.w[k], 1, M), *p = case_alloc(ITEMS * M, sizeof *p),
               *n = case_alloc(ITEMS * M, sizeof *n);
        double *next = case_alloc(ITEMS * M, sizeof *next);
        times(ITEMS, M, c, k ? h : x, Q, c, 0, p);
        relu(ITEMS, M, q, p);
        pool(s, p, n);
        times(ITEMS, M, c, k ? h : x, W, c + M, 0, next);
        times(ITEMS, M, M, n, W + c, c + M, 1, next);
        relu(ITEMS, M, w, next);
        unit(ITEMS, M, next);
        double *old[] = {Q, q, W, w, p, n, h};
        for (size_t i = 0; i < sizeof old / sizeof *old; i++)
            free(old[i]);
        h = next;
    }
    size_t c = s->layers ? M : DX, width = ps_embedding_dim(s);
    double *G1 = matrix(m, m->at.G1, M, c), *g = matrix(m, m->at.g, 1, M), *G2 = matrix(m, m->at.G2, D, M);
    double *r = case_alloc(ITEMS * M, sizeof *r), *y = case_alloc(ITEMS * D, sizeof *y);
    times(ITEMS, M, c, s->layers ? h : x, G1, c, 0, r);
    relu(ITEMS, M, g, r);
    times(ITEMS, D, M, r, G2, M, 0, y);
    if (s->bypass) {
        double *G3 = matrix(m, m->at.G3, D, DX);
        times(ITEMS, D, DX, x, G3, DX, 1, y);
        free(G3);
    }
    if (s->normalize)
        unit(ITEMS, D, y);
    for (size_t i = 0; i < ITEMS; i++) {
        memcpy(z + i * width, y + i * D, D * sizeof *z);
        for (size_t j = 0; j < M && s->bias; j++)
            z[i * width + D] += s->tau * r[i * M + j] * (double)m->param[m->at.b + j];
    }
    double *old[] = {G1, g, G2, r, y, h, x};
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        free(old[i]);
    return z;
}

/* ---- the ways ---- */

typedef struct {
    ps_vectors x, turned, old; /* all items, in order and not; all but the new */
    ps_neighbours near, old_near;
    ps_model model;
    size_t width;
    ps_real *want, *got; /* ITEMS x width */
    uint64_t next;
} ways;

static int keep(void *ctx, uint64_t first, size_t n, const ps_real *z)
{
    ways *w = ctx;
    CHECK(first == w->next && first + n <= ITEMS);
    memcpy(w->got + first * w->width, z, n * w->width * sizeof *z);
    w->next = first + n;
    return 0;
}

static ps_embedder *embedder(ways *w, const ps_vectors *x, const ps_neighbours *near, uint64_t memory, ps_pool *pool)
{
    const char *dir = getenv("TMPDIR");
    ps_embedder *m = ps_embedder_new(&(ps_embedding){.model = &w->model,
                                                     .x = x,
                                                     .neighbours = near,
                                                     .memory = memory,
                                                     .dir = dir ? dir : "/tmp",
                                                     .pool = pool,
                                                     .sink = keep,
                                                     .ctx = w});
    case_need(m ? 0 : -1, "embedder");
    w->next = 0;
    return m;
}

static int same(const ways *w, size_t got, size_t want)
{
    return memcmp(w->got + got * w->width, w->want + want * w->width, w->width * sizeof *w->got) == 0;
}

static void test_all(ways *w, ps_pool *pool)
{
    for (int filed = 0; filed < 2; filed++) {
        ps_embedder *m = embedder(w, &w->x, &w->near, filed ? 1 : 0, pool);
        CHECK_OK(ps_embed_all(m));
        CHECK(w->next == ITEMS && memcmp(w->got, w->want, ITEMS * w->width * sizeof *w->got) == 0);
        ps_embedder_free(m);
        m = embedder(w, &w->turned, &w->near, filed ? 1 : 0, pool);
        CHECK_OK(ps_embed_all(m));
        for (size_t i = 0; i < ITEMS; i++)
            CHECK(same(w, i, (i + 333) % ITEMS));
        ps_embedder_free(m);
    }
}

/* One embedder answers again and again, in memory and in files. */
static void test_rows(ways *w, ps_pool *pool)
{
    uint32_t rows[ITEMS];
    for (int filed = 0; filed < 2; filed++) {
        ps_embedder *m = embedder(w, &w->x, &w->near, filed ? 1 : 0, pool);
        for (size_t n = 0; n <= ITEMS; n = n * 9 + 1) {
            for (size_t i = 0; i < n; i++)
                rows[i] = (uint32_t)((i * 1117 + n) % ITEMS); /* each once: 1117 and 1500 have no common factor */
            w->next = 0;
            CHECK_OK(ps_embed_rows(m, rows, n));
            CHECK(w->next == n);
            for (size_t i = 0; i < n; i++)
                CHECK(same(w, i, rows[i]));
        }
        ps_embedder_free(m);
    }
}

static void test_new(ways *w, ps_pool *pool)
{
    ps_real x[NEW * DX];
    uint64_t item[NEW];
    uint32_t off[NEW + 1] = {0}, near[NEW * T];
    float alpha[NEW * T];
    for (uint32_t i = 0; i < NEW; i++) {
        item[i] = i; /* a number of its own */
        for (uint32_t j = 0; j < DX; j++)
            x[i * DX + j] = (ps_real)feature(OLD + i, j);
        for (size_t t = 0; t < degree(OLD + i); t++) {
            near[off[i] + t] = neighbour(OLD + i, t);
            alpha[off[i] + t] = (float)weight(OLD + i, t);
        }
        off[i + 1] = off[i] + (uint32_t)degree(OLD + i);
    }
    for (int filed = 0; filed < 2; filed++) {
        ps_embedder *m = embedder(w, &w->old, &w->old_near, filed ? 1 : 0, pool);
        CHECK_OK(ps_embed_new(
            m, &(ps_new_items){.n = NEW, .x = x, .item = item, .off = off, .neighbour = near, .weight = alpha}));
        CHECK(w->next == NEW);
        for (size_t i = 0; i < NEW; i++)
            CHECK(same(w, i, OLD + i));
        ps_embedder_free(m);
    }
}

static void test_missing(ways *w)
{
    ps_vectors few;
    make_vectors(&few, 100, 0);
    ps_embedder *m = embedder(w, &few, &w->near, 0, NULL);
    CHECK(ps_embed_all(m) == PS_EMATCH && strstr(ps_errmsg(), "no vector for item"));
    CHECK(ps_embed_rows(m, (uint32_t[]){5}, 1) == PS_EMATCH);
    w->next = 0;
    CHECK_OK(ps_embed_rows(m, (uint32_t[]){3}, 1)); /* it has no neighbours: the failures left nothing behind */
    CHECK(same(w, 0, 3));
    ps_embedder_free(m);
    ps_vectors_close(&few);
}

static void test_model(ways *w, const ps_shape *shape, ps_pool *const *pools)
{
    case_need(ps_model_make(&w->model, shape), "model");
    ps_model_init(&w->model, shape->layers * 10 + shape->pooling);
    for (size_t i = 0; i < w->model.size; i++) /* biases too */
        w->model.param[i] += (ps_real)(.1 * uniform(i, 99));
    w->width = ps_embedding_dim(shape);
    w->want = case_alloc(ITEMS * w->width, sizeof *w->want);
    w->got = case_alloc(ITEMS * w->width, sizeof *w->got);
    ps_embedder *m = embedder(w, &w->x, &w->near, 0, NULL);
    CHECK_OK(ps_embed_all(m));
    ps_embedder_free(m);
    memcpy(w->want, w->got, ITEMS * w->width * sizeof *w->got);
    double *z = reference(&w->model), worst = 0;
    for (size_t i = 0; i < ITEMS * w->width; i++) {
        double off = fabs((double)w->want[i] - z[i]);
        worst = off > worst || isnan(off) ? off : worst;
    }
    if (!(worst < close_enough))
        fprintf(stderr, "K=%u %s: off by %g\n", shape->layers, ps_pooling_name(shape->pooling), worst);
    CHECK(worst < close_enough);
    for (int i = 0; i < 2; i++) {
        test_all(w, pools[i]);
        test_rows(w, pools[i]);
        test_new(w, pools[i]);
    }
    if (shape->layers == 1 && shape->pooling == PS_POOL_MEAN)
        test_missing(w);
    ps_model_free(&w->model);
    free(z);
    free(w->want);
    free(w->got);
}

int main(void)
{
    ways w = {0};
    ps_pool *pools[] = {NULL, ps_pool_new(3)};
    make_vectors(&w.x, ITEMS, 0);
    make_vectors(&w.turned, ITEMS, 333);
    make_vectors(&w.old, OLD, 0);
    make_neighbours(&w.near, ITEMS);
    make_neighbours(&w.old_near, OLD);
    for (uint32_t k = 0; k <= 3; k++)
        for (int p = PS_POOL_IMPORTANCE; p <= (k ? PS_POOL_MAX : PS_POOL_IMPORTANCE); p++)
            test_model(&w,
                       &(ps_shape){.dx = DX,
                                   .layers = k,
                                   .m = M,
                                   .d = D,
                                   .pooling = (ps_pooling)p,
                                   .bypass = k != 2,
                                   .bias = k == 1,
                                   .normalize = k != 1,
                                   .tau = 7},
                       pools);
    ps_pool_free(pools[1]);
    ps_vectors_close(&w.x);
    ps_vectors_close(&w.turned);
    ps_vectors_close(&w.old);
    ps_neighbours_close(&w.near);
    ps_neighbours_close(&w.old_near);
    CHECK_END();
}
