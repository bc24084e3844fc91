/* bits.h with AVX2: four lanes at once, the bits of a byte by two look-ups of four bits each. */
#include <immintrin.h>

#include "bits_take.h"

extern const ps_bits_kernels ps_bits_avx2;

static inline __m256i load(const uint64_t *at)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

static inline __m256i ones_of(__m256i x)
{
    const __m256i ones = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2,
                                          2, 3, 2, 3, 3, 4);
    const __m256i low = _mm256_set1_epi8(15);
    return _mm256_add_epi8(_mm256_shuffle_epi8(ones, _mm256_and_si256(x, low)),
                           _mm256_shuffle_epi8(ones, _mm256_and_si256(_mm256_srli_epi16(x, 4), low)));
}

/* How many bits of `mask` differ in each of four lanes. */
static inline __m256i differ(const uint64_t *lanes, const __m256i *sign, const __m256i *mask)
{
    __m256i bytes = _mm256_setzero_si256();
    for (int w = 0; w < PS_BITS_WORDS; w++) {
        const __m256i x = _mm256_xor_si256(load(lanes + w * PS_BITS_LANES), sign[w]);
        bytes = _mm256_add_epi8(bytes, ones_of(_mm256_and_si256(x, mask[w])));
    }
    return _mm256_sad_epu8(bytes, _mm256_setzero_si256());
}

static void scan_one(ps_bits_query *q, const uint64_t *signature, uint32_t begin, uint32_t end)
{
    __m256i sign[PS_BITS_WORDS], strong[PS_BITS_WORDS];
    const __m256i above = _mm256_set1_epi64x((long long)q->strong_most + 1);
    for (int w = 0; w < PS_BITS_WORDS; w++) {
        sign[w] = _mm256_set1_epi64x((long long)q->sign[w]);
        strong[w] = _mm256_set1_epi64x((long long)q->strong[w]);
    }
    size_t waiting = q->waiting;
    for (uint32_t b = begin; b < end; b++) {
        const uint64_t *block = signature + (size_t)b * PS_BITS_BLOCK;
        const __m256i in = _mm256_or_si256(_mm256_cmpgt_epi64(above, differ(block, sign, strong)),
                                           _mm256_cmpgt_epi64(above, differ(block + 4, sign, strong)));
        q->block[waiting] = b;
        waiting += !_mm256_testz_si256(in, in);
    }
    q->waiting = waiting;
}

static void scan(size_t m, ps_bits_query *const *query, const uint64_t *signature, uint32_t begin, uint32_t end)
{
    for (size_t i = 0; i < m; i++)
        scan_one(query[i], signature, begin, end);
}

const ps_bits_kernels ps_bits_avx2 = {scan, bits_take};
