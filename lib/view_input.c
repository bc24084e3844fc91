/* view_input.c - what a file is, and how its description is written; of view.h. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "view.h"

enum { MAGIC = 8 };

/* Copies the rest of the input to memory that has a path; it takes the place of standard input. */
static int spool(ps_view_input *v, const char *name, int is_stdin)
{
    v->fd = memfd_create("psgraph", MFD_CLOEXEC);
    if (v->fd < 0)
        return ps_fail(PS_ESYS, "%s: cannot keep a pipe in memory", name);
    for (;;) {
        const uint8_t *p;
        long n = ps_in_peek(v->in, &p, 1);
        if (n == 0 && is_stdin && (lseek(v->fd, 0, SEEK_SET) < 0 || dup2(v->fd, STDIN_FILENO) < 0))
            return ps_fail(PS_ESYS, "%s: cannot keep a pipe in memory", name);
        if (n <= 0 && is_stdin)
            return (int)n;
        if (n <= 0) {
            snprintf(v->spool, sizeof v->spool, "/dev/fd/%d", v->fd);
            v->path = v->spool;
            return (int)n;
        }
        for (long put = 0; put < n;) {
            ssize_t now = write(v->fd, p + put, (size_t)(n - put));
            if (now < 0)
                return ps_fail(PS_ESYS, "%s: cannot keep a pipe in memory", name);
            put += now;
        }
        ps_in_skip(v->in, (size_t)n);
    }
}

/* Makes it possible to open the input once more, at its beginning. */
static int rewind_input(ps_view_input *v, const char *path, off_t begin)
{
    struct stat st;
    int is_stdin = !path || strcmp(path, "-") == 0;
    int rc = 0;
    if (is_stdin && begin >= 0 && lseek(STDIN_FILENO, begin, SEEK_SET) == begin)
        v->path = NULL;
    else if (!is_stdin && stat(path, &st) == 0 && S_ISREG(st.st_mode))
        v->path = path;
    else
        rc = spool(v, ps_in_name(v->in), is_stdin);
    ps_in_close(v->in);
    v->in = NULL;
    return rc;
}

int ps_view_open(ps_view_input *v, const char *path)
{
    *v = (ps_view_input){.type = PS_FILE_RECORDS, .fd = -1};
    off_t begin = lseek(STDIN_FILENO, 0, SEEK_CUR);
    v->in = ps_in_open_binary(path);
    if (!v->in)
        return PS_ESYS;
    const uint8_t *p;
    long n = ps_in_peek(v->in, &p, MAGIC);
    if (n >= 4 && ps_file_type_of(p, (size_t)n) != PS_FILE_OTHER)
        v->type = ps_file_type_of(p, (size_t)n);
    int rc = n < 0 ? (int)n : v->type == PS_FILE_RECORDS ? 0 : rewind_input(v, path, begin);
    if (rc < 0)
        ps_view_close(v);
    return rc;
}

void ps_view_close(ps_view_input *v)
{
    ps_in_close(v->in);
    if (v->fd >= 0)
        close(v->fd);
    *v = (ps_view_input){.fd = -1};
}

/* ---- fields ---- */

int ps_json_str(ps_out *out, ps_str s)
{
    ps_json j = ps_json_make(out);
    ps_json_string(&j, NULL, s.s, s.len);
    return j.rc;
}

static void field_name(ps_fields *f, const char *name)
{
    if (f->rc == 0)
        f->rc = f->json ? ps_out_printf(f->out, "%s\"%s\":", f->fields ? "," : "{", name)
                        : ps_out_printf(f->out, "%s\t", name);
    f->fields++;
}

static void field_done(ps_fields *f)
{
    if (f->rc == 0 && !f->json)
        f->rc = ps_out_write(f->out, "\n", 1);
}

void ps_field_str(ps_fields *f, const char *name, ps_str value)
{
    field_name(f, name);
    if (f->rc == 0)
        f->rc = f->json ? ps_json_str(f->out, value) : ps_out_write(f->out, value.s, value.len);
    field_done(f);
}

void ps_field_u64(ps_fields *f, const char *name, uint64_t value)
{
    field_name(f, name);
    if (f->rc == 0)
        f->rc = ps_out_printf(f->out, "%llu", (unsigned long long)value);
    field_done(f);
}

void ps_field_real(ps_fields *f, const char *name, double value)
{
    field_name(f, name);
    if (f->rc == 0)
        f->rc = ps_out_printf(f->out, "%.9g", value);
    field_done(f);
}

void ps_field_lines(ps_fields *f, const char *name, ps_str lines)
{
    int n = 0;
    if (f->json)
        field_name(f, name);
    for (size_t at = 0; at < lines.len; n++) {
        const char *end = memchr(lines.s + at, '\n', lines.len - at);
        ps_str line = {lines.s + at, end ? (size_t)(end - lines.s) - at : lines.len - at};
        at += line.len + 1;
        if (!f->json) {
            ps_field_str(f, name, line);
            continue;
        }
        if (f->rc == 0)
            f->rc = ps_out_write(f->out, n ? "," : "[", 1);
        if (f->rc == 0)
            f->rc = ps_json_str(f->out, line);
    }
    if (f->json && f->rc == 0)
        f->rc = ps_out_printf(f->out, n ? "]" : "[]");
}

int ps_fields_end(ps_fields *f)
{
    if (f->rc == 0 && f->json)
        f->rc = ps_out_printf(f->out, f->fields ? "}\n" : "{}\n");
    return f->rc;
}

static void field_word(ps_fields *f, const char *name, const char *value)
{
    ps_field_str(f, name, (ps_str){value, strlen(value)});
}

void ps_view_head(ps_fields *f, const ps_head *h)
{
    char fingerprint[20];
    snprintf(fingerprint, sizeof fingerprint, "%016llx", (unsigned long long)h->graph);
    field_word(f, "kind", ps_kind_name(h->kind));
    ps_field_u64(f, "version", PS_REC_VERSION);
    ps_field_u64(f, "dimension", h->dim);
    if (h->kind == PS_VECTORS) {
        field_word(f, "element", ps_elem_name(h->elem));
        ps_field_real(f, "scale", (double)h->scale);
        field_word(f, "bias", h->flags & PS_FLAG_BIAS ? "yes" : "no");
    }
    ps_field_u64(f, "number bytes", (uint64_t)h->width);
    ps_field_u64(f, "record bytes", h->size);
    field_word(f, "first number", ps_space_name(h->qspace));
    field_word(f, "other numbers", ps_space_name(h->nspace));
    field_word(f, "graph", h->graph ? fingerprint : "none");
    ps_field_lines(f, "history", (ps_str){h->history, strlen(h->history)});
}
