/* index_file.c - psindex(5): written in one go, mapped and checked when it is opened. */
#include <stdlib.h>
#include <string.h>

#include "crc.h"
#include "index_inner.h"
#include "magic.h"
#include "mem.h"
#include "rng.h"

static const uint8_t magic[8] = {0x89, 'P', 'S', 'I', '\r', '\n', 0x1a, '\n'};

static int bad(const ps_index *x, uint64_t at, int code, const char *why)
{
    return ps_fail(code, "%s: byte %llu: %s", x->name, (unsigned long long)at, why);
}

/* ---- rows ---- */

void index_row(const void *ctx, size_t i, float *x)
{
    const ps_knn *knn = ctx;
    const float *row = ps_vectors_row(&knn->dense, i), times = knn->cosine ? knn->inverse[i] : 1;
    for (uint32_t j = 0; j < knn->d; j++)
        x[j] = row[j] * times;
}

void index_hash(const ps_knn *knn, uint32_t *hash, uint64_t *all)
{
    uint64_t h = ps_mix64(knn->n + 1);
    for (uint64_t i = 0; i < knn->n; i++) {
        hash[i] = ps_crc32(0, ps_vectors_row(&knn->dense, i), knn->d * sizeof(float));
        h = ps_mix64(h ^ ps_knn_item(knn, i));
        h = ps_mix64(h ^ hash[i]);
    }
    *all = h;
}

/* ---- writing ---- */

static uint64_t aligned(uint64_t at)
{
    return (at + INDEX_ALIGN - 1) / INDEX_ALIGN * INDEX_ALIGN;
}

static void encode_head(const ps_index *x, size_t sections, uint8_t *p)
{
    memcpy(p, magic, 8);
    ps_put16(p + 8, PS_INDEX_VERSION);
    ps_put16(p + 10, (uint16_t)sections);
    ps_put32(p + 12, (uint32_t)(PS_INDEX_HEAD + sections * INDEX_ENTRY));
    ps_put16(p + 16, (uint16_t)x->type);
    ps_put16(p + 18, (uint16_t)((x->has_bias ? INDEX_BIAS : 0) | (x->cosine ? INDEX_COSINE : 0)));
    ps_put32(p + 20, x->d);
    ps_put64(p + 24, x->n);
    ps_put64(p + 32, x->vectors);
    ps_put64(p + 40, x->seed);
    ps_put32(p + 48, x->type == PS_INDEX_IVF ? x->cells : PS_BITS);
}

int index_write(const ps_index *x, const index_part *own, size_t owned, ps_out *out)
{
    static const uint8_t zeros[INDEX_ALIGN];
    index_part parts[INDEX_SECTIONS];
    const size_t n = owned + 1, length = PS_INDEX_HEAD + n * INDEX_ENTRY;
    memcpy(parts, own, owned * sizeof *own);
    parts[owned] = (index_part){SEC_HISTORY, x->history.s, x->history.len};
    uint8_t head[PS_INDEX_HEAD + INDEX_SECTIONS * INDEX_ENTRY] = {0};
    encode_head(x, n, head);
    uint64_t at = aligned(length);
    for (size_t i = 0; i < n; i++) {
        uint8_t *p = head + PS_INDEX_HEAD + i * INDEX_ENTRY;
        ps_put32(p, parts[i].id);
        ps_put64(p + 8, at);
        ps_put64(p + 16, parts[i].bytes);
        ps_put32(p + 24, ps_crc32(0, parts[i].data, parts[i].bytes));
        at = aligned(at + parts[i].bytes);
    }
    ps_put32(head + 60, ps_crc32(0, head, length));
    int rc = ps_out_write(out, head, length);
    at = length;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = ps_out_write(out, zeros, aligned(at) - at);
        if (rc == 0)
            rc = ps_out_write(out, parts[i].data, parts[i].bytes);
        at = aligned(at) + parts[i].bytes;
    }
    return rc;
}

/* ---- opening ---- */

/* Where each section is to be kept, and how many bytes it has. */
typedef struct {
    const void *at[SEC_END];
    uint64_t bytes[SEC_END];
} sections;

