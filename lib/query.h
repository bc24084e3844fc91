/* query.h - the queries of pswalk, psneigh and psknn: items, sets of items, or new items given their boards.
 *
 * They come from standard input as text (-t: names), as ids or pairs records, or are all the items (-a).
 *   text           a name a line: that item
 *   text, sets     names, tab separated: a set; its query number is the line's, from 0
 *   ids records    each an item
 *   pairs records  consecutive records with one query number: the set of their positives, weighted
 *   text, boards   names of boards, tab separated: a new item that is on these; numbered by its line, from 0
 *   edges records  with boards: consecutive records with one item number: that item's boards, weighted
 *
 * Where `seen` is asked for, a text line may go on after an empty field with names of items that the query knows
 * already but does not ask with: they have the weight 0.
 */
#ifndef PS_QUERY_H
#define PS_QUERY_H

#include "graph.h"

typedef struct {
    const ps_graph *graph; /* names and range; NULL: numbers are taken as they are (text is then refused) */
    int all;               /* all items of the graph in order; nothing is read */
    int text;
    int sets;         /* text lines are sets */
    int skip_unknown; /* skip (text: unknown names; a set left empty is an empty set) and count */
    int seen;         /* text lines may have such items */
    int boards;       /* queries are new items; `item` of a batch holds their boards */
    const char *path; /* a file; NULL: standard input */
    /* With skip_unknown, NULL or what is told of each bad line as it comes: an unknown name, or a line that makes no
     * sense, which is then no failure but skipped and counted, too (a set: an empty one). */
    void (*bad_line)(const char *message);
} ps_query_options;

typedef struct ps_queries ps_queries;

/* Queries 0..n-1 of a batch: query i has number id[i] and the items item[off[i]] .. item[off[i+1] - 1]
 * with their weights (1 unless given, 0 of those that are but seen). */
typedef struct {
    size_t n;
    uint64_t *id;
    size_t *off;
    uint64_t *item;
    float *weight;
    size_t id_cap, off_cap, item_cap, weight_cap;
} ps_query_batch;

/* Opens the input (not for `all`) and reads the header of a record stream. NULL on failure. */
PS_MUST_USE ps_queries *ps_queries_open(const ps_query_options *o);
void ps_queries_close(ps_queries *q);

/* PS_ITEMS: each query is one item and is numbered as it; PS_PLAIN: queries are sets or new items. */
ps_space ps_queries_space(const ps_queries *q);

/* What to call the input in messages. */
const char *ps_queries_name(const ps_queries *q);

/* 0: queries are items or sets; 1: new items given their boards, 2: with weights. */
int ps_queries_boards(const ps_queries *q);

/* The record stream's header, for its history; NULL for text and `all`. Valid until ps_queries_close. */
const ps_head *ps_queries_head(const ps_queries *q);

/* Fills the batch with up to `max` queries: their number, 0 at the end, negative on failure. */
PS_MUST_USE long ps_queries_next(ps_queries *q, ps_query_batch *batch, size_t max);

/* Names skipped so far because the graph does not know them. */
uint64_t ps_queries_skipped(const ps_queries *q);
void ps_query_batch_free(ps_query_batch *batch);

#endif
