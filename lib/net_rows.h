/* net_rows.h - work on rows shared out to the pool; for net*.c only. */
#ifndef PS_NET_ROWS_H
#define PS_NET_ROWS_H

#include "net.h"

/* A job on rows first .. last - 1; there, sums and scratch are those of the block and the thread. */
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
    ps_real *sums;    /* m for every block of rows: what work adds up; ps_rows_sums adds the blocks */
    ps_real *scratch; /* m for every thread */
};

void ps_rows_run(ps_pool *pool, const ps_rows *job);

/* Room for the sums of so many rows. */
size_t ps_rows_blocks(size_t n);

/* Runs the job and leaves the sums over all rows in out (m), added in an order that depends on n only. */
void ps_rows_sums(ps_pool *pool, const ps_rows *job, ps_real *out);

PS_MUST_USE int ps_net_room(ps_real **array, size_t *cap, size_t rows, size_t cols);

#endif
