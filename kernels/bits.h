/* bits.h - signatures of PS_BITS bits against queries: what lsh_search.c spends its time on.  Whole numbers, so every
 * instruction set finds the same.
 *
 * Signatures stand in blocks of PS_BITS_LANES: word w of the block's lane l is word w x PS_BITS_LANES + l of it, so
 * that a register holds one word of all.  Bit i of a signature is bit i % 64 of word i / 64.
 */
#ifndef PS_BITS_H
#define PS_BITS_H

#include <stddef.h>
#include <stdint.h>

enum {
    PS_BITS = 256,
    PS_BITS_WORDS = PS_BITS / 64,
    PS_BITS_LANES = 8,
    PS_BITS_BLOCK = PS_BITS_WORDS * PS_BITS_LANES, /* words of a block */
    PS_BITS_PLANES = 3,
    PS_BITS_WEIGHT = (1 << PS_BITS_PLANES) - 1,
    PS_BITS_WAIT = 128
};

/* Bit i weighs 0 .. PS_BITS_WEIGHT; bit p of the weight is bit i of plane[p]. */
typedef struct {
    uint64_t sign[PS_BITS_WORDS], strong[PS_BITS_WORDS], plane[PS_BITS_PLANES][PS_BITS_WORDS];
    uint32_t strong_most, most;
    uint32_t block[PS_BITS_WAIT]; /* blocks that wait to be looked at closer */
    size_t waiting;
    uint64_t *taken; /* rows, appended at n: the row, plus 2^32 times the number of strong bits in which it differs (0
                        unless count_strong), plus 2^48 times what all bits weigh in which it does */
    size_t n;
    int count_strong;
} ps_bits_query;

/* signature: of all blocks; row: of each lane of them, UINT32_MAX: none. */
typedef struct {
    /* Each of the m queries, which has room for them, is given the blocks begin .. end - 1 to wait that have a lane
     * differing from `sign` in at most strong_most of the bits in `strong`. */
    void (*scan)(size_t m, ps_bits_query *const *query, const uint64_t *signature, uint32_t begin, uint32_t end);
    /* Takes in the rows of the waiting blocks that differ in bits which weigh `most` at most in all.  There must be
     * room for all lanes and PS_BITS_LANES more.  None waits any longer. */
    void (*take)(ps_bits_query *query, const uint64_t *signature, const uint32_t *row);
} ps_bits_kernels;

/* The best for this processor (or what PSGRAPH_ISA asks for: vec.h). */
const ps_bits_kernels *ps_bits(void);

/* "plain", "avx2", "avx512" (which needs VPOPCNTDQ); NULL if it was not built in or the processor lacks it. */
const ps_bits_kernels *ps_bits_named(const char *name);

#endif
