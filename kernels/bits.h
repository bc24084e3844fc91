/* bits.h - signatures of PS_BITS bits against a query, and sums of bytes: what lsh_search.c spends its time on.  Whole
 * numbers, so every instruction set finds the same.
 */
#ifndef PS_BITS_H
#define PS_BITS_H

#include <stddef.h>
#include <stdint.h>

enum { PS_BITS = 256, PS_BITS_WORDS = PS_BITS / 64, PS_BITS_PLANES = 4, PS_BITS_WEIGHT = (1 << PS_BITS_PLANES) - 1 };

/* Bit i of a signature is bit i % 64 of word i / 64; its weight 0 .. PS_BITS_WEIGHT, bit p of which is bit i of
 * plane[p]. */
typedef struct {
    uint64_t sign[PS_BITS_WORDS];
    uint64_t plane[PS_BITS_PLANES][PS_BITS_WORDS];
} ps_bits_query;

typedef struct {
    /* apart[i] = the sum of the weights of the bits in which signature row[i], at signature + row[i] x PS_BITS_WORDS,
     * differs from the query's; i < n. */
    void (*apart)(const ps_bits_query *q, size_t n, const uint32_t *row, const uint64_t *signature, uint16_t *apart);
    /* at[] = the places i < n with sum[i] >= least, ascending; returns how many.  n a multiple of 64; at[] has room for
     * n of them; places are below 65536. */
    size_t (*from)(const uint8_t *sum, size_t n, uint8_t least, uint16_t *at);
    /* How many there are. */
    size_t (*count)(const uint8_t *sum, size_t n, uint8_t least);
} ps_bits_kernels;

/* The best for this processor (or what PSGRAPH_ISA asks for: vec.h). */
const ps_bits_kernels *ps_bits(void);

/* "plain", "avx2", "avx512" (which needs VPOPCNTDQ); NULL if it was not built in or the processor lacks it. */
const ps_bits_kernels *ps_bits_named(const char *name);

#endif