static int read_sections(const ps_index *x, sections *s)
{
    const uint8_t *p = x->blob.data;
    const uint32_t n = ps_get16(p + 10);
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t entry = PS_INDEX_HEAD + (uint64_t)i * INDEX_ENTRY;
        const uint32_t id = ps_get32(p + entry);
        const uint64_t at = ps_get64(p + entry + 8), bytes = ps_get64(p + entry + 16);
        if (id == 0 || id >= SEC_END || s->at[id])
            return bad(x, entry, PS_EDATA, "damaged: a section that is not known, or there twice");
        if (at % INDEX_ALIGN != 0 || at > x->blob.size || bytes > x->blob.size - at)
            return bad(x, entry, PS_EDATA, "damaged or truncated: a section lies outside the file");
        if (ps_crc32(0, p + at, bytes) != ps_get32(p + entry + 24))
            return bad(x, at, PS_EDATA, "damaged: a section's CRC does not match");
        s->at[id] = p + at;
        s->bytes[id] = bytes;
    }
    return 0;
}

static int has(const sections *s, int id, uint64_t count, uint64_t size)
{
    return s->at[id] && s->bytes[id] % size == 0 && s->bytes[id] / size == count;
}

static int attach_ivf(ps_index *x, const sections *s)
{
    x->cells = ps_get32(x->blob.data + 48);
    x->centroid = s->at[SEC_CENTROID];
    x->cell_off = s->at[SEC_CELL_OFF];
    if (x->cells == 0 || !has(s, SEC_CELL_OFF, (uint64_t)x->cells + 1, 4) ||
        !has(s, SEC_CENTROID, x->cells, (uint64_t)x->d * 4))
        return 0;
    const uint64_t groups = ivf_groups(x);
    x->codes = s->at[SEC_CODES];
    x->scale = s->at[SEC_SCALE];
    x->offset = s->at[SEC_OFFSET];
    x->row = s->at[SEC_ROW];
    return has(s, SEC_CODES, groups, ps_codes_group(x->d - (uint32_t)x->has_bias)) &&
           has(s, SEC_SCALE, groups, PS_CODES_LANES * 4) && has(s, SEC_OFFSET, groups, PS_CODES_LANES * 4) &&
           has(s, SEC_ROW, groups, PS_CODES_LANES * 4);
}

static int attach_lsh(ps_index *x, const sections *s)
{
    x->token_bits = lsh_token_bits(x->n);
    x->mean = s->at[SEC_MEAN];
    x->planes = s->at[SEC_PLANES];
    x->list_off = s->at[SEC_LIST_OFF];
    x->signature = s->at[SEC_SIGNATURE];
    x->posting = s->at[SEC_POSTING];
    const float *form = s->at[SEC_FORM];
    if (!has(s, SEC_FORM, 4, 4) || !has(s, SEC_LIST_OFF, ((uint64_t)1 << x->token_bits) + 1, 4))
        return 0;
    x->length = form[0];
    x->bias_times = form[1];
    const uint64_t lanes = lsh_lanes(x);
    return ps_get32(x->blob.data + 48) == PS_BITS && has(s, SEC_MEAN, x->d, 4) &&
           has(s, SEC_PLANES, (uint64_t)PS_BITS * (x->d + 1), 4) && has(s, SEC_SIGNATURE, lanes, PS_BITS / 8) &&
           has(s, SEC_POSTING, lanes, 4);
}

static int attach(ps_index *x)
{
    sections s = {0};
    int rc = read_sections(x, &s);
    if (rc < 0)
        return rc;
    x->item = s.at[SEC_ITEM];
    x->hash = s.at[SEC_HASH];
    x->effort = s.at[SEC_EFFORT];
    x->history = (ps_str){s.at[SEC_HISTORY], s.bytes[SEC_HISTORY]};
    for (size_t i = 0; i < PS_INDEX_CURVES && s.at[SEC_RECALL]; i++)
        x->recall[i] = (const float *)s.at[SEC_RECALL] + i * PS_INDEX_EFFORTS;
    int whole = has(&s, SEC_ITEM, x->n, 8) && has(&s, SEC_HASH, x->n, 4) && has(&s, SEC_EFFORT, PS_INDEX_EFFORTS, 4) &&
                has(&s, SEC_RECALL, PS_INDEX_CURVES * PS_INDEX_EFFORTS, 4);
    whole = whole && (x->type == PS_INDEX_IVF ? attach_ivf(x, &s) : attach_lsh(x, &s));
    return whole ? 0 : bad(x, PS_INDEX_HEAD, PS_EDATA, "damaged: a section is missing or of the wrong size");
}

