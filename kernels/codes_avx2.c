/* codes.h with AVX2.  Products of u8 and s8 are added in pairs with saturation there, so the rows' signs are moved to
 * the queries' numbers: |c| x (sign(c) x q) stays within 2 x 127 x 127. */
#include <immintrin.h>
#include <string.h>

#include "codes.h"

ps_codes_fn ps_codes_avx2;

static inline __m256i query_word(const ps_codes_query *q, size_t j)
{
    int32_t word;
    memcpy(&word, q->code + 4 * j, sizeof word);
    return _mm256_set1_epi32(word);
}

static inline void take(ps_codes_query *q, __m256i sum, const float *scale, const float *offset, uint32_t first)
{
    const __m256 product = _mm256_cvtepi32_ps(sum);
    const __m256 score = _mm256_fmadd_ps(_mm256_mul_ps(product, _mm256_loadu_ps(scale)), _mm256_set1_ps(q->scale),
                                         _mm256_loadu_ps(offset));
    unsigned in = (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(score, _mm256_set1_ps(q->floor), _CMP_GE_OQ));
    if (!in)
        return;
    float s[8];
    _mm256_storeu_ps(s, score);
    for (; in; in &= in - 1) {
        const unsigned r = (unsigned)__builtin_ctz(in);
        q->row[q->n] = first + r;
        q->score[q->n++] = s[r];
    }
}

/* Q queries with one half of a group. */
__attribute__((always_inline)) static inline void block(const int Q, ps_codes_query *const *query, size_t words,
                                                        const uint8_t *codes, const float *scale, const float *offset,
                                                        uint32_t first)
{
    const __m256i flip = _mm256_set1_epi8((char)0x80), ones = _mm256_set1_epi16(1);
    __m256i sum[4];
    for (int i = 0; i < Q; i++)
        sum[i] = _mm256_setzero_si256();
    for (size_t j = 0; j < words; j++) {
        const __m256i row = _mm256_xor_si256(
            _mm256_loadu_si256((const __m256i *)(const void *)(codes + j * PS_CODES_WORD)), flip);
        const __m256i size = _mm256_abs_epi8(row);
        for (int i = 0; i < Q; i++) {
            const __m256i pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(query_word(query[i], j), row));
            sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(pairs, ones));
        }
    }
    for (int i = 0; i < Q; i++)
        take(query[i], sum[i], scale, offset, first);
}

void ps_codes_avx2(size_t m, ps_codes_query *const *query, size_t words, size_t groups, const uint8_t *codes,
                   const float *scale, const float *offset, uint32_t first)
{
    for (size_t half = 0; half < 2 * groups; half++) {
        const uint8_t *at = codes + half / 2 * words * PS_CODES_WORD + half % 2 * (PS_CODES_WORD / 2);
        const size_t row = half * (PS_CODES_LANES / 2);
        size_t i = 0;
        for (; m - i >= 4; i += 4)
            block(4, query + i, words, at, scale + row, offset + row, first + (uint32_t)row);
        for (; i < m; i++)
            block(1, query + i, words, at, scale + row, offset + row, first + (uint32_t)row);
    }
}
