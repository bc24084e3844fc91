/* net_rows.h - work on rows shared out to the pool; for net*.c only. */
#ifndef PS_NET_ROWS_H
#define PS_NET_ROWS_H

#include "net.h"

/* A job on rows first .. last - 1. */
typedef struct ps_rows ps_rows;
struct ps_rows {
    void (*work)(const ps_rows *job, size_t first, size_t last);
    size_t n, m;
    const ps_real *a, *b, *weight;
    ps_real *out, *norm;
    const uint32_t *off, *index, *slot, *arg_in;
    uint32_t *arg;
    uint32_t users;
    ps_pooling pooling;
};

void ps_rows_run(ps_pool *pool, const ps_rows *job);

/* out[j] = sum over the n rows of weight[i] a[i][j] (weight NULL: 1), m columns. */
void ps_column_sums(ps_pool *pool, size_t n, size_t m, const ps_real *a, const ps_real *weight, ps_real *out);

PS_MUST_USE int ps_net_room(ps_real **array, size_t *cap, size_t rows, size_t cols);

#endif