static int read_head(ps_index *x)
{
    const uint8_t *p = x->blob.data;
    if (x->blob.size < PS_INDEX_HEAD || memcmp(p, magic, 8) != 0) {
        const ps_file_type type = ps_file_type_of(p, x->blob.size);
        if (type == PS_FILE_OTHER || type == PS_FILE_INDEX)
            return bad(x, 0, PS_EDATA,
                       type == PS_FILE_INDEX ? "a damaged or truncated index"
                                             : "not a psgraph index (psknn -B makes one)");
        return ps_fail(PS_EKIND, "%s: byte 0: this is %s, not a psgraph index (psknn -B makes one)", x->name,
                       ps_file_type_name(type));
    }
    if (ps_get16(p + 8) > PS_INDEX_VERSION)
        return ps_fail(PS_EKIND, "%s: byte 8: psindex version %d; this program reads up to %d", x->name,
                       ps_get16(p + 8), PS_INDEX_VERSION);
    if (ps_get16(p + 8) < (ps_get16(p + 16) == PS_INDEX_LSH ? 6 : 5))
        return bad(x, 8, PS_EKIND, "an index in an older form: build it again");
    const uint32_t n = ps_get16(p + 10), length = ps_get32(p + 12);
    static const uint8_t zero[4];
    if (length != PS_INDEX_HEAD + n * INDEX_ENTRY || length > x->blob.size)
        return bad(x, 12, PS_EDATA, "damaged or truncated: the section table is not whole");
    uint32_t crc = ps_crc32(0, p, 60);
    crc = ps_crc32(crc, zero, 4);
    if (ps_crc32(crc, p + 64, length - 64) != ps_get32(p + 60))
        return bad(x, 60, PS_EDATA, "damaged header: its CRC does not match");
    x->version = ps_get16(p + 8);
    x->type = ps_get16(p + 16);
    x->has_bias = (ps_get16(p + 18) & INDEX_BIAS) != 0;
    x->cosine = (ps_get16(p + 18) & INDEX_COSINE) != 0;
    x->d = ps_get32(p + 20);
    x->n = ps_get64(p + 24);
    x->vectors = ps_get64(p + 32);
    x->seed = ps_get64(p + 40);
    if (x->type != PS_INDEX_IVF && x->type != PS_INDEX_LSH)
        return bad(x, 16, PS_EKIND, "an index of a type that this program does not know");
    if (x->n == 0 || x->n >= UINT32_MAX - PS_CODES_LANES || x->d < 1 + (uint32_t)x->has_bias ||
        x->d > PS_REC_SIZE_MAX / 4)
        return bad(x, 20, PS_EDATA, "damaged: an impossible number of rows or elements");
    return attach(x);
}

/* Does it belong to these candidates? */
static int match(const ps_index *x, const ps_knn *knn)
{
    const int has_bias = !knn->cosine && knn->dense.has_bias;
    if (knn->is_sparse)
        return ps_fail(PS_EMATCH, "%s: an index of vectors, but %s holds sparse vectors", x->name, knn->name);
    if (x->cosine != knn->cosine)
        return ps_fail(PS_EMATCH, "%s: an index for %s: %s --cosine", x->name, x->cosine ? "cosines" : "dot products",
                       x->cosine ? "give" : "leave out");
    if (x->n != knn->n || x->d != knn->d || x->has_bias != has_bias)
        return ps_fail(PS_EMATCH, "%s: an index of %llu rows of %u elements, but %s has %llu of %u", x->name,
                       (unsigned long long)x->n, x->d, knn->name, (unsigned long long)knn->n, knn->d);
    uint32_t *hash = ps_alloc(knn->n, sizeof *hash);
    if (!hash)
        return PS_EMEM;
    uint64_t all;
    index_hash(knn, hash, &all);
    free(hash);
    if (all != x->vectors)
        return ps_fail(PS_EMATCH, "%s: an index of other vectors than those of %s (psknn -B --update renews it)",
                       x->name, knn->name);
    return 0;
}

int ps_index_open(ps_index *x, const char *path, const ps_knn *knn)
{
    *x = (ps_index){.name = strdup(path ? path : "<stdin>")};
    if (!x->name)
        return ps_fail(PS_EMEM, "out of memory");
    int rc = ps_blob_open(&x->blob, path);
    if (rc == 0)
        rc = read_head(x);
    if (rc == 0 && knn)
        rc = match(x, knn);
    if (rc == 0)
        rc = x->type == PS_INDEX_IVF ? ivf_open(x) : lsh_open(x);
    if (rc < 0)
        ps_index_close(x);
    return rc;
}

void ps_index_close(ps_index *x)
{
    ps_blob_close(&x->blob);
    ps_quant_free(&x->coarse);
    free(x->name);
    *x = (ps_index){0};
}
