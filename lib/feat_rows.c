#include "feat_rows.h"

#include <math.h>
#include <stdlib.h>

#include "feat_sign.h"
#include "mem.h"
#include "vectors.h"

enum { TASK = 64 }; /* rows */

typedef struct {
    const ps_feat_rows *r;
    const ps_head *head;
    uint64_t first;
    size_t n;
    uint8_t *records;
    float *row; /* a row for each thread */
} job;

int ps_feat_add(ps_feat_rows *r, ps_feat_block b, uint64_t d)
{
    if (d > PS_REC_SIZE_MAX || r->d + d > PS_REC_SIZE_MAX / sizeof(float) - 2 || r->n == PS_FEAT_BLOCKS_MAX)
        return ps_fail(PS_EDATA, "too many features: %llu and %u before them; the most is %zu", (unsigned long long)d,
                       r->d, PS_REC_SIZE_MAX / sizeof(float) - 2);
    if (d == 0)
        return 0;
    b.d = (uint32_t)d;
    r->block[r->n++] = b;
    r->d += b.d;
    return 0;
}

static int fill_row(const job *j, uint64_t i, float *row, uint8_t *record)
{
    const int w = j->head->width;
    float *at = row;
    for (int k = 0; k < j->r->n; k++) {
        const ps_feat_block *b = &j->r->block[k];
        b->fill(b->ctx, i, at);
        if (b->normalise)
            ps_unit_length(at, b->d, b->scale, 0);
        else if (b->scale != 1)
            for (uint32_t e = 0; e < b->d; e++)
                at[e] *= b->scale;
        at += b->d;
    }
    uint64_t item = j->r->item ? j->r->item(j->r->item_ctx, i) : i;
    ps_put_num(record, w, item);
    const size_t size = ps_elem_size(j->head->elem);
    for (uint32_t e = 0; e < j->r->d; e++) {
        ps_elem_put(record + w + e * size, j->head->elem, 1, row[e]);
        if (!isfinite(ps_elem_get(record + w + e * size, j->head->elem, 1)))
            return ps_fail(PS_EDATA, "item %llu, element %u: %g does not fit %s", (unsigned long long)item, e,
                           (double)row[e], ps_elem_name(j->head->elem));
    }
    return 0;
}

static int task(void *ctx, size_t t, int thread)
{
    const job *j = ctx;
    float *row = j->row + (size_t)thread * j->r->d;
    for (size_t i = t * TASK; i < j->n && i < (t + 1) * TASK; i++)
        if (fill_row(j, j->first + i, row, j->records + i * j->head->size) < 0)
            return PS_EDATA;
    return 0;
}

int ps_feat_fill(const ps_feat_rows *r, const ps_head *head, uint64_t first, size_t n, uint8_t *records, ps_pool *pool)
{
    job j = {.r = r, .head = head, .first = first, .n = n, .records = records};
    j.row = ps_alloc((size_t)ps_pool_threads(pool) * r->d, sizeof *j.row);
    if (!j.row)
        return PS_EMEM;
    int rc = ps_pool_run(pool, (n + TASK - 1) / TASK, task, &j);
    free(j.row);
    return rc;
}
