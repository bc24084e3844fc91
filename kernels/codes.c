#include "codes.h"

#include <string.h>

#include "vec.h"

extern ps_codes_fn ps_codes_plain, ps_codes_avx2, ps_codes_vnni;
extern ps_codes_rows_fn ps_codes_rows_plain, ps_codes_rows_vnni;

ps_codes_fn *ps_codes_named(const char *name)
{
    if (!ps_vec_named(name))
        return NULL;
#ifdef PS_VNNI
    if (strcmp(name, "avx512") == 0)
        return __builtin_cpu_supports("avx512vnni") ? ps_codes_vnni : NULL;
#endif
#ifdef PS_AVX2
    if (strcmp(name, "avx2") == 0)
        return ps_codes_avx2;
#endif
    return strcmp(name, "plain") == 0 ? ps_codes_plain : NULL;
}

ps_codes_fn *ps_codes(void)
{
    ps_codes_fn *fn = ps_codes_named(ps_vec()->name);
    if (!fn && strcmp(ps_vec()->name, "avx512") == 0)
        fn = ps_codes_named("avx2");
    return fn ? fn : ps_codes_plain;
}

ps_codes_rows_fn *ps_codes_rows_named(const char *name)
{
    ps_codes_fn *fn = ps_codes_named(name);
#ifdef PS_VNNI
    if (fn == ps_codes_vnni)
        return ps_codes_rows_vnni;
#endif
    return fn ? ps_codes_rows_plain : NULL;
}

ps_codes_rows_fn *ps_codes_rows(void)
{
    ps_codes_rows_fn *fn = ps_codes_rows_named(ps_vec()->name);
    return fn ? fn : ps_codes_rows_plain;
}
