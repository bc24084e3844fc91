/* t_rng.c - random numbers: the very numbers (files and tests everywhere depend on them) and their uniformity. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "mix.h"
#include "rng.h"

enum { DRAWS = 1 << 18 };

/* SplitMix64 as published, from its state 1234567; then keys computed by hand from the header's formula. */
static void test_reference(void)
{
    static const uint64_t splitmix[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                        UINT64_C(9817491932198370423), UINT64_C(4593380528125082431),
                                        UINT64_C(16408922859458223821)};
    for (uint64_t step = 0; step < 5; step++)
        CHECK(ps_rng(1234567, step) == splitmix[step]);
    CHECK(ps_rng(ps_rng_key(0, 0), 0) == UINT64_C(0x85c61a300ec70fa1));
    CHECK(ps_rng(ps_rng_key(1, 0), 0) == UINT64_C(0x21a5715431dc4cc7));
    CHECK(ps_rng(ps_rng_key(1, 1), 0) == UINT64_C(0x25f24e5e3765af4c));
    CHECK(ps_rng(ps_rng_key(1, 42), 7) == UINT64_C(0x26c9dd2b067f70ea));
    CHECK(ps_rng(ps_rng_key(UINT64_MAX, (UINT64_C(1) << 40) + 3), (UINT64_C(1) << 33) + 1) ==
          UINT64_C(0x55632f1a37e5e520));
}

/* Many at once, in every instruction set: the same numbers, and nothing written behind them. */
static void test_many(void)
{
    static const char *const isa[] = {"plain", "avx2", "avx512"};
    enum { MOST = 70 };
    for (int k = 0; k < 3; k++)
        for (size_t n = 0; n < MOST && ps_mix_named(isa[k]); n++) {
            uint64_t x[MOST], out[MOST];
            uint8_t below[MOST];
            memset(out, 7, sizeof out);
            memset(below, 7, sizeof below);
            for (size_t i = 0; i < n; i++)
                x[i] = ps_mix64(100 * n + i);
            ps_mix_named(isa[k])->mix(n, x, 5 * n, out);
            ps_mix_named(isa[k])->below(n, n, UINT64_C(3) << 62 | 77, UINT64_MAX / 3, below);
            for (size_t i = 0; i < n; i++)
                CHECK(out[i] == ps_mix64(x[i] + 5 * n) &&
                      below[i] == (ps_mix64(n + i * (UINT64_C(3) << 62 | 77)) < UINT64_MAX / 3));
            CHECK(out[n] == UINT64_C(0x0707070707070707) && below[n] == 7);
            for (uint32_t unless = 0; unless < 2 && n > 0; unless++) {
                uint32_t got[MOST + PS_MIX_SLACK];
                const size_t found = ps_mix_named(isa[k])->starts(n, below, unless, 40, got);
                size_t want = 0;
                for (uint32_t s = 1; s < n; s++)
                    if (below[s - 1] && !(unless && below[s]))
                        CHECK(want < found && got[want++] == 40 + s);
                CHECK(want == found);
            }
        }
}

static void test_ranges(void)
{
    CHECK(ps_below(0, 10) == 0 && ps_below(UINT64_MAX, 10) == 9 && ps_below(UINT64_MAX, 1) == 0);
    CHECK(ps_below(UINT64_MAX, UINT64_MAX) == UINT64_MAX - 1);
    CHECK(ps_below(UINT64_C(1) << 63, 10) == 5);
    CHECK(ps_unit(0) == 0 && ps_unit(UINT64_MAX) < 1 && ps_unit(UINT64_C(1) << 63) == .5);
    CHECK(ps_threshold(0) == 0 && ps_threshold(.5) == UINT64_C(1) << 63);
    CHECK(ps_threshold(1) == UINT64_MAX && ps_threshold(2) == UINT64_MAX);
}

/* Which of `bins` equally likely cells draw i falls into. */
typedef uint64_t (*cell_of)(uint64_t i, uint64_t bins);

static uint64_t below_in_stream(uint64_t i, uint64_t bins)
{
    return ps_below(ps_rng(ps_rng_key(1, 5), i), bins);
}

