#include "bits.h"

#include <string.h>

#include "vec.h"

extern const ps_bits_kernels ps_bits_plain, ps_bits_avx2, ps_bits_avx512;

const ps_bits_kernels *ps_bits_named(const char *name)
{
    if (!ps_vec_named(name)) /* one test of the processor serves both */
        return NULL;
#ifdef PS_AVX512
    if (strcmp(name, "avx512") == 0)
        return __builtin_cpu_supports("avx512vpopcntdq") ? &ps_bits_avx512 : NULL;
#endif
#ifdef PS_AVX2
    if (strcmp(name, "avx2") == 0)
        return &ps_bits_avx2;
#endif
    return strcmp(name, "plain") == 0 ? &ps_bits_plain : NULL;
}

const ps_bits_kernels *ps_bits(void)
{
    const ps_bits_kernels *k = ps_bits_named(ps_vec()->name);
    if (!k && strcmp(ps_vec()->name, "avx512") == 0)
        k = ps_bits_named("avx2");
    return k ? k : &ps_bits_plain;
}
