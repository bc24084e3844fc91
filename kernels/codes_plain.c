/* The reference for codes.h, and what serves where there is nothing better. */
#include "codes.h"

ps_codes_fn ps_codes_plain;

static void one_group(ps_codes_query *q, size_t words, const uint8_t *codes, const float *scale, const float *offset,
                      uint32_t first)
{
    int32_t sum[PS_CODES_LANES] = {0};
    for (size_t j = 0; j < words; j++)
        for (size_t r = 0; r < PS_CODES_LANES; r++)
            for (size_t b = 0; b < 4; b++)
                sum[r] += codes[j * PS_CODES_WORD + 4 * r + b] * q->code[4 * j + b];
    for (uint32_t r = 0; r < PS_CODES_LANES; r++) {
        const float score = (float)(sum[r] - q->sum) * scale[r] * q->scale + offset[r];
        if (score >= q->floor) {
            q->row[q->n] = first + r;
            q->score[q->n++] = score;
        }
    }
}

void ps_codes_plain(size_t m, ps_codes_query *const *query, size_t words, size_t groups, const uint8_t *codes,
                    const float *scale, const float *offset, uint32_t first)
{
    for (size_t g = 0; g < groups; g++)
        for (size_t i = 0; i < m; i++)
            one_group(query[i], words, codes + g * words * PS_CODES_WORD, scale + g * PS_CODES_LANES,
                      offset + g * PS_CODES_LANES, first + (uint32_t)(g * PS_CODES_LANES));
}
