/* permute.h - a permutation of 0 .. n - 1 that takes no memory: a function of its key, for any n below 2^62.
 *
 * A Feistel network permutes the numbers of 2 h bits, the fewest that hold n - 1 (8 at least); a result of n or more is
 * put in again until one is below n (cycle walking; Black and Rogaway, 2002), for n above 64 less than four times on
 * average.
 */
#ifndef PS_PERMUTE_H
#define PS_PERMUTE_H

#include <stdint.h>

typedef struct {
    uint64_t n, key;
    int half; /* bits */
} ps_permutation;

/* n: 1 at least. */
ps_permutation ps_permutation_make(uint64_t n, uint64_t key);

/* Where i < n goes. */
uint64_t ps_permute(const ps_permutation *p, uint64_t i);

#endif
