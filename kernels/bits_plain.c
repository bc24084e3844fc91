/* The reference for bits.h, and what serves where there is nothing better. */
#include "bits.h"

extern const ps_bits_kernels ps_bits_plain;

static void apart(const ps_bits_query *q, size_t n, const uint32_t *row, const uint64_t *signature, uint16_t *out)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t *s = signature + (size_t)row[i] * PS_BITS_WORDS;
        unsigned sum = 0;
        for (size_t w = 0; w < PS_BITS_WORDS; w++) {
            const uint64_t differ = s[w] ^ q->sign[w];
            for (unsigned p = 0; p < PS_BITS_PLANES; p++)
                sum += (unsigned)__builtin_popcountll(differ & q->plane[p][w]) << p;
        }
        out[i] = (uint16_t)sum;
    }
}

static size_t from(const uint8_t *sum, size_t n, uint8_t least, uint16_t *at)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        at[found] = (uint16_t)i;
        found += sum[i] >= least;
    }
    return found;
}

static size_t count(const uint8_t *sum, size_t n, uint8_t least)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        found += sum[i] >= least;
    return found;
}

const ps_bits_kernels ps_bits_plain = {apart, from, count};
