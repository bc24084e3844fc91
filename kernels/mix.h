/* mix.h - the random numbers of many walkers at once, and what follows from them before a step is walked, in several
 * instruction sets: the same integers in each, those of rng.h.
 *
 * One body (mix_body.h) is compiled three times, as for vec.h, and chosen with it.
 */
#ifndef PS_MIX_H
#define PS_MIX_H

#include <stddef.h>
#include <stdint.h>

enum { PS_MIX_SLACK = 16 };

typedef struct {
    /* out[i] = ps_mix64(x[i] + add) */
    void (*mix)(size_t n, const uint64_t *x, uint64_t add, uint64_t *out);

    /* out[i] = ps_mix64(first + i stride) < limit */
    void (*below)(size_t n, uint64_t first, uint64_t stride, uint64_t limit, uint8_t *out);

    /* Writes place + s for every s in 1..n-1 with bit 0 of ends[s - 1] set, and if `unless` is 1 that of ends[s] not
     * set; their number.  out has room for n + PS_MIX_SLACK. */
    size_t (*starts)(size_t n, const uint8_t *ends, uint32_t unless, uint32_t place, uint32_t *out);
} ps_mix_ops;

/* The best for this processor; of a certain name (vec.h), NULL if it does not run here. */
const ps_mix_ops *ps_mix(void);
const ps_mix_ops *ps_mix_named(const char *name);

#endif
