#include "par.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "mem.h"

struct ps_pool {
    int threads;
    pthread_t *ids;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    int running; /* tasks that threads are at */
    int stop;
    ps_idle idle;
    void *idle_ctx;
    int idling;                 /* workers that are at it */
    unsigned long wakes, slept; /* idle work was found wanting at wake number `slept` */
    ps_task task;
    void *ctx;
    size_t n, next;
    int rc;
    char message[1024];
};

typedef struct {
    ps_pool *pool;
    int thread;
} worker_arg;

int ps_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
    return 1;
}

/* Takes tasks until none is left; the lock is held on entry and on return. */
static void take_tasks(ps_pool *p, int thread)
{
    while (p->next < p->n && p->rc == 0) {
        size_t i = p->next++;
        p->running++;
        pthread_mutex_unlock(&p->lock);
        int rc = p->task(p->ctx, i, thread);
        pthread_mutex_lock(&p->lock);
        p->running--;
        if (rc < 0 && p->rc == 0) {
            p->rc = rc;
            snprintf(p->message, sizeof p->message, "%s", ps_errmsg());
        }
    }
}

/* Idle work once; the lock is held on entry and on return. */
static void idle_once(ps_pool *p)
{
    unsigned long wakes = p->wakes;
    ps_idle idle = p->idle;
    void *ctx = p->idle_ctx;
    p->idling++;
    pthread_mutex_unlock(&p->lock);
    int more = idle(ctx);
    pthread_mutex_lock(&p->lock);
    if (--p->idling == 0)
        pthread_cond_broadcast(&p->done);
    if (!more)
        p->slept = wakes;
}

static void *worker(void *arg)
{
    worker_arg me = *(worker_arg *)arg;
    ps_pool *p = me.pool;
    free(arg);
    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        if (p->next < p->n && p->rc == 0) {
            take_tasks(p, me.thread);
            if (p->running == 0)
                pthread_cond_broadcast(&p->done);
        } else if (p->idle && p->slept != p->wakes) {
            idle_once(p);
        } else {
            pthread_cond_wait(&p->work, &p->lock);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static int start(ps_pool *p, int thread)
{
    worker_arg *arg = ps_alloc(1, sizeof *arg);
    if (!arg)
        return PS_EMEM;
    *arg = (worker_arg){p, thread};
    if (pthread_create(&p->ids[thread], NULL, worker, arg) == 0)
        return 0;
    free(arg);
    return ps_fail(PS_EMEM, "cannot start thread %d", thread + 1);
}

ps_pool *ps_pool_new(int threads)
{
    ps_pool *p = ps_zalloc(1, sizeof *p);
    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->done, NULL);
    p->ids = ps_zalloc((size_t)threads, sizeof *p->ids);
    p->threads = 1;
    /* Workers leave signals to the caller's thread. */
    sigset_t block, old;
    sigfillset(&block);
    sigdelset(&block, SIGBUS); /* of a mapped file: tool.h */
    pthread_sigmask(SIG_SETMASK, &block, &old);
    int rc = p->ids ? 0 : PS_EMEM;
    for (int i = 1; i < threads && rc == 0; i++) {
        rc = start(p, i);
        p->threads += rc == 0;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc < 0) {
        ps_pool_free(p);
        return NULL;
    }
    return p;
}

void ps_pool_free(ps_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = 1;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (int i = 1; i < p->threads; i++)
        pthread_join(p->ids[i], NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->done);
    free(p->ids);
    free(p);
}

int ps_pool_threads(const ps_pool *p)
{
    return p ? p->threads : 1;
}

int ps_pool_run(ps_pool *p, size_t n, ps_task task, void *ctx)
{
    if (!p || p->threads == 1 || n <= 1) {
        for (size_t i = 0; i < n; i++) {
            int rc = task(ctx, i, 0);
            if (rc < 0)
                return rc;
        }
        return 0;
    }
    pthread_mutex_lock(&p->lock);
    p->task = task;
    p->ctx = ctx;
    p->n = n;
    p->next = 0;
    p->rc = 0;
    pthread_cond_broadcast(&p->work);
    take_tasks(p, 0);
    while (p->running > 0)
        pthread_cond_wait(&p->done, &p->lock);
    int rc = p->rc;
    p->n = 0;
    pthread_mutex_unlock(&p->lock);
    return rc < 0 ? ps_fail(rc == PS_ESYS ? PS_EDATA : rc, "%s", p->message) : 0;
}

void ps_pool_idle(ps_pool *p, ps_idle idle, void *ctx)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->idle = idle;
    p->idle_ctx = ctx;
    while (!idle && p->idling > 0)
        pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
    if (idle)
        ps_pool_wake(p);
}

void ps_pool_wake(ps_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->wakes++;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
}
