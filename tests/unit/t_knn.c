/* Exact search against a plain loop: dense and sparse, dot product and cosine, item bias, ties, sets; and the
 * same numbers whatever else is asked for, in whatever order the rows stand, on any number of threads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "knn.h"
#include "rng.h"

static float value(uint64_t seed, uint64_t i)
{
    return (float)(ps_unit(ps_rng(ps_rng_key(seed, 3), i)) - 0.5);
}

/* Rows of random numbers; items numbered from `base` in steps of `step` (downwards if negative).  Rows 4 and 5 of
 * every ten are copies of each other, row 7 is zero. */
static void write_vectors(const char *path, uint64_t seed, size_t n, uint32_t d, int flags, int64_t base, int64_t step)
{
    ps_head h = ps_head_make(PS_VECTORS, d);
    h.flags = flags;
    h.qspace = PS_ITEMS;
    ps_out *out = ps_out_open(path, 0);
    ps_writer *w = ps_writer_new(out, &h);
    uint8_t *r = malloc(h.size);
    for (size_t i = 0; i < n; i++) {
        size_t from = i % 10 == 5 ? i - 1 : i;
        ps_put_num(r, 4, (uint64_t)(base + step * (int64_t)i));
        for (uint32_t j = 0; j < d; j++)
            ps_putf32(r + 4 + 4 * j, i % 10 == 7 ? 0 : value(seed, from * d + j));
        CHECK_OK(ps_writer_put(w, r, 1));
    }
    free(r);
    CHECK_OK(ps_writer_close(w));
    CHECK_OK(ps_out_close(out));
}

static double plain_score(const ps_knn *knn, uint64_t a, uint64_t b)
{
    const float *x = ps_vectors_row(&knn->dense, a), *y = ps_vectors_row(&knn->dense, b);
    const uint32_t d = knn->dense.d - (knn->dense.has_bias ? 1 : 0);
    double dot = 0, aa = 0, bb = 0;
    for (uint32_t i = 0; i < d; i++) {
        dot += (double)x[i] * y[i];
        aa += (double)x[i] * x[i];
        bb += (double)y[i] * y[i];
    }
    if (knn->cosine)
        return aa > 0 && bb > 0 ? dot / sqrt(aa * bb) : 0;
    return dot + (knn->dense.has_bias ? y[d] : 0);
}

static void ask(ps_knn_queries *q, const ps_knn *knn, const uint64_t *rows, size_t n)
{
    ps_knn_clear(q);
    for (size_t i = 0; i < n; i++) {
        CHECK_OK(ps_knn_begin(q, knn));
        CHECK_OK(ps_knn_add(q, knn, knn, rows[i], 1));
        CHECK_OK(ps_knn_leave_out(q, rows[i]));
        CHECK_OK(ps_knn_end(q, knn));
    }
}

/* Scores are right, the order is right, nothing better is missing. */
static void check_hits(const ps_knn *knn, uint64_t query, size_t k, const ps_hit *hits, size_t found)
{
    size_t others = knn->n - 1;
    CHECK(found == (k < others ? k : others));
    for (size_t i = 0; i < found; i++) {
        uint64_t row = ps_knn_find(knn, hits[i].item);
        CHECK(row != PS_NONE && row != query);
        CHECK(fabs(hits[i].score - plain_score(knn, query, row)) < 1e-5);
        CHECK(i == 0 || ps_hit_before(hits[i - 1], hits[i]));
    }
    size_t better = 0;
    for (uint64_t row = 0; row < knn->n && found > 0; row++)
        better += row != query && plain_score(knn, query, row) > hits[found - 1].score + 1e-5;
    CHECK(better < found || found == 0);
}

