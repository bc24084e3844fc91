#include "feat_sign.h"

#include <math.h>
#include <string.h>

#include "rng.h"

uint64_t ps_signs_key(uint64_t seed, int what, uint64_t number)
{
    return ps_rng_key(seed, (uint64_t)what << 56 | number);
}

/* Without a branch and with masks instead of shifts, so that plain SSE2 can do four at once. */
static void add32(float *restrict out, uint32_t bits, float value)
{
    uint32_t minus;
    value = -value;
    memcpy(&minus, &value, sizeof minus);
    for (uint32_t j = 0; j < 32; j++) {
        uint32_t term = minus ^ ((bits & (UINT32_C(1) << j)) != 0 ? UINT32_C(0x80000000) : 0);
        float f;
        memcpy(&f, &term, sizeof f);
        out[j] += f;
    }
}

void ps_signs_add(float *out, size_t d, uint64_t key, float value)
{
    size_t j = 0;
    for (; j + 64 <= d; j += 64) {
        uint64_t bits = ps_rng(key, j / 64);
        add32(out + j, (uint32_t)bits, value);
        add32(out + j + 32, (uint32_t)(bits >> 32), value);
    }
    for (uint64_t bits = ps_rng(key, j / 64); j < d; j++, bits >>= 1)
        out[j] += bits & 1 ? value : -value;
}

void ps_unit_length(float *x, size_t d, float length, float least)
{
    double sum = 0;
    for (size_t j = 0; j < d; j++)
        sum += (double)x[j] * (double)x[j];
    double norm = sqrt(sum);
    if (!(norm > (double)least)) {
        memset(x, 0, d * sizeof *x);
        return;
    }
    float by = (float)((double)length / norm);
    for (size_t j = 0; j < d; j++)
        x[j] *= by;
}
