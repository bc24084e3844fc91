/* t_mem.c - allocation: no overflow, zeroed where promised, arrays that grow without losing anything. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "mem.h"

static void test_impossible(void)
{
    uint32_t *array = NULL;
    size_t cap = 0;
    /* The sizes must not be seen by the compiler, which would warn. */
    volatile size_t half = SIZE_MAX / 2, all = SIZE_MAX;
    CHECK(ps_alloc(half, 4) == NULL && strstr(ps_errmsg(), "out of memory"));
    CHECK(ps_zalloc(all / 8 + 1, 8) == NULL && strstr(ps_errmsg(), "out of memory"));
    CHECK(ps_aligned(all, 1) == NULL && strstr(ps_errmsg(), "out of memory"));
    CHECK(ps_grow(&array, &cap, all / 4 + 2, sizeof *array) == PS_EMEM);
    CHECK(array == NULL && cap == 0);
    CHECK(ps_room(&array, &cap, all / 4 + 2, sizeof *array) == PS_EMEM);
    CHECK(array == NULL && cap == 0);
}

static void test_room(void)
{
    unsigned char *array = NULL;
    size_t cap = 0;
    for (size_t need = 1; need < 40u << 20; need = 3 * need + 1) {
        CHECK(ps_room(&array, &cap, need, 1) == 0 && cap >= need && (uintptr_t)array % 64 == 0);
        memset(array, 1, cap);
        unsigned char *same = array;
        CHECK(ps_room(&array, &cap, cap, 1) == 0 && array == same);
    }
    free(array);
}

static void test_empty(void)
{
    void *all[] = {ps_alloc(0, 8), ps_zalloc(0, 8), ps_aligned(0, 8)};
    for (int i = 0; i < 3; i++) {
        CHECK(all[i] != NULL);
        free(all[i]);
    }
}

/* Leaves used memory of that size with the allocator. */
static void soil(size_t size)
{
    unsigned char *p = malloc(size + 64);
    for (size_t i = 0; p && i < size + 64; i++)
        ((volatile unsigned char *)p)[i] = 0xa5;
    free(p);
}

static void test_zeroed(void)
{
    static const size_t sizes[] = {1, 63, 64, 65, 5000, (16 << 20) + 3};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        soil(sizes[i]);
        unsigned char *a = ps_aligned(sizes[i], 1);
        soil(sizes[i]);
        unsigned char *z = ps_zalloc(sizes[i], 1);
        size_t sum = 0;
        CHECK(z && a && (uintptr_t)a % 64 == 0);
        for (size_t b = 0; b < sizes[i]; b++)
            sum += z[b] + a[b];
        CHECK(sum == 0);
        free(z);
        free(a);
    }
}

static void test_grow(void)
{
    uint64_t *array = NULL;
    size_t cap = 0, times = 0;
    CHECK_OK(ps_grow(&array, &cap, 0, sizeof *array));
    CHECK(cap == 0);
    for (uint64_t i = 0; i < 100000; i++) {
        uint64_t *before = array;
        size_t was = cap;
        CHECK_OK(ps_grow(&array, &cap, i + 1, sizeof *array));
        times += cap != was;
        CHECK(cap > i && (cap != was || array == before));
        array[i] = i;
    }
    for (uint64_t i = 0; i < 100000; i++)
        CHECK(array[i] == i);
    CHECK(times < 40); /* by a factor, not by a constant */
    free(array);
}

int main(void)
{
    test_impossible();
    test_empty();
    test_room();
    test_zeroed();
    test_grow();
    CHECK_END();
}
