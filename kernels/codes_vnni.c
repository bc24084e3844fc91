/* codes.h with AVX-512 VNNI: a row of the group in each lane, four products a lane and instruction. */
#include <immintrin.h>
#include <string.h>

#include "codes.h"

ps_codes_fn ps_codes_vnni;

static inline __m512i query_word(const int8_t *code, size_t j)
{
    int32_t word;
    memcpy(&word, code + 4 * j, sizeof word);
    return _mm512_set1_epi32(word);
}

/* sum += the products.  As an instruction: gcc 12 moves every sum of the intrinsic's from register to register. */
static inline __m512i add(__m512i sum, __m512i row, __m512i word)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(row), "v"(word));
    return sum;
}

static inline void append(ps_codes_query *q, __mmask16 in, __m512 score, uint32_t first)
{
    /* Packed in a register: a packing store is slow on some processors. */
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i row = _mm512_add_epi32(lane, _mm512_set1_epi32((int)first));
    _mm512_storeu_si512(q->row + q->n, _mm512_maskz_compress_epi32(in, row));
    _mm512_storeu_ps(q->score + q->n, _mm512_maskz_compress_ps(in, score));
    q->n += (size_t)__builtin_popcount(in);
}

/* Takes in what is good enough of G groups; one branch for all of them. */
__attribute__((always_inline)) static inline void take(const int G, ps_codes_query *q, const __m512i *sum,
                                                       const float *scale, const float *offset, uint32_t first)
{
    const __m512 by = _mm512_set1_ps(q->scale), floor = _mm512_set1_ps(q->floor);
    __m512 score[4];
    __mmask16 in[4];
    unsigned any = 0;
    for (int g = 0; g < G; g++) {
        const __m512 product = _mm512_cvtepi32_ps(sum[g]);
        score[g] = _mm512_fmadd_ps(_mm512_mul_ps(product, _mm512_loadu_ps(scale + g * PS_CODES_LANES)), by,
                                   _mm512_loadu_ps(offset + g * PS_CODES_LANES));
        in[g] = _mm512_cmp_ps_mask(score[g], floor, _CMP_GE_OQ);
        any |= in[g];
    }
    if (__builtin_expect(!any, 1))
        return;
    for (int g = 0; g < G; g++) /* of most groups nothing, which is no reason to branch */
        append(q, in[g], score[g], first + (uint32_t)(g * PS_CODES_LANES));
}

/* Codes that are wanted soon: `lines` of them are asked for with every word. */
typedef struct {
    const uint8_t *at;
    size_t lines;
} ahead;

/* Q queries with G groups: Q x G sums in registers. */
__attribute__((always_inline)) static inline void block(const int Q, const int G, ps_codes_query *const *query,
                                                        size_t words, const uint8_t *codes, const float *scale,
                                                        const float *offset, uint32_t first, ahead *next)
{
    __m512i sum[4][4];
    const int8_t *code[4];
    for (int i = 0; i < Q; i++) {
        code[i] = query[i]->code;
        for (int g = 0; g < G; g++)
            sum[i][g] = _mm512_set1_epi32(-query[i]->sum); /* codes are stored plus 128 */
    }
    for (size_t j = 0; j < words; j++) {
        __m512i row[4];
        for (int g = 0; g < G; g++)
            row[g] = _mm512_loadu_si512(codes + ((size_t)g * words + j) * PS_CODES_WORD);
        for (size_t l = 0; l < next->lines; l++, next->at += PS_CODES_WORD)
            _mm_prefetch(next->at, _MM_HINT_T0);
        for (int i = 0; i < Q; i++) {
            const __m512i word = query_word(code[i], j);
            for (int g = 0; g < G; g++)
                sum[i][g] = add(sum[i][g], row[g], word);
        }
    }
    for (int i = 0; i < Q; i++)
        take(G, query[i], sum[i], scale, offset, first);
}

/* All queries, by fours and then one by one, with G groups from group g on. */
__attribute__((always_inline)) static inline void groups_of(const int G, size_t g, size_t m,
                                                            ps_codes_query *const *query, size_t words,
                                                            const uint8_t *codes, const float *scale,
                                                            const float *offset, uint32_t first, ahead next)
{
    const uint8_t *end = next.at + (size_t)G * words * PS_CODES_WORD;
    codes += g * words * PS_CODES_WORD;
    scale += g * PS_CODES_LANES;
    offset += g * PS_CODES_LANES;
    first += (uint32_t)(g * PS_CODES_LANES);
    size_t i = 0;
    for (; m - i >= 4; i += 4) {
        block(4, G, query + i, words, codes, scale, offset, first, &next);
        next.lines = next.at < end ? next.lines : 0;
    }
    for (; i < m; i++) {
        block(1, G, query + i, words, codes, scale, offset, first, &next);
        next.lines = next.at < end ? next.lines : 0;
    }
}

/* Groups outside, so that their codes stay near while the queries pass, and the next ones come nearer meanwhile. */
void ps_codes_vnni(size_t m, ps_codes_query *const *query, size_t words, size_t groups, const uint8_t *codes,
                   const float *scale, const float *offset, uint32_t first)
{
    enum { G = 4 };
    const size_t rounds = m / 4 + m % 4, lines = rounds >= G ? 1 : rounds > 0 ? (G + rounds - 1) / rounds : 0;
    size_t g = 0;
    for (; groups - g >= G; g += G) {
        const ahead next = {codes + (g + G) * words * PS_CODES_WORD, lines};
        groups_of(G, g, m, query, words, codes, scale, offset, first, next);
    }
    for (; g < groups; g++)
        groups_of(1, g, m, query, words, codes, scale, offset, first, (ahead){codes, 0});
}
