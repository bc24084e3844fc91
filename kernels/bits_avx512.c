/* bits.h with AVX-512 and VPOPCNTDQ: two planes of a signature at once. */
#include <immintrin.h>

#include "bits.h"

extern const ps_bits_kernels ps_bits_avx512;

enum { AHEAD = 20 };

__attribute__((target("avx512vpopcntdq"))) static void apart(const ps_bits_query *q, size_t n, const uint32_t *row,
                                                             const uint64_t *signature, uint16_t *out)
{
    const __m512i sign = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(const void *)q->sign));
    const __m512i low = _mm512_loadu_si512(q->plane[0]), high = _mm512_loadu_si512(q->plane[2]);
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD < n)
            _mm_prefetch((const char *)(signature + (size_t)row[i + AHEAD] * PS_BITS_WORDS), _MM_HINT_T0);
        const uint64_t *s = signature + (size_t)row[i] * PS_BITS_WORDS;
        const __m512i both = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(const void *)s));
        const __m512i differ = _mm512_xor_si512(both, sign);
        const __m512i a = _mm512_popcnt_epi64(_mm512_and_si512(differ, low));
        const __m512i b = _mm512_popcnt_epi64(_mm512_and_si512(differ, high));
        const __m512i sum = _mm512_add_epi64(a, _mm512_slli_epi64(b, 2)); /* planes 0 and 2, planes 1 and 3 */
        const __m256i odd = _mm512_extracti64x4_epi64(sum, 1);
        const __m256i all = _mm256_add_epi64(_mm512_castsi512_si256(sum), _mm256_add_epi64(odd, odd));
        const __m128i two = _mm_add_epi64(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
        out[i] = (uint16_t)(_mm_cvtsi128_si32(two) + _mm_extract_epi32(two, 2));
    }
}

static size_t from(const uint8_t *sum, size_t n, uint8_t least, uint16_t *at)
{
    const __m512i floor = _mm512_set1_epi8((char)least);
    size_t found = 0;
    for (size_t i = 0; i < n; i += 64)
        for (uint64_t in = _mm512_cmpge_epu8_mask(_mm512_loadu_si512(sum + i), floor); in; in &= in - 1)
            at[found++] = (uint16_t)(i + (size_t)__builtin_ctzll(in));
    return found;
}

static size_t count(const uint8_t *sum, size_t n, uint8_t least)
{
    const __m512i floor = _mm512_set1_epi8((char)least);
    size_t found = 0;
    for (size_t i = 0; i < n; i += 64)
        found += (size_t)__builtin_popcountll(_mm512_cmpge_epu8_mask(_mm512_loadu_si512(sum + i), floor));
    return found;
}

const ps_bits_kernels ps_bits_avx512 = {apart, from, count};
