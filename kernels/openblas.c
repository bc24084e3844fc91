#include "openblas.h"

#ifdef PS_OPENBLAS
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#ifdef PS_DOUBLE
#define PRODUCT "cblas_dgemm"
#else
#define PRODUCT "cblas_sgemm"
#endif

static pthread_once_t once = PTHREAD_ONCE_INIT;
static ps_openblas_fn *product;
static const char *config;

static void load(void)
{
    struct rlimit space;
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
        return;
    /* Threads are ours: OpenBLAS's own would depend on -j and compete with the pool.  Where there is no memory to say so, they
     * start and are never used. */
    (void)setenv("OPENBLAS_NUM_THREADS", "1", 1);
    void *lib = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return;
    ps_openblas_fn *f = (ps_openblas_fn *)dlsym(lib, PRODUCT);
    void (*set_threads)(int) = (void (*)(int))dlsym(lib, "openblas_set_num_threads");
    char *(*get_config)(void) = (char *(*)(void))dlsym(lib, "openblas_get_config");
    if (!f || !set_threads || !get_config)
        return;
    set_threads(1);
    config = get_config();
    product = f;
}

ps_openblas_fn *ps_openblas(const char **name)
{
    pthread_once(&once, load);
    if (name)
        *name = config;
    return product;
}
#endif
