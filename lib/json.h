/* json.h - reports as JSON (RFC 8259), written on the way: commas, quoting and nesting are seen to here. */
#ifndef PS_JSON_H
#define PS_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "io.h"

enum { PS_JSON_DEPTH = 16 };

typedef struct {
    ps_out *out;
    int depth;
    char close[PS_JSON_DEPTH]; /* what ends each open level */
    char more[PS_JSON_DEPTH];  /* does it hold something already? */
    int rc;                    /* first failure; later calls do nothing */
} ps_json;

/* `out` stays the caller's. */
ps_json ps_json_make(ps_out *out);

/* In an object each value has a key; in an array, and at the top, key is NULL. */
void ps_json_object(ps_json *j, const char *key);
void ps_json_array(ps_json *j, const char *key);
void ps_json_end(ps_json *j); /* the innermost object or array */
void ps_json_count(ps_json *j, const char *key, uint64_t value);
void ps_json_number(ps_json *j, const char *key, double value); /* 6 digits; not finite: null */
void ps_json_string(ps_json *j, const char *key, const char *s, size_t len); /* bytes that are no UTF-8: U+FFFD */

/* Ends the line.  0, or the first failure. */
PS_MUST_USE int ps_json_finish(ps_json *j);

#endif
