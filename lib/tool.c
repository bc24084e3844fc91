#include "tool.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "mapped.h"
#include "par.h"
#include "sandbox.h"
#include "visible.h"

enum { MAX_OPTIONS = 96, LONG_BASE = 256, MAX_THREADS = 1024, MAX_GIVEN = 256 };

static const ps_tool *tool = &(ps_tool){.name = "psgraph"};
static const ps_common *common;
static double started;
static int progress_shown;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- messages ---- */

/* One line whatever names it has in it: of a file, a node, or a stranger's header. */
static void say(const char *fmt, va_list ap)
{
    char text[2048], line[sizeof text * PS_VISIBLE_ROOM];
    ps_visible state = {0};
    int n = vsnprintf(text, sizeof text, fmt, ap);
    size_t len = n < 0 ? 0 : n < (int)sizeof text ? (size_t)n : sizeof text - 1;
    len = ps_visible_copy(&state, text, len, "", line);
    ps_progress_end();
    fflush(stdout);
    fprintf(stderr, "%s: %.*s\n", tool->name, (int)len, line);
}

void ps_warn(const char *fmt, ...)
{
    if (common && common->quiet)
        return;
    va_list ap;
    va_start(ap, fmt);
    say(fmt, ap);
    va_end(ap);
}

void ps_warn_skipped(const char *message)
{
    ps_warn("%s; skipped", message);
}

void ps_info(const char *fmt, ...)
{
    if (!common || !common->verbose)
        return;
    va_list ap;
    va_start(ap, fmt);
    say(fmt, ap);
    va_end(ap);
}

int ps_usage_error(const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return ps_fail(PS_EUSAGE, "%s (%s -h shows the options)", text, tool->name);
}

static void complain(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(fmt, ap);
    va_end(ap);
}

_Noreturn static void misuse(const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    complain("%s (%s -h shows the options)", text, tool->name);
    exit(2);
}

int ps_tool_finish(int rc)
{
    ps_progress_end();
    if (rc < 0)
        complain("%s", ps_errmsg());
    else if (common && common->verbose) {
        struct rusage u;
        getrusage(RUSAGE_SELF, &u);
        ps_info("done in %.2f s, %.2f s of processor time, at most %.0f MiB", now() - started,
                (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6,
                (double)u.ru_maxrss / 1024);
    }
    return rc >= 0 ? 0 : rc == PS_EUSAGE ? 2 : 1;
}

ps_out *ps_tool_output(const ps_common *c, int flags)
{
    return ps_out_open(c->output, flags | (c->gzip ? PS_OUT_GZIP : 0));
}

/* ---- a mapped file that shrinks, or cannot be read ---- */

static void on_bus_error(int sig, siginfo_t *info, void *ctx)
{
    static volatile int busy;
    static _Thread_local volatile int mine;
    static const char what[] = ": cannot be read: it became shorter while it was in use, or its disk failed\n";
    char line[PS_MAPPED_NAME * PS_VISIBLE_ROOM];
    ps_visible state = {0};
    const char *name = ps_mapped_name(info->si_addr);
    (void)ctx;
    if (mine) {
        signal(sig, SIG_DFL);
        raise(sig);
    }
    mine = 1;
    while (__atomic_exchange_n(&busy, 1, __ATOMIC_SEQ_CST)) /* another thread is about to end it all */
        pause();
    ps_out_abandon();
    name = name ? name : "a mapped file";
    const struct iovec parts[] = {{(void *)(uintptr_t)tool->name, strlen(tool->name)},
                                  {": ", 2},
                                  {line, ps_visible_copy(&state, name, strlen(name), "", line)},
                                  {(void *)(uintptr_t)what, sizeof what - 1}};
    ssize_t n = writev(STDERR_FILENO, parts, 4);
    (void)n;
    _exit(1);
}

static void catch_bus_errors(void)
{
    const struct sigaction act = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGBUS, &act, NULL);
}

/* ---- progress ---- */

