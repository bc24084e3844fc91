/* feat_state.c - psfeat(5): to and from files. */
#include "feat_state.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "frame.h"
#include "mem.h"

enum { HEAD = 64, DIM_MAX = 1 << 16, LSA = 1, DEGREE = 2, BOARD_TERMS = 4 };
static const ps_frame frame = {"what psfeat --save wrote", 'F', 3, HEAD, 2};

void ps_feat_state_free(ps_feat_state *s)
{
    ps_idf_free(&s->idf);
    ps_lsa_free(&s->lsa);
    free(s->mean);
    free(s->history);
    *s = (ps_feat_state){0};
}

/* ---- writing ---- */

uint32_t ps_feat_state_terms(const ps_feat_state *s)
{
    uint32_t n = 0;
    for (uint32_t b = 0; b < PS_TERM_BUCKETS && s->idf.df; b++)
        n += s->idf.df[b] > 0;
    return n;
}

static int put_head(ps_frame_writer *w, const ps_feat_state *s, ps_out *out)
{
    uint8_t head[HEAD] = {0};
    ps_put32(head + 12, (s->use_lsa ? LSA : 0) | (s->degree ? DEGREE : 0) | (s->board_terms ? BOARD_TERMS : 0));
    ps_put64(head + 16, s->seed);
    ps_put64(head + 24, s->idf.texts);
    ps_put32(head + 32, s->text);
    ps_put32(head + 36, s->sketch);
    ps_put32(head + 40, (uint32_t)s->terms.ngram_min);
    ps_put32(head + 44, (uint32_t)s->terms.ngram_max);
    ps_put32(head + 48, ps_feat_state_terms(s));
    ps_put32(head + 52, s->history ? (uint32_t)strlen(s->history) : 0);
    int rc = ps_frame_begin(w, &frame, out, head);
    return rc == 0 && s->history ? ps_frame_put(w, s->history, strlen(s->history)) : rc;
}

static int put_terms(ps_frame_writer *w, const ps_feat_state *s)
{
    int rc = 0;
    for (uint32_t b = 0; b < PS_TERM_BUCKETS && rc == 0 && s->idf.df; b++) {
        uint8_t entry[8];
        ps_put32(entry, b);
        ps_put32(entry + 4, s->idf.df[b]);
        rc = s->idf.df[b] ? ps_frame_put(w, entry, sizeof entry) : 0;
    }
    return rc;
}

int ps_feat_state_write(const ps_feat_state *s, ps_out *out)
{
    ps_frame_writer w;
    int rc = put_head(&w, s, out);
    if (rc == 0)
        rc = put_terms(&w, s);
    if (rc == 0)
        rc = ps_frame_put_floats(&w, s->lsa.v, (size_t)s->lsa.terms * s->lsa.k);
    if (rc == 0)
        rc = ps_frame_put_floats(&w, s->mean, s->sketch);
    return rc < 0 ? rc : ps_frame_end(&w);
}

/* ---- reading ---- */

static int read_terms(ps_feat_state *s, const uint8_t *p, uint32_t terms, const char *path)
{
    s->idf.df = ps_zalloc(PS_TERM_BUCKETS, sizeof *s->idf.df);
    s->lsa.bucket = s->use_lsa ? ps_alloc(terms, sizeof *s->lsa.bucket) : NULL;
    if (!s->idf.df || (s->use_lsa && !s->lsa.bucket))
        return PS_EMEM;
    for (uint32_t i = 0, last = 0; i < terms; i++) {
        uint32_t b = ps_get32(p + 8 * (size_t)i), df = ps_get32(p + 8 * (size_t)i + 4);
        if (b >= PS_TERM_BUCKETS || (i > 0 && b <= last) || df == 0 || df > s->idf.texts)
            return ps_fail(PS_EDATA, "%s: term %u: bucket %u in %u texts cannot be", path, i, b, df);
        s->idf.df[b] = df;
        if (s->use_lsa)
            s->lsa.bucket[i] = b;
        last = b;
    }
    return 0;
}

static int parse(ps_feat_state *s, const ps_blob *b, const char *path)
{
    const uint8_t *p = b->data;
    uint32_t flags = ps_get32(p + 12), terms = ps_get32(p + 48), min = ps_get32(p + 40), max = ps_get32(p + 44);
    const uint8_t place = 52; /* 0 in version 2 */
    ps_str text;
    size_t history;
    s->use_lsa = (flags & LSA) != 0;
    s->degree = (flags & DEGREE) != 0;
    s->board_terms = (flags & BOARD_TERMS) != 0;
    s->seed = ps_get64(p + 16);
    s->idf.texts = ps_get64(p + 24);
    s->text = ps_get32(p + 32);
    s->sketch = ps_get32(p + 36);
    s->terms = (ps_term_options){(int)min, (int)max};
    if (s->text > DIM_MAX || s->sketch > DIM_MAX || terms > PS_TERM_BUCKETS || max > PS_NGRAM_MAX || min > max ||
        (flags & ~(uint32_t)(LSA | DEGREE | BOARD_TERMS)))
        return ps_fail(PS_EDATA, "%s: its options cannot be", path);
    int rc = ps_frame_texts(b, &frame, &place, 1, path, &text, &history);
    if (rc < 0)
        return rc;
    size_t numbers = s->use_lsa ? (size_t)terms * s->text : 0;
    if (b->size != HEAD + history + 8 * (size_t)terms + 4 * (numbers + s->sketch) + PS_FRAME_END)
        return ps_fail(PS_EDATA, "%s: %zu bytes, its header says otherwise", path, b->size);
    s->history = strndup(text.s, text.len);
    if (!s->history)
        return ps_fail(PS_EMEM, "out of memory");
    p += HEAD + history;
    rc = read_terms(s, p, terms, path);
    p += 8 * (size_t)terms;
    if (rc == 0 && s->use_lsa) {
        s->lsa.k = s->text;
        s->lsa.terms = terms;
        s->lsa.v = ps_aligned(numbers, sizeof *s->lsa.v);
        rc = s->lsa.v ? ps_frame_get_floats(s->lsa.v, p, numbers, path, "LSA's number") : PS_EMEM;
    }
    s->mean = rc == 0 ? ps_alloc(s->sketch, sizeof *s->mean) : NULL;
    if (rc == 0)
        rc = s->mean ? ps_frame_get_floats(s->mean, p + 4 * numbers, s->sketch, path, "the mean sketch's number")
                     : PS_EMEM;
    return rc;
}

int ps_feat_state_read(ps_feat_state *s, const char *path)
{
    ps_blob b;
    const char *name;
    *s = (ps_feat_state){0};
    int rc = ps_frame_open(&b, &frame, path, &name);
    if (rc < 0)
        return rc;
    rc = parse(s, &b, name);
    if (rc < 0)
        ps_feat_state_free(s);
    ps_blob_close(&b);
    return rc;
}
