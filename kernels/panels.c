#include "panels.h"

#include <string.h>

#include "isa.h"
#include "vec.h"

extern ps_panels_fn ps_panels_plain, ps_panels_avx2, ps_panels_avx512;

typedef float four __attribute__((vector_size(16)));

static inline four load(const float *p, float by)
{
    four v;
    memcpy(&v, p, sizeof v);
    return v * by;
}

/* Four elements of each of four rows, the other way round. */
static void turn(float *panel, const float *row, size_t stride, const float *by)
{
    const four a = load(row, by[0]), b = load(row + stride, by[1]);
    const four c = load(row + 2 * stride, by[2]), d = load(row + 3 * stride, by[3]);
    const four ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab2 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const four cd0 = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd2 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    const four out[4] = {__builtin_shufflevector(ab0, cd0, 0, 1, 4, 5), __builtin_shufflevector(ab0, cd0, 2, 3, 6, 7),
                         __builtin_shufflevector(ab2, cd2, 0, 1, 4, 5), __builtin_shufflevector(ab2, cd2, 2, 3, 6, 7)};
    for (size_t p = 0; p < 4; p++)
        memcpy(panel + p * PS_CODES_LANES, &out[p], sizeof out[p]);
}

void ps_panels_pack(float *panel, size_t d, size_t n, const float *row, size_t stride, const float *times)
{
    float by[PS_CODES_LANES];
    for (size_t i = 0; i < PS_CODES_LANES; i++)
        by[i] = times && i < n ? times[i] : 1;
    if (n < PS_CODES_LANES)
        memset(panel, 0, d * PS_CODES_LANES * sizeof *panel);
    size_t p = 0;
    for (; p + 4 <= d; p += 4)
        for (size_t i = 0; i + 4 <= n; i += 4) {
            /* The next panel's rows, which are more than the processor foresees by itself. */
            for (size_t l = 0; l < 4 && p % 16 == 0; l++)
                __builtin_prefetch(row + (PS_CODES_LANES + i + l) * stride + p);
            turn(panel + p * PS_CODES_LANES + i, row + i * stride + p, stride, by + i);
        }
    for (size_t i = 0; i < n; i++)
        for (size_t q = i < n / 4 * 4 ? p : 0; q < d; q++)
            panel[q * PS_CODES_LANES + i] = row[i * stride + q] * by[i];
}

ps_panels_fn *ps_panels_named(const char *name)
{
    static ps_panels_fn *const form[PS_ISAS] = PS_FORMS(ps_panels_plain, ps_panels_avx2, ps_panels_avx512);
    const int isa = ps_isa_named(name);
    return isa < 0 ? NULL : form[isa];
}

ps_panels_fn *ps_panels(void)
{
    return ps_panels_named(ps_vec()->name);
}
