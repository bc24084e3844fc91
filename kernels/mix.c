#include "mix.h"

#include "isa.h"
#include "vec.h"

extern const ps_mix_ops ps_mix_plain, ps_mix_avx2, ps_mix_avx512;

const ps_mix_ops *ps_mix_named(const char *name)
{
    static const ps_mix_ops *const form[PS_ISAS] = PS_FORMS(&ps_mix_plain, &ps_mix_avx2, &ps_mix_avx512);
    const int isa = ps_isa_named(name);
    return isa < 0 ? NULL : form[isa];
}

const ps_mix_ops *ps_mix(void)
{
    return ps_mix_named(ps_vec()->name);
}
