/* rng.h - random numbers that are a function of (seed, stream, step).
 *
 * There is no generator state: the n-th number of a stream can be computed by any thread, process
 * or machine, so splitting the work never changes the result.  The mixer is the finaliser of
 * SplitMix64 (Steele, Lea, Flood 2014), applied to a key and a Weyl sequence; integers only, hence
 * the same on every machine.
 */
#ifndef PS_RNG_H
#define PS_RNG_H

#include <stdint.h>

static inline uint64_t ps_mix64(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* The key of one stream of numbers: of a query, of an epoch, of a row of a matrix. */
static inline uint64_t ps_rng_key(uint64_t seed, uint64_t stream)
{
    return ps_mix64(ps_mix64(seed + UINT64_C(0x9e3779b97f4a7c15)) ^ (stream * UINT64_C(0xd1342543de82ef95) + 1));
}

/* Number `step` of the stream: uniform over 64 bits. */
static inline uint64_t ps_rng(uint64_t key, uint64_t step)
{
    return ps_mix64(key + (step + 1) * UINT64_C(0x9e3779b97f4a7c15));
}

/* Uniform in 0..n-1 from 64 random bits (Lemire's multiply-shift; bias below n / 2^64). */
static inline uint64_t ps_below(uint64_t random, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)random * n) >> 64);
}

/* Uniform in [0, 1) with 53 bits. */
static inline double ps_unit(uint64_t random)
{
    return (double)(random >> 11) * 0x1p-53;
}

/* A probability as a threshold: `random < ps_threshold(p)` is true with probability p. */
static inline uint64_t ps_threshold(double p)
{
    return p >= 1 ? UINT64_MAX : (uint64_t)(p * 0x1p64);
}

#endif
