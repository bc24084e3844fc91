/* tool.c - messages, progress, the end; the options are in tool_options.c. */
#include "tool.h"

#include <errno.h>
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
#include "tool_inner.h"
#include "visible.h"

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

void tool_complain(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(fmt, ap);
    va_end(ap);
}

void tool_misuse(const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    tool_complain("%s (%s -h shows the options)", text, tool->name);
    exit(2);
}

int ps_tool_finish(int rc)
{
    ps_progress_end();
    if (rc < 0)
        tool_complain("%s", ps_errmsg());
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

void tool_begin(const ps_tool *t)
{
    tool = t;
    started = now();
    catch_bus_errors();
}

void tool_obey(const ps_common *c)
{
    common = c;
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
