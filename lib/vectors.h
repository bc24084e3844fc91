/* vectors.h - a vector stream as a matrix: feature vectors or embeddings, found by item. */
#ifndef PS_VECTORS_H
#define PS_VECTORS_H

#include "rec.h"

typedef struct {
    uint64_t n;   /* rows */
    uint32_t d;   /* elements of a row, the item bias included */
    int has_bias; /* the last element is the item bias: 1 in a query */
    ps_head head; /* of the stream; the table owns it */
    ps_table table;
    float *own;        /* rows converted from another element type; NULL: used in place */
    ps_blob converted; /* where own is, if that is a file */
    int in_order;      /* row i is item i */
    uint64_t *slot_id; /* otherwise a hash: item, */
    uint64_t *slot_row;
    uint64_t slots;
} ps_vectors;

/* Reads a stream of vectors of any element type, but not of partial sums (PS_EKIND).  NaN or infinity in it, or the
 * same item twice, is PS_EDATA naming the record.  `graph`: the fingerprint it must match, 0: any. */
PS_MUST_USE int ps_vectors_open(ps_vectors *v, const char *path, uint64_t graph);

/* The same within limits (rec.h). */
PS_MUST_USE int ps_vectors_open_within(ps_vectors *v, const char *path, uint64_t graph, ps_spill *spill);

/* The same from a table of PS_VECTORS, which it takes over (and closes on failure). */
PS_MUST_USE int ps_vectors_take(ps_vectors *v, ps_table *table, uint64_t graph);
void ps_vectors_close(ps_vectors *v);

/* These rows will not be needed for a while: where they are mapped, the memory may be another's. */
void ps_vectors_rest(const ps_vectors *v, uint64_t first, uint64_t n);

/* Row i (0..n-1): d floats.  Item of row i. */
const float *ps_vectors_row(const ps_vectors *v, uint64_t i);
uint64_t ps_vectors_item(const ps_vectors *v, uint64_t i);

/* Are rows that follow one another at the same distance in memory?  Then *ld: in elements. */
int ps_vectors_stride(const ps_vectors *v, size_t *ld);

/* Row of the item, PS_NONE if it has none. */
uint64_t ps_vectors_find(const ps_vectors *v, uint64_t item);

/* Is none of the numbers infinite or NaN? */
int ps_all_finite(const float *x, size_t n);

/* One element of type `elem` at p to float, and a float to it (rounded to nearest even; i8: divided by
 * `scale`, clamped to +-127). */
float ps_elem_get(const void *p, ps_elem elem, float scale);
void ps_elem_put(void *p, ps_elem elem, float scale, float value);

/* The i8 scale for elements up to `largest`: of 16 significant bits, which makes scale x element exact in a float, so
 * that text gives the same elements back. */
float ps_elem_scale(float largest);

#endif
