/* t_bits.c - signatures against queries, in every instruction set: both levels do what single bits say. */
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "check.h"
#include "rng.h"

enum { BLOCKS = 40, LANES = BLOCKS * PS_BITS_LANES, QUERIES = 3 };

static uint64_t signature[BLOCKS * PS_BITS_BLOCK];
static uint32_t row[LANES];

static int bit_of(const uint64_t *words, size_t i)
{
    return words[i / 64] >> i % 64 & 1;
}

static int lane_bit(size_t lane, size_t i)
{
    const uint64_t *block = signature + lane / PS_BITS_LANES * PS_BITS_BLOCK;
    return block[i / 64 * PS_BITS_LANES + lane % PS_BITS_LANES] >> i % 64 & 1;
}

static void weights_of(const ps_bits_query *q, size_t lane, unsigned *strong, unsigned *apart)
{
    *strong = *apart = 0;
    for (size_t i = 0; i < PS_BITS; i++) {
        if (lane_bit(lane, i) == bit_of(q->sign, i))
            continue;
        *strong += (unsigned)bit_of(q->strong, i);
        for (unsigned p = 0; p < PS_BITS_PLANES; p++)
            *apart += (unsigned)bit_of(q->plane[p], i) << p;
    }
}

/* seed 0: all bits differ and have all their weight. */
static void make(uint64_t seed, ps_bits_query *q)
{
    for (size_t i = 0; i < BLOCKS * PS_BITS_BLOCK; i++)
        signature[i] = seed == 0 ? 0 : ps_rng(seed, i);
    for (size_t i = 0; i < LANES; i++)
        row[i] = ps_rng(seed + 9, i) % 5 == 0 ? UINT32_MAX : (uint32_t)ps_rng(seed + 9, i) / 2;
    for (size_t j = 0; j < QUERIES; j++)
        for (size_t w = 0; w < PS_BITS_WORDS; w++) {
            q[j].sign[w] = seed == 0 ? UINT64_MAX : ps_rng(seed + 1, j * 64 + w);
            q[j].strong[w] = seed == 0 ? UINT64_MAX : ps_rng(seed + 2, j * 64 + w);
            for (size_t p = 0; p < PS_BITS_PLANES; p++)
                q[j].plane[p][w] = seed == 0 ? UINT64_MAX : ps_rng(seed + 3, j * 64 + p * 8 + w);
        }
}

static int scan_right(const ps_bits_kernels *k, ps_bits_query *q, uint32_t strong_most, uint32_t begin, uint32_t end)
{
    ps_bits_query *at[QUERIES];
    int ok = 1;
    for (size_t j = 0; j < QUERIES; j++) {
        at[j] = &q[j];
        q[j].strong_most = strong_most;
        q[j].block[0] = 12345; /* one waits already */
        q[j].waiting = 1;
    }
    k->scan(QUERIES, at, signature, begin, end);
    for (size_t j = 0; j < QUERIES; j++) {
        size_t n = 1;
        for (uint32_t b = begin; b < end; b++) {
            int any = 0;
            for (size_t l = 0; l < PS_BITS_LANES; l++) {
                unsigned strong, apart;
                weights_of(&q[j], b * PS_BITS_LANES + l, &strong, &apart);
                any |= strong <= strong_most;
            }
            ok &= !any || (n < q[j].waiting && q[j].block[n] == b);
            n += (size_t)any;
        }
        ok &= q[j].waiting == n && q[j].block[0] == 12345;
    }
    return ok;
}

static int take_right(const ps_bits_kernels *k, ps_bits_query *q, uint32_t most, int count_strong)
{
    uint64_t taken[LANES + PS_BITS_LANES + 1];
    size_t n = 1;
    int ok = 1;
    taken[0] = 77;
    q->taken = taken;
    q->n = 1;
    q->most = most;
    q->count_strong = count_strong;
    for (q->waiting = 0; q->waiting < BLOCKS / 2; q->waiting++)
        q->block[q->waiting] = (uint32_t)(2 * q->waiting + 1);
    k->take(q, signature, row);
    for (size_t lane = 0; lane < LANES; lane++) {
        unsigned strong, apart;
        weights_of(q, lane, &strong, &apart);
        if (lane / PS_BITS_LANES % 2 == 0 || row[lane] == UINT32_MAX || apart > most)
            continue;
        ok &= n < q->n && taken[n] == ((uint64_t)apart << 48 | (uint64_t)(count_strong ? strong : 0) << 32 | row[lane]);
        n++;
    }
    return ok && n == q->n && taken[0] == 77 && q->waiting == 0;
}

int main(void)
{
    static const char *names[] = {"plain", "avx2", "avx512"};
    static const uint32_t most[] = {0, 50, 60, 64, 70, 256}, apart[] = {0, 380, 440, 450, 470, 2000};
    static ps_bits_query q[QUERIES];
    for (size_t i = 0; i < 3; i++) {
        const ps_bits_kernels *k = ps_bits_named(names[i]);
        for (uint64_t seed = 0; k && seed < 50; seed += 10) {
            make(seed, q);
            for (size_t m = 0; m < 6; m++) {
                CHECK(scan_right(k, q, most[m], 0, BLOCKS) && scan_right(k, q, most[m], 7, 7) &&
                      scan_right(k, q, most[m], 5, 6) && scan_right(k, q, most[m], 3, 30));
                CHECK(take_right(k, q, apart[m], 0) && take_right(k, q, apart[m], 1));
            }
        }
    }
    CHECK(ps_bits_named("plain") && !ps_bits_named("mmx") && ps_bits());
    CHECK_END();
}
