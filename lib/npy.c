#include "npy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "magic.h"
#include "mem.h"
#include "vectors.h"
#include "zip.h"

/* ---- the header: a Python dictionary in a strict form ---- */

typedef struct {
    const ps_npy *a;
    const char *p, *end;
    char type[16]; /* descr */
    int have_type, have_order, have_shape, fortran, dims;
    uint64_t shape[2];
} parser;

static int bad(const ps_npy *a, size_t offset, const char *why)
{
    return ps_fail(PS_EDATA, "%s: byte %zu: %s", a->name, offset, why);
}

static int bad_here(const parser *s, const char *why)
{
    return bad(s->a, (size_t)((const uint8_t *)s->p - s->a->blob.data), why);
}

static void blanks(parser *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n'))
        s->p++;
}

/* Takes the text if it comes next. */
static int take(parser *s, const char *text)
{
    size_t len = strlen(text);
    blanks(s);
    if ((size_t)(s->end - s->p) < len || memcmp(s->p, text, len) != 0)
        return 0;
    s->p += len;
    return 1;
}

static int string(parser *s, char *to, size_t room)
{
    blanks(s);
    char quote = s->p < s->end ? *s->p : 0;
    if (quote != '\'' && quote != '"')
        return bad_here(s, "expected a quoted string (records and other structured types are not taken)");
    const char *end = memchr(s->p + 1, quote, (size_t)(s->end - s->p - 1));
    size_t len = end ? (size_t)(end - s->p - 1) : room;
    if (len >= room)
        return bad_here(s, "a damaged header: a string does not end");
    memcpy(to, s->p + 1, len);
    to[len] = 0;
    s->p = end + 1;
    return 0;
}

static int dimension(parser *s)
{
    uint64_t v = 0;
    const char *first = s->p;
    for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++)
        if (__builtin_mul_overflow(v, UINT64_C(10), &v) || __builtin_add_overflow(v, (uint64_t)(*s->p - '0'), &v))
            return bad_here(s, "a dimension beyond all bounds");
    if (s->p == first)
        return bad_here(s, "a damaged header: expected a dimension");
    if (s->dims < 2)
        s->shape[s->dims] = v;
    s->dims++;
    return 0;
}

static int shape(parser *s)
{
    if (!take(s, "("))
        return bad_here(s, "a damaged header: expected (");
    while (!take(s, ")")) {
        if (dimension(s) < 0)
            return PS_EDATA;
        if (take(s, ","))
            continue;
        if (!take(s, ")"))
            return bad_here(s, "a damaged header: expected , or )");
        break;
    }
    return 0;
}

static int entry(parser *s)
{
    char key[16];
    int *have;
    if (string(s, key, sizeof key) < 0)
        return PS_EDATA;
    if (!take(s, ":"))
        return bad_here(s, "a damaged header: expected :");
    if (strcmp(key, "descr") == 0) {
        have = &s->have_type;
        if (string(s, s->type, sizeof s->type) < 0)
            return PS_EDATA;
    } else if (strcmp(key, "fortran_order") == 0) {
        have = &s->have_order;
        s->fortran = take(s, "True");
        if (!s->fortran && !take(s, "False"))
            return bad_here(s, "a damaged header: fortran_order is neither True nor False");
    } else if (strcmp(key, "shape") == 0) {
        have = &s->have_shape;
        if (!*have && shape(s) < 0)
            return PS_EDATA;
    } else {
        return bad_here(s, "a damaged header: an unknown key");
    }
    return (*have)++ ? bad_here(s, "a damaged header: a key stands there twice") : 0;
}

static int parse(parser *s)
{
    if (!take(s, "{"))
        return bad_here(s, "a damaged header: expected {");
    while (!take(s, "}")) {
        if (entry(s) < 0)
            return PS_EDATA;
        if (take(s, ","))
            continue;
        if (!take(s, "}"))
            return bad_here(s, "a damaged header: expected , or }");
        break;
    }
    blanks(s);
    if (s->p != s->end)
        return bad_here(s, "a damaged header: something follows the }");
    if (!s->have_type || !s->have_order || !s->have_shape)
        return bad_here(s, "a damaged header: descr, fortran_order or shape is missing");
    return 0;
}

/* ---- the file ---- */

static int element_type(ps_npy *a, const char *type)
{
    static const char *const types[] = {"<f2", "<f4", "<f8"};
    for (int i = 0; i < 3; i++)
        if (strcmp(type, types[i]) == 0)
            a->bytes = 2 << i;
    if (a->bytes)
        return 0;
    return ps_fail(PS_EDATA,
                   "%s: elements of type '%.16s': float16, float32 and float64, little-endian, are taken "
                   "('<f2', '<f4', '<f8')",
                   a->name, type);
}

