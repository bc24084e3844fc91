/* err.h - how lib/ reports failure.
 *
 * Functions of lib/ never print and never exit.  They return 0 (or a pointer) on success and a
 * negative PS_E* (or NULL) on failure, after leaving one line of text, "where: what: why", in a
 * buffer of the calling thread.  A tool prints it behind its own name and decides what to do.
 */
#ifndef PS_ERR_H
#define PS_ERR_H

enum {
    PS_OK = 0,
    PS_ESYS = -1,    /* the system refused: errno's text is part of the message */
    PS_EDATA = -2,   /* the input is damaged, truncated or makes no sense */
    PS_EKIND = -3,   /* a psgraph file, but not the kind or shape that was asked for */
    PS_EMATCH = -4,  /* two inputs that do not belong together (another graph, another dimension) */
    PS_EMEM = -5,    /* no memory */
    PS_EUSAGE = -6   /* wrong use: a bad option or argument */
};

#define PS_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define PS_MUST_USE __attribute__((warn_unused_result))

/* Leaves the message and returns `code`.  For PS_ESYS, ": " and strerror(errno) are appended. */
int ps_fail(int code, const char *fmt, ...) PS_PRINTF(2, 3);

/* The calling thread's last message; valid until its next ps_fail. Never NULL. */
const char *ps_errmsg(void);

/* Replaces the message by "prefix: message", for a caller that knows the file. Returns `code`. */
int ps_fail_in(int code, const char *prefix);

#endif
