/* knn_speed - queries a second of exact search and of both indexes, and what they find.
 *
 *   knn_speed VECTORS QUERIES [threads=T] [hits=K] [exact|ivf|lsh ...]
 *
 * The K = 100 best of each query; r10 and r100: the share of the true 10 and 100 best that are among them.  Rates are
 * the best of three runs; for an index, at the smallest effort that reaches a share.  Indexes are built and searched by
 * T threads, 1 by default. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "index.h"
#include "mem.h"

enum { RUNS = 3, SINGLE = 50 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(int rc)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "knn_speed: %s\n", ps_errmsg());
    exit(1);
}

typedef struct {
    ps_knn knn, from;
    ps_knn_queries q;
    ps_pool *pool;
    size_t k;
    ps_hit *hits, *best;
    size_t *found, *best_n;
} bench;

static void ask(bench *b, size_t begin, size_t end)
{
    ps_knn_clear(&b->q);
    for (size_t i = begin; i < end; i++) {
        must(ps_knn_begin(&b->q, &b->knn));
        must(ps_knn_add(&b->q, &b->knn, &b->from, i, 1));
        must(ps_knn_end(&b->q, &b->knn));
    }
}

/* Seconds for all queries. */
static double run(bench *b, const ps_index *x, uint32_t effort)
{
    double least = INFINITY;
    for (int r = 0; r < RUNS; r++) {
        const double begin = now();
        must(x ? ps_index_search(x, &b->knn, &b->q, b->pool, effort, b->k, b->hits, b->found)
               : ps_knn_search(&b->knn, &b->q, b->pool, b->k, b->hits, b->found));
        least = fmin(least, now() - begin);
    }
    return least;
}

static double share(const bench *b, size_t depth)
{
    uint64_t have = 0, all = 0;
    for (size_t i = 0; i < b->from.n; i++)
        for (size_t j = 0; j < depth && j < b->best_n[i]; j++, all++)
            for (size_t h = 0; h < b->found[i]; h++)
                have += b->hits[i * b->k + h].item == b->best[i * b->k + j].item;
    return (double)have / (double)all;
}

/* Bytes a second that a plain sum of them reads. */
static double reading(const void *at, size_t bytes)
{
    enum { STEP = 256 };
    typedef uint64_t words __attribute__((vector_size(32)));
    double least = INFINITY;
    for (int r = 0; r < 2 * RUNS; r++) {
        words sum[STEP / 32] = {{0}};
        const double begin = now();
        for (size_t i = 0; i + STEP <= bytes; i += STEP)
            for (int l = 0; l < STEP / 32; l++) {
                words v;
                memcpy(&v, (const char *)at + i + 32 * l, sizeof v);
                sum[l] += v;
            }
        least = fmin(least, now() - begin);
        for (int l = 1; l < STEP / 32; l++)
            sum[0] += sum[l];
        volatile uint64_t keep = sum[0][0];
        (void)keep;
    }
    return (double)bytes / least;
}

/* `memory`: the rate of plain reading where these bytes lie. */
static void single(bench *b, const char *what, double bytes, double memory)
{
    double least = INFINITY;
    for (int r = 0; r < RUNS; r++) {
        double seconds = 0;
        for (size_t i = 0; i < SINGLE; i++) {
            ask(b, i, i + 1);
            const double begin = now();
            must(ps_knn_search(&b->knn, &b->q, b->pool, b->k, b->hits, b->found));
            seconds += now() - begin;
        }
        least = fmin(least, seconds);
    }
    const double rate = SINGLE / least;
    printf("psgraph exact, %s, one at a time: %.0f queries/s, %.1f GB/s, %.2f of %.1f GB/s, which a plain sum reads\n",
           what, rate, rate * bytes / 1e9, rate * bytes / memory, memory / 1e9);
    ask(b, 0, b->from.n);
}

static void exact(bench *b)
{
    const double n = (double)b->knn.n, queries = (double)b->from.n;
    const size_t bytes = b->knn.n * b->knn.dense.head.size;
    const double rate = queries / run(b, NULL, 0);
    printf("psgraph exact, floats: %.0f queries/s, %.1f GFLOP/s\n", rate, rate * n * b->knn.d * 2 / 1e9);
    single(b, "floats in the mapped file", (double)bytes, reading(ps_vectors_row(&b->knn.dense, 0), bytes - 8));
    const double begin = now();
    must(ps_knn_code(&b->knn, b->pool));
    const double coding = now() - begin, coded = queries / run(b, NULL, 0);
    printf("psgraph exact, codes: %.0f queries/s, %.2f times floats; coding takes %.2f s\n", coded, coded / rate,
           coding);
    const ps_quant *c = &b->knn.quant;
    single(b, "codes", n * (b->knn.d + 8), reading(c->codes, c->groups * ps_codes_group(c->d)));
}

