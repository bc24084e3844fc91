/* seen.h - which items a query is not to find, because they are known there: pairs of a query's number and an item. */
#ifndef PS_SEEN_H
#define PS_SEEN_H

#include "knn.h"

typedef struct {
    size_t n;
    uint64_t *query, *row; /* of knn, in the order of the queries */
} ps_seen;

/* Reads pairs records, in any order; items without a row are passed over.  The stream must be of knn's graph, its items
 * of g unless that is NULL.  ps_seen_free is due after a failure, too. */
PS_MUST_USE int ps_seen_read(ps_seen *s, const char *path, const ps_graph *g, const ps_knn *knn);

/* The rows of one query: how many, and where they are. */
size_t ps_seen_of(const ps_seen *s, uint64_t query, const uint64_t **row);
void ps_seen_free(ps_seen *s);

#endif
