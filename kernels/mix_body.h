/* mix_body.h - the loops of mix.h; included once for each instruction set, with PS_MIX_NAME defined. */
#ifdef __AVX512BW__
#include <immintrin.h>
#endif

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

static size_t starts(size_t n, const uint8_t *ends, uint32_t unless, uint32_t place, uint32_t *out)
{
    size_t found = 0, s = 1;
#ifdef __AVX512BW__
    const __m128i one = _mm_set1_epi8(1), other = _mm_set1_epi8((char)unless);
    const __m512i ramp = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (; s + 16 <= n; s += 16) {
        const __m128i before = _mm_loadu_si128((const __m128i *)(ends + s - 1));
        const __m128i here = _mm_loadu_si128((const __m128i *)(ends + s));
        const __mmask16 take = _mm_test_epi8_mask(before, one) & ~_mm_test_epi8_mask(here, other);
        const __m512i at = _mm512_add_epi32(_mm512_set1_epi32((int)(place + s)), ramp);
        _mm512_storeu_si512(out + found, _mm512_maskz_compress_epi32(take, at));
        found += (size_t)__builtin_popcount(take);
    }
#endif
    for (; s < n; s++) {
        out[found] = place + (uint32_t)s;
        found += ends[s - 1] & (1 ^ (ends[s] & unless));
    }
    return found;
}

const ps_mix_ops PS_MIX_NAME = {mix, below, starts};
