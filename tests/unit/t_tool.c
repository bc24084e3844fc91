/* Options, messages and exit statuses that all tools share; each try in a process of its own. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "tool.h"

enum { ARGS = 12, SHOWN = 8192 };

typedef struct {
    ps_common common;
    int flag, choice;
    int64_t whole;
    uint32_t small;
    int64_t size;
    double real, minutes;
    const char *text;
    ps_list list;
} options;

static void preset(void *ctx)
{
    options *o = ctx;
    o->whole = 77;
    o->real = 0.5;
}

/* Parses, then shows what came out; this is what a tool's main does. */
static int tool_main(int argc, char **argv)
{
    options o = {.common = PS_COMMON_DEFAULT, .whole = 5, .real = 0.25, .text = "default", .choice = 1};
    ps_preset p = {preset, &o};
    const ps_option rows[] = {
        {'f', "flag", NULL, PS_OPT_FLAG, &o.flag, 0, 0, "a flag", NULL},
        {'w', "whole", "N", PS_OPT_INT, &o.whole, -3, 1000, "a whole number", NULL},
        {'u', "small", "N", PS_OPT_U32, &o.small, 0, 4e9, "a whole number", NULL},
        {'r', "real", "X", PS_OPT_REAL, &o.real, 0, 1, "a real number", NULL},
        {'M', "memory", "SIZE", PS_OPT_SIZE, &o.size, 1 << 20, 0x1p50, "a size", NULL},
        {'e', "every", "MINUTES", PS_OPT_MINUTES, &o.minutes, 0, 1e6, "a time", NULL},
        {'t', "text", "S", PS_OPT_STR, &o.text, 0, 0, "a text", NULL},
        {'l', "list", "S", PS_OPT_LIST, &o.list, 0, 0, "texts", NULL},
        {'c', "choice", "WORD", PS_OPT_CHOICE, &o.choice, 0, 0, "a word", "red|green|greenish"},
        {0, "paper", NULL, PS_OPT_PRESET, &p, 0, 0, "other defaults", NULL},
        {0},
    };
    const ps_tool tool = {"pstest", "Tests.", "[FILE ...]", NULL};
    int first = ps_tool_parse(&tool, rows, &o.common, argc, argv);
    printf("flag=%d whole=%lld small=%u real=%g text=%s choice=%d", o.flag, (long long)o.whole, o.small, o.real, o.text,
           o.choice);
    for (int i = 0; i < o.list.n; i++)
        printf(" list=%s", o.list.at[i]);
    if (o.size)
        printf(" size=%lld", (long long)o.size);
    if (o.minutes > 0)
        printf(" minutes=%g", o.minutes);
    printf(" j=%lld s=%lld out=%s operands=%d\n", (long long)o.common.threads, (long long)o.common.seed,
           o.common.output ? o.common.output : "-", argc - first);
    ps_warn("a warning");
    ps_info("more");
    return ps_tool_finish(argc - first == 3   ? ps_fail(PS_EDATA, "f: three")
                          : argc - first == 4 ? ps_usage_error("four")
                                              : 0);
}

