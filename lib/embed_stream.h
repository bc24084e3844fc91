/* embed_stream.h - sorted streams record by record, and exact sums; for embed_flow.c and embed_scatter.c. */
#ifndef PS_EMBED_STREAM_H
#define PS_EMBED_STREAM_H

#include "embed.h"

typedef struct {
    ps_reader *r;
    const ps_head *head;
    const uint8_t *p;
    long left;
    uint64_t item, number; /* of this record */
    int begun, ended;
    int ascends; /* 1: items must not descend; 2: each once */
} ps_cursor;

ps_cursor ps_cursor_on(ps_reader *r, int ascends);

/* The next record.  1; 0 at the end; PS_EDATA if it is not in order. */
PS_MUST_USE int ps_cursor_next(ps_cursor *c);

/* To the end mark, which vouches for what was read. */
PS_MUST_USE int ps_cursor_drain(ps_cursor *c);

/* The vector of this record.  PS_EDATA if it is not finite. */
PS_MUST_USE int ps_cursor_vector(const ps_cursor *c, ps_real *to);

/* Vectors of that dimension, of sums (flags PS_FLAG_SUMS) or not (0)? */
PS_MUST_USE int ps_flow_check(const ps_reader *r, uint32_t dim, int flags);

/* The header of vectors of m elements of the items of `from`, with a line of history. */
PS_MUST_USE int ps_flow_head_of(ps_head *head, const ps_embedding *e, const ps_head *from, const char *what,
                                uint32_t k);

/* Numbers of a sum: two weights, then the m of p. */
enum { PS_SUM_PRESENT, PS_SUM_MISSING, PS_SUM_FIRST };
#define PS_SUM_LIMIT 0x1p16

/* What an item's neighbours come to: read it, add or (max) compare it, write it. */
void ps_sum_read(const ps_cursor *c, double *numbers);
void ps_sum_add(double *to, const double *from, size_t m, int max);
PS_MUST_USE int ps_sum_write(const ps_head *head, ps_writer *w, uint8_t *record, uint64_t item, const double *numbers);

#endif
