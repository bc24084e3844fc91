#include <stdlib.h>

#include "crc.h"
#include "mem.h"
#include "rec_head.h"
#include "temp.h"

enum { PIECE = 8 << 20 }; /* bytes */

uint64_t ps_table_piece(const ps_table *t)
{
    return PIECE / t->head.size;
}

void ps_table_rest(const ps_table *t, uint64_t first, uint64_t n)
{
    if (t->records == t->own || first >= t->count)
        return;
    const size_t from = (size_t)(t->records - t->blob.data) + first * t->head.size;
    const uint64_t left = t->count - first;
    ps_blob_rest(&t->blob, from, from + (n < left ? n : left) * t->head.size);
}

/* Where a record should begin but none does: its first number is that of an end mark. */
static int has_false_end(const ps_table *t, uint64_t first, uint64_t n)
{
    for (uint64_t i = first; i < first + n; i++)
        if (ps_num(t->records + i * t->head.size, t->head.width) == PS_NONE)
            return 1;
    return 0;
}

/* One pass over all records: their CRC, and whether one of them looks like an end mark. */
static uint32_t pass(const ps_table *t, int *false_end)
{
    const uint64_t piece = ps_table_piece(t);
    uint32_t crc = 0;
    *false_end = 0;
    for (uint64_t i = 0; i < t->count; i += piece) {
        uint64_t n = t->count - i < piece ? t->count - i : piece;
        crc = ps_crc32(crc, t->records + i * t->head.size, n * t->head.size);
        *false_end |= has_false_end(t, i, n);
        if (n == piece)
            ps_table_rest(t, i, n);
    }
    return crc;
}

/* If the blob is exactly one stream, points into it.  1: done, 0: the reader must see to it: several streams
 * follow one another, or something is wrong. */
static int in_place(ps_table *t, const char *name)
{
    const uint8_t *p = t->blob.data;
    size_t size = t->blob.size;
    if (size < PS_REC_HEAD)
        return 0;
    long len = ps_head_length(p, name, 0);
    if (len < 0 || (size_t)len + PS_REC_END > size)
        return (int)(len < 0 ? len : 0);
    int rc = ps_head_decode(&t->head, p, (size_t)len, name, 0);
    if (rc < 0)
        return rc;
    size_t body = size - (size_t)len - PS_REC_END;
    uint64_t count;
    uint32_t crc;
    if (body % t->head.size == 0 && ps_end_decode(p + len + body, &count, &crc, name, (uint64_t)len + body) == 0 &&
        count == body / t->head.size && (t->head.count == PS_COUNT_UNKNOWN || t->head.count == count)) {
        int false_end;
        t->records = p + len;
        t->count = count;
        if (crc != pass(t, &false_end))
            return ps_fail(PS_EDATA, "%s: byte %zu: the records' CRC does not match: the data is damaged", name,
                           (size_t)len + body);
        if (!false_end)
            return 1;
    }
    ps_head_free(&t->head);
    return 0;
}

/* ---- what cannot be mapped ---- */

typedef struct {
    ps_table *t;
    ps_spill *spill; /* NULL: no limit */
    ps_temp file;    /* once there is too much for memory */
    size_t cap, used;
} held;

static int hold(held *h, const uint8_t *p, size_t n)
{
    ps_table *t = h->t;
    int rc = 0;
    if (h->file.fd < 0 && h->spill && h->used + n > h->spill->memory / 2) {
        rc = ps_temp_open(&h->file, h->spill->dir);
        if (rc == 0)
            rc = ps_temp_write(&h->file, 0, t->own, h->used);
        free(t->own);
        t->own = NULL;
    }
    if (rc == 0 && h->file.fd >= 0)
        rc = ps_temp_write(&h->file, h->used, p, n);
    else if (rc == 0 && (rc = ps_grow(&t->own, &h->cap, h->used + n, 1)) == 0)
        memcpy(t->own + h->used, p, n);
    h->used += n;
    return rc;
}

static int held_all(held *h)
{
    ps_table *t = h->t;
    int rc = h->file.fd >= 0 ? ps_blob_map_open(&t->blob, h->file.fd, h->used, t->name) : 0;
    if (h->file.fd < 0 && h->spill)
        h->spill->memory -= h->used;
    t->records = t->blob.data ? t->blob.data : t->own;
    return rc;
}

static int read_stream(ps_table *t, const char *path, ps_spill *spill)
{
    ps_reader *r = ps_reader_open(path, 0);
    if (!r)
        return PS_EDATA;
    int rc = ps_head_inherit(&t->head, ps_reader_head(r));
    char *history = t->head.history;
    t->head = *ps_reader_head(r);
    t->head.history = history;
    held h = {.t = t, .spill = spill, .file = {.fd = -1}};
    while (rc == 0) {
        const uint8_t *p;
        long n = ps_reader_next(r, &p, SIZE_MAX / PS_REC_SIZE_MAX);
        rc = n > 0 ? hold(&h, p, (size_t)n * t->head.size) : (int)n;
        if (n <= 0)
            break;
    }
    if (rc == 0)
        rc = held_all(&h);
    t->count = ps_reader_count(r);
    ps_temp_close(&h.file);
    ps_reader_close(r);
    return rc;
}

int ps_table_open(ps_table *t, const char *path, ps_kind kind)
{
    return ps_table_open_within(t, path, kind, NULL);
}

int ps_table_open_within(ps_table *t, const char *path, ps_kind kind, ps_spill *spill)
{
    memset(t, 0, sizeof *t);
    t->name = strdup(path && strcmp(path, "-") != 0 ? path : "<stdin>");
    if (!t->name)
        return ps_fail(PS_EMEM, "out of memory");
    int rc = ps_blob_map(&t->blob, path);
    if (rc > 0)
        rc = in_place(t, t->name);
    if (rc == 0) {
        ps_blob_close(&t->blob);
        rc = read_stream(t, path, spill);
    }
    if (rc >= 0 && kind && t->head.kind != kind)
        rc = ps_fail(PS_EKIND, "%s: holds %s, but %s are needed here", t->name, ps_kind_title(t->head.kind),
                     ps_kind_title(kind));
    if (rc < 0)
        ps_table_close(t);
    return rc < 0 ? rc : 0;
}

void ps_table_close(ps_table *t)
{
    ps_blob_close(&t->blob);
    ps_head_free(&t->head);
    free(t->own);
    free(t->name);
    memset(t, 0, sizeof *t);
}
