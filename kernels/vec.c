#include "vec.h"

#include <pthread.h>
#include <stdlib.h>

#include "isa.h"

extern const ps_vec_ops ps_vec_plain, ps_vec_avx2, ps_vec_avx512;

static const ps_vec_ops *best;
static pthread_once_t once = PTHREAD_ONCE_INIT;

const ps_vec_ops *ps_vec_named(const char *name)
{
    static const ps_vec_ops *const form[PS_ISAS] = PS_FORMS(&ps_vec_plain, &ps_vec_avx2, &ps_vec_avx512);
    const int isa = ps_isa_named(name);
    return isa < 0 ? NULL : form[isa];
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
