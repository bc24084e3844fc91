/* mem.h - allocation that cannot overflow and says what it was for.
 *
 * Each returns NULL after ps_fail(PS_EMEM, ...).  A count of 0 gives a pointer that may be freed.
 */
#ifndef PS_MEM_H
#define PS_MEM_H

#include <stddef.h>

#include "err.h"

PS_MUST_USE void *ps_alloc(size_t count, size_t size);   /* uninitialised; free() */
PS_MUST_USE void *ps_zalloc(size_t count, size_t size);  /* zeroed; free() */

/* Grows *array (free() later) so that it holds at least `need` elements; *cap is its capacity. */
PS_MUST_USE int ps_grow(void *array, size_t *cap, size_t need, size_t size);

/* 64-byte aligned, zeroed, asks for huge pages when large; free(). */
PS_MUST_USE void *ps_aligned(size_t count, size_t size);

/* Room for `need` elements in *array (free() later), 64-byte aligned, with huge pages when large; *cap is its capacity.  When it
 * must grow, what it held is lost. */
PS_MUST_USE int ps_room(void *array, size_t *cap, size_t need, size_t size);

#endif
