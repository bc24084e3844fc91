/* view_export.c - vectors as NumPy and word2vec have them; of view.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "view.h"

/* The header of a .npy file, version 1.0: its length makes the data start at a multiple of 64.  Returns its length. */
static size_t npy_head(char *to, size_t room, const char *type, uint64_t rows, uint64_t cols)
{
    char shape[48];
    snprintf(shape, sizeof shape, cols ? "(%llu, %llu)" : "(%llu,)", (unsigned long long)rows,
             (unsigned long long)cols);
    const int n = snprintf(to + 10, room - 10, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", type, shape);
    const int len = (10 + n + 1 + 63) / 64 * 64 - 10;
    memcpy(to, "\x93NUMPY\1", 8);
    ps_put16(to + 8, (uint16_t)len);
    memset(to + 10 + n, ' ', (size_t)(len - 1 - n));
    to[10 + len - 1] = '\n';
    return (size_t)len + 10;
}

static int begin_member(ps_flow *f, const char *name, const char *type, uint64_t cols, uint64_t row_bytes)
{
    char head[256];
    const size_t n = npy_head(head, sizeof head, type, f->taken, cols);
    int rc = ps_zip_begin(&f->zip, name, n + f->taken * row_bytes);
    return rc < 0 ? rc : ps_zip_write(&f->zip, head, n);
}

int ps_export_begin(ps_flow *f)
{
    char head[256];
    f->zip = ps_zip_make(f->out);
    if (f->o.form == PS_FORM_NPZ)
        return begin_member(f, "vectors.npy", "<f4", f->to.dim, (uint64_t)f->to.dim * 4);
    if (f->o.form == PS_FORM_WORD2VEC)
        return ps_out_printf(f->out, "%llu %u\n", (unsigned long long)f->taken, f->to.dim);
    return ps_out_write(f->out, head, npy_head(head, sizeof head, "<f4", f->taken, f->to.dim));
}

static ps_str name_of(const ps_flow *f, uint64_t id, char buf[32])
{
    if (f->o.graph && (f->to.qspace == PS_ITEMS || f->to.qspace == PS_BOARDS))
        return ps_graph_name(f->o.graph, f->to.qspace, id, buf);
    return (ps_str){buf, (size_t)snprintf(buf, 32, "%llu", (unsigned long long)id)};
}

/* Its words end at a blank: blanks of a name become low lines. */
static int word2vec_line(ps_flow *f, const uint8_t *record)
{
    char buf[32];
    const ps_str name = name_of(f, ps_num(record, f->to.width), buf);
    int rc = 0;
    for (size_t i = 0; i < name.len && rc == 0; i++) {
        const char c = name.s[i] == ' ' ? '_' : name.s[i];
        rc = ps_out_write(f->out, &c, 1);
    }
    for (uint32_t j = 0; j < f->to.dim && rc == 0; j++)
        rc = ps_out_printf(f->out, " %.9g", (double)ps_getf32(record + f->to.width + 4 * j));
    return rc < 0 ? rc : ps_out_write(f->out, "\n", 1);
}

int ps_export_put(ps_flow *f, const uint8_t *record)
{
    const uint8_t *row = record + f->to.width;
    if (f->o.form == PS_FORM_WORD2VEC)
        return word2vec_line(f, record);
    if (f->o.form == PS_FORM_NPY)
        return ps_out_write(f->out, row, (size_t)f->to.dim * 4);
    if (ps_grow(&f->id, &f->id_cap, f->ids + 1, sizeof *f->id) < 0)
        return PS_EMEM;
    f->id[f->ids] = ps_num(record, f->to.width);
    if (f->id[f->ids++] > INT64_MAX)
        return ps_fail(PS_EDATA, "item %llu: NumPy's ids are below 2^63", (unsigned long long)f->id[f->ids - 1]);
    return ps_zip_write(&f->zip, row, (size_t)f->to.dim * 4);
}

/* The next code point of UTF-8; a byte that is none of it stands for itself. */
static uint32_t code_point(const char **s, const char *end)
{
    const unsigned char *p = (const unsigned char *)*s;
    const int more = p[0] >= 0xf0 && p[0] < 0xf5   ? 3
                     : p[0] >= 0xe0 && p[0] < 0xf0 ? 2
                     : p[0] >= 0xc2 && p[0] < 0xe0 ? 1
                                                   : 0;
    uint32_t c = more ? p[0] & (0x3fu >> more) : p[0];
    for (int i = 1; i <= more; i++) {
        if (*s + i >= end || (p[i] & 0xc0) != 0x80) {
            ++*s;
            return p[0];
        }
        c = c << 6 | (p[i] & 0x3f);
    }
    *s += more + 1;
    return c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0xfffd : c;
}

static size_t code_points(ps_str name)
{
    size_t n = 0;
    for (const char *s = name.s, *end = s + name.len; s < end; n++)
        code_point(&s, end);
    return n;
}

/* All with the length of the longest. */
static int put_names(ps_flow *f)
{
    char buf[32], type[24];
    size_t longest = 1;
    for (size_t i = 0; i < f->ids; i++) {
        const size_t n = code_points(name_of(f, f->id[i], buf));
        longest = n > longest ? n : longest;
    }
    uint8_t *cell = ps_alloc(longest, 4);
    if (!cell)
        return PS_EMEM;
    snprintf(type, sizeof type, "<U%zu", longest);
    int rc = begin_member(f, "names.npy", type, 0, 4 * (uint64_t)longest);
    for (size_t i = 0; i < f->ids && rc == 0; i++) {
        const ps_str name = name_of(f, f->id[i], buf);
        uint8_t *to = cell;
        memset(cell, 0, longest * 4);
        for (const char *s = name.s, *end = s + name.len; s < end; to += 4)
            ps_put32(to, code_point(&s, end));
        rc = ps_zip_write(&f->zip, cell, longest * 4);
    }
    free(cell);
    return rc < 0 ? rc : ps_zip_end(&f->zip);
}

int ps_export_end(ps_flow *f)
{
    if (f->o.form != PS_FORM_NPZ)
        return 0;
    int rc = ps_zip_end(&f->zip);
    if (rc == 0)
        rc = begin_member(f, "ids.npy", "<i8", 0, 8);
    for (size_t i = 0; i < f->ids && rc == 0; i++) {
        uint8_t b[8];
        ps_put64(b, f->id[i]);
        rc = ps_zip_write(&f->zip, b, sizeof b);
    }
    if (rc == 0)
        rc = ps_zip_end(&f->zip);
    if (rc == 0 && f->o.graph)
        rc = put_names(f);
    return rc < 0 ? rc : ps_zip_close(&f->zip);
}
