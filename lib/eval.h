/* eval.h - how well held-out positives are found: section 4 of the paper, "Metrics" in psgraph's design.
 *
 * Every pair (query, positive) is one test case: the rank of the positive among all candidates but the query.
 * A miss (a query or a positive that nothing is known of) has rank infinity and counts as 0 everywhere.
 */
#ifndef PS_EVAL_H
#define PS_EVAL_H

#include "knn.h"
#include "pairs.h"

/* ---- ranks ---- */

enum { PS_CUTOFFS_MAX = 16 };

typedef struct {
    size_t n;
    uint32_t k[PS_CUTOFFS_MAX]; /* ascending */
} ps_cutoffs;

typedef struct {
    double *rank;       /* of each pair, from 1; INFINITY: a miss */
    uint64_t catalogue; /* items that could be recommended: the graph's, or without a graph the rows of vectors */
    int by_row;         /* there is no graph */
    uint32_t
        *best; /* of each item (by_row: row): the best place it had in any query's list, from 1; UINT32_MAX: none */
    uint64_t no_query;    /* pairs missed because their query has no vector or no hits record */
    uint64_t no_positive; /* pairs missed because their positive has no vector */
    size_t *order;        /* the pairs by query, those of one query in their order */
    size_t queries;       /* distinct queries */
    const ps_pairs *pairs;
    uint8_t *answered;         /* hits: queries that had a record */
    const ps_cutoffs *counted; /* what times[] is of, NULL: it is not there */
    uint32_t *times;           /* at cutoff k, item i: in how many queries' first K it was: times[k * catalogue + i] */
    uint32_t *listed;          /* hits: the last record that an item was in, from 1 */
    uint32_t records;
} ps_ranks;

/* Room for the ranks of these pairs, which must outlive them; all are misses so far.  g NULL: the catalogue are
 * the `rows` of the vectors to come. */
PS_MUST_USE int ps_ranks_make(ps_ranks *r, const ps_pairs *pairs, const ps_graph *g, uint64_t rows);
void ps_ranks_free(ps_ranks *r);

/* Before the first hits or vectors: count also how often each item is listed (times[]). `c` must outlive the ranks. */
PS_MUST_USE int ps_ranks_count(ps_ranks *r, const ps_cutoffs *c);

/* Full ranks from vectors: 1 + candidates above + half of those with the same score (ties at their middle).
 * knn must have been opened with the graph that the ranks were made for.  `depth`: length of the lists that go
 * into best[]; 0: none. */
PS_MUST_USE int ps_ranks_vectors(ps_ranks *r, const ps_knn *knn, size_t depth, ps_pool *pool);

/* The place in a hits record; a positive that is not listed has the middle rank of the items not listed.  `n`
 * records of a stream called `name`, the first being its record `first`.  All numbers must be below the catalogue's
 * size (those of sets below the number of sets); a query that comes again, or an item twice among the hits of a query
 * of the pairs, is PS_EDATA. */
PS_MUST_USE int ps_ranks_hits(ps_ranks *r, const ps_head *head, const uint8_t *records, size_t n, const char *name,
                              uint64_t first);

/* PS_EKIND or PS_EMATCH if such hits cannot be ranked: hits of items for items (of sets for sets) of g are needed. */
PS_MUST_USE int ps_ranks_suit(const ps_pairs *pairs, const ps_head *h, const char *name, const ps_graph *g);

/* After the last hits: counts the pairs whose query had none. */
void ps_ranks_hits_end(ps_ranks *r);

/* How a file is judged. */
typedef struct {
    const ps_pairs *pairs;
    const char *pairs_path;
    const ps_graph *g;         /* NULL: only vectors */
    int cosine;                /* score vectors by cosine */
    const ps_cutoffs *cutoffs; /* list what is recommended, up to the last of them; NULL: ranks only */
    int count;                 /* also count how often it is: ps_ranks_count */
    ps_pool *pool;
} ps_judging;

/* Ranks from vectors; of hits or vectors, as the file says.  Of vectors, found(ctx, knn) is called before they are
 * closed, if there is such a function.  Free `r` with ps_ranks_free, also after a failure. */
PS_MUST_USE int ps_ranks_knn(ps_ranks *r, const ps_judging *how, const ps_knn *knn);
PS_MUST_USE int ps_ranks_file(ps_ranks *r, const ps_judging *how, const char *path,
                              int (*found)(void *ctx, const ps_knn *knn), void *ctx);

/* ---- figures ---- */

/* "10,100,500": numbers of 1 .. 1000000, ascending.  PS_EUSAGE otherwise. */
PS_MUST_USE int ps_cutoffs_parse(ps_cutoffs *c, const char *text);

