#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[1024];

/* A message without its end does not say what is wrong: of one that is too long the middle goes. */
static void keep(const char *text)
{
    static const char gap[] = " ... ";
    const size_t n = strlen(text), room = sizeof message - 1, begin = room / 2, end = room - begin - (sizeof gap - 1);
    if (n <= room) {
        memcpy(message, text, n + 1);
        return;
    }
    memcpy(message, text, begin);
    memcpy(message + begin, gap, sizeof gap - 1);
    memcpy(message + begin + sizeof gap - 1, text + n - end, end + 1);
}

int ps_fail(int code, const char *fmt, ...)
{
    enum { WHY = 128 };
    int saved = errno;
    char text[1 << 14];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text - WHY, fmt, ap);
    va_end(ap);
    size_t n = strlen(text);
    if (code == PS_ESYS)
        snprintf(text + n, WHY, ": %s", strerror(saved));
    keep(text);
    return code;
}

const char *ps_errmsg(void)
{
    return message;
}

int ps_fail_in(int code, const char *prefix)
{
    char text[1 << 14];
    snprintf(text, sizeof text, "%.*s: %s", (int)(sizeof text - sizeof message - 3), prefix, message);
    keep(text);
    return code;
}