void ps_progress(const char *what, uint64_t done, uint64_t total)
{
    static double last, begun;
    static const char *current;
    static int tty = -1;
    double t = now();
    if (tty < 0)
        tty = isatty(STDERR_FILENO);
    if (!common || common->quiet || (!tty && !common->verbose))
        return;
    if (current != what) {
        current = what;
        begun = last = t;
        return;
    }
    if (t - last < (tty ? 1.0 / 6 : 5))
        return;
    last = t;
    double rate = (double)done / (t - begun);
    char left[64] = "";
    if (total && rate > 0)
        snprintf(left, sizeof left, ", %.0f%%, %.0f s left", 100.0 * (double)done / (double)total,
                 (double)(total - done) / rate);
    fprintf(stderr, "%s%s: %s: %llu (%.0f/s%s)%s", tty ? "\r\033[K" : "", tool->name, what, (unsigned long long)done,
            rate, left, tty ? "" : "\n");
    progress_shown = tty;
}

void ps_progress_end(void)
{
    if (progress_shown)
        fputs("\r\033[K", stderr);
    progress_shown = 0;
}

/* ---- options ---- */

static void show_default(const ps_option *o)
{
    if (o->type == PS_OPT_INT && strcmp(o->name, "threads") == 0)
        printf(" [all cores]");
    else if (o->type == PS_OPT_INT)
        printf(" [%lld]", (long long)*(int64_t *)o->to);
    else if (o->type == PS_OPT_U32)
        printf(" [%u]", *(uint32_t *)o->to);
    else if (o->type == PS_OPT_SIZE && *(int64_t *)o->to)
        printf(" [%lldM]", (long long)*(int64_t *)o->to >> 20);
    else if (o->type == PS_OPT_REAL || o->type == PS_OPT_MINUTES)
        printf(" [%g]", *(double *)o->to);
    else if (o->type == PS_OPT_STR && *(const char **)o->to)
        printf(" [%s]", *(const char **)o->to);
    else if (o->type == PS_OPT_CHOICE) {
        const char *s = o->choices;
        for (int i = *(int *)o->to; i > 0; i--)
            s = strchr(s, '|') + 1;
        printf(": %s [%.*s]", o->choices, (int)strcspn(s, "|"), s);
    }
}

static void help(const ps_option *all, int n)
{
    printf("usage: %s [options]%s%s\n%s\n\n", tool->name, tool->operands ? " " : "",
           tool->operands ? tool->operands : "", tool->purpose);
    for (int i = 0; i < n; i++) {
        const ps_option *o = &all[i];
        char left[64], letter[8] = "    ";
        if (o->letter)
            snprintf(letter, sizeof letter, "-%c, ", o->letter);
        snprintf(left, sizeof left, "%s--%s %s", letter, o->name, o->arg ? o->arg : "");
        printf("  %-27s %s", left, o->help);
        show_default(o);
        putchar('\n');
    }
    printf("  %-27s %s\n  %-27s %s\n", "-h, --help", "this text", "-V, --version",
           "the version and what it was built with");
    printf("\nExit status: 0 done, 1 failed, 2 wrong usage. See %s(1), psgraph(7).\n", tool->name);
}

static int choice(const ps_option *o, const char *value)
{
    const char *s = o->choices;
    for (int i = 0;; i++) {
        size_t len = strcspn(s, "|");
        if (strlen(value) == len && strncmp(s, value, len) == 0)
            return i;
        if (!s[len])
            return -1;
        s += len + 1;
    }
}

/* Bytes from "512M" or "1.5G"; negative if it is no size. */
static double size_of(const char *text)
{
    static const char units[] = "KMGT";
    char *end;
    double v = strtod(text, &end);
    if (end == text || text[0] == ' ' || !isfinite(v))
        return -1;
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (unit)
        v = ldexp(v, 10 * (int)(unit - units + 1));
    return end[unit != NULL] ? -1 : v;
}

/* Minutes from "10", "90s" or "1.5h"; NaN if it is no time. */
static double minutes_of(const char *text)
{
    static const char units[] = "smhd";
    static const double minutes[] = {1 / 60.0, 1, 60, 24 * 60};
    char *end;
    double v = strtod(text, &end);
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (end == text || text[0] == ' ' || !isfinite(v) || end[unit != NULL])
        return NAN;
    return unit ? v * minutes[unit - units] : v;
}

