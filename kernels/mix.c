#include "mix.h"

#include <string.h>

#include "vec.h"

extern const ps_mix_ops ps_mix_plain, ps_mix_avx2, ps_mix_avx512;

const ps_mix_ops *ps_mix_named(const char *name)
{
    if (!ps_vec_named(name)) /* one test of the processor serves both */
        return NULL;
#ifdef PS_AVX512
    if (strcmp(name, "avx512") == 0)
        return &ps_mix_avx512;
#endif
#ifdef PS_AVX2
    if (strcmp(name, "avx2") == 0)
        return &ps_mix_avx2;
#endif
    return &ps_mix_plain;
}

const ps_mix_ops *ps_mix(void)
{
    return ps_mix_named(ps_vec()->name);
}
