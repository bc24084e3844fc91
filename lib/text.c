#include "text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "magic.h"
#include "mem.h"

char *ps_str_copy(ps_str s)
{
    char *copy = ps_alloc(s.len + 1, 1);
    if (!copy)
        return NULL;
    memcpy(copy, s.s, s.len);
    copy[s.len] = 0;
    return copy;
}

ps_text ps_text_make(ps_in *in)
{
    return (ps_text){.in = in};
}

int ps_text_fail(const ps_text *t, const char *fmt, ...)
{
    char text[768];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return ps_fail(PS_EDATA, "%s: line %llu: %s", ps_in_name(t->in), (unsigned long long)t->line, text);
}

int ps_text_line(ps_text *t, ps_str *line)
{
    return t->columns ? ps_columns_line(t->columns, t, line) : ps_text_raw_line(t, line);
}

int ps_text_raw_line(ps_text *t, ps_str *line)
{
    ps_in_skip(t->in, t->consumed);
    t->consumed = 0;
    const uint8_t *p = NULL, *end = NULL;
    size_t want = 1;
    long n = 0;
    while (!end) {
        size_t seen = (size_t)n;
        n = ps_in_peek(t->in, &p, want);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return 0;
        size_t look = (size_t)n < PS_LINE_MAX ? (size_t)n : PS_LINE_MAX;
        end = look > seen ? memchr(p + seen, '\n', look - seen) : NULL;
        if (!end && (size_t)n < want)
            end = p + n; /* the last line, without its newline */
        if (!end && (size_t)n >= PS_LINE_MAX) {
            t->line++;
            return ps_text_fail(t, "longer than %d bytes", PS_LINE_MAX);
        }
        want = (size_t)n + 1;
    }
    t->line++;
    size_t len = (size_t)(end - p);
    t->consumed = len < (size_t)n ? len + 1 : len;
    if (t->line == 1 && len >= 4 && p[0] == 0x89 && ps_file_type_of(p, len) != PS_FILE_OTHER)
        return ps_text_fail(t, "this is %s, not text", ps_file_type_name(ps_file_type_of(p, len)));
    if (memchr(p, 0, len))
        return ps_text_fail(t, "a NUL byte: this is not text (binary records? then leave out -t)");
    if (len > 0 && p[len - 1] == '\r')
        len--;
    *line = (ps_str){(const char *)p, len};
    return 1;
}

int ps_text_field(ps_str *rest, ps_str *field)
{
    if (!rest->s)
        return 0;
    const char *tab = rest->len ? memchr(rest->s, '\t', rest->len) : NULL;
    if (!tab) {
        *field = *rest;
        *rest = (ps_str){NULL, 0};
    } else {
        *field = (ps_str){rest->s, (size_t)(tab - rest->s)};
        *rest = (ps_str){tab + 1, rest->len - field->len - 1};
    }
    return 1;
}

const char *ps_text_hint(const ps_text *t, ps_str field)
{
    if (t->columns || field.len == 0)
        return "";
    return memchr(field.s, ',', field.len)   ? " (with commas between: -F ,)"
           : memchr(field.s, ';', field.len) ? " (with semicolons between: -F ';')"
                                             : "";
}

int ps_text_u64(ps_str f, uint64_t *value)
{
    uint64_t v = 0;
    if (f.len == 0)
        return PS_EDATA;
    for (size_t i = 0; i < f.len; i++) {
        unsigned digit = (unsigned)(unsigned char)f.s[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(v, UINT64_C(10), &v) || __builtin_add_overflow(v, digit, &v))
            return PS_EDATA;
    }
    *value = v;
    return 0;
}

int ps_text_double(ps_str f, double *value)
{
    char buf[64], *end;
    if (f.len == 0 || f.len >= sizeof buf || f.s[0] == ' ')
        return PS_EDATA;
    memcpy(buf, f.s, f.len);
    buf[f.len] = 0;
    *value = strtod(buf, &end);
    return *end || !isfinite(*value) ? PS_EDATA : 0;
}
