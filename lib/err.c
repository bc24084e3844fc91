#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[1024];

int ps_fail(int code, const char *fmt, ...)
{
    int saved = errno;
    char text[sizeof message];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t n = strlen(text);
    if (code == PS_ESYS)
        snprintf(text + n, sizeof text - n, ": %s", strerror(saved));
    memcpy(message, text, sizeof message);
    return code;
}

const char *ps_errmsg(void)
{
    return message;
}

int ps_fail_in(int code, const char *prefix)
{
    char text[sizeof message];
    memcpy(text, message, sizeof text);
    snprintf(message, sizeof message, "%s: %.*s", prefix, (int)(sizeof text / 2), text);
    return code;
}
