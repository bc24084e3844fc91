/* t_gemm.c - the matrix products: OpenBLAS's or the plain ones, alone and shared out to threads.
 *
 * Each against straightforward sums in long double, over odd shapes, all transposes, alpha, beta and rows that stand
 * apart.  The bound on an element's error: k + 4 roundings of the sum of absolute products, 3 of what C
 * held.  Gaps between the rows of A and B are NaN, those of C are guard words.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "bf16.h"
#include "gemm.h"
#include "rng.h"

typedef long double wide;

#ifdef PS_DOUBLE
static const wide u = DBL_EPSILON / 2;
#else
static const wide u = FLT_EPSILON / 2;
#endif
static const ps_real guard_word = (ps_real)-7777.25;

typedef struct {
    ps_trans ta, tb;
    size_t m, n, k, lda, ldb, ldc;
    ps_real alpha, beta;
    ps_real *a, *b, *c; /* c: before the product */
    wide *want, *bound; /* m x n */
    wide *size;         /* m x n: sums of absolute products */
} trial;

enum { PLAIN, PACKED, ONE, POOLED, BF16 };
static const char *const how_name[] = {"plain", "packed", "one thread", "pool", "bf16"};

static uint64_t draws;

static ps_real *matrix(size_t rows, size_t cols, size_t ld, ps_real gap)
{
    ps_real *p = malloc((rows * ld + 1) * sizeof *p);
    if (!p)
        exit(1);
    for (size_t i = 0; i < rows * ld; i++)
        p[i] = i % ld < cols ? (ps_real)(2 * ps_unit(ps_rng(3, draws++)) - 1) : gap;
    return p;
}

static void expect(trial *t)
{
    t->want = malloc((t->m * t->n + 1) * sizeof *t->want);
    t->bound = malloc((t->m * t->n + 1) * sizeof *t->bound);
    t->size = malloc((t->m * t->n + 1) * sizeof *t->size);
    for (size_t i = 0; i < t->m; i++)
        for (size_t j = 0; j < t->n; j++) {
            wide sum = 0, size = 0, old = t->beta == 0 ? 0 : (wide)t->beta * t->c[i * t->ldc + j];
            for (size_t p = 0; p < t->k; p++) {
                wide x = (wide)(t->ta == PS_N ? t->a[i * t->lda + p] : t->a[p * t->lda + i]) *
                         (t->tb == PS_N ? t->b[p * t->ldb + j] : t->b[j * t->ldb + p]);
                sum += x;
                size += fabsl(x);
            }
            t->size[i * t->n + j] = size;
            t->want[i * t->n + j] = t->alpha * sum + old;
            t->bound[i * t->n + j] = (wide)(t->k + 4) * u * fabsl((wide)t->alpha) * size + 3 * u * fabsl(old);
        }
}

static void trial_make(trial *t, ps_trans ta, ps_trans tb, const size_t shape[3], ps_real alpha, ps_real beta, size_t gap)
{
    *t = (trial){.ta = ta, .tb = tb, .m = shape[0], .n = shape[1], .k = shape[2], .alpha = alpha, .beta = beta};
    size_t ar = ta == PS_N ? t->m : t->k, ac = ta == PS_N ? t->k : t->m;
    size_t br = tb == PS_N ? t->k : t->n, bc = tb == PS_N ? t->n : t->k;
    t->lda = ac + gap + (ac == 0);
    t->ldb = bc + 2 * gap + (bc == 0);
    t->ldc = t->n + gap + (t->n == 0);
    t->a = matrix(ar, ac, t->lda, NAN);
    t->b = matrix(br, bc, t->ldb, NAN);
    t->c = matrix(t->m, t->n, t->ldc, guard_word);
    if (beta == 0) /* what C held must not matter */
        for (size_t i = 0; i < t->m * t->ldc; i++)
            t->c[i] = i % t->ldc < t->n ? NAN : guard_word;
    expect(t);
}

static void trial_free(trial *t)
{
    free(t->a);
    free(t->b);
    free(t->c);
    free(t->want);
    free(t->bound);
    free(t->size);
}

