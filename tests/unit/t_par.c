/* t_par.c - the thread pool: every task once, whatever the number of threads; failures reach the caller. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "par.h"

enum { TASKS_MAX = 5000, THREADS_MAX = 16 };

typedef struct {
    int threads;
    size_t fails_at;               /* this task and all later ones; TASKS_MAX: none */
    unsigned char runs[TASKS_MAX]; /* how often each ran */
    size_t by_thread[THREADS_MAX]; /* unguarded: a thread number must belong to one thread at a time */
    int wrong_thread;
} job;

static int task(void *ctx, size_t i, int thread)
{
    job *g = ctx;
    g->runs[i]++;
    if (thread < 0 || thread >= g->threads)
        g->wrong_thread = 1;
    else
        g->by_thread[thread]++;
    for (volatile int spin = 0; spin < (int)(i % 50); spin++)
        ;
    return i >= g->fails_at ? ps_fail(PS_EMATCH, "task failed") : 0;
}

static void test_all_once(ps_pool *pool, size_t n)
{
    job g = {.threads = ps_pool_threads(pool), .fails_at = TASKS_MAX};
    size_t sum = 0;
    CHECK_OK(ps_pool_run(pool, n, task, &g));
    for (size_t i = 0; i < TASKS_MAX; i++)
        if (g.runs[i] != (i < n)) {
            CHECK(g.runs[i] == (i < n));
            break;
        }
    for (int t = 0; t < THREADS_MAX; t++)
        sum += g.by_thread[t];
    CHECK(sum == n && !g.wrong_thread);
}

/* The code and the message arrive; tasks before the failing one ran once, and the pool is not spoilt.  Tasks that
 * had begun elsewhere may still run: at most one a thread. */
static void test_failure(ps_pool *pool, size_t n, size_t at)
{
    job g = {.threads = ps_pool_threads(pool), .fails_at = at};
    size_t later = 0;
    CHECK(ps_fail(PS_EDATA, "an older message") == PS_EDATA);
    CHECK(ps_pool_run(pool, n, task, &g) == PS_EMATCH);
    CHECK(strcmp(ps_errmsg(), "task failed") == 0);
    for (size_t i = 0; i < n; i++) {
        CHECK(i >= at || g.runs[i] == 1);
        later += i >= at ? g.runs[i] : 0;
    }
    CHECK(later >= 1 && later <= (size_t)g.threads);
    test_all_once(pool, n);
}

/* Many short rounds: a worker that missed one, or ran one twice, shows here. */
static void test_rounds(ps_pool *pool)
{
    for (int round = 0; round < 500; round++) {
        job *g = calloc(1, sizeof *g);
        size_t n = (size_t)round % 7, ran = 0;
        g->threads = ps_pool_threads(pool);
        g->fails_at = TASKS_MAX;
        CHECK_OK(ps_pool_run(pool, n, task, g));
        for (size_t i = 0; i < 7; i++)
            ran += g->runs[i];
        CHECK(ran == n);
        free(g);
    }
}

/* As many tasks as threads, each waiting for all to have begun: they run at the same time, under different numbers,
 * and the caller waits for the last. */
typedef struct {
    size_t begun, ended, threads;
    size_t seen[THREADS_MAX];
} meeting;

static int meet(void *ctx, size_t i, int thread)
{
    meeting *m = ctx;
    __atomic_add_fetch(&m->begun, 1, __ATOMIC_SEQ_CST);
    for (int wait = 0; wait < 10000 && __atomic_load_n(&m->begun, __ATOMIC_SEQ_CST) < m->threads; wait++)
        usleep(1000);
    __atomic_add_fetch(&m->seen[thread], 1, __ATOMIC_SEQ_CST);
    usleep((unsigned)i * 500);
    __atomic_add_fetch(&m->ended, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void test_together(ps_pool *pool)
{
    meeting *m = calloc(1, sizeof *m);
    m->threads = (size_t)ps_pool_threads(pool);
    CHECK_OK(ps_pool_run(pool, m->threads, meet, m));
    CHECK(m->begun == m->threads && m->ended == m->threads);
    for (size_t t = 0; t < THREADS_MAX; t++)
        CHECK(m->seen[t] == (t < m->threads));
    free(m);
}

static void test_pool(ps_pool *pool)
{
    static const size_t counts[] = {0, 1, 2, 3, 16, 100, TASKS_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        test_all_once(pool, counts[i]);
    test_failure(pool, 1, 0);
    test_failure(pool, 2, 1);
    test_failure(pool, 1000, 0);
    test_failure(pool, 1000, 500);
    test_failure(pool, 1000, 999);
    test_rounds(pool);
    test_together(pool);
}

int main(void)
{
    static const int threads[] = {1, 2, 3, 5, THREADS_MAX};
    CHECK(ps_cores() >= 1);
    CHECK(ps_pool_threads(NULL) == 1);
    test_pool(NULL);
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        ps_pool *pool = ps_pool_new(threads[i]);
        CHECK(pool != NULL);
        CHECK(ps_pool_threads(pool) == threads[i]);
        test_pool(pool);
        ps_pool_free(pool);
    }
    ps_pool_free(NULL);
    CHECK_END();
}
