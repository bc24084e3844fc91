/* check.h - what the unit tests share: a failed CHECK is printed and counted, the run goes on. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

#include "err.h"

static int check_failures;

#define CHECK(cond)                                                             \
    do {                                                                        \
        if (!(cond)) {                                                          \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #cond);  \
            check_failures++;                                                   \
        }                                                                       \
    } while (0)

/* The same for a call that returns 0 or a negative error, with the error's text. */
#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        if ((call) < 0) {                                                                          \
            fprintf(stderr, "%s:%d: failed: %s: %s\n", __FILE__, __LINE__, #call, ps_errmsg());    \
            check_failures++;                                                                      \
        }                                                                                          \
    } while (0)

/* Ends main: status 1 after any failure. */
#define CHECK_END() return check_failures ? (fprintf(stderr, "%d checks failed\n", check_failures), 1) : 0

#endif
