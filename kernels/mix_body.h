/* mix_body.h - the loops of mix.h; included once for each instruction set, with PS_MIX_NAME defined. */
#include "mix.h"
#include "rng.h"

static void mix(size_t n, const uint64_t *restrict x, uint64_t add, uint64_t *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = ps_mix64(x[i] + add);
}

static void below(size_t n, uint64_t first, uint64_t stride, uint64_t limit, uint8_t *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = ps_mix64(first + i * stride) < limit;
}

const ps_mix_ops PS_MIX_NAME = {mix, below};
