#include "frame.h"

#include <math.h>
#include <string.h>

#include "bytes.h"
#include "crc.h"
#include "magic.h"

static void magic(const ps_frame *f, uint8_t p[8])
{
    memcpy(p, "\x89PS_\r\n\x1a\n", 8);
    p[3] = (uint8_t)f->letter;
}

static void end_mark(const ps_frame *f, uint8_t p[8])
{
    memcpy(p, "PS_END\r\n", 8);
    p[2] = (uint8_t)f->letter;
}

/* ---- writing ---- */

int ps_frame_begin(ps_frame_writer *w, const ps_frame *frame, ps_out *out, uint8_t *head)
{
    *w = (ps_frame_writer){.frame = frame, .out = out};
    magic(frame, head);
    ps_put32(head + 8, frame->version);
    ps_put32(head + frame->head - 4, ps_crc32(0, head, frame->head - 4));
    return ps_frame_put(w, head, frame->head);
}

int ps_frame_put(ps_frame_writer *w, const void *data, size_t n)
{
    w->bytes += n;
    w->crc = ps_crc32(w->crc, data, n);
    return ps_out_write(w->out, data, n);
}

int ps_frame_put_floats(ps_frame_writer *w, const float *x, size_t n)
{
    return n ? ps_frame_put(w, x, 4 * n) : 0; /* little-endian: bytes.h */
}

int ps_frame_put_reals(ps_frame_writer *w, const ps_real *x, size_t n)
{
    enum { PIECE = 1024 };
    float piece[PIECE];
    int rc = 0;
    for (size_t i = 0, k; i < n && rc == 0; i += k) {
        for (k = 0; k < PIECE && i + k < n; k++)
            piece[k] = (float)x[i + k];
        rc = ps_frame_put_floats(w, piece, k);
    }
    return rc;
}

int ps_frame_end(ps_frame_writer *w)
{
    uint8_t end[PS_FRAME_END];
    end_mark(w->frame, end);
    ps_put64(end + 8, w->bytes);
    ps_put32(end + 16, w->crc);
    ps_put32(end + 20, ps_crc32(0, end, 20));
    return ps_out_write(w->out, end, sizeof end);
}

/* ---- reading ---- */

int ps_frame_is(const ps_frame *frame, const uint8_t *p, size_t n)
{
    uint8_t want[8];
    magic(frame, want);
    return n >= 8 && memcmp(p, want, 8) == 0;
}

static int check_head(const ps_blob *b, const ps_frame *f, const char *name)
{
    const uint8_t *p = b->data;
    if (b->size == 0)
        return ps_fail(PS_EDATA, "%s: empty; %s was expected", name, f->what);
    if (b->size < 8)
        return ps_fail(PS_EDATA, "%s: truncated: it ends inside the first 8 bytes of %s", name, f->what);
    if (!ps_frame_is(f, p, b->size)) {
        const ps_file_type type = ps_file_type_of(p, b->size);
        return type == PS_FILE_OTHER || p[3] == (uint8_t)f->letter
                   ? ps_fail(PS_EKIND, "%s: not %s", name, f->what)
                   : ps_fail(PS_EKIND, "%s: this is %s, not %s", name, ps_file_type_name(type), f->what);
    }
    if (b->size < f->head)
        return ps_fail(PS_EDATA, "%s: truncated: it ends inside the header, at byte %zu", name, b->size);
    if (ps_get32(p + f->head - 4) != ps_crc32(0, p, f->head - 4))
        return ps_fail(PS_EDATA, "%s: the header is damaged (its CRC does not match)", name);
    const uint32_t version = ps_get32(p + 8);
    if (version != f->version && f->oldest == f->version)
        return ps_fail(PS_EKIND, "%s: %s of format version %u, this program reads %u", name, f->what, version, f->version);
    if (version < f->oldest || version > f->version)
        return ps_fail(PS_EKIND, "%s: %s of format version %u, this program reads %u to %u", name, f->what, version,
                       f->oldest, f->version);
    return 0;
}

static int check_end(const ps_blob *b, const ps_frame *f, const char *name)
{
    uint8_t want[8];
    size_t body = b->size < f->head + PS_FRAME_END ? b->size : b->size - PS_FRAME_END;
    const uint8_t *end = b->data + body;
    end_mark(f, want);
    if (body == b->size || memcmp(end, want, 8) != 0)
        return ps_fail(PS_EDATA, "%s: truncated or followed by other bytes: no end mark at byte %zu", name, body);
    if (ps_get32(end + 20) != ps_crc32(0, end, 20) || ps_get64(end + 8) != body)
        return ps_fail(PS_EDATA, "%s: the end mark at byte %zu is damaged", name, body);
    if (ps_get32(end + 16) != ps_crc32(0, b->data, body))
        return ps_fail(PS_EDATA, "%s: damaged: the CRC of its %zu bytes does not match", name, body);
    return 0;
}

int ps_frame_open(ps_blob *b, const ps_frame *frame, const char *path, const char **name)
{
    int rc = ps_blob_open(b, path);
    if (rc < 0)
        return rc;
    *name = !path || strcmp(path, "-") == 0 ? "<stdin>" : path;
    rc = check_head(b, frame, *name);
    if (rc == 0)
        rc = check_end(b, frame, *name);
    if (rc < 0)
        ps_blob_close(b);
    return rc;
}

int ps_frame_texts(const ps_blob *b, const ps_frame *frame, const uint8_t *place, size_t n, const char *name,
                   ps_str *text, size_t *bytes)
{
    const size_t body = b->size - frame->head - PS_FRAME_END;
    *bytes = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t len = ps_get32(b->data + place[i]);
        if (len > PS_FRAME_TEXT_MAX || len > body - *bytes)
            return ps_fail(PS_EDATA, "%s: its texts are longer than the file", name);
        text[i] = (ps_str){(const char *)b->data + frame->head + *bytes, len};
        *bytes += len;
    }
    return 0;
}

static int check_finite(float x, size_t i, const char *name, const char *what)
{
    return isfinite(x) ? 0 : ps_fail(PS_EDATA, "%s: %s %zu is %s", name, what, i, isnan(x) ? "NaN" : "infinite");
}

int ps_frame_get_floats(float *to, const uint8_t *p, size_t n, const char *name, const char *what)
{
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        to[i] = ps_getf32(p + 4 * i);
        rc = check_finite(to[i], i, name, what);
    }
    return rc;
}

int ps_frame_get_reals(ps_real *to, const uint8_t *p, size_t n, const char *name, const char *what)
{
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        float x = ps_getf32(p + 4 * i);
        rc = check_finite(x, i, name, what);
        to[i] = (ps_real)x;
    }
    return rc;
}