/* The product into a copy of C; free(). */
static ps_real *multiply(const trial *t, int how, ps_pool *pool)
{
    size_t bytes = t->m * t->ldc * sizeof *t->c;
    ps_real *c = malloc(bytes + sizeof *c);
    if (!c)
        exit(1);
    memcpy(c, t->c, bytes);
    c[t->m * t->ldc] = guard_word;
    if (how == PLAIN)
        ps_gemm_plain(t->ta, t->tb, t->m, t->n, t->k, t->alpha, t->a, t->lda, t->b, t->ldb, t->beta, c, t->ldc);
    else if (how == PACKED)
        ps_gemm_packed(t->ta, t->tb, t->m, t->n, t->k, t->alpha, t->a, t->lda, t->b, t->ldb, t->beta, c, t->ldc);
    else if (how == ONE)
        ps_gemm_one(t->ta, t->tb, t->m, t->n, t->k, t->alpha, t->a, t->lda, t->b, t->ldb, t->beta, c, t->ldc);
    else if (how == BF16)
        ps_gemm_bf16(pool, t->ta, t->tb, t->m, t->n, t->k, t->alpha, t->a, t->lda, t->b, t->ldb, t->beta, c, t->ldc);
    else
        ps_gemm(pool, t->ta, t->tb, t->m, t->n, t->k, t->alpha, t->a, t->lda, t->b, t->ldb, t->beta, c, t->ldc);
    return c;
}

static void failed(const trial *t, int how, const char *what, size_t i, size_t j, double got)
{
    if (check_failures++ < 20)
        fprintf(stderr, "%s: op(A) %zu x %zu %s, op(B) x %zu %s, alpha %g, beta %g: %s at %zu, %zu: %g\n", how_name[how],
                t->m, t->k, t->ta == PS_T ? "(transposed)" : "", t->n, t->tb == PS_T ? "(transposed)" : "",
                (double)t->alpha, (double)t->beta, what, i, j, got);
}

static void check_product(const trial *t, int how, const ps_real *c)
{
    for (size_t i = 0; i < t->m; i++) {
        for (size_t j = 0; j < t->n; j++) {
            ps_real got = c[i * t->ldc + j];
            /* bf16: both factors are rounded to 8 bits, by at most 2^-8 of it, before they are multiplied. */
            wide bound = t->bound[i * t->n + j] + (how == BF16 ? t->size[i * t->n + j] * (wide)2.02 / 256 : 0);
            if (!isfinite(got) || !(fabsl((wide)got - t->want[i * t->n + j]) <= bound))
                failed(t, how, "wrong", i, j, (double)got);
        }
        for (size_t j = t->n; j < t->ldc; j++)
            if (c[i * t->ldc + j] != guard_word)
                failed(t, how, "overwritten", i, j, (double)c[i * t->ldc + j]);
    }
    if (c[t->m * t->ldc] != guard_word)
        failed(t, how, "overwritten", t->m, 0, (double)c[t->m * t->ldc]);
}

static void test_threads(const trial *t, int how, ps_pool *pools[3])
{
    ps_real *first = multiply(t, how, NULL);
    check_product(t, how, first);
    for (int p = 0; p < 3; p++) {
        ps_real *c = multiply(t, how, pools[p]);
        if (memcmp(first, c, t->m * t->ldc * sizeof *c) != 0)
            failed(t, how, "other bytes with threads", (size_t)ps_pool_threads(pools[p]), 0, 0);
        free(c);
    }
    free(first);
}

static void test_trial(const trial *t, ps_pool *pools[3])
{
    ps_real *c;
    for (int how = PLAIN; how <= ONE; how++) {
        c = multiply(t, how, NULL);
        check_product(t, how, c);
        free(c);
    }
    test_threads(t, POOLED, pools);
    if (ps_bf16_backend(NULL) && t->alpha == 1 && (t->beta == 0 || t->beta == 1))
        test_threads(t, BF16, pools);
}

