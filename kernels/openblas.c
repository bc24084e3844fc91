#include "openblas.h"

#ifdef PS_OPENBLAS
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#ifdef PS_DOUBLE
#define PRODUCT "cblas_dgemm"
#else
#define PRODUCT "cblas_sgemm"
#endif

static pthread_once_t once = PTHREAD_ONCE_INIT;
static ps_openblas_fn *product;
static const char *config;

static const char threads[] = "OPENBLAS_NUM_THREADS";

/* Threads are ours: OpenBLAS's own would depend on -j and compete with the pool.  It asks as it is opened; afterwards the setting is
 * what it was, for another OpenBLAS of the same program.  Where there is no memory to say so, they start and are never used. */
static void *open_library(void)
{
    const char *set = getenv(threads);
    char *own = set ? strdup(set) : NULL;
    const int said = (own || !set) && setenv(threads, "1", 1) == 0;
    void *lib = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (said)
        (void)(own ? setenv(threads, own, 1) : unsetenv(threads));
    free(own);
    return lib;
}

static void load(void)
{
    struct rlimit space;
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
        return;
    void *lib = open_library();
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
