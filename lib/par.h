/* par.h - threads: the same tasks, in any order, with results that do not depend on their number. */
#ifndef PS_PAR_H
#define PS_PAR_H

#include <stddef.h>

#include "err.h"

/* Cores this process may use. */
int ps_cores(void);

typedef struct ps_pool ps_pool;

/* `threads` in all, the caller's included.  NULL on failure. */
PS_MUST_USE ps_pool *ps_pool_new(int threads);
void ps_pool_free(ps_pool *pool); /* NULL is allowed */
int ps_pool_threads(const ps_pool *pool);

/* A task: `thread` is 0..threads-1, for scratch memory.  A negative result stops tasks that have not begun. */
typedef int (*ps_task)(void *ctx, size_t task, int thread);

/* Runs tasks 0..n-1 and waits for them.  Returns 0, or the first failure with its message set for the
 * caller.  A NULL pool runs them in order in the caller.  Not to be called from inside a task. */
PS_MUST_USE int ps_pool_run(ps_pool *pool, size_t n, ps_task task, void *ctx);

/* Something to do for workers that have no task, until ps_pool_idle(pool, NULL, NULL), which waits for those that
 * are at it.  It is called again as long as it returns 1 (did something), then after the next ps_pool_wake.  It must
 * neither run tasks nor wait long for another thread; a failure is its own affair. */
typedef int (*ps_idle)(void *ctx);
void ps_pool_idle(ps_pool *pool, ps_idle idle, void *ctx);
void ps_pool_wake(ps_pool *pool);

#endif
