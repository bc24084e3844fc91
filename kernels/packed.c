#include "packed.h"

#include <stdlib.h>

#include "isa.h"
#include "vec.h"

extern const ps_packed_ops ps_packed_plain, ps_packed_avx2, ps_packed_avx512;

const ps_packed_ops *ps_packed_named(const char *name)
{
    static const ps_packed_ops *const form[PS_ISAS] = PS_FORMS(&ps_packed_plain, &ps_packed_avx2, &ps_packed_avx512);
    const int isa = ps_isa_named(name);
    return isa < 0 ? NULL : form[isa];
}

const ps_packed_ops *ps_packed_best(void)
{
    return ps_packed_named(ps_vec()->name);
}

void ps_packed_free(ps_packed *p)
{
    free(p->panels);
    *p = (ps_packed){0};
}