/* Where the header's text begins, and its length in *len. */
static size_t find_header(const ps_npy *a, size_t *len)
{
    const uint8_t *p = a->blob.data;
    if (a->blob.size < 10 || memcmp(p, "\x93NUMPY", 6) != 0) {
        const ps_file_type type = ps_file_type_of(p, a->blob.size);
        if (type == PS_FILE_OTHER)
            bad(a, 0, a->blob.size == 0 ? "empty, expected a .npy file" : "neither a .npy nor a .npz file");
        else
            ps_fail(PS_EKIND, "%s: byte 0: this is %s, neither a .npy nor a .npz file", a->name,
                    ps_file_type_name(type));
        return 0;
    }
    if (p[6] < 1 || p[6] > 3 || p[7] != 0) {
        ps_fail(PS_EDATA, "%s: byte 6: .npy version %d.%d; 1.0 to 3.0 are known", a->name, p[6], p[7]);
        return 0;
    }
    size_t at = p[6] == 1 ? 10 : 12;
    *len = p[6] == 1 ? ps_get16(p + 8) : a->blob.size < 12 ? SIZE_MAX : ps_get32(p + 8);
    if (a->blob.size < at || *len > a->blob.size - at) {
        bad(a, 8, "truncated: the header is not whole");
        return 0;
    }
    return at;
}

/* Parses the header; where the data begins, 0 on failure. */
static size_t read_header(const ps_npy *a, parser *s)
{
    size_t len = 0, at = find_header(a, &len);
    if (at == 0)
        return 0;
    const char *text = (const char *)a->blob.data + at;
    *s = (parser){.a = a, .p = text, .end = text + len};
    return parse(s) < 0 ? 0 : at + len;
}

/* PS_EDATA if rows x cols elements of that many bytes are not all that follows. */
static int check_size(const ps_npy *a, size_t at, uint64_t rows, uint64_t cols, uint64_t bytes)
{
    uint64_t need, have = a->blob.size - at;
    if (__builtin_mul_overflow(rows, cols, &need) || __builtin_mul_overflow(need, bytes, &need) || need != have)
        return ps_fail(PS_EDATA, "%s: byte %zu: %s: %llu x %llu elements of %d bytes do not make %llu bytes", a->name,
                       at, need > have ? "truncated" : "too long", (unsigned long long)rows, (unsigned long long)cols,
                       (int)bytes, (unsigned long long)have);
    return 0;
}

static int read_matrix(ps_npy *a)
{
    parser s;
    size_t at = read_header(a, &s);
    if (at == 0)
        return PS_EDATA;
    if (s.dims != 2)
        return ps_fail(PS_EDATA, "%s: an array of %d dimensions: 2 are needed, items x features", a->name, s.dims);
    if (element_type(a, s.type) < 0)
        return PS_EDATA;
    if (s.fortran)
        return ps_fail(PS_EDATA, "%s: in Fortran order, column by column: save numpy.ascontiguousarray(a)", a->name);
    a->rows = s.shape[0];
    a->cols = s.shape[1];
    a->data = a->blob.data + at;
    if (a->cols == 0)
        return ps_fail(PS_EDATA, "%s: an array without columns", a->name);
    return check_size(a, at, a->rows, a->cols, (uint64_t)a->bytes);
}

static float element(const ps_npy *a, const uint8_t *p)
{
    if (a->bytes != 8)
        return ps_elem_get(p, a->bytes == 2 ? PS_F16 : PS_F32, 1);
    uint64_t bits = ps_get64(p);
    double v;
    memcpy(&v, &bits, sizeof v);
    return (float)v;
}

void ps_npy_row(const ps_npy *a, uint64_t i, float *out)
{
    const uint8_t *p = a->data + i * a->cols * (uint64_t)a->bytes;
    for (uint64_t j = 0; j < a->cols; j++, p += a->bytes)
        out[j] = element(a, p);
}

static int check_finite(const ps_npy *a)
{
    const uint8_t *p = a->data;
    for (uint64_t i = 0; i < a->rows; i++)
        for (uint64_t j = 0; j < a->cols; j++, p += a->bytes) {
            float v = element(a, p);
            if (!isfinite(v))
                return ps_fail(PS_EDATA, "%s: row %llu, column %llu: %s", a->name, (unsigned long long)i,
                               (unsigned long long)j, isnan(v) ? "NaN" : "infinite, or beyond a float");
        }
    return 0;
}

/* ---- archives ---- */

/* The member as an array of its own: 1.  0: there is none. */
static int open_member(ps_npy *m, const ps_npy *a, const char *member)
{
    char file[40];
    uint8_t *data;
    size_t size;
    *m = (ps_npy){0};
    snprintf(file, sizeof file, "%s.npy", member);
    int rc = ps_zip_member(&a->blob, a->name, file, &data, &size);
    if (rc <= 0)
        return rc;
    m->blob = (ps_blob){.data = data, .size = size};
    if (asprintf(&m->name, "%s: %s", a->name, file) < 0) {
        m->name = NULL;
        return ps_fail(PS_EMEM, "out of memory");
    }
    return 1;
}

