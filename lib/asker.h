/* asker.h - what psknn is asked: items, sets of them or vectors, as they come from its input, in batches for ps_find.
 */
#ifndef PS_ASKER_H
#define PS_ASKER_H

#include "query.h"
#include "recommend.h"
#include "seen.h"

typedef struct {
    const char *vectors; /* the queries are the vectors of this file, "-" standard input; NULL: `in` tells */
    ps_query_options in;
    ps_ask_options how;
    const char *seen; /* pairs: a query's number, an item that it is not to find; NULL: none */
} ps_asker_options;

/* Not to be copied: it points into itself. */
typedef struct {
    ps_asker_options o;
    const ps_knn *knn; /* what is searched */
    ps_knn from;       /* query vectors */
    ps_queries *in;    /* NULL with them */
    ps_space space;    /* what the queries' numbers are of: PS_PLAIN for sets */
    ps_seen seen;
    const ps_head *head; /* of the query stream; NULL for text and all items */
    uint64_t total;      /* queries; 0: that is not known */
    /* so far */
    uint64_t done, skipped; /* skipped: members that have no vector (o.in.skip_unknown) */
    /* the batch */
    ps_asks asks;
    uint64_t *id; /* number of each query */
    /* being made */
    ps_query_batch batch;
    uint64_t *row;
    float *weight;
    size_t id_cap, row_cap, weight_cap;
} ps_asker;

/* Opens what o names, and refuses what does not go with knn: another graph, other dimensions.  What o points to, and
 * knn, must stay.  ps_asker_close is due after a failure, too. */
PS_MUST_USE int ps_asker_open(ps_asker *a, const ps_asker_options *o, const ps_knn *knn);

/* What a set of members that each make a search may count as, for the memory of their hits. */
enum { PS_ASKER_MEMBERS = 16 };

/* The next up to `max` queries, of sets whose hits are merged fewer if they have many members, as a->asks and a->id: 1,
 * 0 at the end, negative on failure.  A query's own item, the members of a set and what it has seen are left out of
 * what it finds.  Single items without a vector are dropped (skip_unknown, else PS_EMATCH); a set keeps its number even
 * if it is left empty. */
PS_MUST_USE int ps_asker_next(ps_asker *a, size_t max);
void ps_asker_close(ps_asker *a);

/* Names skipped so far because the graph does not know them. */
uint64_t ps_asker_unknown(const ps_asker *a);

#endif
