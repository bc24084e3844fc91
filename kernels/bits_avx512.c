/* bits.h with AVX-512 and VPOPCNTDQ: a word of eight lanes at once. */
#include <immintrin.h>

#include "bits.h"

extern const ps_bits_kernels ps_bits_avx512;

#define VPOPCNT __attribute__((target("avx512vpopcntdq")))

/* How many bits of `mask` differ in each lane. */
VPOPCNT __attribute__((always_inline)) static inline __m512i differ(const uint64_t *block, const __m512i *sign,
                                                                    const __m512i *mask)
{
    enum { XOR_AND = 0x28 }; /* (a ^ b) & c */
    __m512i n[PS_BITS_WORDS];
    for (int w = 0; w < PS_BITS_WORDS; w++)
        n[w] = _mm512_popcnt_epi64(
            _mm512_ternarylogic_epi64(_mm512_loadu_si512(block + w * PS_BITS_LANES), sign[w], mask[w], XOR_AND));
    return _mm512_add_epi64(_mm512_add_epi64(n[0], n[1]), _mm512_add_epi64(n[2], n[3]));
}

/* No branch depends on what is found: which blocks are worth a closer look cannot be foretold. */
VPOPCNT static void scan(size_t m, ps_bits_query *const *query, const uint64_t *signature, uint32_t begin, uint32_t end)
{
    for (size_t i = 0; i < m; i++) {
        ps_bits_query *q = query[i];
        const __m512i most = _mm512_set1_epi64(q->strong_most);
        __m512i sign[PS_BITS_WORDS], strong[PS_BITS_WORDS];
        for (int w = 0; w < PS_BITS_WORDS; w++) {
            sign[w] = _mm512_set1_epi64((long long)q->sign[w]);
            strong[w] = _mm512_set1_epi64((long long)q->strong[w]);
        }
        size_t waiting = q->waiting;
        for (uint32_t b = begin; b < end; b++) {
            const __m512i apart = differ(signature + (size_t)b * PS_BITS_BLOCK, sign, strong);
            q->block[waiting] = b;
            waiting += _mm512_cmple_epu64_mask(apart, most) != 0;
        }
        q->waiting = waiting;
    }
}

VPOPCNT static void take(ps_bits_query *q, const uint64_t *signature, const uint32_t *row)
{
    __m512i sign[PS_BITS_WORDS], strong[PS_BITS_WORDS], plane[PS_BITS_PLANES][PS_BITS_WORDS];
    for (int w = 0; w < PS_BITS_WORDS; w++) {
        sign[w] = _mm512_set1_epi64((long long)q->sign[w]);
        strong[w] = _mm512_set1_epi64((long long)q->strong[w]);
        for (int p = 0; p < PS_BITS_PLANES; p++)
            plane[p][w] = _mm512_set1_epi64((long long)q->plane[p][w]);
    }
    const __m512i most = _mm512_set1_epi64(q->most), none = _mm512_set1_epi64(UINT32_MAX);
    const int count_strong = q->count_strong;
    uint64_t *end = q->taken + q->n;
    for (size_t i = 0; i < q->waiting; i++) {
        const size_t b = q->block[i];
        const uint64_t *block = signature + b * PS_BITS_BLOCK;
        const __m512i rows = _mm512_cvtepu32_epi64(
            _mm256_loadu_si256((const __m256i *)(const void *)(row + b * PS_BITS_LANES)));
        __m512i apart = differ(block, sign, plane[PS_BITS_PLANES - 1]);
        for (int p = PS_BITS_PLANES - 2; p >= 0; p--)
            apart = _mm512_add_epi64(_mm512_add_epi64(apart, apart), differ(block, sign, plane[p]));
        __m512i hit = _mm512_or_si512(_mm512_slli_epi64(apart, 48), rows);
        if (count_strong)
            hit = _mm512_or_si512(_mm512_slli_epi64(differ(block, sign, strong), 32), hit);
        const __mmask8 in = _mm512_mask_cmpneq_epi64_mask(_mm512_cmple_epu64_mask(apart, most), rows, none);
        /* Packed in a register: a packing store is slow on some processors. */
        _mm512_storeu_si512(end, _mm512_maskz_compress_epi64(in, hit));
        end += __builtin_popcount(in);
    }
    q->n = (size_t)(end - q->taken);
    q->waiting = 0;
}

const ps_bits_kernels ps_bits_avx512 = {scan, take};
