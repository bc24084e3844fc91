/* elem.c - element types of vectors: conversions of vectors.h. */
#include <math.h>

#include "vectors.h"

static float f16_get(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = (h >> 10) & 31, man = h & 0x3ff;
    uint32_t bits;
    float f;
    if (exp == 0) {
        f = (float)man * 0x1p-24f;
        return sign ? -f : f;
    }
    bits = exp == 31 ? sign | 0x7f800000 | man << 13 : sign | (exp + 112) << 23 | man << 13;
    memcpy(&f, &bits, 4);
    return f;
}

static uint16_t f16_put(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, 4);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    float a = fabsf(f);
    if (!(a < 65520.0f))
        return (uint16_t)(sign | (isnan(f) ? 0x7e00 : 0x7c00));
    if (a < 0x1p-14f)
        return (uint16_t)(sign | (uint16_t)lrintf(a * 0x1p24f));
    memcpy(&bits, &a, 4);
    bits += 0xfff + (bits >> 13 & 1);
    return (uint16_t)(sign | (uint16_t)((bits >> 13) - (112 << 10)));
}

static uint16_t bf16_put(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, 4);
    if (isnan(f))
        return (uint16_t)(bits >> 16 | 0x40);
    bits += 0x7fff + (bits >> 16 & 1);
    return (uint16_t)(bits >> 16);
}

float ps_elem_get(const void *p, ps_elem elem, float scale)
{
    uint32_t bits;
    float f;
    switch (elem) {
    case PS_F32: return ps_getf32(p);
    case PS_F16: return f16_get(ps_get16(p));
    case PS_BF16:
        bits = (uint32_t)ps_get16(p) << 16;
        memcpy(&f, &bits, 4);
        return f;
    case PS_I8: return scale * (float)*(const int8_t *)p;
    default: return 0;
    }
}

void ps_elem_put(void *p, ps_elem elem, float scale, float value)
{
    switch (elem) {
    case PS_F32: ps_putf32(p, value); return;
    case PS_F16: ps_put16(p, f16_put(value)); return;
    case PS_BF16: ps_put16(p, bf16_put(value)); return;
    case PS_I8: {
        float q = rintf(value / scale);
        *(int8_t *)p = (int8_t)(q > 127 ? 127 : q < -127 ? -127 : q);
        return;
    }
    default: return;
    }
}

float ps_elem_scale(float largest)
{
    int exponent;
    if (!(largest > 0))
        return 1;
    float s = frexpf(largest / 127, &exponent);
    return ldexpf(ceilf(s * 0x1p16f), exponent - 16);
}

int ps_all_finite(const float *x, size_t n)
{
    uint32_t other = 0;
    for (size_t i = 0; i < n; i++) { /* by the exponent's bits: sums would have to be made one after the other */
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        other |= (bits & 0x7fffffff) >= 0x7f800000;
    }
    return !other;
}
