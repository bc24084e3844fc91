/* bits_take.h - the second level of bits.h lane by lane, for the forms that have no better. */
#ifndef PS_BITS_TAKE_H
#define PS_BITS_TAKE_H

#include "bits.h"

/* In how many bits of `mask` a lane differs. */
static inline unsigned bits_differ(const uint64_t *lane, const uint64_t *sign, const uint64_t *mask)
{
    unsigned n = 0;
    for (unsigned w = 0; w < PS_BITS_WORDS; w++)
        n += (unsigned)__builtin_popcountll((lane[w * PS_BITS_LANES] ^ sign[w]) & mask[w]);
    return n;
}

static inline void bits_take(ps_bits_query *q, const uint64_t *signature, const uint32_t *row)
{
    for (size_t i = 0; i < q->waiting * PS_BITS_LANES; i++) {
        const size_t block = q->block[i / PS_BITS_LANES], l = i % PS_BITS_LANES;
        const uint64_t *lane = signature + block * PS_BITS_BLOCK + l;
        unsigned apart = 0;
        for (unsigned p = 0; p < PS_BITS_PLANES; p++)
            apart += bits_differ(lane, q->sign, q->plane[p]) << p;
        if (apart > q->most || row[block * PS_BITS_LANES + l] == UINT32_MAX)
            continue;
        const unsigned strong = q->count_strong ? bits_differ(lane, q->sign, q->strong) : 0;
        q->taken[q->n++] = (uint64_t)apart << 48 | (uint64_t)strong << 32 | row[block * PS_BITS_LANES + l];
    }
    q->waiting = 0;
}

#endif
