#include "zip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "bytes.h"
#include "crc.h"
#include "mem.h"

enum {
    LOCAL = 0x04034b50,
    CENTRAL = 0x02014b50,
    END = 0x06054b50,
    END64 = 0x06064b50,
    LOCATOR64 = 0x07064b50,
    DESCRIPTOR = 0x08074b50
};
enum { LOCAL_SIZE = 30, CENTRAL_SIZE = 46, END_SIZE = 22, END64_SIZE = 56, LOCATOR64_SIZE = 20 };

int ps_zip_is(const uint8_t *data, size_t size)
{
    return size >= 4 && (ps_get32(data) == LOCAL || ps_get32(data) == END);
}

/* ---- reading ---- */

typedef struct {
    uint64_t packed, size, offset; /* of the local header */
    uint32_t crc;
    int method;
} entry;

static int bad(const char *archive, uint64_t offset, const char *why)
{
    return ps_fail(PS_EDATA, "%s: byte %llu: %s", archive, (unsigned long long)offset, why);
}

/* The central directory's place and number of entries, from the record at the end, which a comment may follow. */
static int find_directory(const ps_blob *z, const char *archive, uint64_t *at, uint64_t *entries)
{
    if (z->size < END_SIZE)
        return bad(archive, 0, "truncated: no end of an archive");
    size_t end = z->size - END_SIZE;
    const size_t least = end > 65535 ? end - 65535 : 0;
    while (end > least && ps_get32(z->data + end) != END)
        end--;
    const uint8_t *p = z->data + end;
    if (ps_get32(p) != END)
        return bad(archive, z->size, "truncated: no end of an archive");
    *entries = ps_get16(p + 10);
    *at = ps_get32(p + 16);
    if (end < LOCATOR64_SIZE || ps_get32(p - LOCATOR64_SIZE) != LOCATOR64)
        return 0;
    const uint64_t end64 = ps_get64(p - LOCATOR64_SIZE + 8);
    if (z->size < END64_SIZE || end64 > z->size - END64_SIZE || ps_get32(z->data + end64) != END64)
        return bad(archive, end, "damaged: its end is not where it says");
    *entries = ps_get64(z->data + end64 + 32);
    *at = ps_get64(z->data + end64 + 48);
    return 0;
}

/* Sizes and offset that do not fit into 32 bits stand in the extra field, in this order. */
static void read_extra(entry *e, const uint8_t *extra, size_t n)
{
    while (n >= 4) {
        size_t len = ps_get16(extra + 2);
        if (len > n - 4)
            return;
        if (ps_get16(extra) == 1) {
            uint64_t *const of[] = {&e->size, &e->packed, &e->offset};
            size_t used = 0;
            for (int i = 0; i < 3; i++)
                if (*of[i] == UINT32_MAX && used + 8 <= len) {
                    *of[i] = ps_get64(extra + 4 + used);
                    used += 8;
                }
            return;
        }
        extra += 4 + len;
        n -= 4 + len;
    }
}

/* 1: found. */
static int find_entry(const ps_blob *z, const char *archive, const char *member, entry *e)
{
    uint64_t at = 0, entries = 0;
    int rc = find_directory(z, archive, &at, &entries);
    for (uint64_t i = 0; i < entries && rc == 0; i++) {
        if (z->size < CENTRAL_SIZE || at > z->size - CENTRAL_SIZE || ps_get32(z->data + at) != CENTRAL)
            return bad(archive, at, "damaged: expected a member's entry");
        const uint8_t *p = z->data + at;
        const size_t name = ps_get16(p + 28), extra = ps_get16(p + 30), comment = ps_get16(p + 32);
        if (name + extra + comment > z->size - CENTRAL_SIZE - at)
            return bad(archive, at, "truncated: a member's entry");
        if (name == strlen(member) && memcmp(p + CENTRAL_SIZE, member, name) == 0) {
            *e = (entry){.packed = ps_get32(p + 20),
                         .size = ps_get32(p + 24),
                         .offset = ps_get32(p + 42),
                         .crc = ps_get32(p + 16),
                         .method = ps_get16(p + 10)};
            read_extra(e, p + CENTRAL_SIZE + name, extra);
            return 1;
        }
        at += CENTRAL_SIZE + name + extra + comment;
    }
    return rc;
}

static int inflate_all(const uint8_t *packed, uint64_t n, uint8_t *out, uint64_t size)
{
    z_stream s = {0};
    uint64_t in = 0, done = 0;
    int rc = inflateInit2(&s, -MAX_WBITS);
    while (rc == Z_OK) {
        const uInt a = n - in < 1 << 30 ? (uInt)(n - in) : 1 << 30,
                   b = size - done < 1 << 30 ? (uInt)(size - done) : 1 << 30;
        s.next_in = (Bytef *)packed + in;
        s.avail_in = a;
        s.next_out = out + done;
        s.avail_out = b;
        rc = inflate(&s, Z_NO_FLUSH);
        in += a - s.avail_in;
        done += b - s.avail_out;
        if (rc == Z_OK && a == s.avail_in && b == s.avail_out)
            break;
    }
    inflateEnd(&s);
    return rc == Z_STREAM_END && done == size ? 0 : -1;
}

