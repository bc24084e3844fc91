#include "json.h"

#include <math.h>
#include <string.h>

ps_json ps_json_make(ps_out *out)
{
    return (ps_json){.out = out};
}

static void put(ps_json *j, const char *s, size_t n)
{
    if (j->rc == 0)
        j->rc = ps_out_write(j->out, s, n);
}

/* Length of the UTF-8 sequence at s, 0 if it is none (overlong, a surrogate, cut off, above U+10FFFF). */
static size_t utf8(const unsigned char *s, size_t n)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
    if (len < 2 || len > n)
        return len == 1;
    uint32_t c = s[0] & (0x7f >> len);
    for (size_t i = 1; i < len; i++) {
        if (s[i] >> 6 != 2)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    return c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : len;
}

static void quoted(ps_json *j, const char *s, size_t n)
{
    put(j, "\"", 1);
    for (size_t i = 0, len; i < n && j->rc == 0; i += len > 0 ? len : 1) {
        unsigned char c = (unsigned char)s[i];
        len = utf8((const unsigned char *)s + i, n - i);
        if (c < 0x20)
            j->rc = ps_out_printf(j->out, "\\u%04x", c);
        else if (c == '"' || c == '\\')
            j->rc = ps_out_printf(j->out, "\\%c", c);
        else if (len == 0)
            put(j, "\\ufffd", 6);
        else
            put(j, s + i, len);
    }
    put(j, "\"", 1);
}

/* What comes before a value. */
static void begin(ps_json *j, const char *key)
{
    if (j->depth > 0) {
        if (j->more[j->depth - 1])
            put(j, ", ", 2);
        j->more[j->depth - 1] = 1;
    }
    if (key) {
        quoted(j, key, strlen(key));
        put(j, ": ", 2);
    }
}

static void open_level(ps_json *j, const char *key, char open, char close)
{
    if (j->depth == PS_JSON_DEPTH) {
        j->rc = j->rc ? j->rc : ps_fail(PS_EUSAGE, "JSON nested deeper than %d", PS_JSON_DEPTH);
        return;
    }
    begin(j, key);
    put(j, &open, 1);
    j->close[j->depth] = close;
    j->more[j->depth++] = 0;
}

void ps_json_object(ps_json *j, const char *key)
{
    open_level(j, key, '{', '}');
}

void ps_json_array(ps_json *j, const char *key)
{
    open_level(j, key, '[', ']');
}

void ps_json_end(ps_json *j)
{
    if (j->depth > 0)
        put(j, &j->close[--j->depth], 1);
}

void ps_json_count(ps_json *j, const char *key, uint64_t value)
{
    begin(j, key);
    if (j->rc == 0)
        j->rc = ps_out_printf(j->out, "%llu", (unsigned long long)value);
}

void ps_json_number(ps_json *j, const char *key, double value)
{
    begin(j, key);
    if (!isfinite(value))
        put(j, "null", 4);
    else if (j->rc == 0)
        j->rc = ps_out_printf(j->out, "%.6g", value);
}

void ps_json_string(ps_json *j, const char *key, const char *s, size_t len)
{
    begin(j, key);
    quoted(j, s, len);
}

int ps_json_finish(ps_json *j)
{
    put(j, "\n", 1);
    return j->rc;
}
