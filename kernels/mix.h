/* mix.h - the random numbers of many walkers at once, in several instruction sets: the integers of rng.h, the same in
 * each.
 *
 * One body (mix_body.h) is compiled three times, as for vec.h, and chosen with it.
 */
#ifndef PS_MIX_H
#define PS_MIX_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    /* out[i] = ps_mix64(x[i] + add) */
    void (*mix)(size_t n, const uint64_t *x, uint64_t add, uint64_t *out);

    /* out[i] = ps_mix64(first + i stride) < limit */
    void (*below)(size_t n, uint64_t first, uint64_t stride, uint64_t limit, uint8_t *out);
} ps_mix_ops;

/* The best for this processor; of a certain name (vec.h), NULL if it does not run here. */
const ps_mix_ops *ps_mix(void);
const ps_mix_ops *ps_mix_named(const char *name);

#endif
