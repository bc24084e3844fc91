/* pairs.h - the positives to learn from or to test with: (query, positive, weight), both of them items. */
#ifndef PS_PAIRS_H
#define PS_PAIRS_H

#include <stddef.h>
#include <stdint.h>

#include "columns.h"
#include "graph.h"

typedef struct {
    uint32_t query, positive;
    float weight; /* positive and finite; 1 unless given */
} ps_pair;

typedef struct {
    size_t n;
    uint32_t *query, *positive; /* NULL: they are in `table` */
    float *weight;
    ps_table table;   /* of ps_pairs_open */
    uint64_t *left;   /* its records that are left out, `self` of them, ascending */
    int sorted;       /* its pairs stand in the order of query, then positive */
    uint64_t skipped; /* lines left out because the graph does not know a name */
    uint64_t self;    /* pairs left out because query and positive are the same item */
    uint64_t sets;    /* queries are sets, numbered by line: how many lines; 0: queries are items */
    ps_head head;     /* of a record stream; of text: the graph's fingerprint and an empty history */
    size_t cap[4];    /* capacities */
} ps_pairs;

/* What becomes of a line with a name that the graph does not know. */
enum {
    PS_UNKNOWN_FAILS,    /* the reading fails */
    PS_UNKNOWN_SKIPPED,  /* it is left out and counted in `skipped` */
    PS_UNKNOWN_NUMBERED, /* it is kept and counted: unknown names are numbered from g->items.nodes on */
};

/* What a text holds. */
enum {
    PS_PAIRS_RECORDS, /* it is none */
    PS_PAIRS_TEXT,    /* lines of query TAB positive [TAB weight] */
    PS_PAIRS_SETS,    /* a line for each query, which is a set and has the line's number, from 0: positives */
};

/* Reads all pairs from `path` (NULL or "-": stdin).  text: see above, names
 * of g.  Otherwise PS_PAIRS records, of g's fingerprint; their numbers must be items of g, or, with g NULL,
 * below 2^32 - 1.  `unknown` concerns text only: a number out of range always fails.  `columns`: how
 * the text has them, NULL: as it is.  Free with
 * ps_pairs_free, which is not needed after a failure. */
PS_MUST_USE int ps_pairs_read(ps_pairs *p, const char *path, const ps_graph *g, int text, int unknown,
                              const ps_columns_options *columns);

/* The same of records, in place: a plain file stays mapped, and takes no memory but 8 bytes for each pair of an item
 * with itself; another stream is held as it is.  All of it is checked here.  The arrays are NULL. */
PS_MUST_USE int ps_pairs_open(ps_pairs *p, const char *path, const ps_graph *g);
void ps_pairs_free(ps_pairs *p);

/* Pair i < n, wherever it is. */
ps_pair ps_pairs_get(const ps_pairs *p, size_t i);

/* The positives of each query, each once and ascending: what must not be drawn as a negative. */
typedef struct {
    uint64_t items;
    uint64_t *off;      /* items + 1; of query u: numbers off[u] .. off[u + 1] - 1 */
    uint32_t *positive; /* with these numbers; NULL: they are the pairs', where one may stand more than once */
    const ps_pairs *pairs;
} ps_known;

/* `items`: more than every query's number, else PS_EDATA.  Takes 8 bytes an item, and 4 a pair unless the pairs are
 * sorted in place (ps_pairs_open): these must outlive it. */
PS_MUST_USE int ps_known_make(ps_known *k, const ps_pairs *p, uint64_t items);
void ps_known_free(ps_known *k);

static inline uint32_t ps_known_at(const ps_known *k, uint64_t i)
{
    return k->positive ? k->positive[i] : ps_pairs_get(k->pairs, i).positive;
}

/* Is `item` a positive of `query`?  A query out of range has none. */
int ps_known_has(const ps_known *k, uint32_t query, uint32_t item);

#endif