/* Runs it with these arguments (a single string, cut at spaces); its status, and what it printed. */
static int run(const char *line, char *out, char *err)
{
    char copy[256], *argv[ARGS] = {"pstest"};
    int argc = 1, fds[2][2];
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word && argc < ARGS - 1; word = strtok(NULL, " "))
        argv[argc++] = word;
    if (pipe(fds[0]) < 0 || pipe(fds[1]) < 0)
        exit(1);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[0][1], STDOUT_FILENO);
        dup2(fds[1][1], STDERR_FILENO);
        optind = 0;
        exit(tool_main(argc, argv));
    }
    char *to[2] = {out, err};
    for (int i = 0; i < 2; i++) {
        close(fds[i][1]);
        size_t n = 0;
        ssize_t got;
        while ((got = read(fds[i][0], to[i] + n, SHOWN - 1 - n)) > 0)
            n += (size_t)got;
        to[i][n] = 0;
        close(fds[i][0]);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static char out[SHOWN], err[SHOWN];

static void accepted(const char *line, const char *shown)
{
    int status = run(line, out, err);
    if (status != 0 || !strstr(out, shown)) {
        fprintf(stderr, "'%s': %d, '%s' '%s'; '%s' expected\n", line, status, out, err, shown);
        check_failures++;
    }
}

static void misused(const char *line, const char *why)
{
    int status = run(line, out, err);
    char *end = strchr(err, '\n');
    if (status != 2 || *out || !strstr(err, why) || strncmp(err, "pstest: ", 8) != 0 || !end || end[1]) {
        fprintf(stderr, "'%s': %d, '%s' '%s'; '%s' expected\n", line, status, out, err, why);
        check_failures++;
    }
}

static void good(void)
{
    accepted("-j 2", "flag=0 whole=5 small=0 real=0.25 text=default choice=1 j=2 s=1 out=- operands=0");
    accepted("-fw-3 -r1 -u 4000000000", "flag=1 whole=-3 small=4000000000 real=1 ");
    accepted("--flag --whole=1000 --real .75 --text x --choice greenish",
             "flag=1 whole=1000 small=0 real=0.75 text=x choice=2");
    accepted("-l a -l b --list c -c red", "choice=0 list=a list=b list=c");
    accepted("-s 0 -o file one two", "s=0 out=file operands=2");
    accepted("-w 9 --paper -r 0.1", "whole=9 small=0 real=0.1 ");
    accepted("--paper", "whole=77 small=0 real=0.5 ");
    accepted("-r 25%", " real=0.25 ");
    accepted("-M 2M", " size=2097152 ");
    accepted("-M 1.5G", " size=1610612736 ");
    accepted("-e 7", " minutes=7 ");
    accepted("-e 90s", " minutes=1.5 ");
    accepted("-e 2.5m", " minutes=2.5 ");
    accepted("-e 2h", " minutes=120 ");
    accepted("-e 1d", " minutes=1440 ");
    accepted("--memory 3000000", " size=3000000 ");
    accepted("-- -f", "flag=0 whole=5 small=0 real=0.25 text=default choice=1");
}

static void bad(void)
{
    misused("-x", "unknown option -x");
    misused("--nonsense", "unknown or ambiguous option --nonsense (");
    misused("--wohle=3", "unknown option --wohle=3; --whole?");
    misused("--memroy", "unknown option --memroy; --memory?");
    misused("--verbos3", "; --verbose?");
    misused("--flag=1", "--flag takes no argument: --flag=1");
    misused("--me", "needs an argument");
    misused("--ve", "unknown or ambiguous option --ve (pstest");
    misused("--a-name-that-is-longer-than-any-option-has-ever-been-in-any-tool",
            "unknown or ambiguous option --a-name-");
    misused("-M 12X", "-M (--memory): '12X' is no size like 512M or 16G");
    misused("-M 2MB", "is no size");
    misused("-e 2w", "-e (--every): '2w' is not a number of minutes, nor a time like 90s, 10m, 2h or 1d");
    misused("-e 1hm", "is not a number of minutes");
    misused("-e 9000d", "out of range (0 to 1e+06 minutes)");
    misused("-M -2M", "is no size");
    misused("-M 1K", "out of range (1M to 1024T)");
    misused("-r 101%", "out of range (0 to 1)");
    misused("-r 5%%", "not a number");
    misused("-w", "needs an argument");
    misused("--whole", "needs an argument");
    misused("-w 5x", "-w (--whole): '5x' is not a whole number");
    misused("-w 1.5", "not a whole number");
    misused("-w 1001", "out of range (-3 to 1000)");
    misused("-w -4", "out of range");
    misused("-w 99999999999999999999", "out of range");
    misused("-u -1", "out of range");
    misused("-r 1.01", "out of range (0 to 1)");
    misused("-r nan", "out of range");
    misused("-r 0,5", "not a number");
    misused("-c gre", "'gre' is none of red|green|greenish");
    misused("-c yellow", "none of");
    misused("-j 0", "out of range");
    misused("-s -1", "out of range");
}

static void endings(void)
{
    CHECK(run("a b c", out, err) == 1 && strstr(err, "pstest: f: three\n"));
    CHECK(run("a b c d", out, err) == 2 && strstr(err, "pstest: four (pstest -h shows the options)\n"));
    CHECK(run("", out, err) == 0 && strcmp(err, "pstest: a warning\n") == 0);
    CHECK(run("-q", out, err) == 0 && *err == 0);
    CHECK(run("-v", out, err) == 0 && strstr(err, "pstest: more\n") && strstr(err, "pstest: done in "));
}

static void help_and_version(void)
{
    CHECK(run("-h", out, err) == 0 && *err == 0);
    CHECK(strstr(out, "usage: pstest [options] [FILE ...]") && strstr(out, "-w, --whole N"));
    CHECK(strstr(out, "a whole number [5]") && strstr(out, "a real number [0.25]") && strstr(out, "[default]"));
    CHECK(strstr(out, "a word: red|green|greenish [green]") && strstr(out, "--paper"));
    CHECK(run("--version", out, err) == 0 && *err == 0 && strstr(out, PS_VERSION));
}

int main(void)
{
    good();
    bad();
    endings();
    help_and_version();
    CHECK_END();
}
