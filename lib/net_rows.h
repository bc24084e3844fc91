/* net_rows.h - work on rows shared out to the pool; for net*.c only. */
#ifndef PS_NET_ROWS_H
#define PS_NET_ROWS_H

#include "net.h"

/* A job on rows first .. last - 1; there, sums are those of the block. */
typedef struct ps_rows ps_rows;
struct ps_rows {
    void (*work)(const ps_rows *job, size_t first, size_t last);
    size_t n, m;
    const ps_real *a, *b, *weight;
    ps_real *out, *norm;
    const uint32_t *off, *index, *slot, *arg_in;
    uint32_t *arg;
    size_t ld;      /* pooling: elements from a row of out and of arg to the next */
    uint16_t *live; /* a row has `words` */
    size_t words;
    uint32_t users;
    ps_pooling pooling;
    ps_real *sums; /* m for every block of rows: what work adds up; ps_rows_sums adds the blocks */
};

void ps_rows_run(ps_pool *pool, const ps_rows *job);

/* Room for the sums of so many rows. */
size_t ps_rows_blocks(size_t n);

/* Runs the job and adds the sums over all rows to out (m), in an order that depends on n only. */
void ps_rows_sums(ps_pool *pool, const ps_rows *job, ps_real *out);

/* 16-bit words that hold a bit for each of m columns. */
static inline size_t ps_net_words(size_t m)
{
    return (m + 15) / 16;
}

PS_MUST_USE int ps_net_room(ps_real **array, size_t *cap, size_t rows, size_t cols);

#endif
