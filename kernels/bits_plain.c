/* The reference for bits.h, and what serves where there is nothing better. */
#include "bits_take.h"

extern const ps_bits_kernels ps_bits_plain;

static void scan_one(ps_bits_query *q, const uint64_t *signature, uint32_t begin, uint32_t end)
{
    for (uint32_t b = begin; b < end; b++) {
        const uint64_t *block = signature + (size_t)b * PS_BITS_BLOCK;
        unsigned least = PS_BITS + 1;
        for (size_t l = 0; l < PS_BITS_LANES; l++) {
            const unsigned n = bits_differ(block + l, q->sign, q->strong);
            least = n < least ? n : least;
        }
        q->block[q->waiting] = b;
        q->waiting += least <= q->strong_most;
    }
}

static void scan(size_t m, ps_bits_query *const *query, const uint64_t *signature, uint32_t begin, uint32_t end)
{
    for (size_t i = 0; i < m; i++)
        scan_one(query[i], signature, begin, end);
}

const ps_bits_kernels ps_bits_plain = {scan, bits_take};
