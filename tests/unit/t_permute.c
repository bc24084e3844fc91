/* t_permute.c - a permutation without memory: every number once, of any n; other ones for other keys; no order left. */
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "permute.h"
#include "rng.h"

static void every_number_once(uint64_t n, uint64_t key)
{
    const ps_permutation p = ps_permutation_make(n, key);
    unsigned char *seen = calloc(n, 1);
    if (!seen)
        exit(1);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t to = ps_permute(&p, i);
        CHECK(to < n && !seen[to]);
        if (to < n)
            seen[to] = 1;
    }
    free(seen);
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* A part of a large one: no number twice, about as many in each sixteenth, neighbours apart. */
static void large(uint64_t n)
{
    enum { N = 1 << 16, PARTS = 16 };
    static uint64_t to[N];
    const ps_permutation p = ps_permutation_make(n, 7);
    uint64_t in[PARTS] = {0};
    double together = 0;
    for (uint64_t i = 0; i < N; i++) {
        to[i] = ps_permute(&p, n - N + i);
        CHECK(to[i] < n);
        in[(unsigned __int128)to[i] * PARTS / n]++;
        if (i > 0) /* of independent ones, the mean is 0 and the deviation 1 */
            together += ((double)to[i] / (double)n - .5) * ((double)to[i - 1] / (double)n - .5) * 12;
    }
    for (int k = 0; k < PARTS; k++)
        CHECK(fabs((double)in[k] - (double)N / PARTS) < 5 * sqrt((double)N / PARTS));
    CHECK(fabs(together / N) < 5 / sqrt(N));
    qsort(to, N, sizeof *to, ascending);
    for (int i = 1; i < N; i++)
        CHECK(to[i] != to[i - 1]);
}

/* Of five numbers there are 120 orders: each as often as another, over the keys. */
static void every_order(void)
{
    enum { KEYS = 60000, N = 5, CODES = 3125 };
    static int times[CODES];
    double chi = 0;
    int orders = 0;
    for (uint64_t key = 0; key < KEYS; key++) {
        const ps_permutation p = ps_permutation_make(N, ps_rng_key(1, key));
        int code = 0;
        for (uint64_t i = 0; i < N; i++)
            code = code * N + (int)ps_permute(&p, i);
        times[code]++;
    }
    for (int i = 0; i < CODES; i++)
        if (times[i]) {
            orders++;
            chi += (times[i] - KEYS / 120.) * (times[i] - KEYS / 120.) / (KEYS / 120.);
        }
    CHECK(orders == 120);
    CHECK(chi < 119 + 5 * sqrt(2 * 119.)); /* 119 degrees of freedom */
}

int main(void)
{
    for (uint64_t n = 1; n < 70; n++)
        every_number_once(n, n);
    every_number_once(4096, 1);
    every_number_once(4097, 1);
    every_number_once(1000003, 2);
    large((UINT64_C(1) << 32) + 1);
    large(UINT64_C(7500000000));
    large(UINT64_C(1) << 60);
    every_order();
    CHECK_END();
}