static void dense(size_t n, uint32_t d, int flags, int cosine, int64_t base, int64_t step, size_t k)
{
    ps_knn knn;
    write_vectors("x.psr", 1, n, d, flags, base, step);
    CHECK_OK(ps_knn_open(&knn, "x.psr", NULL, cosine));
    uint64_t rows[150];
    const size_t asked = n < 150 ? n : 150;
    for (size_t i = 0; i < asked; i++)
        rows[i] = (i * 7919) % n;
    ps_hit *hits = malloc(asked * k * sizeof *hits), *again = malloc(asked * k * sizeof *again);
    size_t found[150], found_again[150];
    ps_knn_queries q = {0};
    ask(&q, &knn, rows, asked);
    CHECK_OK(ps_knn_search(&knn, &q, NULL, k, hits, found));
    for (size_t i = 0; i < asked; i++)
        check_hits(&knn, rows[i], k, hits + i * k, found[i]);

    /* One at a time, and in another order on several threads: the very same numbers. */
    int same = 1;
    for (size_t i = 0; i < asked; i += 13) {
        ask(&q, &knn, rows + i, 1);
        CHECK_OK(ps_knn_search(&knn, &q, NULL, k, again, found_again));
        same &= found_again[0] == found[i];
        for (size_t j = 0; j < found[i]; j++)
            same &= again[j].item == hits[i * k + j].item && again[j].score == hits[i * k + j].score;
    }
    CHECK(same);
    uint64_t back[150];
    for (size_t i = 0; i < asked; i++)
        back[i] = rows[asked - 1 - i];
    for (int threads = 2; threads <= 5; threads += 3) {
        ps_pool *pool = ps_pool_new(threads);
        ask(&q, &knn, back, asked);
        CHECK_OK(ps_knn_search(&knn, &q, pool, k, again, found_again));
        for (size_t i = 0; i < asked; i++)
            for (size_t j = 0; j < found[i]; j++) {
                ps_hit a = hits[i * k + j], b = again[(asked - 1 - i) * k + j];
                same &= a.item == b.item && a.score == b.score;
            }
        ps_pool_free(pool);
    }
    CHECK(same);

    /* By the codes: the very same hits, also with rows denied. */
    for (int denied = 0; denied < 2; denied++) {
        if (denied) {
            for (size_t i = 0; i < n; i += 3)
                CHECK_OK(ps_knn_deny(&knn, i));
            ps_knn plain = knn;
            plain.quant = (ps_quant){0};
            ask(&q, &knn, rows, asked);
            CHECK_OK(ps_knn_search(&plain, &q, NULL, k, hits, found));
        }
        CHECK_OK(ps_knn_code(&knn, NULL));
        for (int threads = 1; threads <= 3; threads++) {
            ps_pool *pool = ps_pool_new(threads);
            CHECK_OK(ps_knn_search(&knn, &q, pool, k, again, found_again));
            for (size_t i = 0; i < asked; i++) {
                const size_t j0 = denied ? i : asked - 1 - i;
                same &= found_again[i] == found[j0];
                for (size_t j = 0; j < found[j0]; j++) {
                    ps_hit a = hits[j0 * k + j], b = again[i * k + j];
                    same &= a.item == b.item && a.score == b.score;
                    same &= !denied || ps_knn_find(&knn, b.item) % 3 != 0;
                }
            }
            ps_pool_free(pool);
        }
        CHECK(same);
    }
    free(hits);
    free(again);
    ps_knn_queries_free(&q);
    ps_knn_close(&knn);
}

/* Where a row stands in its tile must not show in its scores: equal vectors tie exactly, and ps_knn_score gives
 * the scan's numbers. */
typedef struct {
    float *all;
    size_t n;
} kept;

static void keep(void *ctx, size_t query, size_t part, uint64_t first, size_t n, const float *scores)
{
    kept *s = ctx;
    (void)part;
    memcpy(s->all + query * s->n + first, scores, n * sizeof *scores);
}

