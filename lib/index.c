/* index.c - what the indexes have in common: building, efforts. */
#include "index.h"

#include <stdlib.h>
#include <string.h>

#include "index_inner.h"
#include "mem.h"
#include "tool.h"

enum { HELD_OUT_MIN_STEP = 8 };

size_t index_held_out(const ps_knn *knn, uint64_t *row, size_t max)
{
    const uint64_t step = knn->n / max > HELD_OUT_MIN_STEP ? knn->n / max : HELD_OUT_MIN_STEP;
    size_t n = 0;
    for (uint64_t i = step / 2; i < knn->n && n < max; i += step)
        row[n++] = i;
    return n;
}

static int ask(const ps_knn *knn, index_sample *s, const uint64_t *row)
{
    int rc = 0;
    for (size_t i = 0; i < s->n && rc == 0; i++) {
        rc = ps_knn_begin(&s->q, knn);
        if (rc == 0)
            rc = ps_knn_add(&s->q, knn, knn, row[i], 1);
        if (rc == 0)
            rc = ps_knn_leave_out(&s->q, row[i]);
        if (rc == 0)
            rc = ps_knn_end(&s->q, knn);
    }
    return rc;
}

int index_sample_make(index_sample *s, ps_knn *knn, size_t max, size_t k, ps_pool *pool)
{
    *s = (index_sample){.k = k};
    uint64_t *row = ps_alloc(max, sizeof *row);
    s->n = row ? index_held_out(knn, row, max) : 0;
    s->hits = ps_alloc(s->n * k, sizeof *s->hits);
    s->found = ps_zalloc(s->n + 1, sizeof *s->found);
    int rc = row && s->hits && s->found ? ask(knn, s, row) : PS_EMEM;
    if (rc == 0)
        rc = ps_knn_code(knn, pool);
    if (rc == 0)
        rc = ps_knn_search(knn, &s->q, pool, k, s->hits, s->found);
    free(row);
    return rc;
}

void index_sample_free(index_sample *s)
{
    ps_knn_queries_free(&s->q);
    free(s->hits);
    free(s->found);
}

double index_sample_recall(const index_sample *s, const ps_hit *hits, const size_t *found, size_t depth)
{
    uint64_t all = 0, have = 0;
    for (size_t i = 0; i < s->n; i++)
        for (size_t a = 0; a < depth && a < s->found[i]; a++, all++)
            for (size_t b = 0; b < found[i]; b++)
                have += hits[i * depth + b].item == s->hits[i * s->k + a].item;
    return all > 0 ? (double)have / (double)all : 1;
}

void index_efforts(uint32_t *effort, uint32_t most, uint32_t part)
{
    uint32_t at = 1;
    for (size_t i = 0; i < PS_INDEX_EFFORTS; i++) {
        effort[i] = at < most ? at : most;
        at = at < part ? at + 1 : at + at / part;
    }
}

uint32_t ps_index_effort(const ps_index *x, double recall, size_t k)
{
    /* Between the two depths what either needs: of type lsh, hits near the tenth need more. */
    size_t i = 0;
    while (i + 1 < PS_INDEX_EFFORTS && ((k < 100 && x->recall[0][i] < recall) || (k > 10 && x->recall[1][i] < recall)))
        i++;
    return x->effort[i];
}

/* The same kind of vectors as `old` was made of, though not the same vectors. */
static int suits(const ps_knn *knn, const ps_index *old, ps_index_type type)
{
    const int has_bias = !knn->cosine && knn->dense.has_bias;
    if (old->type != type)
        return ps_fail(PS_EMATCH, "%s: an index of another type", old->name);
    if (old->d != knn->d || old->has_bias != has_bias || old->cosine != knn->cosine)
        return ps_fail(PS_EMATCH, "%s: an index of other vectors: of %u elements%s%s, not %u%s%s", old->name, old->d,
                       old->has_bias ? " with bias" : "", old->cosine ? ", by cosine" : "", knn->d,
                       has_bias ? " with bias" : "", knn->cosine ? ", by cosine" : "");
    return 0;
}

/* The vectors' history and a line of the index's own, which stays with what is trained however often it is updated. */
static int note(ps_head *h, const ps_knn *knn, const ps_index *x, const ps_index *old)
{
    int rc = ps_head_inherit(h, knn->head);
    if (rc < 0)
        return rc;
    if (old && old->history.len) {
        const size_t n = old->history.len - 1;
        const char *newline = memrchr(old->history.s, '\n', n);
        const char *own = newline ? newline + 1 : old->history.s;
        return ps_head_lines(h, (ps_str){own, (size_t)(old->history.s + n - own)});
    }
    return ps_head_note(h, "psknn %s index=%s%s seed=%llu trained=%016llx", PS_VERSION,
                        x->type == PS_INDEX_IVF ? "ivf" : "lsh", x->cosine ? " cosine" : "",
                        (unsigned long long)(old ? old->seed : x->seed),
                        (unsigned long long)(old ? old->vectors : x->vectors));
}

static int build(ps_knn *knn, const ps_index_options *o, const ps_index *old, ps_index *x, ps_pool *pool, ps_out *out)
{
    uint32_t *hash = ps_alloc(knn->n, sizeof *hash);
    uint64_t *item = ps_alloc(knn->n, sizeof *item);
    ps_head h = {0};
    int rc = hash && item ? 0 : PS_EMEM;
    if (rc == 0) {
        index_hash(knn, hash, &x->vectors);
        for (uint64_t i = 0; i < knn->n; i++)
            item[i] = ps_knn_item(knn, i);
        x->hash = hash;
        x->item = item;
        rc = note(&h, knn, x, old);
    }
    if (rc == 0) {
        x->history = (ps_str){h.history, strlen(h.history)};
        rc = o->type == PS_INDEX_IVF ? ivf_build(knn, o, old, x, pool, out) : lsh_build(knn, old, x, pool, out);
    }
    free(hash);
    free(item);
    ps_head_free(&h);
    return rc;
}

int ps_index_build(ps_knn *knn, const ps_index_options *o, ps_pool *pool, ps_out *out)
{
    ps_index x = {.type = o->type, .n = knn->n, .d = knn->d, .cosine = knn->cosine, .seed = o->seed}, old = {0};
    x.has_bias = !knn->is_sparse && !knn->cosine && knn->dense.has_bias;
    if (knn->is_sparse)
        return ps_fail(PS_EKIND, "%s: holds sparse vectors: their posting lists are index enough", knn->name);
    if (knn->n == 0 || knn->n >= UINT32_MAX - PS_CODES_LANES)
        return ps_fail(PS_EDATA, "%s: an index is of 1 to 4294967278 vectors", knn->name);
    int rc = o->update ? ps_index_open(&old, o->update, NULL) : 0;
    if (rc == 0 && o->update)
        rc = suits(knn, &old, o->type);
    if (rc == 0)
        rc = build(knn, o, o->update ? &old : NULL, &x, pool, out);
    if (o->update)
        ps_index_close(&old);
    return rc;
}

int ps_index_search(const ps_index *x, const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool, uint32_t effort,
                    size_t k, ps_hit *hits, size_t *found)
{
    return x->type == PS_INDEX_IVF ? ivf_search(x, knn, q, pool, effort, k, hits, found)
                                   : lsh_search(x, knn, q, pool, effort, k, hits, found);
}
