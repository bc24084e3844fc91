/* text.h - lines of text: tab-separated fields, numbered for messages. */
#ifndef PS_TEXT_H
#define PS_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "io.h"

enum { PS_LINE_MAX = 1 << 20 };

typedef struct {
    const char *s; /* not terminated */
    size_t len;
} ps_str;

/* A terminated copy, malloc'ed; NULL without memory. */
PS_MUST_USE char *ps_str_copy(ps_str s);

typedef struct {
    ps_in *in;
    uint64_t line;   /* number of the last line read, from 1 */
    size_t consumed; /* internal: bytes of the last line, skipped at the next read */
    struct ps_columns *columns; /* columns.h: how the line's fields are made; NULL: it is taken as it is */
} ps_text;

/* `in` stays the caller's. */
ps_text ps_text_make(ps_in *in);

/* The next line without its end (LF or CR LF), valid until the next call: 1, 0 at the end, negative on
 * failure: a read error, a line above PS_LINE_MAX bytes, or a NUL byte. */
PS_MUST_USE int ps_text_line(ps_text *t, ps_str *line);

/* The same without regard to `columns`. */
PS_MUST_USE int ps_text_raw_line(ps_text *t, ps_str *line);

/* Cuts the next tab-separated field off *rest: 1; 0 if none is left.  The last field sets rest->s to NULL. */
int ps_text_field(ps_str *rest, ps_str *field);

/* Fails with "name: line N: " before the message. */
int ps_text_fail(const ps_text *t, const char *fmt, ...) PS_PRINTF(2, 3);

/* Where a tab was expected in `field`, and -F was not given: what to do about commas in it, else "". */
const char *ps_text_hint(const ps_text *t, ps_str field);

/* Strict numbers: the whole field, nothing else.  0, or PS_EDATA without a message. */
PS_MUST_USE int ps_text_u64(ps_str field, uint64_t *value);
PS_MUST_USE int ps_text_double(ps_str field, double *value); /* finite only */

#endif
