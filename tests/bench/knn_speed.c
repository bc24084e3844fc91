/* knn_speed - queries a second of exact search and of both indexes, one thread, and what they find.
 *
 *   knn_speed VECTORS QUERIES [exact|ivf|lsh ...]
 *
 * The 100 best of each query; r10 and r100: the share of the true 10 and 100 best that are among them.  Rates are the
 * best of three runs; for an index, at the smallest effort that reaches a share. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "index.h"
#include "mem.h"

enum { K = 100, RUNS = 3, SINGLE = 50 };

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
        must(x ? ps_index_search(x, &b->knn, &b->q, NULL, effort, K, b->hits, b->found)
               : ps_knn_search(&b->knn, &b->q, NULL, K, b->hits, b->found));
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
                have += b->hits[i * K + h].item == b->best[i * K + j].item;
    return (double)have / (double)all;
}

/* What one core reads from memory, as a sum. */
static double memory_rate(const bench *b)
{
    const size_t n = b->knn.n * b->knn.d / 8 * 8;
    float *x = ps_aligned(n, sizeof *x);
    double least = INFINITY;
    for (size_t i = 0; i < n; i++)
        x[i] = (float)i;
    for (int r = 0; r < RUNS; r++) {
        typedef uint64_t words __attribute__((vector_size(32)));
        words sum[4] = {{0}};
        const double begin = now();
        for (size_t i = 0; i + 32 <= n; i += 32)
            for (int l = 0; l < 4; l++) {
                words v;
                memcpy(&v, x + i + 8 * l, sizeof v);
                sum[l] += v;
            }
        least = fmin(least, now() - begin);
        volatile uint64_t keep = (sum[0] + sum[1] + sum[2] + sum[3])[0];
        (void)keep;
    }
    free(x);
    return (double)n * 4 / least;
}

static void single(bench *b, const char *what, double bytes, double memory)
{
    double seconds = 0;
    for (size_t i = 0; i < SINGLE; i++) {
        ask(b, i, i + 1);
        const double begin = now();
        must(ps_knn_search(&b->knn, &b->q, NULL, K, b->hits, b->found));
        seconds += now() - begin;
    }
    const double rate = SINGLE / seconds;
    printf("psgraph exact, %s, one at a time: %.0f queries/s, %.1f GB/s, %.2f of the memory's rate\n", what, rate,
           rate * bytes / 1e9, rate * bytes / memory);
    ask(b, 0, b->from.n);
}

static void exact(bench *b)
{
    const double memory = memory_rate(b), n = (double)b->knn.n, queries = (double)b->from.n;
    const double rate = queries / run(b, NULL, 0);
    printf("memory: %.1f GB/s\npsgraph exact, floats: %.0f queries/s, %.1f GFLOP/s\n", memory / 1e9, rate,
           rate * n * b->knn.d * 2 / 1e9);
    single(b, "floats", n * b->knn.d * 4, memory);
    const double begin = now();
    must(ps_knn_code(&b->knn, NULL));
    const double coding = now() - begin, coded = queries / run(b, NULL, 0);
    printf("psgraph exact, codes: %.0f queries/s, %.2f times floats; coding takes %.2f s\n", coded, coded / rate,
           coding);
    single(b, "codes", n * (b->knn.d + 8), memory);
}

static void indexed(bench *b, ps_index_type type, const char *name)
{
    char path[] = "/tmp/psgraph-bench.XXXXXX";
    close(mkstemp(path));
    const ps_index_options o = {.type = type, .seed = 1};
    ps_out *out = ps_out_open(path, 0);
    const double begin = now();
    must(out ? ps_index_build(&b->knn, &o, NULL, out) : PS_ESYS);
    const double built = now() - begin;
    must(ps_out_close(out));
    ps_index x;
    must(ps_index_open(&x, path, &b->knn));
    printf("psgraph %s: built in %.1f s, %.3f of the vectors' size\n", name, built,
           (double)x.blob.size / ((double)b->knn.n * b->knn.d * 4));
    for (double goal = 0.9; goal < 1; goal += goal < 0.94 ? 0.05 : 0.04)
        for (int deep = 0; deep < 2; deep++)
            for (size_t e = 0; e < PS_INDEX_EFFORTS; e++) {
                must(ps_index_search(&x, &b->knn, &b->q, NULL, x.effort[e], K, b->hits, b->found));
                if (share(b, deep ? 100 : 10) < goal && e + 1 < PS_INDEX_EFFORTS)
                    continue;
                const double rate = (double)b->from.n / run(b, &x, x.effort[e]);
                const char *note = share(b, deep ? 100 : 10) < goal ? ", not reached" : "";
                printf("psgraph %s, r%d of %.2f%s: %.0f queries/s (effort %u: r10 %.4f, r100 %.4f)\n", name,
                       deep ? 100 : 10, goal, note, rate, x.effort[e], share(b, 10), share(b, 100));
                break;
            }
    ps_index_close(&x);
    unlink(path);
}

int main(int argc, char **argv)
{
    bench b = {0};
    if (argc < 3) {
        fprintf(stderr, "usage: knn_speed VECTORS QUERIES [exact|ivf|lsh ...]\n");
        return 2;
    }
    must(ps_knn_open(&b.knn, argv[1], NULL, 0));
    must(ps_knn_open(&b.from, argv[2], NULL, 0));
    must(ps_knn_suits(&b.knn, &b.from));
    b.hits = ps_alloc(b.from.n * K, sizeof *b.hits);
    b.best = ps_alloc(b.from.n * K, sizeof *b.best);
    b.found = ps_zalloc(b.from.n, sizeof *b.found);
    b.best_n = ps_zalloc(b.from.n, sizeof *b.best_n);
    ask(&b, 0, b.from.n);
    for (int i = 3; i < argc; i++)
        if (strcmp(argv[i], "exact") == 0)
            exact(&b);
    must(ps_knn_code(&b.knn, NULL));
    must(ps_knn_search(&b.knn, &b.q, NULL, K, b.best, b.best_n));
    for (int i = 3; i < argc; i++)
        if (strcmp(argv[i], "exact") != 0)
            indexed(&b, strcmp(argv[i], "lsh") == 0 ? PS_INDEX_LSH : PS_INDEX_IVF, argv[i]);
    return 0;
}
