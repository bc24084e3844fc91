/* quant.h - rows of floats as 8-bit codes (kernels/codes.h), with a bound on what that costs.
 *
 * A row x becomes s c, a scale times whole numbers, with |x - s c| known; a query q likewise.  Then
 *
 *     |x.q - s c.q'| <= |x - s c| |q| + |s c| |q - q'|      (q' the query as coded)
 *
 * by Cauchy and Schwarz.  A bias element stays exact: it is the offset of the row.
 */
#ifndef PS_QUANT_H
#define PS_QUANT_H

#include "codes.h"
#include "par.h"

typedef struct {
    size_t n, groups;             /* rows; the last group is filled up with rows that no query finds */
    uint32_t d;                   /* numbers of a row; a bias element not among them */
    int has_bias;                 /* rows and queries come with d + 1 elements, the last of a query being 1 */
    const uint8_t *codes;         /* groups x ps_codes_group(d) */
    const float *scale, *offset;  /* groups x 16 */
    double error, coded, longest; /* the largest |x - s c|, |s c|, and |x| with its bias */
    void *own[3];
} ps_quant;

/* The rows row[0], row[1], ... at distance `stride` floats; `times` NULL, or a factor for each row (cosines).  Takes
 * (d + 12) n bytes. */
PS_MUST_USE int ps_quant_make(ps_quant *c, size_t n, uint32_t d, int has_bias, const float *row, size_t stride,
                              const float *times, ps_pool *pool);
void ps_quant_free(ps_quant *c);

/* The offsets of codes that ps_quant_make made, to be changed. */
float *ps_quant_offsets(ps_quant *c);

/* Codes one row of d elements: four numbers at `at`, the next four `step` bytes later.  Returns its scale; *error and
 * *coded as above if they are not NULL.  ps_quant_lane: where a row begins in a group, whose step is PS_CODES_WORD. */
float ps_quant_row(uint32_t d, const float *x, uint8_t *at, size_t step, double *error, double *coded);

static inline uint8_t *ps_quant_lane(uint8_t *codes, size_t row, uint32_t d)
{
    return codes + row / PS_CODES_LANES * ps_codes_group(d) + 4 * (row % PS_CODES_LANES);
}

/* The query x, whose products are to be multiplied by `times`, for kernels/codes.h: code[] has room for 4 x words
 * numbers, which must live as long as `q`; floor, row and score are not touched.  Returns the bound: no row's score
 * differs by more from the product that ps_dots finds. */
double ps_quant_query(const ps_quant *c, const float *x, float times, int8_t *code, ps_codes_query *q);

#endif
