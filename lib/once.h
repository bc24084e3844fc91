/* once.h - numbers that may be given once each: whether one was given twice is known at the end.
 *
 * Numbers that follow on each other take no memory, so that a stream of all items in their order costs nothing.
 */
#ifndef PS_ONCE_H
#define PS_ONCE_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

typedef struct {
    uint64_t first, last;
} ps_span;

/* All zero is empty. */
typedef struct {
    ps_span *span; /* in the order they came */
    size_t n, cap;
} ps_once;

PS_MUST_USE int ps_once_add(ps_once *o, uint64_t number);

/* 1 and one of the numbers that were added twice, 0 if none was. */
int ps_once_twice(ps_once *o, uint64_t *twice);
void ps_once_free(ps_once *o);

#endif
