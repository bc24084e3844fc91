/* recommend.h - from nearest neighbours to recommendations: sets of recent items, what must not or may be shown, at
 * most so many of a kind, diversity. */
#ifndef PS_RECOMMEND_H
#define PS_RECOMMEND_H

#include "dict.h"
#include "index.h"

/* ---- what is asked ---- */

typedef struct {
    size_t recent; /* of a set, only the last so many members ask; 0: all */
    double decay;  /* a member's weight is multiplied by this to the power of its age: the last has age 0 */
    int merge;     /* each member asks for itself, and their hits are merged; else their mean asks */
} ps_ask_options;

/* Query i is asked by the searches first[i] .. first[i + 1] - 1. */
typedef struct {
    ps_knn_queries q;
    size_t n;
    size_t *first;
    float *weight; /* of each search */
    int merged;    /* as asked for, though no query may have several members */
    size_t cap[2];
} ps_asks;

void ps_asks_clear(ps_asks *a);
void ps_asks_free(ps_asks *a);

/* One more query: `n` rows of `from` with their weights, the oldest first; n 0 finds nothing.  The rows skip[] of knn
 * are left out of what it finds. */
PS_MUST_USE int ps_asks_add(ps_asks *a, const ps_ask_options *o, const ps_knn *knn, const ps_knn *from, size_t n,
                            const uint64_t *row, const float *weight, size_t skips, const uint64_t *skip);

/* ---- kinds of items ---- */

typedef struct {
    uint32_t *of; /* of each row; UINT32_MAX: of none */
    ps_dict names;
} ps_groups;

/* Lines of an item's name, a tab, and its group's.  Names that the graph does not know are an error, or counted in
 * *skipped if that is not NULL.  ps_groups_free is due after a failure, too. */
PS_MUST_USE int ps_groups_read(ps_groups *g, const char *path, const ps_graph *graph, const ps_knn *knn,
                               uint64_t *skipped);
void ps_groups_free(ps_groups *g);

/* ---- what may be found ---- */

/* Marks in listed[] (a byte for each row) the items of `path`: ids records, or as text lines of names, as above. */
PS_MUST_USE int ps_list_read(uint8_t *listed, const char *path, const ps_graph *graph, const ps_knn *knn, int text,
                             uint64_t *skipped);

typedef struct {
    const char *groups, *only; /* file of groups; the one of them that may be found.  NULL: none, any */
    const char *allow, *deny;  /* lists, or NULL */
    int text;                  /* lists are lines of names */
} ps_filter_options;

/* Reads the groups into *g (the caller's to free, also on failure) and denies knn's rows that may not be found.
 * `skipped` as above. */
PS_MUST_USE int ps_filters_open(ps_groups *g, const ps_filter_options *o, const ps_graph *graph, ps_knn *knn,
                                uint64_t *skipped);

/* ---- finding ---- */

typedef struct {
    const ps_index *index; /* NULL: exact */
    uint32_t effort;
    const ps_groups *groups;
    uint32_t per_group; /* at most so many hits of a group; 0: any */
    double mmr;         /* weight of the score against likeness to what is there already; 1: the score alone */
} ps_find_options;

/* The k best of each query at hits + i x k, found[i] of them.
 * Merged: the score is the sum of weight x score over the searches that found the item with a score above 0, divided by
 * the sum of all weights.
 * MMR (Carbonell and Goldstein, 1998): from the best 4 k, and 100 at least, the next is always the one with the highest
 * mmr x score - (1 - mmr) x (largest cosine with one that is chosen, or 0 if none is positive); that is its score. */
PS_MUST_USE int ps_find(const ps_find_options *o, const ps_knn *knn, const ps_asks *a, ps_pool *pool, size_t k,
                        ps_hit *hits, size_t *found);

#endif
