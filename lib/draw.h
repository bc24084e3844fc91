/* draw.h - the probabilities with which items become negatives: of random draws, and as somebody else's positive. */
#ifndef PS_DRAW_H
#define PS_DRAW_H

#include <stddef.h>
#include <stdint.h>

#include "pairs.h"

/* Item c, a positive of n_c of the n training pairs, has  Q_c = n_c / n  and is drawn with
 * P_c = (1 + n_c)^popularity / sum over the catalogue of the same;  popularity 0: all alike.
 * Memory: the items that are positives, not the catalogue. */
typedef struct {
    uint64_t items;     /* of the catalogue */
    uint32_t positives; /* different ones */
    uint32_t *item;     /* they, ascending */
    double *log_share;  /* log Q */
    double *log_weight; /* log (1 + n_c)^popularity */
    double *extra;      /* sum of (1 + n_c)^popularity - 1 up to this one */
} ps_draw;

/* All positives are in the catalogue of `items`.  Takes 28 bytes a different positive, and meanwhile 8 for
 * each number up to the largest of a positive, or 4 a pair if there are fewer pairs than that. */
PS_MUST_USE int ps_draw_make(ps_draw *d, uint64_t items, const ps_pairs *pairs, double popularity);
void ps_draw_free(ps_draw *d);

/* P is a mixture: all items alike, and positives by what their weight exceeds 1.  UINT32_MAX if it is the turn of the
 * first, for which the caller may use the same 64 random bits (here they are mixed anew); else the positive drawn. */
uint32_t ps_draw_popular(const ps_draw *d, uint64_t random);

double ps_draw_log(const ps_draw *d, uint32_t item);       /* log P */
double ps_draw_log_share(const ps_draw *d, uint32_t item); /* log Q of a positive */

#endif
