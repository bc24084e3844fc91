#include "packed.h"

#include <stdlib.h>
#include <string.h>

#include "vec.h"

extern const ps_packed_ops ps_packed_plain, ps_packed_avx2, ps_packed_avx512;

const ps_packed_ops *ps_packed_named(const char *name)
{
    if (!ps_vec_named(name)) /* one test of the processor serves both */
        return NULL;
#ifdef PS_AVX512
    if (strcmp(name, "avx512") == 0)
        return &ps_packed_avx512;
#endif
#ifdef PS_AVX2
    if (strcmp(name, "avx2") == 0)
        return &ps_packed_avx2;
#endif
    return &ps_packed_plain;
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