static void places(uint32_t d)
{
    enum { N = 2500, ASKED = 70 };
    ps_knn knn;
    write_vectors("x.psr", 9, N, d, 0, 0, 1);
    CHECK_OK(ps_knn_open(&knn, "x.psr", NULL, 0));
    uint64_t rows[ASKED], pair_row[ASKED * 3];
    size_t pair_query[ASKED * 3];
    float score[ASKED * 3];
    for (size_t i = 0; i < ASKED; i++)
        rows[i] = i * 31;
    ps_knn_queries q = {0};
    ask(&q, &knn, rows, ASKED);
    kept s = {calloc((size_t)ASKED * N, sizeof(float)), N};
    CHECK_OK(ps_knn_scan(&knn, &q, NULL, 2, keep, &s));
    for (size_t i = 0; i < ASKED * 3; i++) {
        pair_query[i] = i / 3;
        pair_row[i] = (i * 977 + 1) % N;
    }
    CHECK_OK(ps_knn_score(&knn, &q, NULL, ASKED * 3, pair_query, pair_row, score));
    int same = 1;
    for (size_t i = 0; i < ASKED * 3; i++)
        same &= pair_row[i] == rows[i / 3] || score[i] == s.all[pair_query[i] * N + pair_row[i]];
    CHECK(same);
    for (size_t i = 0; i < ASKED; i++)
        for (size_t j = 4; j < N; j += 10)
            same &= rows[i] == j || rows[i] == j + 1 || s.all[i * N + j] == s.all[i * N + j + 1];
    CHECK(same);
    free(s.all);
    ps_knn_queries_free(&q);
    ps_knn_close(&knn);
}

/* A set's vector is the weighted mean; its members are left out; its bias element is 1. */
static void sets(void)
{
    ps_knn knn;
    write_vectors("x.psr", 5, 40, 6, PS_FLAG_BIAS, 0, 1);
    CHECK_OK(ps_knn_open(&knn, "x.psr", NULL, 0));
    ps_knn_queries q = {0};
    CHECK_OK(ps_knn_begin(&q, &knn));
    CHECK_OK(ps_knn_add(&q, &knn, &knn, 3, 1));
    CHECK_OK(ps_knn_add(&q, &knn, &knn, 8, 3));
    CHECK_OK(ps_knn_leave_out(&q, 3));
    CHECK_OK(ps_knn_leave_out(&q, 8));
    CHECK_OK(ps_knn_end(&q, &knn));
    ps_hit hits[40];
    size_t found;
    CHECK_OK(ps_knn_search(&knn, &q, NULL, 40, hits, &found));
    CHECK(found == 38);
    const float *a = ps_vectors_row(&knn.dense, 3), *b = ps_vectors_row(&knn.dense, 8);
    for (size_t i = 0; i < found; i++) {
        const float *y = ps_vectors_row(&knn.dense, hits[i].item);
        double want = y[5];
        for (int j = 0; j < 5; j++)
            want += (a[j] + 3.0 * b[j]) / 4 * y[j];
        CHECK(hits[i].item != 3 && hits[i].item != 8);
        CHECK(fabs(hits[i].score - want) < 1e-6);
    }
    ps_knn_clear(&q);
    CHECK_OK(ps_knn_begin(&q, &knn)); /* an empty set */
    CHECK_OK(ps_knn_end(&q, &knn));
    CHECK_OK(ps_knn_search(&knn, &q, NULL, 40, hits, &found));
    CHECK(found == 0);
    CHECK(ps_knn_add(&q, &knn, &knn, 1, 0) == PS_EDATA);
    CHECK(ps_knn_add(&q, &knn, &knn, 1, -1) == PS_EDATA);
    CHECK(ps_knn_add(&q, &knn, &knn, 1, NAN) == PS_EDATA);
    ps_knn_queries_free(&q);
    ps_knn_close(&knn);
}

/* ---- sparse ---- */

typedef struct {
    uint32_t item, index;
    float value;
} entry;

