/* t_sort.c - records in order, stable, in memory and by runs that must be merged more than once. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rng.h"
#include "sort.h"

typedef struct {
    uint32_t key;
    uint32_t second;
    uint64_t number;
    char rest[2032]; /* 4 MiB, the least memory, hold 2,000 of them */
} record;

static void key_of(const void *ctx, const uint8_t *p, uint64_t key[2])
{
    record r;
    (void)ctx;
    memcpy(&r, p, sizeof r - sizeof r.rest);
    key[0] = r.key;
    key[1] = r.second;
}

static void test(size_t n, uint32_t keys, uint64_t memory)
{
    const char *dir = getenv("TMPDIR");
    ps_sort *s = ps_sort_new(sizeof(record), key_of, NULL, memory, dir ? dir : "/tmp");
    record r = {0}, last = {0};
    CHECK(s != NULL);
    for (size_t i = 0; i < n; i++) {
        r.number = i;
        r.key = (uint32_t)(ps_mix64(i) % keys);
        r.second = (uint32_t)(ps_mix64(i + 99) % 3);
        memset(r.rest, (int)(i % 251), sizeof r.rest);
        CHECK_OK(ps_sort_put(s, &r));
    }
    CHECK_OK(ps_sort_end(s));
    size_t got = 0;
    const uint8_t *p;
    int rc, right = 1;
    for (; (rc = ps_sort_next(s, &p)) > 0; got++, last = r) {
        memcpy(&r, p, sizeof r);
        right &= r.key == (uint32_t)(ps_mix64(r.number) % keys) && r.rest[0] == r.rest[2031] &&
                 (uint8_t)r.rest[5] == r.number % 251;
        right &= got == 0 || last.key < r.key ||
                 (last.key == r.key && (last.second < r.second || (last.second == r.second && last.number < r.number)));
    }
    CHECK(rc == 0 && got == n && right);
    ps_sort_free(s);
}

int main(void)
{
    test(0, 1, 0);
    test(1, 1, 0);
    test(1500, 100, 0);
    test(1500, UINT32_MAX, 0);
    test(12000, 100, 0);   /* some runs */
    test(12000, 1, 0);     /* all alike: as they came */
    test(160000, 5000, 0); /* more runs than are merged at once */
    test(12000, 100, UINT64_C(1) << 26);
    ps_sort_free(NULL);
    CHECK_END();
}
