/* feat_state.c - psfeat(5): to and from files. */
#include "feat_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "bytes.h"
#include "mem.h"

enum { VERSION = 1, HEAD = 64, END = 24, DIM_MAX = 1 << 16, LSA = 1, DEGREE = 2 };
static const uint8_t magic[8] = {0x89, 'P', 'S', 'F', '\r', '\n', 0x1a, '\n'};
static const uint8_t end_mark[8] = {'P', 'S', 'F', 'E', 'N', 'D', '\r', '\n'};

void ps_feat_state_free(ps_feat_state *s)
{
    ps_idf_free(&s->idf);
    ps_lsa_free(&s->lsa);
    free(s->mean);
    *s = (ps_feat_state){0};
}

/* ---- writing ---- */

typedef struct {
    ps_out *out;
    uint64_t bytes;
    uint32_t crc;
} sink;

static int put(sink *s, const void *data, size_t n)
{
    s->bytes += n;
    s->crc = (uint32_t)crc32_z(s->crc, data, n);
    return ps_out_write(s->out, data, n);
}

static int put_floats(sink *s, const float *x, size_t n)
{
    uint8_t buf[4096];
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0;) {
        size_t k = 0;
        for (; k < sizeof buf / 4 && i < n; k++, i++)
            ps_putf32(buf + 4 * k, x[i]);
        rc = put(s, buf, 4 * k);
    }
    return rc;
}

uint32_t ps_feat_state_terms(const ps_feat_state *s)
{
    uint32_t n = 0;
    for (uint32_t b = 0; b < PS_TERM_BUCKETS && s->idf.df; b++)
        n += s->idf.df[b] > 0;
    return n;
}

static int put_head(sink *k, const ps_feat_state *s)
{
    uint8_t head[HEAD] = {0};
    memcpy(head, magic, 8);
    ps_put32(head + 8, VERSION);
    ps_put32(head + 12, (s->use_lsa ? LSA : 0) | (s->degree ? DEGREE : 0));
    ps_put64(head + 16, s->seed);
    ps_put64(head + 24, s->idf.texts);
    ps_put32(head + 32, s->text);
    ps_put32(head + 36, s->sketch);
    ps_put32(head + 40, (uint32_t)s->terms.ngram_min);
    ps_put32(head + 44, (uint32_t)s->terms.ngram_max);
    ps_put32(head + 48, ps_feat_state_terms(s));
    ps_put32(head + HEAD - 4, (uint32_t)crc32_z(0, head, HEAD - 4));
    return put(k, head, HEAD);
}

static int put_terms(sink *k, const ps_feat_state *s)
{
    int rc = 0;
    for (uint32_t b = 0; b < PS_TERM_BUCKETS && rc == 0 && s->idf.df; b++) {
        uint8_t entry[8];
        ps_put32(entry, b);
        ps_put32(entry + 4, s->idf.df[b]);
        rc = s->idf.df[b] ? put(k, entry, sizeof entry) : 0;
    }
    return rc;
}

int ps_feat_state_write(const ps_feat_state *s, ps_out *out)
{
    uint8_t end[END];
    sink k = {.out = out};
    int rc = put_head(&k, s);
    if (rc == 0)
        rc = put_terms(&k, s);
    if (rc == 0)
        rc = put_floats(&k, s->lsa.v, (size_t)s->lsa.terms * s->lsa.k);
    if (rc == 0)
        rc = put_floats(&k, s->mean, s->sketch);
    memcpy(end, end_mark, 8);
    ps_put64(end + 8, k.bytes);
    ps_put32(end + 16, k.crc);
    ps_put32(end + 20, (uint32_t)crc32_z(0, end, 20));
    return rc < 0 ? rc : ps_out_write(out, end, sizeof end);
}

/* ---- reading ---- */

static int check_frame(const ps_blob *b, const char *path)
{
    const uint8_t *p = b->data;
    if (b->size < 8 || memcmp(p, magic, 8) != 0)
        return ps_fail(b->size < 8 ? PS_EDATA : PS_EKIND, "%s: %s", path,
                       b->size < 8 ? "truncated: it ends inside the magic" : "not what psfeat --save wrote");
    if (b->size < HEAD + END)
        return ps_fail(PS_EDATA, "%s: truncated at byte %zu", path, b->size);
    if (ps_get32(p + HEAD - 4) != crc32_z(0, p, HEAD - 4))
        return ps_fail(PS_EDATA, "%s: the header is damaged (its CRC does not match)", path);
    if (ps_get32(p + 8) != VERSION)
        return ps_fail(PS_EKIND, "%s: format version %u, this program reads %d", path, ps_get32(p + 8), VERSION);
    const uint8_t *end = p + b->size - END;
    if (memcmp(end, end_mark, 8) != 0 || ps_get32(end + 20) != crc32_z(0, end, 20) ||
        ps_get64(end + 8) != b->size - END)
        return ps_fail(PS_EDATA, "%s: truncated or followed by other bytes: no end mark at byte %zu", path,
                       b->size - END);
    if (ps_get32(end + 16) != crc32_z(0, p, b->size - END))
        return ps_fail(PS_EDATA, "%s: damaged: the CRC of its %zu bytes does not match", path, b->size - END);
    return 0;
}

static int read_floats(float *to, const uint8_t *p, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = ps_getf32(p + 4 * i);
        if (!isfinite(to[i]))
            return ps_fail(PS_EDATA, "%s: a number in it is not finite", path);
    }
    return 0;
}

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
    s->use_lsa = (flags & LSA) != 0;
    s->degree = (flags & DEGREE) != 0;
    s->seed = ps_get64(p + 16);
    s->idf.texts = ps_get64(p + 24);
    s->text = ps_get32(p + 32);
    s->sketch = ps_get32(p + 36);
    s->terms = (ps_term_options){(int)min, (int)max};
    if (s->text > DIM_MAX || s->sketch > DIM_MAX || terms > PS_TERM_BUCKETS || max > PS_NGRAM_MAX || min > max ||
        (flags & ~(uint32_t)(LSA | DEGREE)))
        return ps_fail(PS_EDATA, "%s: its options cannot be", path);
    size_t numbers = s->use_lsa ? (size_t)terms * s->text : 0;
    if (b->size != HEAD + 8 * (size_t)terms + 4 * (numbers + s->sketch) + END)
        return ps_fail(PS_EDATA, "%s: %zu bytes, its header says otherwise", path, b->size);
    int rc = read_terms(s, p + HEAD, terms, path);
    p += HEAD + 8 * (size_t)terms;
    if (rc == 0 && s->use_lsa) {
        s->lsa.k = s->text;
        s->lsa.terms = terms;
        s->lsa.v = ps_aligned(numbers, sizeof *s->lsa.v);
        rc = s->lsa.v ? read_floats(s->lsa.v, p, numbers, path) : PS_EMEM;
    }
    s->mean = rc == 0 ? ps_alloc(s->sketch, sizeof *s->mean) : NULL;
    if (rc == 0)
        rc = s->mean ? read_floats(s->mean, p + 4 * numbers, s->sketch, path) : PS_EMEM;
    return rc;
}

int ps_feat_state_read(ps_feat_state *s, const char *path)
{
    ps_blob b;
    *s = (ps_feat_state){0};
    int rc = ps_blob_open(&b, path);
    if (rc < 0)
        return rc;
    rc = check_frame(&b, path);
    if (rc == 0)
        rc = parse(s, &b, path);
    if (rc < 0)
        ps_feat_state_free(s);
    ps_blob_close(&b);
    return rc;
}
