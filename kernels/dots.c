#include "dots.h"

#include <string.h>

#include "vec.h"

extern ps_dots_fn ps_dots_plain, ps_dots_avx2, ps_dots_avx512;
extern ps_dots_rows_fn ps_dots_rows_plain, ps_dots_rows_avx2, ps_dots_rows_avx512;

ps_dots_fn *ps_dots_named(const char *name)
{
    if (!ps_vec_named(name)) /* one test of the processor serves both */
        return NULL;
#ifdef PS_AVX512
    if (strcmp(name, "avx512") == 0)
        return ps_dots_avx512;
#endif
#ifdef PS_AVX2
    if (strcmp(name, "avx2") == 0)
        return ps_dots_avx2;
#endif
    return ps_dots_plain;
}

ps_dots_fn *ps_dots(void)
{
    return ps_dots_named(ps_vec()->name);
}

ps_dots_rows_fn *ps_dots_rows_named(const char *name)
{
    if (!ps_vec_named(name))
        return NULL;
#ifdef PS_AVX512
    if (strcmp(name, "avx512") == 0)
        return ps_dots_rows_avx512;
#endif
#ifdef PS_AVX2
    if (strcmp(name, "avx2") == 0)
        return ps_dots_rows_avx2;
#endif
    return ps_dots_rows_plain;
}

ps_dots_rows_fn *ps_dots_rows(void)
{
    return ps_dots_rows_named(ps_vec()->name);
}