static void write_sparse(const char *path, uint32_t dim, const entry *e, size_t n)
{
    ps_head h = ps_head_make(PS_SPARSE, dim);
    h.qspace = PS_ITEMS;
    ps_out *out = ps_out_open(path, 0);
    ps_writer *w = ps_writer_new(out, &h);
    for (size_t i = 0; i < n; i++) {
        uint8_t r[12];
        ps_put_num(r, 4, e[i].item);
        ps_put32(r + 4, e[i].index);
        ps_putf32(r + 8, e[i].value);
        CHECK_OK(ps_writer_put(w, r, 1));
    }
    CHECK_OK(ps_writer_close(w));
    CHECK_OK(ps_out_close(out));
}

static int refused(uint32_t dim, const entry *e, size_t n, const char *why)
{
    ps_knn knn;
    write_sparse("s.psr", dim, e, n);
    int rc = ps_knn_open(&knn, "s.psr", NULL, 0);
    if (rc == 0)
        ps_knn_close(&knn);
    else if (!strstr(ps_errmsg(), why))
        fprintf(stderr, "message: %s\n", ps_errmsg());
    return rc < 0 && strstr(ps_errmsg(), why) != NULL;
}

static void sparse(void)
{
    /* Items 9: (3, 4 at 0 and huge), 2: (1 at 0), 5: (-1 at 0, 2 at huge), 7: (1 at 6). */
    const uint32_t huge = UINT32_MAX - 1;
    const entry e[] = {{9, huge, 4}, {9, 0, 3}, {2, 0, 1}, {5, 0, -1}, {5, huge, 2}, {7, 6, 1}};
    write_sparse("s.psr", UINT32_MAX, e, 6);
    ps_knn knn;
    CHECK_OK(ps_knn_open(&knn, "s.psr", NULL, 0));
    CHECK(knn.is_sparse && knn.n == 4 && ps_knn_item(&knn, 0) == 2 && ps_knn_find(&knn, 9) == 3);
    CHECK(ps_knn_find(&knn, 3) == PS_NONE);
    ps_knn_queries q = {0};
    const uint64_t nine = 3;
    ps_hit hits[8];
    size_t found[2];
    ask(&q, &knn, &nine, 1);
    CHECK_OK(ps_knn_search(&knn, &q, NULL, 4, hits, found));
    CHECK(found[0] == 2); /* 7 shares nothing */
    CHECK(hits[0].item == 5 && hits[0].score == 5 && hits[1].item == 2 && hits[1].score == 3);
    CHECK(fabs(ps_knn_cosine(&knn, 3, 1) - 5 / (5 * sqrt(5))) < 1e-12);

    /* The mean of 2 and 5 with weights 1 and 1: (0 at 0, 1 at huge). */
    ps_knn_clear(&q);
    CHECK_OK(ps_knn_begin(&q, &knn));
    CHECK_OK(ps_knn_add(&q, &knn, &knn, 0, 1));
    CHECK_OK(ps_knn_add(&q, &knn, &knn, 1, 1));
    CHECK_OK(ps_knn_end(&q, &knn));
    CHECK(q.off[1] == 2);
    CHECK_OK(ps_knn_search(&knn, &q, NULL, 4, hits, found));
    CHECK(found[0] == 2 && hits[0].item == 9 && hits[0].score == 4 && hits[1].item == 5 && hits[1].score == 2);
    ps_knn_queries_free(&q);
    ps_knn_close(&knn);

    const entry twice[] = {{1, 2, 1}, {1, 2, 1}}, apart[] = {{1, 2, 1}, {2, 2, 1}, {1, 3, 1}};
    const entry beyond[] = {{1, 5, 1}}, bad[] = {{1, 1, 1}, {1, 2, NAN}}, far[] = {{1, 1, 3e38f}};
    CHECK(refused(5, twice, 2, "item 1 has index 2 twice"));
    CHECK(refused(5, apart, 3, "record 2: item 1 again"));
    CHECK(refused(5, beyond, 1, "record 0: index 5"));
    CHECK(refused(5, bad, 2, "record 1: the value is not finite"));
    CHECK(refused(5, far, 1, "item 1 is so long"));
}