/* All at each cutoff K, where it depends on one. */
typedef struct {
    uint64_t pairs, queries;
    double hit[PS_CUTOFFS_MAX];      /* share of pairs with rank <= K */
    double mrr;                      /* mean of 1 / rank over pairs */
    double scaled_mrr;               /* mean of 1 / ceil(rank / 100) */
    double recall[PS_CUTOFFS_MAX];   /* mean over queries of the share of its positives with rank <= K */
    double ndcg[PS_CUTOFFS_MAX];     /* mean over queries; gain 1, discount 1 / log2(1 + rank) */
    double coverage[PS_CUTOFFS_MAX]; /* share of the catalogue that is in some query's top K */
} ps_metrics;

/* Some of the pairs: those whose positive (by_query: whose query) is on `least` to `most` boards; boards[i]: those of
 * item i of the catalogue.  A name that the graph does not know is on none. */
typedef struct {
    const uint32_t *boards;
    uint32_t least, most;
    int by_query;
} ps_part;

/* `part` NULL: all pairs.  Coverage is of the items that positives of the part may be; by_query: of all.  Without any
 * pair all figures are 0. */
void ps_metrics_make(ps_metrics *m, const ps_ranks *r, const ps_cutoffs *c, const ps_part *part);

/* The measures that are means over pairs or queries, as one row of numbers: hit-rate at each K, scaled MRR, MRR, recall
 * at each K, NDCG at each K. */
enum { PS_MEASURES_MAX = 3 * PS_CUTOFFS_MAX + 2 };
static inline size_t ps_measures(const ps_cutoffs *c)
{
    return 3 * c->n + 2;
}

/* "hit-rate", "scaled-mrr", "mrr", "recall" or "ndcg"; *k: the K of it, 0: it has none.  Is it a mean over pairs? */
const char *ps_measure_name(const ps_cutoffs *c, size_t measure, uint32_t *k);
int ps_measure_of_pairs(const ps_cutoffs *c, size_t measure);

/* What the query that has the pairs order[begin .. end - 1] adds to each measure: the sum over its pairs in the part,
 * or its own figure.  Returns how many pairs these are; 0: then the row is zero. */
size_t ps_query_measures(const ps_ranks *r, const ps_cutoffs *c, const ps_part *part, size_t begin, size_t end,
                         double *row);

/* The end of the query's pairs that begins at order[begin]. */
size_t ps_query_end(const ps_ranks *r, size_t begin);

/* Distinct boards of every item; free().  NULL on failure. */
PS_MUST_USE uint32_t *ps_board_counts(const ps_graph *g);

/* Whom the lists favour, at each K; counted by ps_ranks_count. */
typedef struct {
    uint64_t listed[PS_CUTOFFS_MAX];   /* entries of all lists */
    double popularity[PS_CUTOFFS_MAX]; /* mean number of boards of a listed item; 0 without boards */
    double gini[PS_CUTOFFS_MAX]; /* Gini coefficient of how often the catalogue's items are listed: 0 all alike, 1 all
                                    lists are of one item */
} ps_exposure;

/* boards NULL: there are none.  Uses times[] up. */
void ps_exposure_make(ps_exposure *e, ps_ranks *r, const uint32_t *boards);

/* Head-to-head: in what share of the pairs a ranks the positive above b; equal ranks count half. */
double ps_head_to_head(const ps_ranks *a, const ps_ranks *b, uint64_t *wins, uint64_t *ties);

/* ---- distribution of pairwise cosine similarity (paper, section 4.4) ---- */

enum { PS_QUANTILES = 7, PS_BINS = 20 };
extern const double ps_quantiles[PS_QUANTILES]; /* .01 .05 .25 .5 .75 .95 .99 */

typedef struct {
    uint64_t pairs; /* random pairs of different items, with replacement; zero vectors are not drawn */
    uint64_t zero;  /* rows that are zero vectors */
    double mean, sd, min, max;
    double kurtosis; /* excess: 0 for a normal distribution */
    double quantile[PS_QUANTILES];
    uint64_t histogram[PS_BINS]; /* of width .1 from -1 to 1 */
} ps_distribution;

/* PS_EDATA if there are not two rows to compare. */
PS_MUST_USE int ps_distribution_make(ps_distribution *d, const ps_knn *knn, uint64_t pairs, uint64_t seed,
                                     ps_pool *pool);

/* ---- the report ---- */

typedef struct {
    const ps_cutoffs *cutoffs;
    const ps_metrics *all, *cold; /* NULL: not asked for */
    int64_t cold_boards;          /* what cold means */
    int versus;                   /* is there a head-to-head? */
    double share;
    uint64_t wins, ties;
    const ps_distribution *distribution; /* NULL: not asked for */
} ps_report;

PS_MUST_USE int ps_report_text(const ps_report *r, ps_out *out);
PS_MUST_USE int ps_report_json(const ps_report *r, ps_out *out);

#endif
