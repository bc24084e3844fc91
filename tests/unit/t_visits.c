/* The visit counter against a plain array, and the radix sort against qsort. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rng.h"
#include "visits.h"

enum { ITEMS = 5000 };

static void test_counts(ps_visits *v, uint32_t spread, size_t adds, uint64_t seed)
{
    static uint32_t want[ITEMS];
    const ps_visit *list;
    uint32_t total, different = 0;
    memset(want, 0, sizeof want);
    ps_visits_clear(v);
    for (size_t i = 0; i < adds; i++) {
        uint64_t random = ps_rng(seed, i);
        uint32_t k = (uint32_t)ps_below(random, ITEMS) / (1 + (uint32_t)(random % 7)),
                 n = 1 + (uint32_t)(random >> 5 & 3);
        different += want[k] == 0;
        want[k] += n;
        CHECK_OK(ps_visits_add(v, k * spread, n, &total));
        CHECK(total == want[k]);
    }
    long n = ps_visits_sorted(v, UINT32_MAX, &list);
    CHECK(n == (long)different);
    for (long i = 0; i < n; i++) {
        CHECK(list[i].item % spread == 0 && want[list[i].item / spread] == list[i].count);
        CHECK(i == 0 || list[i - 1].count > list[i].count ||
              (list[i - 1].count == list[i].count && list[i - 1].item < list[i].item));
    }
    if (n > 1) {
        uint32_t first = list[0].item, second = list[1].item;
        CHECK(ps_visits_sorted(v, first, &list) == n - 1 && list[0].item == second);
        CHECK(ps_visits_sorted(v, ITEMS * spread, &list) == n); /* not there */
    }
}

static void test_limits(void)
{
    ps_visits v = {0};
    const ps_visit *list;
    uint32_t total;
    CHECK(ps_visits_sorted(&v, UINT32_MAX, &list) == 0);
    ps_visits_clear(&v);
    CHECK_OK(ps_visits_add(&v, 0, 1, &total));
    CHECK_OK(ps_visits_add(&v, UINT32_MAX - 1, UINT32_MAX, &total));
    CHECK(total == UINT32_MAX);
    CHECK(ps_visits_add(&v, UINT32_MAX - 1, 1, &total) < 0);
    CHECK(ps_visits_sorted(&v, UINT32_MAX, &list) == 2 && list[0].item == UINT32_MAX - 1 && list[1].item == 0);
    ps_visits_free(&v);
}

static int by_high(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* With low > 0 the bits below carry the place, so that qsort by everything tells whether the sort kept the order. */
static void test_sort(size_t n, int low, uint64_t mask)
{
    uint64_t *key = malloc((n + 1) * sizeof *key), *spare = malloc((n + 1) * sizeof *key),
             *want = malloc((n + 1) * sizeof *key);
    for (size_t i = 0; i < n; i++)
        key[i] = low ? (ps_rng(n, i) & mask) >> low << low | i : ps_rng(n, i) & mask;
    memcpy(want, key, n * sizeof *key);
    qsort(want, n, sizeof *want, by_high);
    CHECK(memcmp(ps_radix_sort(key, spare, n, low), want, n * sizeof *key) == 0);
    free(key);
    free(spare);
    free(want);
}

/* The first k of the sorted order, found without sorting the rest; and many visits added at once. */
static void test_top(uint32_t spread, size_t adds, uint64_t seed)
{
    static uint32_t items[20000];
    static ps_visit want[ITEMS];
    ps_visits one = {0}, all = {0};
    const ps_visit *list;
    uint32_t total;
    for (size_t i = 0; i < adds; i++) {
        uint64_t random = ps_rng(seed, i);
        items[i] = random % 11 == 0 ? UINT32_MAX
                                    : (uint32_t)ps_below(random, ITEMS) / (1 + (uint32_t)(random % 7)) * spread;
        if (items[i] != UINT32_MAX)
            CHECK_OK(ps_visits_add(&one, items[i], 3, &total));
    }
    CHECK_OK(ps_visits_add_all(&all, items, adds / 2, 3));
    CHECK_OK(ps_visits_add_all(&all, items + adds / 2, adds - adds / 2, 3));
    CHECK_OK(ps_visits_add_all(&all, items, adds, 0));
    long n = ps_visits_sorted(&one, UINT32_MAX, &list);
    CHECK(n >= 0 && n <= ITEMS);
    memcpy(want, list, (size_t)n * sizeof *list);
    for (size_t top = 0; top <= (size_t)n + 2; top += 1 + top / 3) {
        const size_t m = top < (size_t)n ? top : (size_t)n;
        CHECK(ps_visits_top(&all, UINT32_MAX, top, &list) == (long)m && memcmp(list, want, m * sizeof *list) == 0);
        if (n > 2 && m > 2) /* without the second */
            CHECK(ps_visits_top(&all, want[1].item, 2, &list) == 2 && list[0].item == want[0].item &&
                  list[1].item == want[2].item);
    }
    CHECK(n == 0 || ps_visits_add_all(&all, items, adds, UINT32_MAX) == PS_EDATA);
    ps_visits_free(&one);
    ps_visits_free(&all);
}

static void test_select(size_t n, size_t k, uint64_t mask)
{
    uint64_t *key = malloc((n + 1) * sizeof *key), *spare = malloc((n + 1) * sizeof *key),
             *want = malloc((n + 1) * sizeof *key);
    for (size_t i = 0; i < n; i++)
        key[i] = (ps_rng(n, i) & mask) << 20 | i; /* all different */
    memcpy(want, key, n * sizeof *key);
    qsort(want, n, sizeof *want, by_high);
    ps_select_smallest(key, spare, n, k);
    qsort(key, k, sizeof *key, by_high);
    CHECK(memcmp(key, want, k * sizeof *key) == 0);
    free(key);
    free(spare);
    free(want);
}

int main(void)
{
    for (uint64_t seed = 0; seed < 3; seed++) {
        test_top(1, 20000, seed);
        test_top(800000, 10, seed);
        test_top(1024, 3000, seed);
        test_top(1, 0, seed);
    }
    for (size_t n = 1; n < 3000; n = 2 * n + 1)
        for (size_t k = 0; k <= n; k += 1 + k / 2) {
            test_select(n, k, UINT64_MAX >> 20);
            test_select(n, k, 3);
            test_select(n, k, UINT64_C(0xf0000f));
        }
    ps_visits v = {0};
    for (uint64_t seed = 0; seed < 4; seed++) {
        test_counts(&v, 1, 20000, seed);
        test_counts(&v, 800000, 10, seed); /* far apart: many share a slot's neighbourhood */
        test_counts(&v, 1024, 3000, seed);
        test_counts(&v, 1, 0, seed);
    }
    ps_visits_free(&v);
    test_limits();
    static const size_t sizes[] = {0, 1, 2, 23, 24, 25, 255, 1000, 70000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int low = 0; low <= 32; low += 32) {
            test_sort(sizes[i], low, UINT64_MAX);
            test_sort(sizes[i], low, UINT64_C(0xff00ff00000f0000));
            test_sort(sizes[i], low, 0);
        }
    CHECK_END();
}
