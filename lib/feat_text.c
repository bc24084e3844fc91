#include "feat_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dict.h"
#include "feat_sign.h"
#include "mem.h"
#include "rng.h"

enum { BLOCK = 256 }; /* rows of a task */

uint32_t ps_term_word(ps_str word)
{
    return (uint32_t)(ps_name_hash(word) % PS_TERM_BUCKETS);
}

uint32_t ps_term_ngram(ps_str gram)
{
    return (uint32_t)(ps_mix64(ps_name_hash(gram) + 1) % PS_TERM_BUCKETS);
}

uint32_t ps_term_board(ps_str name)
{
    return (uint32_t)(ps_mix64(ps_name_hash(name) + 2) % PS_TERM_BUCKETS);
}

/* ---- texts ---- */

int ps_texts_put(ps_texts *t, uint64_t row, ps_str text)
{
    if (ps_grow(&t->span, &t->span_cap, row + 1, sizeof *t->span) < 0 ||
        ps_grow(&t->bytes, &t->cap, t->used + text.len, 1) < 0)
        return PS_EMEM;
    for (; t->rows <= row; t->rows++)
        t->span[t->rows] = (ps_span){0, 0};
    t->span[row] = (ps_span){t->used, text.len};
    if (text.len > 0)
        memcpy(t->bytes + t->used, text.s, text.len);
    t->used += text.len;
    return 0;
}

void ps_texts_free(ps_texts *t)
{
    free(t->span);
    free(t->bytes);
    memset(t, 0, sizeof *t);
}

/* ---- terms of one text ---- */

/* Scratch memory of one thread. */
typedef struct {
    uint32_t *term; /* buckets of the text's terms, repeated as often as they stand there */
    size_t n, cap;
    char *word; /* "<word>" */
    size_t word_cap;
} bag;

static int lower_word_byte(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 'a';
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c > 127 ? c : 0;
}

static int add_term(bag *b, uint32_t term)
{
    if (ps_grow(&b->term, &b->cap, b->n + 1, sizeof *b->term) < 0)
        return PS_EMEM;
    b->term[b->n++] = term;
    return 0;
}

/* The first byte after the character that begins at s[at]. */
static size_t next_char(const char *s, size_t at, size_t len)
{
    do
        at++;
    while (at < len && (s[at] & 0xc0) == 0x80);
    return at;
}

/* `marked`: the word between '<' and '>', len bytes in all. */
static int add_ngrams(bag *b, const char *marked, size_t len, const ps_term_options *o)
{
    for (size_t at = 0; at < len; at = next_char(marked, at, len)) {
        size_t end = at;
        for (int n = 1; n <= o->ngram_max && end < len; n++) {
            end = next_char(marked, end, len);
            if (n >= o->ngram_min && add_term(b, ps_term_ngram((ps_str){marked + at, end - at})) < 0)
                return PS_EMEM;
        }
    }
    return 0;
}

static int collect_terms(bag *b, ps_str text, const ps_term_options *o)
{
    b->n = 0;
    if (ps_grow(&b->word, &b->word_cap, text.len + 2, 1) < 0)
        return PS_EMEM;
    b->word[0] = '<';
    for (size_t i = 0, len = 0; i <= text.len; i++) {
        int c = i < text.len ? lower_word_byte((unsigned char)text.s[i]) : 0;
        if (c) {
            b->word[1 + len++] = (char)c;
            continue;
        }
        if (len == 0)
            continue;
        b->word[1 + len] = '>';
        if (add_term(b, ps_term_word((ps_str){b->word + 1, len})) < 0 || add_ngrams(b, b->word, len + 2, o) < 0)
            return PS_EMEM;
        len = 0;
    }
    return 0;
}

static int add_boards(bag *b, const ps_texts *t, uint64_t row)
{
    int rc = 0;
    for (uint64_t e = t->off[row]; e < t->off[row + 1] && rc == 0; e++)
        rc = add_term(b, t->term[t->board[e]]);
    return rc;
}

/* ---- the matrix, in two passes over blocks of rows ---- */

typedef struct {
    uint32_t *index;
    float *tf; /* 1 + log of the count */
    size_t used, index_cap, tf_cap;
} block;

typedef struct {
    const ps_texts *texts;
    const ps_term_options *o;
    ps_tfidf *m;
    block *blocks;
    bag *bags;    /* one for each thread */
    ps_idf *idf;
    int counting; /* idf is being made, with atomic additions, whose order does not matter */
} job;

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Appends the bag's distinct terms, ascending, to the block; returns how many. */
static long count_terms(job *j, block *k, bag *b)
{
    size_t before = k->used;
    if (b->n == 0)
        return 0;
    qsort(b->term, b->n, sizeof *b->term, compare);
    if (ps_grow(&k->index, &k->index_cap, k->used + b->n, sizeof *k->index) < 0 ||
        ps_grow(&k->tf, &k->tf_cap, k->used + b->n, sizeof *k->tf) < 0)
        return PS_EMEM;
    for (size_t i = 0, end; i < b->n; i = end) {
        for (end = i + 1; end < b->n && b->term[end] == b->term[i]; end++)
            ;
        k->index[k->used] = b->term[i];
        k->tf[k->used++] = (float)(1 + log((double)(end - i)));
        if (j->counting)
            __atomic_fetch_add(&j->idf->df[b->term[i]], 1, __ATOMIC_RELAXED);
    }
    return (long)(k->used - before);
}