int ps_zip_member(const ps_blob *z, const char *archive, const char *member, uint8_t **data, size_t *size)
{
    entry e;
    int rc = find_entry(z, archive, member, &e);
    if (rc <= 0)
        return rc;
    if (z->size < LOCAL_SIZE || e.offset > z->size - LOCAL_SIZE || ps_get32(z->data + e.offset) != LOCAL)
        return bad(archive, e.offset, "damaged: no member begins there");
    const uint64_t at = e.offset + LOCAL_SIZE + ps_get16(z->data + e.offset + 26) + ps_get16(z->data + e.offset + 28);
    if (at > z->size || e.packed > z->size - at || (e.method == 0 && e.packed != e.size) || e.size / 1100 > e.packed)
        return bad(archive, e.offset, "damaged: a member's size");
    if (e.method != 0 && e.method != 8)
        return ps_fail(PS_EDATA, "%s: member %s: packed by method %d; stored and deflated ones are taken", archive,
                       member, e.method);
    if (!(*data = ps_alloc(e.size, 1)))
        return PS_EMEM;
    if (e.method == 0)
        memcpy(*data, z->data + at, e.size);
    rc = e.method == 8 ? inflate_all(z->data + at, e.packed, *data, e.size) : 0;
    if (rc == 0 && ps_crc32(0, *data, e.size) == e.crc) {
        *size = e.size;
        return 1;
    }
    free(*data);
    *data = NULL;
    return ps_fail(PS_EDATA, "%s: member %s: damaged: %s", archive, member,
                   rc ? "it cannot be unpacked" : "another checksum");
}

/* ---- writing ---- */

ps_zip ps_zip_make(ps_out *out)
{
    return (ps_zip){.out = out};
}

static int put(ps_zip *z, const void *data, size_t n)
{
    z->at += n;
    return ps_out_write(z->out, data, n);
}

/* What local and central headers share, from the version on: 1 January 1980, checksum in the descriptor. */
static void put_common(uint8_t *p, uint32_t crc, size_t name, size_t extra)
{
    ps_put16(p, 45);
    ps_put16(p + 2, 8);
    ps_put16(p + 8, 0x21);
    ps_put32(p + 10, crc);
    ps_put32(p + 14, UINT32_MAX);
    ps_put32(p + 18, UINT32_MAX);
    ps_put16(p + 22, (uint16_t)name);
    ps_put16(p + 24, (uint16_t)extra);
}

int ps_zip_begin(ps_zip *z, const char *name, uint64_t size)
{
    uint8_t head[LOCAL_SIZE] = {0}, extra[20] = {1, 0, 16, 0};
    const size_t len = strlen(name);
    strncpy(z->member[z->n].name, name, sizeof z->member[0].name - 1);
    z->member[z->n].size = size;
    z->member[z->n].offset = z->at;
    ps_put32(head, LOCAL);
    put_common(head + 4, 0, len, sizeof extra);
    ps_put64(extra + 4, size);
    ps_put64(extra + 12, size);
    int rc = put(z, head, sizeof head);
    if (rc == 0)
        rc = put(z, name, len);
    return rc < 0 ? rc : put(z, extra, sizeof extra);
}

int ps_zip_write(ps_zip *z, const void *data, size_t n)
{
    z->member[z->n].crc = ps_crc32(z->member[z->n].crc, data, n);
    z->member[z->n].done += n;
    return put(z, data, n);
}

int ps_zip_end(ps_zip *z)
{
    uint8_t tail[24];
    const uint64_t size = z->member[z->n].size;
    if (z->member[z->n].done != size)
        return ps_fail(PS_EDATA, "%s: member %s: %llu bytes, not the %llu that it was begun with", ps_out_name(z->out),
                       z->member[z->n].name, (unsigned long long)z->member[z->n].done, (unsigned long long)size);
    ps_put32(tail, DESCRIPTOR);
    ps_put32(tail + 4, z->member[z->n].crc);
    ps_put64(tail + 8, size);
    ps_put64(tail + 16, size);
    z->n++;
    return put(z, tail, sizeof tail);
}

static int put_entry(ps_zip *z, int i)
{
    uint8_t p[CENTRAL_SIZE] = {0}, extra[28] = {1, 0, 24, 0};
    const size_t len = strlen(z->member[i].name);
    ps_put32(p, CENTRAL);
    ps_put16(p + 4, 45);
    put_common(p + 6, z->member[i].crc, len, sizeof extra);
    ps_put32(p + 42, UINT32_MAX);
    ps_put64(extra + 4, z->member[i].size);
    ps_put64(extra + 12, z->member[i].size);
    ps_put64(extra + 20, z->member[i].offset);
    int rc = put(z, p, sizeof p);
    if (rc == 0)
        rc = put(z, z->member[i].name, len);
    return rc < 0 ? rc : put(z, extra, sizeof extra);
}

int ps_zip_close(ps_zip *z)
{
    uint8_t end64[END64_SIZE] = {0}, locator[LOCATOR64_SIZE] = {0}, end[END_SIZE] = {0};
    const uint64_t begin = z->at;
    int rc = 0;
    for (int i = 0; i < z->n && rc == 0; i++)
        rc = put_entry(z, i);
    const uint64_t directory = z->at;
    ps_put32(end64, END64);
    ps_put64(end64 + 4, END64_SIZE - 12);
    ps_put16(end64 + 12, 45);
    ps_put16(end64 + 14, 45);
    ps_put64(end64 + 24, (uint64_t)z->n);
    ps_put64(end64 + 32, (uint64_t)z->n);
    ps_put64(end64 + 40, directory - begin);
    ps_put64(end64 + 48, begin);
    ps_put32(locator, LOCATOR64);
    ps_put64(locator + 8, directory);
    ps_put32(locator + 16, 1);
    ps_put32(end, END);
    ps_put16(end + 8, (uint16_t)z->n);
    ps_put16(end + 10, (uint16_t)z->n);
    ps_put32(end + 12, UINT32_MAX);
    ps_put32(end + 16, UINT32_MAX);
    if (rc == 0)
        rc = put(z, end64, sizeof end64);
    if (rc == 0)
        rc = put(z, locator, sizeof locator);
    return rc < 0 ? rc : put(z, end, sizeof end);
}
