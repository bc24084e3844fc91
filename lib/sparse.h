/* sparse.h - sparse vectors in memory: rows of (index, value), and the same by index (an inverted index). */
#ifndef PS_SPARSE_H
#define PS_SPARSE_H

#include <stdint.h>

#include "graph.h"

typedef struct {
    uint64_t n;      /* rows */
    uint64_t *item;  /* of each row, ascending; NULL: row i is item i */
    uint64_t *off;   /* n + 1 */
    uint32_t *index; /* of row i: index[off[i]] .. index[off[i + 1] - 1], ascending, each once */
    float *value;
    uint32_t dim;    /* the stream's number of indices; of boards: how many there are */
    ps_head head;    /* of the stream; of boards: the graph's fingerprint and history */
} ps_sparse;

/* Takes the rows from a table of PS_SPARSE records, whose order does not matter as long as each item's stand
 * together.  items > 0: the rows are the items 0 .. items - 1, those without records being zero vectors; 0: the
 * items that occur.  Refused, naming the record: a value that is not finite, an index out of range or twice in
 * a row, an item out of range or in two places. */
PS_MUST_USE int ps_sparse_take(ps_sparse *s, const ps_table *table, uint64_t items);

/* The same from a stream, which `graph` (0: any) must have numbered; path NULL: standard input. */
PS_MUST_USE int ps_sparse_open(ps_sparse *s, const char *path, uint64_t graph, uint64_t items);

/* Each item's boards, weighted by edge weight x log(items / items on the board) and divided by the row's L2
 * norm: the classical item-item similarity is the dot product of two such rows.  */
PS_MUST_USE int ps_sparse_boards(ps_sparse *s, const ps_graph *g);
void ps_sparse_free(ps_sparse *s);

/* Row of the item, PS_NONE if there is none. */
uint64_t ps_sparse_find(const ps_sparse *s, uint64_t item);

/* Rows by index.  Only the indices that occur take memory. */
typedef struct {
    uint64_t terms;
    uint32_t *term;  /* the indices that occur, ascending */
    uint64_t *off;   /* terms + 1 */
    uint32_t *row;   /* rows with index term[t]: row[off[t]] .. row[off[t + 1] - 1], ascending */
    float *value;
} ps_postings;

PS_MUST_USE int ps_postings_make(ps_postings *p, const ps_sparse *s);
void ps_postings_free(ps_postings *p);

/* score[row] += sum over i < count of value[i] x (that row's value at index[i]), for all rows; the indices
 * ascending, so that the sum's order depends on nothing else. */
void ps_postings_score(const ps_postings *p, size_t count, const uint32_t *index, const float *value, float *score);

#endif
