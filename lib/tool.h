/* tool.h - what every program in tools/ does alike: options, messages, progress, the end.
 *
 * The only module of lib/ that prints and exits.
 */
#ifndef PS_TOOL_H
#define PS_TOOL_H

#include <stdint.h>

#include "io.h"
#include "rec.h"

#define PS_VERSION "0.1.0"

typedef enum {
    PS_OPT_FLAG,   /* int: 1 when given */
    PS_OPT_INT,    /* int64_t in [min, max] */
    PS_OPT_U32,    /* uint32_t in [min, max] */
    PS_OPT_REAL,   /* double in [min, max]; 5% is .05 */
    PS_OPT_MINUTES, /* double in [min, max]: a number of minutes, or with s, m, h or d behind it of that unit */
    PS_OPT_SIZE,   /* int64_t, bytes in [min, max], with K, M, G or T for powers of 1024 */
    PS_OPT_STR,    /* const char * */
    PS_OPT_LIST,   /* ps_list: may be repeated */
    PS_OPT_CHOICE, /* int: index into `choices`, "a|b|c" */
    PS_OPT_PRESET, /* ps_preset: other defaults, whatever its place among the options; takes no argument */
} ps_opt_type;

enum { PS_LIST_MAX = 64 };
typedef struct {
    int n;
    const char *at[PS_LIST_MAX];
} ps_list;

typedef struct {
    void (*apply)(void *ctx);
    void *ctx;
} ps_preset;

/* One row for each option: parsing, range check and help all come from it. */
typedef struct {
    int letter;       /* 0: long name only */
    const char *name; /* long name */
    const char *arg;  /* what the help calls the argument; NULL for a flag */
    ps_opt_type type;
    void *to;         /* where the value goes; its value before parsing is the default */
    double min, max;
    const char *help; /* one line, without the default */
    const char *choices;
} ps_option;

/* The options that every tool has.  `threads` 0 stands for all cores until ps_tool_parse. */
typedef struct {
    const char *output;
    int64_t threads;
    int64_t seed;
    int gzip, quiet, verbose, sandbox;
} ps_common;

#define PS_COMMON_DEFAULT {.threads = 0, .seed = 1}

/* What a tool says about itself. */
typedef struct {
    const char *name;
    const char *purpose;  /* one line */
    const char *operands; /* for the usage line, NULL: none are taken */
    const char *(*products)(void); /* what computes its matrix products, for -V; NULL: it has none */
} ps_tool;

/* Parses everything, and makes an error of a mapped file that shrinks: -h and -V print and exit 0, misuse prints one line and exits 2.  `rows` ends with a
 * row whose `name` is NULL.  Returns the index of the first operand. */
int ps_tool_parse(const ps_tool *tool, const ps_option *rows, ps_common *common, int argc, char **argv);

/* One line "tool: message" on stderr; a warning is silenced by -q. */
void ps_warn(const char *fmt, ...) PS_PRINTF(1, 2);
/* "message; skipped": for ps_query_options. */
void ps_warn_skipped(const char *message);
/* The same as ps_warn, only with -v. */
void ps_info(const char *fmt, ...) PS_PRINTF(1, 2);

/* PS_EUSAGE with a message; for wrong combinations of options. */
int ps_usage_error(const char *fmt, ...) PS_PRINTF(1, 2);

/* The exit status for what a worker returned: prints ps_errmsg() if rc < 0; 2 for PS_EUSAGE, else 1. */
int ps_tool_finish(int rc);

/* Progress on stderr: when it is a terminal at most 6 times a second, with -v otherwise every 5 s.
 * `total` 0: not known.  Call as often as is convenient, from one thread; ps_progress_end clears it. */
void ps_progress(const char *what, uint64_t done, uint64_t total);
void ps_progress_end(void);

/* Opens the output that -o and -z ask for. */
PS_MUST_USE ps_out *ps_tool_output(const ps_common *common, int flags);

#endif
