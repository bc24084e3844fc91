#include "vec.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

extern const ps_vec_ops ps_vec_plain, ps_vec_avx2, ps_vec_avx512;

static const ps_vec_ops *best;
static pthread_once_t once = PTHREAD_ONCE_INIT;

const ps_vec_ops *ps_vec_named(const char *name)
{
#ifdef PS_AVX512
    if (strcmp(name, "avx512") == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")
                   ? &ps_vec_avx512
                   : NULL;
#endif
#ifdef PS_AVX2
    if (strcmp(name, "avx2") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &ps_vec_avx2 : NULL;
#endif
    return strcmp(name, "plain") == 0 ? &ps_vec_plain : NULL;
}

static void choose(void)
{
    const char *asked = getenv("PSGRAPH_ISA");
    best = asked ? ps_vec_named(asked) : NULL;
    if (!best)
        best = ps_vec_named("avx512");
    if (!best)
        best = ps_vec_named("avx2");
    if (!best)
        best = &ps_vec_plain;
}

const ps_vec_ops *ps_vec(void)
{
    pthread_once(&once, choose);
    return best;
}
