#include "dots.h"

#include "isa.h"
#include "vec.h"

extern ps_dots_fn ps_dots_plain, ps_dots_avx2, ps_dots_avx512;
extern ps_dots_rows_fn ps_dots_rows_plain, ps_dots_rows_avx2, ps_dots_rows_avx512;

ps_dots_fn *ps_dots_named(const char *name)
{
    static ps_dots_fn *const form[PS_ISAS] = PS_FORMS(ps_dots_plain, ps_dots_avx2, ps_dots_avx512);
    const int isa = ps_isa_named(name);
    return isa < 0 ? NULL : form[isa];
}

ps_dots_fn *ps_dots(void)
{
    return ps_dots_named(ps_vec()->name);
}

ps_dots_rows_fn *ps_dots_rows_named(const char *name)
{
    static ps_dots_rows_fn *const form[PS_ISAS] = PS_FORMS(ps_dots_rows_plain, ps_dots_rows_avx2, ps_dots_rows_avx512);
    const int isa = ps_isa_named(name);
    return isa < 0 ? NULL : form[isa];
}

ps_dots_rows_fn *ps_dots_rows(void)
{
    return ps_dots_rows_named(ps_vec()->name);
}
