#include "codes.h"

#include <string.h>

#include "isa.h"
#include "vec.h"

extern ps_codes_fn ps_codes_plain, ps_codes_avx2, ps_codes_vnni;

ps_codes_fn *ps_codes_named(const char *name)
{
    static ps_codes_fn *const form[PS_ISAS] = PS_FORMS(ps_codes_plain, ps_codes_avx2, NULL);
    const int isa = ps_isa_named(name);
#ifdef PS_VNNI
    if (isa == PS_ISA_AVX512)
        return __builtin_cpu_supports("avx512vnni") ? ps_codes_vnni : NULL;
#endif
    return isa < 0 ? NULL : form[isa];
}

ps_codes_fn *ps_codes(void)
{
    ps_codes_fn *fn = ps_codes_named(ps_vec()->name);
    if (!fn && strcmp(ps_vec()->name, "avx512") == 0)
        fn = ps_codes_named("avx2");
    return fn ? fn : ps_codes_plain;
}
