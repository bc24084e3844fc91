#include <stdlib.h>

#include "crc.h"
#include "mem.h"
#include "rec_head.h"

/* Where a record should begin but none does: its first number is that of an end mark. */
static int has_false_end(const ps_table *t, const uint8_t *records, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (ps_num(records + i * t->head.size, t->head.width) == PS_NONE)
            return 1;
    return 0;
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
        if (crc != ps_crc32(0, p + len, body))
            return ps_fail(PS_EDATA, "%s: byte %zu: the records' CRC does not match: the data is damaged", name,
                           (size_t)len + body);
        if (!has_false_end(t, p + len, count)) {
            t->records = p + len;
            t->count = count;
            return 1;
        }
    }
    ps_head_free(&t->head);
    return 0;
}

static int read_stream(ps_table *t, const char *path)
{
    ps_reader *r = ps_reader_open(path, 0);
    if (!r)
        return PS_EDATA;
    int rc = ps_head_inherit(&t->head, ps_reader_head(r));
    char *history = t->head.history;
    t->head = *ps_reader_head(r);
    t->head.history = history;
    size_t cap = 0, used = 0;
    while (rc == 0) {
        const uint8_t *p;
        long n = ps_reader_next(r, &p, SIZE_MAX / PS_REC_SIZE_MAX);
        size_t bytes = n > 0 ? (size_t)n * t->head.size : 0;
        if (n > 0 && ps_grow(&t->own, &cap, used + bytes, 1) < 0)
            n = PS_EMEM;
        if (n <= 0) {
            rc = (int)n;
            break;
        }
        memcpy(t->own + used, p, bytes);
        used += bytes;
    }
    t->records = t->own;
    t->count = ps_reader_count(r);
    ps_reader_close(r);
    return rc;
}

int ps_table_open(ps_table *t, const char *path, ps_kind kind)
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
        rc = read_stream(t, path);
    }
    if (rc >= 0 && kind && t->head.kind != kind)
        rc = ps_fail(PS_EKIND, "%s: holds %s, but %s are needed here", t->name, ps_kind_name(t->head.kind),
                     ps_kind_name(kind));
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
