#include "visible.h"

#include <string.h>

/* Continuation bytes that a UTF-8 lead byte announces; 0: it is none. */
static int announced(uint8_t c)
{
    return c >= 0xc2 && c <= 0xdf ? 1 : c >= 0xe0 && c <= 0xef ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : 0;
}

/* Is this byte one that a terminal only shows? */
static int harmless(ps_visible *s, uint8_t c)
{
    if (c < 0x80) {
        s->more = 0;
        return c >= 0x20 && c != 0x7f;
    }
    if (c >= 0xc0) {
        s->lead = c;
        s->more = announced(c);
        return s->more > 0;
    }
    /* C2 80 to C2 9F are control characters, too. */
    const int ok = s->more > 0 && !(s->lead == 0xc2 && c < 0xa0);
    s->more = ok ? s->more - 1 : 0;
    return ok;
}

size_t ps_visible_copy(ps_visible *state, const void *text, size_t n, const char *keep, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = text;
    char *to = out;
    for (size_t i = 0; i < n; i++) {
        const uint8_t c = p[i];
        if (harmless(state, c) || (c && strchr(keep, c))) {
            *to++ = (char)c;
            continue;
        }
        *to++ = '\\';
        *to++ = 'x';
        *to++ = digits[c >> 4];
        *to++ = digits[c & 15];
    }
    return (size_t)(to - out);
}
