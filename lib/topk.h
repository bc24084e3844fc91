/* topk.h - the k best of many scored items, in one order for the whole toolkit: higher score first, then
 * lower number.  The order is total, so the result does not depend on the order of arrival, nor on how the
 * candidates were shared out before merging. */
#ifndef PS_TOPK_H
#define PS_TOPK_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    float score;
    uint64_t item;
} ps_hit;

/* A heap with the worst of the kept hits at hit[0]. */
typedef struct {
    ps_hit *hit; /* room for k; the caller's */
    size_t k, n;
} ps_topk;

/* Does a come before b? */
static inline int ps_hit_before(ps_hit a, ps_hit b)
{
    return a.score > b.score || (a.score == b.score && a.item < b.item);
}

/* Takes the hit in if it is among the k best so far.  Scores must not be NaN. */
void ps_topk_put(ps_topk *t, ps_hit hit);

/* Could a hit of that score still be taken in?  The quick test before ps_topk_put. */
static inline int ps_topk_wants(const ps_topk *t, float score)
{
    return t->n < t->k || (t->k > 0 && score >= t->hit[0].score);
}

/* Best first.  The heap is used up. */
void ps_topk_sort(ps_topk *t);

#endif
