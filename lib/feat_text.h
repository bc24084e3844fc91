/* feat_text.h - texts as hashed tf-idf vectors, sparse or projected to few dimensions.
 *
 * Terms are words (runs of ASCII letters and digits and of bytes above 127, in lower case as far as
 * ASCII goes) and, if asked for, the character n-grams of "<word>".  Each is hashed to one of
 * PS_TERM_BUCKETS buckets; what falls into one bucket is one term.
 */
#ifndef PS_FEAT_TEXT_H
#define PS_FEAT_TEXT_H

#include "par.h"
#include "text.h"

enum { PS_TERM_BUCKETS = 1 << 18, PS_NGRAM_MAX = 16 };

/* Lengths of n-grams in characters (of UTF-8), 1 <= min <= max <= PS_NGRAM_MAX; max 0: words only. */
typedef struct {
    int ngram_min, ngram_max;
} ps_term_options;

/* The bucket of a word (lower case), of an n-gram and of a board's name; the same string as each is three terms. */
uint32_t ps_term_word(ps_str word);
uint32_t ps_term_ngram(ps_str gram);
uint32_t ps_term_board(ps_str name);

/* ---- texts as they are read, one for each row, rows in any order ---- */

typedef struct {
    size_t at, len;
} ps_span;

typedef struct {
    uint64_t rows; /* the largest row put so far + 1 */
    ps_span *span; /* of each row, in `bytes` */
    size_t span_cap;
    char *bytes;
    size_t used, cap;
    /* Terms that rows have beside their texts, the caller's; NULL: none.  Row i has term[board[off[i]]] to
     * term[board[off[i + 1] - 1]], for every row that ps_tfidf_make is asked for. */
    const uint64_t *off;
    const uint32_t *board, *term;
} ps_texts;

/* Copies the text; the row must not have one yet. `*t` begins as zeros. */
PS_MUST_USE int ps_texts_put(ps_texts *t, uint64_t row, ps_str text);
void ps_texts_free(ps_texts *t); /* what was copied */

/* ---- tf-idf ---- */

/* What the weights of terms depend on beside the text: N, the number of texts that hold any term, and df, by bucket, of those
 * that hold this one. */
typedef struct {
    uint64_t texts;
    uint32_t *df; /* PS_TERM_BUCKETS */
} ps_idf;

void ps_idf_free(ps_idf *idf);

/* Rows of L2 norm 1 (0 for a row without terms): (1 + log tf) log(N / df). */
typedef struct {
    uint64_t rows;
    size_t *off;     /* rows + 1; the entries of row i are off[i] .. off[i + 1] - 1 */
    uint32_t *index; /* bucket, ascending within a row */
    float *value;    /* 0 for a term that every text holds */
} ps_tfidf;

/* Rows 0..rows-1, rows >= t->rows; those never put have no entries.  An idf that begins as zeros becomes that of these texts,
 * to be freed; any other is used as it is, and a term that it does not know counts as one of a single text. */
PS_MUST_USE int ps_tfidf_make(ps_tfidf *m, const ps_texts *t, uint64_t rows, const ps_term_options *o, ps_idf *idf,
                              ps_pool *pool);
void ps_tfidf_free(ps_tfidf *m);

/* out[0..d-1] = the row times a matrix of random signs, L2-normalised, times sqrt(d) / 4, so that the root
 * mean square of an element is 1/4.  The signs of a bucket follow from seed and bucket. */
void ps_tfidf_project(const ps_tfidf *m, uint64_t row, uint64_t seed, uint32_t d, float *out);

#endif