/* A sparse stream and the same numbers as dense vectors give the same neighbours. */
static void sparse_as_dense(int cosine)
{
    enum { N = 300, D = 12 };
    entry e[N * D];
    size_t n = 0;
    ps_head h = ps_head_make(PS_VECTORS, D);
    h.qspace = PS_ITEMS;
    ps_out *out = ps_out_open("x.psr", 0);
    ps_writer *w = ps_writer_new(out, &h);
    for (uint32_t i = 0; i < N; i++) {
        uint8_t r[4 + 4 * D];
        ps_put_num(r, 4, i);
        for (uint32_t j = 0; j < D; j++) {
            float v = value(77, i * D + j) + 0.5f;
            v = v > 0.3f && j != i % D ? 0 : v;
            ps_putf32(r + 4 + 4 * j, v);
            if (v != 0)
                e[n++] = (entry){i, j, v};
        }
        CHECK_OK(ps_writer_put(w, r, 1));
    }
    CHECK_OK(ps_writer_close(w));
    CHECK_OK(ps_out_close(out));
    write_sparse("s.psr", D, e, n);
    ps_knn a, b;
    CHECK_OK(ps_knn_open(&a, "x.psr", NULL, cosine));
    CHECK_OK(ps_knn_open(&b, "s.psr", NULL, cosine));
    CHECK(a.n == N && b.n == N);
    ps_knn_queries q = {0};
    ps_pool *pool = ps_pool_new(3);
    for (uint64_t row = 0; row < N; row += 17) {
        ps_hit x[N], y[N];
        size_t fx, fy;
        ask(&q, &a, &row, 1);
        CHECK_OK(ps_knn_search(&a, &q, pool, N, x, &fx));
        ps_knn_queries_free(&q);
        ask(&q, &b, &row, 1);
        CHECK_OK(ps_knn_search(&b, &q, pool, N, y, &fy));
        ps_knn_queries_free(&q);
        CHECK(fx == N - 1 && fy <= fx && fy > N / 4);
        for (size_t i = 0; i < fx; i++)
            CHECK(i < fy ? fabs(x[i].score - y[i].score) < 1e-5 : x[i].score < 1e-6);
        CHECK(fabs(ps_knn_cosine(&a, row, 5) - ps_knn_cosine(&b, row, 5)) < 1e-6);
    }
    ps_pool_free(pool);
    ps_knn_close(&a);
    ps_knn_close(&b);
}

static void too_long(void)
{
    ps_head h = ps_head_make(PS_VECTORS, 2);
    ps_out *out = ps_out_open("x.psr", 0);
    ps_writer *w = ps_writer_new(out, &h);
    uint8_t r[12] = {0};
    ps_putf32(r + 4, 3e38f);
    CHECK_OK(ps_writer_put(w, r, 1));
    CHECK_OK(ps_writer_close(w));
    CHECK_OK(ps_out_close(out));
    ps_knn knn;
    CHECK(ps_knn_open(&knn, "x.psr", NULL, 0) == PS_EDATA && strstr(ps_errmsg(), "overflow"));
}

int main(void)
{
    static const uint32_t dims[] = {1, 2, 3, 17, 64, 257};
    dense(1, 3, 0, 0, 0, 1, 5);
    dense(2, 1, 0, 0, 0, 1, 1);
    dense(1023, 8, 0, 0, 0, 1, 10);
    dense(1024, 8, 0, 1, 7, 3, 10);
    dense(1025, 9, PS_FLAG_BIAS, 0, 5000, -2, 60);
    dense(3000, 33, PS_FLAG_BIAS, 1, 0, 1, 100);
    dense(9000, 16, 0, 0, 0, 1, 20); /* several parts */
    dense(50, 4, 0, 1, 0, 1, 60);    /* k above n */
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
        places(dims[i]);
    sets();
    sparse();
    sparse_as_dense(0);
    sparse_as_dense(1);
    too_long();
    CHECK_END();
}
