/* feat_sign.h - vectors of random signs, computed when they are needed instead of stored.
 *
 * They project sparse vectors with many indices to few dimensions (Achlioptas, JCSS 2003): nothing is
 * kept but the seed, and a new index needs no new state.
 */
#ifndef PS_FEAT_SIGN_H
#define PS_FEAT_SIGN_H

#include <stddef.h>
#include <stdint.h>

/* What an index counts; each has signs of its own. */
enum { PS_SIGNS_TERM = 1, PS_SIGNS_BOARD = 2, PS_SIGNS_TOKEN = 3, PS_SIGNS_LSA = 4, PS_SIGNS_NAME = 5 };

/* The key of the sign vector of number `number` (below 2^56). */
uint64_t ps_signs_key(uint64_t seed, int what, uint64_t number);

/* out[0..d-1] += value * s, with s[j] = +1 where bit j % 64 of ps_rng(key, j / 64) is set, else -1. */
void ps_signs_add(float *out, size_t d, uint64_t key, float value);

/* Divides x[0..d-1] by its L2 norm and multiplies by `length`.  A norm up to `least` gives zeros. */
void ps_unit_length(float *x, size_t d, float length, float least);

#endif
