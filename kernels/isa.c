#include "isa.h"

#include <string.h>

int ps_isa_named(const char *name)
{
#ifdef PS_AVX512
    if (strcmp(name, "avx512") == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")
                   ? PS_ISA_AVX512
                   : -1;
#endif
#ifdef PS_AVX2
    if (strcmp(name, "avx2") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? PS_ISA_AVX2 : -1;
#endif
    return strcmp(name, "plain") == 0 ? PS_ISA_PLAIN : -1;
}