/* Each goal's rate at the smallest effort that reaches it. */
static void measure_efforts(bench *b, const ps_index *x, const char *name)
{
    static const double goal[] = {0.9, 0.95, 0.99};
    enum { GOALS = sizeof goal / sizeof *goal };
    size_t next[2] = {0, b->k < 100 ? GOALS : 0};
    for (size_t e = 0; e < PS_INDEX_EFFORTS && (next[0] < GOALS || next[1] < GOALS); e++) {
        if (e > 0 && x->effort[e] == x->effort[e - 1])
            break;
        must(ps_index_search(x, &b->knn, &b->q, b->pool, x->effort[e], b->k, b->hits, b->found));
        const double is[2] = {share(b, 10), share(b, b->k)};
        double rate = 0;
        for (int deep = 0; deep < 2; deep++)
            for (; next[deep] < GOALS && is[deep] >= goal[next[deep]]; next[deep]++) {
                rate = rate > 0 ? rate : (double)b->from.n / run(b, x, x->effort[e]);
                printf("psgraph %s, r%d of %.2f: %.0f queries/s (effort %u: r10 %.4f, r%zu %.4f)\n", name,
                       deep ? 100 : 10, goal[next[deep]], rate, x->effort[e], is[0], b->k, is[1]);
            }
    }
    for (int deep = 0; deep < 2; deep++)
        for (; next[deep] < GOALS; next[deep]++)
            printf("psgraph %s, r%d of %.2f: not reached\n", name, deep ? 100 : 10, goal[next[deep]]);
    fflush(stdout);
}

static void indexed(bench *b, ps_index_type type, const char *name)
{
    char path[] = "/tmp/psgraph-bench.XXXXXX";
    close(mkstemp(path));
    const ps_index_options o = {.type = type, .seed = 1};
    ps_out *out = ps_out_open(path, 0);
    const double begin = now();
    must(out ? ps_index_build(&b->knn, &o, b->pool, out) : PS_ESYS);
    const double built = now() - begin;
    must(ps_out_close(out));
    ps_index x;
    must(ps_index_open(&x, path, &b->knn));
    printf("psgraph %s: built in %.1f s, %.3f of the vectors' size\n", name, built,
           (double)x.blob.size / ((double)b->knn.n * b->knn.d * 4));
    measure_efforts(b, &x, name);
    ps_index_close(&x);
    unlink(path);
}

int main(int argc, char **argv)
{
    bench b = {.k = 100};
    if (argc < 3) {
        fprintf(stderr, "usage: knn_speed VECTORS QUERIES [threads=T] [hits=K] [exact|ivf|lsh ...]\n");
        return 2;
    }
    int threads = 1;
    for (int i = 3; i < argc; i++) {
        threads = strncmp(argv[i], "threads=", 8) == 0 ? atoi(argv[i] + 8) : threads;
        b.k = strncmp(argv[i], "hits=", 5) == 0 ? (size_t)atoi(argv[i] + 5) : b.k;
    }
    b.pool = threads > 1 ? ps_pool_new(threads) : NULL;
    must(ps_knn_open(&b.knn, argv[1], NULL, 0));
    must(ps_knn_open(&b.from, argv[2], NULL, 0));
    must(ps_knn_suits(&b.knn, &b.from));
    b.hits = ps_alloc(b.from.n * b.k, sizeof *b.hits);
    b.best = ps_alloc(b.from.n * b.k, sizeof *b.best);
    b.found = ps_zalloc(b.from.n, sizeof *b.found);
    b.best_n = ps_zalloc(b.from.n, sizeof *b.best_n);
    ask(&b, 0, b.from.n);
    for (int i = 3; i < argc; i++)
        if (strcmp(argv[i], "exact") == 0)
            exact(&b);
    must(ps_knn_code(&b.knn, b.pool));
    must(ps_knn_search(&b.knn, &b.q, b.pool, b.k, b.best, b.best_n));
    for (int i = 3; i < argc; i++)
        if (strcmp(argv[i], "ivf") == 0 || strcmp(argv[i], "lsh") == 0)
            indexed(&b, strcmp(argv[i], "lsh") == 0 ? PS_INDEX_LSH : PS_INDEX_IVF, argv[i]);
    ps_pool_free(b.pool);
    return 0;
}
