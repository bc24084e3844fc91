/* feat_rows.h - records of vectors put together from blocks of columns. */
#ifndef PS_FEAT_ROWS_H
#define PS_FEAT_ROWS_H

#include "par.h"
#include "rec.h"

/* Columns that belong together: fill writes the d elements of one row and is called from several threads. */
typedef struct {
    uint32_t d;
    void (*fill)(const void *ctx, uint64_t row, float *out);
    const void *ctx;
    float scale;   /* every element is multiplied by it */
    int normalise; /* first brings each row to L2 norm 1; a row of zeros stays one */
} ps_feat_block;

enum { PS_FEAT_BLOCKS_MAX = 80 };

typedef struct {
    ps_feat_block block[PS_FEAT_BLOCKS_MAX];
    int n;
    uint32_t d; /* of all blocks together */
    uint64_t (*item)(const void *ctx, uint64_t row); /* the row's item; NULL: row i is item i */
    const void *item_ctx;
} ps_feat_rows;

/* Appends a block; PS_EDATA if the records would outgrow PS_REC_SIZE_MAX.  A block of 0 columns is left out. */
PS_MUST_USE int ps_feat_add(ps_feat_rows *r, ps_feat_block b, uint64_t d);

/* Fills `records` with rows first..first+n-1 in the shape of `head` (kind PS_VECTORS, dim r->d).
 * PS_EDATA if an element does not fit the element type. */
PS_MUST_USE int ps_feat_fill(const ps_feat_rows *r, const ps_head *head, uint64_t first, size_t n, uint8_t *records,
                             ps_pool *pool);

#endif
