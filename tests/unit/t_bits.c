/* t_bits.c - signatures against a query and sums of bytes, in every instruction set: what single bits and bytes say. */
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "check.h"
#include "rng.h"

enum { ROWS = 40, BYTES = 640 };

static int apart_right(const ps_bits_kernels *k, size_t n, uint64_t seed)
{
    uint64_t signature[ROWS * PS_BITS_WORDS];
    uint32_t row[ROWS];
    uint16_t apart[ROWS + 1];
    ps_bits_query q;
    for (size_t i = 0; i < ROWS * PS_BITS_WORDS; i++)
        signature[i] = seed == 0 ? 0 : ps_rng(seed, i);
    for (size_t i = 0; i < PS_BITS_WORDS; i++) {
        q.sign[i] = seed == 0 ? UINT64_MAX : ps_rng(seed + 1, i);
        for (size_t p = 0; p < PS_BITS_PLANES; p++)
            q.plane[p][i] = seed == 0 ? UINT64_MAX : ps_rng(seed + 2, p * 64 + i);
    }
    for (size_t i = 0; i < n; i++)
        row[i] = (uint32_t)(ps_rng(seed + 3, i) % ROWS);
    memset(apart, 77, sizeof apart);
    const uint16_t after = apart[n];
    k->apart(&q, n, row, signature, apart);
    int ok = apart[n] == after;
    for (size_t i = 0; i < n; i++) {
        unsigned want = 0;
        for (size_t b = 0; b < PS_BITS; b++) {
            const uint64_t bit = 1ull << b % 64, mine = signature[row[i] * PS_BITS_WORDS + b / 64];
            for (unsigned p = 0; p < PS_BITS_PLANES; p++)
                want += ((mine ^ q.sign[b / 64]) & q.plane[p][b / 64] & bit) ? 1u << p : 0;
        }
        ok &= apart[i] == want;
    }
    return ok;
}

static int sums_right(const ps_bits_kernels *k, uint8_t least)
{
    uint8_t sum[BYTES];
    uint16_t at[BYTES];
    size_t n = 0;
    for (size_t i = 0; i < BYTES; i++)
        sum[i] = (uint8_t)(ps_rng(9, i) >> 20);
    const size_t found = k->from(sum, BYTES, least, at);
    int ok = found == k->count(sum, BYTES, least) && k->from(sum, 0, least, at) == 0;
    for (size_t i = 0; i < BYTES; i++)
        if (sum[i] >= least) {
            ok &= n < found && at[n] == i;
            n++;
        }
    return ok && n == found;
}

int main(void)
{
    static const char *names[] = {"plain", "avx2", "avx512"};
    for (size_t i = 0; i < 3; i++) {
        const ps_bits_kernels *k = ps_bits_named(names[i]);
        for (uint64_t seed = 0; k && seed < 4; seed++)
            CHECK(apart_right(k, 0, seed) && apart_right(k, 1, seed) && apart_right(k, ROWS, seed));
        for (int least = 0; k && least < 256; least++)
            CHECK(sums_right(k, (uint8_t)least));
    }
    CHECK(ps_bits_named("plain") && !ps_bits_named("mmx") && ps_bits());
    CHECK_END();
}