static uint64_t below_first_of_streams(uint64_t i, uint64_t bins)
{
    return ps_below(ps_rng(ps_rng_key(1, i), 0), bins);
}

static uint64_t below_first_of_seeds(uint64_t i, uint64_t bins)
{
    return ps_below(ps_rng(ps_rng_key(i, 5), 0), bins);
}

static uint64_t low_bits(uint64_t i, uint64_t bins)
{
    return ps_rng(ps_rng_key(1, 6), i) % bins;
}

static uint64_t unit_cell(uint64_t i, uint64_t bins)
{
    return (uint64_t)(ps_unit(ps_rng(ps_rng_key(2, 5), i)) * (double)bins);
}

/* Two numbers that a walk uses together: successive steps, and the same step of neighbouring queries. */
static uint64_t pair_of_steps(uint64_t i, uint64_t bins)
{
    uint64_t key = ps_rng_key(1, 7), side = (uint64_t)sqrt((double)bins);
    return ps_below(ps_rng(key, 2 * i), side) * side + ps_below(ps_rng(key, 2 * i + 1), side);
}

static uint64_t pair_of_streams(uint64_t i, uint64_t bins)
{
    uint64_t side = (uint64_t)sqrt((double)bins);
    return ps_below(ps_rng(ps_rng_key(3, i), 4), side) * side + ps_below(ps_rng(ps_rng_key(3, i + 1), 4), side);
}

/* Chi-square with bins - 1 degrees of freedom: mean bins - 1, variance twice that.  The draws are fixed, so
 * this never fails by chance; 4 deviations either way also catch what is too even. */
static void test_uniform(const char *name, cell_of cell, uint64_t bins)
{
    uint32_t *seen = calloc(bins, sizeof *seen);
    double expected = (double)DRAWS / (double)bins, chi = 0, df = (double)bins - 1;
    for (uint64_t i = 0; i < DRAWS; i++) {
        uint64_t c = cell(i, bins);
        if (c >= bins) {
            CHECK(c < bins);
            break;
        }
        seen[c]++;
    }
    for (uint64_t c = 0; c < bins; c++)
        chi += (seen[c] - expected) * (seen[c] - expected) / expected;
    free(seen);
    if (!(fabs(chi - df) <= 4 * sqrt(2 * df))) {
        fprintf(stderr, "%s, %llu cells: chi-square %.1f with %.0f degrees of freedom\n", name,
                (unsigned long long)bins, chi, df);
        check_failures++;
    }
}

/* How often a number is below the threshold: within 4 deviations of a binomial. */
static void test_threshold(double p)
{
    uint64_t key = ps_rng_key(4, (uint64_t)(p * 1000)), limit = ps_threshold(p), hits = 0;
    for (uint64_t i = 0; i < DRAWS; i++)
        hits += ps_rng(key, i) < limit;
    if (!(fabs((double)hits - p * DRAWS) <= 4 * sqrt(p * (1 - p) * DRAWS))) {
        fprintf(stderr, "threshold %g: %llu of %d\n", p, (unsigned long long)hits, DRAWS);
        check_failures++;
    }
}

int main(void)
{
    static const struct {
        const char *name;
        cell_of cell;
    } draws[] = {{"a stream", below_in_stream},          {"the first of streams", below_first_of_streams},
                 {"the first of seeds", below_first_of_seeds}, {"low bits", low_bits},
                 {"unit", unit_cell}};
    static const uint64_t bins[] = {2, 3, 7, 10, 100, 1000, 4096};
    test_reference();
    test_many();
    test_ranges();
    for (size_t d = 0; d < sizeof draws / sizeof *draws; d++)
        for (size_t b = 0; b < sizeof bins / sizeof *bins; b++)
            test_uniform(draws[d].name, draws[d].cell, bins[b]);
    for (uint64_t side = 2; side <= 32; side *= 4) {
        test_uniform("pairs of steps", pair_of_steps, side * side);
        test_uniform("pairs of streams", pair_of_streams, side * side);
    }
    for (int p = 0; p <= 4; p++)
        test_threshold((double[]){0, .001, .5, .85, .999}[p]);
    CHECK_END();
}