/* A list with an element for each row: where its data begins, 0 on failure. */
static size_t list_header(const ps_npy *m, const ps_npy *a, parser *s, uint64_t *bytes)
{
    size_t at = read_header(m, s);
    if (at == 0)
        return 0;
    *bytes = strtoul(s->type[0] ? s->type + 2 : "0", NULL, 10) * (s->type[1] == 'U' ? 4 : 1);
    if (s->dims != 1 || s->shape[0] != a->rows) {
        ps_fail(PS_EDATA, "%s: it must be a list with an element for each of the %llu rows", m->name,
                (unsigned long long)a->rows);
        return 0;
    }
    return *bytes > 0 && *bytes < 1 << 20 && check_size(m, at, a->rows, 1, *bytes) < 0 ? 0 : at;
}

static int read_ids(ps_npy *a, const ps_npy *m)
{
    parser s;
    uint64_t bytes = 0;
    const size_t at = list_header(m, a, &s, &bytes);
    if (at == 0)
        return PS_EDATA;
    if (s.type[0] != '<' || (s.type[1] != 'i' && s.type[1] != 'u') || (bytes != 4 && bytes != 8))
        return ps_fail(PS_EDATA, "%s: elements of type '%s': int32, int64, uint32 and uint64 are taken", m->name,
                       s.type);
    a->ids = ps_alloc(a->rows, sizeof *a->ids);
    if (!a->ids)
        return PS_EMEM;
    for (uint64_t i = 0; i < a->rows; i++) {
        const uint64_t v = ps_num(m->blob.data + at + i * bytes, (int)bytes);
        if (v > INT64_MAX || (bytes == 4 && s.type[1] == 'i' && v > INT32_MAX))
            return ps_fail(PS_EDATA, "%s: row %llu: a negative number", m->name, (unsigned long long)i);
        a->ids[i] = v;
    }
    return 0;
}

/* The code point in UTF-8; the bytes it takes, 0: it is none. */
static size_t utf8(uint32_t c, char *out)
{
    const int n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    for (int i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xff) | c);
    return (size_t)n;
}

static int read_names(ps_npy *a, const ps_npy *m)
{
    parser s;
    uint64_t bytes = 0;
    const size_t at = list_header(m, a, &s, &bytes);
    if (at == 0)
        return PS_EDATA;
    const int wide = s.type[1] == 'U';
    if ((wide ? s.type[0] != '<' : s.type[1] != 'S') || bytes == 0 || bytes >= 1 << 20)
        return ps_fail(PS_EDATA,
                       "%s: elements of type '%s': strings (str_, bytes_) are taken; of objects: "
                       "names.astype(str)",
                       m->name, s.type);
    a->name_size = bytes + 1;
    a->text = ps_zalloc(a->rows, a->name_size);
    if (!a->text)
        return PS_EMEM;
    for (uint64_t i = 0; i < a->rows; i++) {
        const uint8_t *p = m->blob.data + at + i * bytes;
        char *to = a->text + i * a->name_size;
        if (!wide)
            memcpy(to, p, bytes);
        for (size_t k = 0; wide && k < bytes && ps_get32(p + k); k += 4) {
            const size_t n = utf8(ps_get32(p + k), to);
            if (n == 0)
                return ps_fail(PS_EDATA, "%s: row %llu: no Unicode", m->name, (unsigned long long)i);
            to += n;
        }
    }
    return 0;
}

static int read_list(ps_npy *a, const char *member, int (*read)(ps_npy *, const ps_npy *))
{
    ps_npy m;
    int rc = open_member(&m, a, member);
    if (rc > 0)
        rc = read(a, &m);
    ps_npy_close(&m);
    return rc;
}

static int read_archive(ps_npy *a)
{
    ps_npy matrix;
    int rc = open_member(&matrix, a, "vectors");
    if (rc == 0)
        rc = ps_fail(PS_EDATA, "%s: no array 'vectors' in it: numpy.savez(file, vectors=x, ids=numbers)", a->name);
    if (rc > 0)
        rc = read_matrix(&matrix);
    if (rc == 0) {
        a->rows = matrix.rows;
        rc = read_list(a, "ids", read_ids);
    }
    if (rc == 0)
        rc = read_list(a, "names", read_names);
    if (rc < 0) {
        ps_npy_close(&matrix);
        return rc;
    }
    matrix.ids = a->ids;
    matrix.text = a->text;
    matrix.name_size = a->name_size;
    a->ids = NULL;
    a->text = NULL;
    ps_npy_close(a);
    *a = matrix;
    return 0;
}

int ps_npy_open(ps_npy *a, const char *path)
{
    memset(a, 0, sizeof *a);
    a->name = strdup(path && strcmp(path, "-") != 0 ? path : "<stdin>");
    if (!a->name)
        return ps_fail(PS_EMEM, "out of memory");
    int rc = ps_blob_open(&a->blob, path);
    if (rc == 0)
        rc = ps_zip_is(a->blob.data, a->blob.size) ? read_archive(a) : read_matrix(a);
    if (rc == 0)
        rc = check_finite(a);
    if (rc < 0)
        ps_npy_close(a);
    return rc;
}

void ps_npy_close(ps_npy *a)
{
    ps_blob_close(&a->blob);
    free(a->name);
    free(a->ids);
    free(a->text);
    memset(a, 0, sizeof *a);
}
