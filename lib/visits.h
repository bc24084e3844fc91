/* visits.h - counting how often each item was visited, for one query after another.
 *
 * An open-addressing table that grows with the number of different items and is cleared in time
 * proportional to it, so that a walk costs the same on a graph of any size.
 */
#ifndef PS_VISITS_H
#define PS_VISITS_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

typedef struct {
    uint32_t item;
    uint32_t count;
} ps_visit;

/* All zero is an empty counter.  One thread at a time. */
typedef struct {
    uint64_t *slot;    /* item << 32 | count; 0: empty */
    uint32_t *touched; /* the slots in use, n of them, by first visit */
    uint64_t *key[2];  /* room for sorting */
    ps_visit *list;    /* the last result */
    size_t n;          /* different items */
    uint64_t sum;      /* of all counts */
    size_t slots;      /* a power of two, at least 2n */
    size_t key_cap[2], list_cap, touched_cap;
    int shift; /* 32 - log2(slots) */
} ps_visits;

/* Adds `count` (at least 1) visits of the item; its count so far goes to *total.  PS_EMEM, or PS_EDATA
 * if an item would get more than 2^32 - 1. */
PS_MUST_USE int ps_visits_add(ps_visits *v, uint32_t item, uint32_t count, uint32_t *total);

/* Adds `each` visits for every one of the n items, UINT32_MAX left out.  The same errors, and PS_EDATA if all counts
 * together would exceed 2^32 - 1. */
PS_MUST_USE int ps_visits_add_all(ps_visits *v, const uint32_t *items, size_t n, uint32_t each);

/* The visits of all items but `except` (UINT32_MAX: of all) by count descending, then item ascending: their
 * number, or PS_EMEM.  *list is valid until the next call with this counter. */
PS_MUST_USE long ps_visits_sorted(ps_visits *v, uint32_t except, const ps_visit **list);

/* The first `top` of them: finds those, and sorts no others. */
PS_MUST_USE long ps_visits_top(ps_visits *v, uint32_t except, size_t top, const ps_visit **list);

/* Forgets all visits, keeps the memory. */
void ps_visits_clear(ps_visits *v);
void ps_visits_free(ps_visits *v);

/* Sorts key[0..n-1] ascending by the bits from `low` (a multiple of 8) up; equal keys keep their order.
 * `spare` has room for n < 2^32.  Returns whichever of the two arrays holds the result. */
uint64_t *ps_radix_sort(uint64_t *key, uint64_t *spare, size_t n, int low);

/* Moves the k smallest of the n different keys to key[0..k-1], in no particular order; the others are lost.
 * `spare` has room for n. */
void ps_select_smallest(uint64_t *key, uint64_t *spare, size_t n, size_t k);

#endif
