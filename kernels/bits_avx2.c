/* bits.h with AVX2: bits of a byte by two look-ups of four bits each. */
#include <immintrin.h>

#include "bits.h"

extern const ps_bits_kernels ps_bits_avx2;

enum { AHEAD = 20 };

static inline __m256i load(const void *at)
{
    return _mm256_loadu_si256((const __m256i *)at);
}

static inline __m256i ones_of(__m256i x)
{
    const __m256i ones = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2,
                                          2, 3, 2, 3, 3, 4);
    const __m256i low = _mm256_set1_epi8(15);
    return _mm256_add_epi8(_mm256_shuffle_epi8(ones, _mm256_and_si256(x, low)),
                           _mm256_shuffle_epi8(ones, _mm256_and_si256(_mm256_srli_epi16(x, 4), low)));
}

static void apart(const ps_bits_query *q, size_t n, const uint32_t *row, const uint64_t *signature, uint16_t *out)
{
    const __m256i sign = load(q->sign);
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD < n)
            _mm_prefetch((const char *)(signature + (size_t)row[i + AHEAD] * PS_BITS_WORDS), _MM_HINT_T0);
        const __m256i differ = _mm256_xor_si256(load(signature + (size_t)row[i] * PS_BITS_WORDS), sign);
        __m256i bytes = _mm256_setzero_si256(); /* 8 x PS_BITS_WEIGHT at most */
        for (int p = PS_BITS_PLANES - 1; p >= 0; p--)
            bytes = _mm256_add_epi8(_mm256_add_epi8(bytes, bytes),
                                    ones_of(_mm256_and_si256(differ, load(q->plane[p]))));
        const __m256i sums = _mm256_sad_epu8(bytes, _mm256_setzero_si256());
        const __m128i two = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
        out[i] = (uint16_t)(_mm_cvtsi128_si32(two) + _mm_extract_epi32(two, 2));
    }
}

static inline uint32_t mask(const uint8_t *sum, __m256i least)
{
    const __m256i v = load(sum);
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(v, least), v));
}

static size_t from(const uint8_t *sum, size_t n, uint8_t least, uint16_t *at)
{
    const __m256i floor = _mm256_set1_epi8((char)least);
    size_t found = 0;
    for (size_t i = 0; i < n; i += 32)
        for (uint32_t in = mask(sum + i, floor); in; in &= in - 1)
            at[found++] = (uint16_t)(i + (size_t)__builtin_ctz(in));
    return found;
}

static size_t count(const uint8_t *sum, size_t n, uint8_t least)
{
    const __m256i floor = _mm256_set1_epi8((char)least);
    size_t found = 0;
    for (size_t i = 0; i < n; i += 32)
        found += (size_t)__builtin_popcount(mask(sum + i, floor));
    return found;
}

const ps_bits_kernels ps_bits_avx2 = {apart, from, count};
