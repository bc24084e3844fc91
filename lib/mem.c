#include "mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static int total(size_t count, size_t size, size_t *bytes)
{
    if (__builtin_mul_overflow(count, size, bytes) || *bytes > SIZE_MAX / 2)
        return ps_fail(PS_EMEM, "out of memory: %zu elements of %zu bytes", count, size);
    if (*bytes == 0)
        *bytes = 1;
    return 0;
}

void *ps_alloc(size_t count, size_t size)
{
    size_t bytes;
    if (total(count, size, &bytes) < 0)
        return NULL;
    void *p = malloc(bytes);
    if (!p)
        ps_fail(PS_EMEM, "out of memory: %zu bytes", bytes);
    return p;
}

void *ps_zalloc(size_t count, size_t size)
{
    size_t bytes;
    if (total(count, size, &bytes) < 0)
        return NULL;
    void *p = calloc(1, bytes);
    if (!p)
        ps_fail(PS_EMEM, "out of memory: %zu bytes", bytes);
    return p;
}

int ps_grow(void *array, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return 0;
    size_t n = *cap + *cap / 2 + 16, bytes;
    if (n < need)
        n = need;
    if (total(n, size, &bytes) < 0)
        return PS_EMEM;
    void *old;
    memcpy(&old, array, sizeof old);
    void *p = realloc(old, bytes);
    if (!p)
        return ps_fail(PS_EMEM, "out of memory: %zu bytes", bytes);
    memcpy(array, &p, sizeof p);
    *cap = n;
    return 0;
}

/* *bytes is rounded up to whole lines or huge pages. */
static void *align(size_t count, size_t size, size_t *bytes)
{
    enum { HUGE_PAGE = 2 << 20 };
    if (total(count, size, bytes) < 0)
        return NULL;
    size_t unit = *bytes >= 4 * (size_t)HUGE_PAGE ? HUGE_PAGE : 64;
    *bytes = (*bytes + unit - 1) / unit * unit;
    void *p = aligned_alloc(unit, *bytes);
    if (!p) {
        ps_fail(PS_EMEM, "out of memory: %zu bytes", *bytes);
        return NULL;
    }
    if (unit == HUGE_PAGE)
        (void)madvise(p, *bytes, MADV_HUGEPAGE);
    return p;
}

void *ps_aligned(size_t count, size_t size)
{
    size_t bytes;
    void *p = align(count, size, &bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

int ps_room(void *array, size_t *cap, size_t need, size_t size)
{
    size_t bytes;
    void *p;
    if (need <= *cap)
        return 0;
    memcpy(&p, array, sizeof p);
    free(p);
    /* The next need may be a little larger. */
    p = align(need + need / 8, size, &bytes);
    memcpy(array, &p, sizeof p);
    *cap = p ? need + need / 8 : 0;
    return p ? 0 : PS_EMEM;
}