static void store(const ps_option *o, const char *value)
{
    char name[64], *end;
    if (o->letter)
        snprintf(name, sizeof name, "-%c (--%s)", o->letter, o->name);
    else
        snprintf(name, sizeof name, "--%s", o->name);
    errno = 0;
    switch (o->type) {
    case PS_OPT_FLAG: *(int *)o->to = 1; return;
    case PS_OPT_STR: *(const char **)o->to = value; return;
    case PS_OPT_LIST: {
        ps_list *l = o->to;
        if (l->n == PS_LIST_MAX)
            misuse("%s: given more than %d times", name, PS_LIST_MAX);
        l->at[l->n++] = value;
        return;
    }
    case PS_OPT_INT:
    case PS_OPT_U32: {
        long long v = strtoll(value, &end, 10);
        if (end == value || *end || value[0] == ' ')
            misuse("%s: '%s' is not a whole number", name, value);
        if (errno || (double)v < o->min || (double)v > o->max)
            misuse("%s: %s is out of range (%.0f to %.0f)", name, value, o->min, o->max);
        if (o->type == PS_OPT_U32)
            *(uint32_t *)o->to = (uint32_t)v;
        else
            *(int64_t *)o->to = v;
        return;
    }
    case PS_OPT_REAL: {
        double v = strtod(value, &end);
        if (end != value && strcmp(end, "%") == 0) {
            v /= 100;
            end++;
        }
        if (end == value || *end || value[0] == ' ')
            misuse("%s: '%s' is not a number", name, value);
        if (!isfinite(v) || v < o->min || v > o->max)
            misuse("%s: %s is out of range (%g to %g)", name, value, o->min, o->max);
        *(double *)o->to = v;
        return;
    }
    case PS_OPT_MINUTES: {
        double v = minutes_of(value);
        if (isnan(v))
            misuse("%s: '%s' is not a number of minutes, nor a time like 90s, 10m, 2h or 1d", name, value);
        if (v < o->min || v > o->max)
            misuse("%s: %s is out of range (%g to %g minutes)", name, value, o->min, o->max);
        *(double *)o->to = v;
        return;
    }
    case PS_OPT_SIZE: {
        double v = size_of(value);
        if (v < 0)
            misuse("%s: '%s' is no size like 512M or 16G", name, value);
        if (v < o->min || v > o->max)
            misuse("%s: %s is out of range (%.0fM to %.0fT)", name, value, ldexp(o->min, -20), ldexp(o->max, -40));
        *(int64_t *)o->to = (int64_t)v;
        return;
    }
    case PS_OPT_CHOICE: {
        int i = choice(o, value);
        if (i < 0)
            misuse("%s: '%s' is none of %s", name, value, o->choices);
        *(int *)o->to = i;
        return;
    }
    case PS_OPT_PRESET: {
        const ps_preset *preset = o->to;
        preset->apply(preset->ctx);
        return;
    }
    }
}

/* Presets first, so that the other options change what they set. */
static void store_all(const ps_option *const *given, char *const *values, int n)
{
    for (int presets = 1; presets >= 0; presets--)
        for (int i = 0; i < n; i++)
            if ((given[i]->type == PS_OPT_PRESET) == presets)
                store(given[i], values[i]);
}

/* ---- an option that is none ---- */

/* Letters to put in, take out, change or swap with the next one, to make one name of the other; a name that
 * begins with all of `typed` is one away.  Both shorter than NAME_MAX_LEN. */
enum { NAME_MAX_LEN = 40 };
static int distance(const char *typed, const char *name)
{
    int d[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1];
    const int n = (int)strlen(typed), m = (int)strlen(name);
    for (int i = 0; i <= n; i++)
        for (int j = 0; j <= m; j++) {
            if (!i || !j) {
                d[i][j] = i + j;
                continue;
            }
            int best = d[i - 1][j - 1] + (typed[i - 1] != name[j - 1]);
            best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
            best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && typed[i - 1] == name[j - 2] && typed[i - 2] == name[j - 1])
                best = d[i - 2][j - 2] + 1 < best ? d[i - 2][j - 2] + 1 : best;
            d[i][j] = best;
        }
    return n >= 3 && m > n && strncmp(typed, name, (size_t)n) == 0 ? 1 : d[n][m];
}

