/* sort.h - records of one size in the order of a key, in memory or, where they do not fit, by sorted runs in temporary
 * files. */
#ifndef PS_SORT_H
#define PS_SORT_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

typedef struct ps_sort ps_sort;

/* Two numbers, the first of them more significant. */
typedef void (*ps_sort_key)(const void *ctx, const uint8_t *record, uint64_t key[2]);

/* Records of `size` bytes; memory: bytes it may take, some megabytes in any case.  `dir` and `ctx` must outlive it. */
PS_MUST_USE ps_sort *ps_sort_new(size_t size, ps_sort_key key, const void *ctx, uint64_t memory, const char *dir);
void ps_sort_free(ps_sort *s); /* NULL is allowed */

PS_MUST_USE int ps_sort_put(ps_sort *s, const void *record);

/* No more records: they can be taken. */
PS_MUST_USE int ps_sort_end(ps_sort *s);

/* The next record in order, valid until the next call; equal keys come in the order in which they were put.  1; 0:
 * there is none. */
PS_MUST_USE int ps_sort_next(ps_sort *s, const uint8_t **record);

#endif
