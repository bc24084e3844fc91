/* codes.h - products of queries with 8-bit codes of rows; what scores high enough is taken in, the rest is never
 * stored.
 *
 * A row is stored as whole numbers c from -127 to 127, with a scale and an offset of its own; a query likewise, with
 * a scale.  The score of a query and a row is
 *
 *     float(sum of the products of their numbers) x (scale of the row) x (scale of the query) + offset of the row
 *
 * The sum is exact, so every instruction set finds the same one; with d up to 1040 its conversion is exact, too.
 *
 * Rows stand in groups of PS_CODES_LANES.  A group is a sequence of words, word j holding the numbers 4j .. 4j + 3 of
 * row 0, then those of row 1, and so on, each number as a byte c + 128: what VNNI's u8 x s8 products want.
 */
#ifndef PS_CODES_H
#define PS_CODES_H

#include <stddef.h>
#include <stdint.h>

enum { PS_CODES_LANES = 16, PS_CODES_WORD = 4 * PS_CODES_LANES };

/* Words of rows of d numbers; the missing numbers of the last word are 0. */
static inline size_t ps_codes_words(size_t d)
{
    return (d + 3) / 4;
}

/* Bytes of a group. */
static inline size_t ps_codes_group(size_t d)
{
    return ps_codes_words(d) * PS_CODES_WORD;
}

typedef struct {
    const int8_t *code; /* 4 x words numbers */
    int32_t sum;        /* 128 x the sum of them */
    float scale;
    float floor;   /* rows with at least this score are taken in; NaN: none */
    uint32_t *row; /* their numbers and scores, appended at n; in no particular order */
    float *score;
    size_t n;
    const float *x; /* panels.h: its elements, instead of code, sum and scale */
} ps_codes_query;

/* The m queries with the rows first .. first + 16 x groups - 1, whose codes, scales and offsets these are.  Each query
 * must have room for all of them and PS_CODES_LANES more.  A row that is none has the offset -infinity; the floor
 * must be above it. */
typedef void ps_codes_fn(size_t m, ps_codes_query *const *query, size_t words, size_t groups, const uint8_t *codes,
                         const float *scale, const float *offset, uint32_t first);

/* The best for this processor (or what PSGRAPH_ISA asks for: vec.h). */
ps_codes_fn *ps_codes(void);

/* "plain", "avx2", "avx512" (which needs VNNI); NULL if it was not built in or the processor lacks it. */
ps_codes_fn *ps_codes_named(const char *name);

#endif
