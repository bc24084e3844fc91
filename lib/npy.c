#include "npy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "mem.h"
#include "vectors.h"

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
    if (s->dims != 2)
        return ps_fail(PS_EDATA, "%s: an array of %d dimensions: 2 are needed, items x features", s->a->name, s->dims);
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
    return ps_fail(PS_EDATA, "%s: elements of type '%.16s': float16, float32 and float64, little-endian, are taken "
                             "('<f2', '<f4', '<f8')", a->name, type);
}

/* Where the header's text begins, and its length in *len. */
static size_t find_header(const ps_npy *a, size_t *len)
{
    const uint8_t *p = a->blob.data;
    if (a->blob.size < 10 || memcmp(p, "\x93NUMPY", 6) != 0) {
        bad(a, 0, a->blob.size == 0 ? "empty, expected a .npy file" : "not a .npy file");
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

static int read_header(ps_npy *a)
{
    size_t len = 0, at = find_header(a, &len);
    if (at == 0)
        return PS_EDATA;
    const char *text = (const char *)a->blob.data + at;
    parser s = {.a = a, .p = text, .end = text + len};
    if (parse(&s) < 0 || element_type(a, s.type) < 0)
        return PS_EDATA;
    if (s.fortran)
        return ps_fail(PS_EDATA, "%s: in Fortran order, column by column: save numpy.ascontiguousarray(a)", a->name);
    a->rows = s.shape[0];
    a->cols = s.shape[1];
    a->data = a->blob.data + at + len;
    if (a->cols == 0)
        return ps_fail(PS_EDATA, "%s: an array without columns", a->name);
    uint64_t need, have = a->blob.size - at - len;
    if (__builtin_mul_overflow(a->rows, a->cols, &need) || __builtin_mul_overflow(need, (uint64_t)a->bytes, &need) ||
        need != have)
        return ps_fail(PS_EDATA, "%s: byte %zu: %s: %llu x %llu elements of %d bytes do not make %llu bytes", a->name,
                       at + len, need > have ? "truncated" : "too long", (unsigned long long)a->rows,
                       (unsigned long long)a->cols, a->bytes, (unsigned long long)have);
    return 0;
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

int ps_npy_open(ps_npy *a, const char *path)
{
    memset(a, 0, sizeof *a);
    a->name = strdup(path && strcmp(path, "-") != 0 ? path : "<stdin>");
    if (!a->name)
        return ps_fail(PS_EMEM, "out of memory");
    int rc = ps_blob_open(&a->blob, path);
    if (rc == 0)
        rc = read_header(a);
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
    memset(a, 0, sizeof *a);
}