/* A NaN spoils its row of C and no other. */
static void test_nan(ps_pool *pool)
{
    static const size_t shape[3] = {70, 33, 19};
    for (int how = PLAIN; how <= (ps_bf16_backend(NULL) ? BF16 : POOLED); how++) {
        trial t;
        trial_make(&t, PS_N, PS_T, shape, 1, 0, 1);
        t.a[65 * t.lda + 3] = NAN;
        ps_real *c = multiply(&t, how, pool);
        for (size_t i = 0; i < t.m; i++)
            for (size_t j = 0; j < t.n; j++)
                CHECK(isnan(c[i * t.ldc + j]) == (i == 65));
        free(c);
        trial_free(&t);
    }
}

/* Leaves the process 64 of 2048 MiB of address space; 0 if it has more already, as sanitizers do. */
static int take_address_space(void)
{
    const struct rlimit all = {(rlim_t)2 << 30, (rlim_t)2 << 30};
    const size_t most = all.rlim_cur - ((size_t)64 << 20);
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%lu", &pages) != 1)
        return 0;
    fclose(f);
    const size_t used = pages * (size_t)sysconf(_SC_PAGESIZE);
    return used < most &&
           mmap(NULL, most - used, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED &&
           setrlimit(RLIMIT_AS, &all) == 0;
}

/* There, too, a product comes to an end.  In a process of its own, before a library has been opened in this one. */
static void test_little_room(void)
{
    const ps_real a[] = {1, 2, 3}, b[] = {4, 5, 6};
    ps_real c = 0;
    int status = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(20);
        if (take_address_space())
            ps_gemm_library(PS_N, PS_N, 1, 1, 3, 1, a, 3, b, 1, 0, &c, 1);
        else
            c = 32;
        _exit(c != 32);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* What opens a library leaves the program's environment as it was: a setting that there is, and none. */
static void test_environment(const char *setting)
{
    const ps_real a = 3, b = 5;
    ps_real c = 0;
    int status = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (setting ? setenv("OPENBLAS_NUM_THREADS", setting, 1) : unsetenv("OPENBLAS_NUM_THREADS"))
            _exit(1);
        ps_gemm_library(PS_N, PS_N, 1, 1, 1, 1, &a, 1, &b, 1, 0, &c, 1);
        const char *is = getenv("OPENBLAS_NUM_THREADS");
        _exit(c != 15 || (setting ? !is || strcmp(is, setting) != 0 : is != NULL));
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    test_little_room();
    test_environment("7");
    test_environment(NULL);
    static const size_t shapes[][3] = {{0, 3, 4},    {3, 0, 4},    {3, 4, 0},     {1, 1, 1},      {1, 17, 5},
                                       {15, 1, 31},  {16, 16, 16}, {17, 31, 33},  {33, 15, 100},  {2, 130, 300},
                                       {65, 129, 7}, {127, 63, 1}, {600, 70, 13}, {70, 1100, 17}, {1030, 40, 9},
                                       {20, 9, 9001}, {270, 20, 4100}};
    static const ps_real factors[][2] = {{1, 0}, {1, 1}, {(ps_real)-0.7, (ps_real)0.3}, {0, (ps_real)0.5}};
    ps_pool *pools[] = {ps_pool_new(1), ps_pool_new(2), ps_pool_new(5)};
    CHECK(pools[0] && pools[1] && pools[2]);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (size_t f = 0; f < 4; f++)
            for (int both = 0; both < 4; both++) {
                if (shapes[s][0] * shapes[s][1] > 40000 && f % 2 == 1)
                    continue; /* long double is slow */
                trial t;
                trial_make(&t, both & 1 ? PS_T : PS_N, both & 2 ? PS_T : PS_N, shapes[s], factors[f][0], factors[f][1],
                           (f + s) % 3);
                test_trial(&t, pools);
                trial_free(&t);
            }
    test_nan(pools[2]);
    const char *why;
    printf("%s; bf16: %s\n", ps_gemm_backend(), ps_bf16_backend(&why) ? ps_bf16_backend(NULL) : why);
    for (int p = 0; p < 3; p++)
        ps_pool_free(pools[p]);
    CHECK_END();
}