/* First pass; off[i + 1] receives the number of row i's entries. */
static int count_block(void *ctx, size_t task, int thread)
{
    job *j = ctx;
    for (uint64_t i = task * BLOCK; i < j->m->rows && i < (task + 1) * BLOCK; i++) {
        ps_span at = i < j->texts->rows ? j->texts->span[i] : (ps_span){0, 0};
        long n = collect_terms(&j->bags[thread], (ps_str){j->texts->bytes + at.at, at.len}, j->o);
        if (n == 0 && j->texts->off)
            n = add_boards(&j->bags[thread], j->texts, i);
        if (n == 0)
            n = count_terms(j, &j->blocks[task], &j->bags[thread]);
        if (n < 0)
            return (int)n;
        j->m->off[i + 1] = (size_t)n;
    }
    return 0;
}

static double idf_of(const ps_idf *idf, uint32_t term)
{
    return idf->texts ? log((double)idf->texts / (double)(idf->df[term] ? idf->df[term] : 1)) : 0;
}

/* Second pass: weights and norms, to where the rows belong. */
static int weigh_block(void *ctx, size_t task, int thread)
{
    job *j = ctx;
    block *k = &j->blocks[task];
    size_t from = 0;
    (void)thread;
    for (uint64_t i = task * BLOCK; i < j->m->rows && i < (task + 1) * BLOCK; i++) {
        size_t n = j->m->off[i + 1] - j->m->off[i];
        float *value = j->m->value + j->m->off[i];
        for (size_t e = 0; e < n; e++)
            value[e] = (float)((double)k->tf[from + e] * idf_of(j->idf, k->index[from + e]));
        ps_unit_length(value, n, 1, 0);
        if (n > 0)
            memcpy(j->m->index + j->m->off[i], k->index + from, n * sizeof *k->index);
        from += n;
    }
    free(k->index);
    free(k->tf);
    *k = (block){0};
    return 0;
}

static int make(job *j, size_t tasks, ps_pool *pool)
{
    ps_tfidf *m = j->m;
    int rc = ps_pool_run(pool, tasks, count_block, j);
    if (rc < 0)
        return rc;
    for (uint64_t i = 0; i < m->rows; i++) {
        j->idf->texts += j->counting && m->off[i + 1] > 0;
        m->off[i + 1] += m->off[i];
    }
    m->index = ps_alloc(m->off[m->rows], sizeof *m->index);
    m->value = ps_alloc(m->off[m->rows], sizeof *m->value);
    if (!m->index || !m->value)
        return PS_EMEM;
    return ps_pool_run(pool, tasks, weigh_block, j);
}

void ps_idf_free(ps_idf *idf)
{
    free(idf->df);
    *idf = (ps_idf){0};
}

int ps_tfidf_make(ps_tfidf *m, const ps_texts *t, uint64_t rows, const ps_term_options *o, ps_idf *idf, ps_pool *pool)
{
    const size_t tasks = (rows + BLOCK - 1) / BLOCK, threads = (size_t)ps_pool_threads(pool);
    *m = (ps_tfidf){.rows = rows, .off = ps_zalloc(rows + 1, sizeof *m->off)};
    job j = {.texts = t,
             .o = o,
             .m = m,
             .blocks = ps_zalloc(tasks, sizeof *j.blocks),
             .bags = ps_zalloc(threads, sizeof *j.bags),
             .idf = idf,
             .counting = !idf->df};
    if (j.counting)
        idf->df = ps_zalloc(PS_TERM_BUCKETS, sizeof *idf->df);
    int rc = m->off && j.blocks && j.bags && idf->df ? make(&j, tasks, pool) : PS_EMEM;
    for (size_t i = 0; j.blocks && i < tasks; i++) {
        free(j.blocks[i].index);
        free(j.blocks[i].tf);
    }
    for (size_t i = 0; j.bags && i < threads; i++) {
        free(j.bags[i].term);
        free(j.bags[i].word);
    }
    free(j.blocks);
    free(j.bags);
    if (rc < 0)
        ps_tfidf_free(m);
    return rc;
}

void ps_tfidf_free(ps_tfidf *m)
{
    free(m->off);
    free(m->index);
    free(m->value);
    *m = (ps_tfidf){0};
}

void ps_tfidf_project(const ps_tfidf *m, uint64_t row, uint64_t seed, uint32_t d, float *out)
{
    memset(out, 0, d * sizeof *out);
    for (size_t e = m->off[row]; e < m->off[row + 1]; e++)
        ps_signs_add(out, d, ps_signs_key(seed, PS_SIGNS_TERM, m->index[e]), m->value[e]);
    ps_unit_length(out, d, sqrtf((float)d) / 4, 0);
}
