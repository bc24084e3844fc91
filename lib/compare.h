/* compare.h - several files judged by the same pairs, side by side: figures, how sure they are, and what differs.
 *
 * The queries are the sample: whoever judges by other queries of the same kind sees other figures.  Intervals are
 * percentiles of the bootstrap (Efron 1979): queries are drawn with replacement, as many as there are, with all their
 * pairs. Two files are compared query by query: Fisher's randomisation test (Smucker, Allan and Carterette, CIKM 2007)
 * swaps what the two have for each query with probability 1/2; p is the share of trials in which the measures differ by
 * at least as much as they do, the trial that swaps nothing included. All of it is a function of the seed, for any
 * number of threads.
 */
#ifndef PS_COMPARE_H
#define PS_COMPARE_H

#include "eval.h"

enum { PS_FILES_MAX = 16 };

/* ---- means over a part of the pairs ---- */

/* What each query with pairs in the part has.  The same queries in the same order for every file that is judged by
 * these pairs. */
typedef struct {
    size_t queries, measures;
    uint64_t pairs;
    double *pairs_of; /* query */
    double *row;      /* query x measure: ps_query_measures */
} ps_sums;

PS_MUST_USE int ps_sums_make(ps_sums *s, const ps_ranks *r, const ps_cutoffs *c, const ps_part *part);
void ps_sums_free(ps_sums *s);

/* value[measure] over all queries. */
void ps_sums_mean(const ps_sums *s, const ps_cutoffs *c, double *value);

typedef struct {
    double low, high; /* percentiles 2.5 and 97.5 of the samples */
} ps_interval;

/* For n files and the n (n - 1) / 2 pairs of them, each (i, j) with i < j, (0, 1), (0, 2) .. (1, 2) ..:
 * interval[file * measures + m] of the measure; difference[pair * measures + m] of j's less i's, from the same samples.
 * samples: at least 1. */
PS_MUST_USE int ps_bootstrap(const ps_sums *sums, size_t n, const ps_cutoffs *c, uint64_t samples, uint64_t seed,
                             ps_pool *pool, ps_interval *interval, ps_interval *difference);

/* p[m] of the hypothesis that a and b are alike. */
PS_MUST_USE int ps_randomisation(const ps_sums *a, const ps_sums *b, const ps_cutoffs *c, uint64_t trials,
                                 uint64_t seed, ps_pool *pool, double *p);

/* ---- all that is said of the files ---- */

/* One part for all files. */
typedef struct {
    char name[40]; /* "all", "cold", or "popularity", "degree": then `range` */
    ps_part part;
    int is_range, is_all;
    uint64_t pairs, queries;
    double value[PS_FILES_MAX][PS_MEASURES_MAX];
    /* With samples > 0, and not for ranges: */
    ps_interval interval[PS_FILES_MAX][PS_MEASURES_MAX];
    ps_interval *difference;                       /* pair of files x measure */
    double *p;                                     /* the same */
    double coverage[PS_FILES_MAX][PS_CUTOFFS_MAX]; /* not for ranges */
} ps_compared_part;

typedef struct {
    const char *path;
    char *label; /* short, none twice */
    ps_exposure exposure;
    ps_distribution distribution;
    int is_vectors;
    ps_ranks ranks; /* without best[] and times[] */
} ps_compared_file;

typedef struct {
    const char *const *paths;
    size_t n;
    const ps_pairs *pairs;
    const char *pairs_path;
    const ps_graph *g; /* NULL: only vectors */
    const ps_cutoffs *cutoffs;
    int cosine;       /* vectors are scored by cosine */
    uint32_t cold;    /* boards */
    uint64_t samples; /* of bootstrap and randomisation; 0: neither */
    int breakdown;    /* also parts by the positive's boards and by the query's: 0, 1, 2-3, 4-7 .. */
    uint64_t cosines; /* distribution of so many, 0: none */
    uint64_t seed;
    ps_pool *pool;
} ps_compare_options;

typedef struct {
    ps_compare_options o;
    ps_compared_file file[PS_FILES_MAX];
    ps_compared_part *part;
    size_t parts;
    double catalogue_popularity,
        positive_popularity; /* mean boards of an item of the catalogue; of a pair's positive */
    uint32_t *boards;        /* of each item; NULL without a graph */
} ps_comparison;

/* Reads and judges the files one after the other.  Free with ps_comparison_free, also after a failure. */
PS_MUST_USE int ps_compare(ps_comparison *c, const ps_compare_options *o);
void ps_comparison_free(ps_comparison *c);

/* Wins of file j over file i among the pairs of the part, and ties. */
void ps_compare_wins(const ps_comparison *c, const ps_compared_part *part, size_t i, size_t j, uint64_t *wins,
                     uint64_t *ties);

PS_MUST_USE int ps_compare_text(const ps_comparison *c, ps_out *out);
PS_MUST_USE int ps_compare_json(const ps_comparison *c, ps_out *out);
PS_MUST_USE int ps_compare_tsv(const ps_comparison *c, ps_out *out); /* a line for each figure, with a header line */

#endif