/* Says which option may have been meant by argv's "--typed[=value]". */
_Noreturn static void unknown_long(const char *given, const struct option *longs)
{
    char typed[NAME_MAX_LEN];
    const size_t len = strcspn(given + 2, "=");
    const struct option *best = NULL;
    int least = 3, same = 0;
    snprintf(typed, sizeof typed, "%.*s", len < sizeof typed ? (int)len : (int)sizeof typed - 1, given + 2);
    for (const struct option *o = longs; o->name; o++) {
        int d = distance(typed, o->name);
        same = d == least ? 1 : d < least ? 0 : same;
        if (d < least) {
            least = d;
            best = o;
        }
    }
    if (best && least == 0)
        misuse("--%s takes no argument: %s", best->name, given);
    if (best && !same && least * 3 <= (int)strlen(best->name))
        misuse("unknown option %s; --%s?", given, best->name);
    misuse("unknown or ambiguous option %s", given);
}

static void version(void)
{
    printf("%s (psgraph) %s\n", tool->name, PS_VERSION);
    if (tool->products)
        printf("products: %s\n", tool->products());
    printf("compiler: %s\n", __VERSION__);
}

int ps_tool_parse(const ps_tool *t, const ps_option *rows, ps_common *c, int argc, char **argv)
{
    const ps_option shared[] = {
        {'o', "output", "FILE", PS_OPT_STR, &c->output, 0, 0, "write there, complete or not at all", NULL},
        {'z', "gzip", NULL, PS_OPT_FLAG, &c->gzip, 0, 0, "compress the output", NULL},
        {'j', "threads", "N", PS_OPT_INT, &c->threads, 1, MAX_THREADS, "threads in all", NULL},
        {'s', "seed", "N", PS_OPT_INT, &c->seed, 0, 9e15, "seed of all random numbers", NULL},
        {'q', "quiet", NULL, PS_OPT_FLAG, &c->quiet, 0, 0, "no warnings, no progress", NULL},
        {'v', "verbose", NULL, PS_OPT_FLAG, &c->verbose, 0, 0, "say more on stderr", NULL},
        {0, "sandbox", NULL, PS_OPT_FLAG, &c->sandbox, 0, 0, "may read files and write standard output, nothing else", NULL},
    };
    ps_option all[MAX_OPTIONS];
    struct option longs[MAX_OPTIONS + 3];
    char shorts[2 * MAX_OPTIONS + 8] = ":hV";
    size_t n = 0;
    for (; rows[n].name; n++)
        all[n] = rows[n];
    memcpy(all + n, shared, sizeof shared);
    n += sizeof shared / sizeof *shared;
    for (size_t i = 0; i < n; i++) {
        char letter[3] = {(char)all[i].letter, all[i].arg ? ':' : 0, 0};
        if (all[i].letter)
            strcat(shorts, letter);
        longs[i] = (struct option){all[i].name, all[i].arg ? required_argument : no_argument, NULL, LONG_BASE + (int)i};
    }
    longs[n] = (struct option){"help", no_argument, NULL, 'h'};
    longs[n + 1] = (struct option){"version", no_argument, NULL, 'V'};
    longs[n + 2] = (struct option){0};
    tool = t;
    started = now();
    catch_bus_errors();
    const ps_option *given[MAX_GIVEN];
    char *values[MAX_GIVEN];
    int got, stored = 0;
    while ((got = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (got == '?' && optopt && optopt < LONG_BASE)
            misuse("unknown option -%c", optopt);
        if (got == '?')
            unknown_long(argv[optind - 1], longs);
        if (got == ':')
            misuse("option %s needs an argument", argv[optind - 1]);
        if (got == 'h')
            help(all, (int)n);
        if (got == 'V')
            version();
        if (got == 'h' || got == 'V') {
            if (fflush(stdout) == 0 && !ferror(stdout))
                exit(0);
            complain("<stdout>: cannot write: %s", strerror(errno));
            exit(1);
        }
        for (size_t i = 0; i < n; i++)
            if (got == LONG_BASE + (int)i || got == all[i].letter) {
                if (stored == MAX_GIVEN)
                    misuse("more than %d options", MAX_GIVEN);
                given[stored] = &all[i];
                values[stored++] = optarg;
            }
    }
    store_all(given, values, stored);
    common = c;
    if (c->threads == 0)
        c->threads = ps_cores();
    if (optind < argc && !tool->operands)
        misuse("surplus operand '%s'", argv[optind]);
    if (c->sandbox && c->output)
        misuse("--sandbox: nothing is written but standard output: no -o");
    if (c->sandbox && ps_sandbox() < 0) {
        complain("%s", ps_errmsg());
        exit(1);
    }
    return optind;
}
