#include "permute.h"

#include "rng.h"

/* Halves of two bits have too few functions: some orders of five numbers then come twice as often as others. */
enum { ROUNDS = 8, HALF_LEAST = 4 };

ps_permutation ps_permutation_make(uint64_t n, uint64_t key)
{
    ps_permutation p = {n, key, HALF_LEAST};
    while (p.half < 31 && n > UINT64_C(1) << 2 * p.half)
        p.half++;
    return p;
}

static uint64_t turn(const ps_permutation *p, uint64_t i)
{
    const uint64_t mask = (UINT64_C(1) << p->half) - 1;
    uint64_t left = i >> p->half, right = i & mask;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t next = left ^ (ps_rng(p->key, round << 32 | right) & mask);
        left = right;
        right = next;
    }
    return left << p->half | right;
}

uint64_t ps_permute(const ps_permutation *p, uint64_t i)
{
    do
        i = turn(p, i);
    while (i >= p->n);
    return i;
}
