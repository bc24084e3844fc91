/* visible.h - bytes that may drive a terminal, made visible.
 *
 * Names in files may be any bytes.  What is shown to a person has control characters, and bytes that are no
 * UTF-8, as \xHH instead.
 */
#ifndef PS_VISIBLE_H
#define PS_VISIBLE_H

#include <stddef.h>
#include <stdint.h>

/* What was seen last; begins as zeros. */
typedef struct {
    int more;     /* bytes of a UTF-8 sequence still to come */
    uint8_t lead; /* its first byte */
} ps_visible;

enum { PS_VISIBLE_ROOM = 4 }; /* bytes that one byte can become */

/* Writes n bytes to out, which has room for n * PS_VISIBLE_ROOM, and returns how many they became.  Those of
 * `keep` (a string: say "\n\t") stay as they are.  A text may come in parts with the same state. */
size_t ps_visible_copy(ps_visible *state, const void *text, size_t n, const char *keep, char *out);

#endif
