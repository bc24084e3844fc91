/* sieve.h - those of many approximate scores that may be among the best.
 *
 * Keeps every score that is at least the keep-th highest minus a margin; what is kept does not depend on the order of
 * arrival.  With twice the bound of ps_quant_query as margin, the true `keep` best are among what is kept.
 */
#ifndef PS_SIEVE_H
#define PS_SIEVE_H

#include "codes.h"
#include "err.h"

typedef struct {
    ps_codes_query q; /* what the kernel appends to */
    size_t cap, keep; /* keep >= 1 */
    size_t kept;      /* by the last ps_sieve_end */
    double margin;
    int32_t *scratch;
} ps_sieve;

/* Empties it; memory is kept. */
void ps_sieve_start(ps_sieve *s, size_t keep, double margin);

/* Room for `more` rows and PS_CODES_LANES: drops what is out of the question, grows if that is not enough. */
PS_MUST_USE int ps_sieve_room(ps_sieve *s, size_t more);

/* Drops what is out of the question.  ps_sieve_often: if that is worth while, so that the floor rises now and then. */
void ps_sieve_often(ps_sieve *s);
void ps_sieve_end(ps_sieve *s);
void ps_sieve_free(ps_sieve *s);

/* The k-th highest of n numbers without NaN, 1 <= k <= n; scratch has room for n. */
float ps_highest(const float *x, size_t n, size_t k, int32_t *scratch);

#endif
