/* tool_options.c - one table of options: parsed, checked, shown; of tool.h. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "par.h"
#include "sandbox.h"
#include "tool_inner.h"

enum { MAX_OPTIONS = 96, LONG_BASE = 256, MAX_THREADS = 1024, MAX_GIVEN = 256 };

/* ---- help ---- */

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

static void help(const ps_tool *tool, const ps_option *all, int n)
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

/* ---- values ---- */

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

/* ---- storing ---- */

static void store_whole(const ps_option *o, const char *name, const char *value)
{
    char *end;
    errno = 0;
    const long long v = strtoll(value, &end, 10);
    if (end == value || *end || value[0] == ' ')
        tool_misuse("%s: '%s' is not a whole number", name, value);
    if (errno || (double)v < o->min || (double)v > o->max)
        tool_misuse("%s: %s is out of range (%.0f to %.0f)", name, value, o->min, o->max);
    if (o->type == PS_OPT_U32)
        *(uint32_t *)o->to = (uint32_t)v;
    else
        *(int64_t *)o->to = v;
}

static void store_real(const ps_option *o, const char *name, const char *value)
{
    char *end;
    double v = strtod(value, &end);
    if (end != value && strcmp(end, "%") == 0) {
        v /= 100;
        end++;
    }
    if (end == value || *end || value[0] == ' ')
        tool_misuse("%s: '%s' is not a number", name, value);
    if (!isfinite(v) || v < o->min || v > o->max)
        tool_misuse("%s: %s is out of range (%g to %g)", name, value, o->min, o->max);
    *(double *)o->to = v;
}

static void store_minutes(const ps_option *o, const char *name, const char *value)
{
    const double v = minutes_of(value);
    if (isnan(v))
        tool_misuse("%s: '%s' is not a number of minutes, nor a time like 90s, 10m, 2h or 1d", name, value);
    if (v < o->min || v > o->max)
        tool_misuse("%s: %s is out of range (%g to %g minutes)", name, value, o->min, o->max);
    *(double *)o->to = v;
}

static void store_size(const ps_option *o, const char *name, const char *value)
{
    const double v = size_of(value);
    if (v < 0)
        tool_misuse("%s: '%s' is no size like 512M or 16G", name, value);
    if (v < o->min || v > o->max)
        tool_misuse("%s: %s is out of range (%.0fM to %.0fT)", name, value, ldexp(o->min, -20), ldexp(o->max, -40));
    *(int64_t *)o->to = (int64_t)v;
}

static void store_choice(const ps_option *o, const char *name, const char *value)
{
    const int i = choice(o, value);
    if (i < 0)
        tool_misuse("%s: '%s' is none of %s", name, value, o->choices);
    *(int *)o->to = i;
}

static void store_listed(ps_list *l, const char *name, const char *value)
{
    if (l->n == PS_LIST_MAX)
        tool_misuse("%s: given more than %d times", name, PS_LIST_MAX);
    l->at[l->n++] = value;
}

static void apply(const ps_preset *preset)
{
    preset->apply(preset->ctx);
}

static void store(const ps_option *o, const char *value)
{
    char name[64];
    if (o->letter)
        snprintf(name, sizeof name, "-%c (--%s)", o->letter, o->name);
    else
        snprintf(name, sizeof name, "--%s", o->name);
    switch (o->type) {
    case PS_OPT_FLAG: *(int *)o->to = 1; break;
    case PS_OPT_STR: *(const char **)o->to = value; break;
    case PS_OPT_LIST: store_listed(o->to, name, value); break;
    case PS_OPT_INT:
    case PS_OPT_U32: store_whole(o, name, value); break;
    case PS_OPT_REAL: store_real(o, name, value); break;
    case PS_OPT_MINUTES: store_minutes(o, name, value); break;
    case PS_OPT_SIZE: store_size(o, name, value); break;
    case PS_OPT_CHOICE: store_choice(o, name, value); break;
    case PS_OPT_PRESET: apply(o->to); break;
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
        tool_misuse("--%s takes no argument: %s", best->name, given);
    if (best && !same && least * 3 <= (int)strlen(best->name))
        tool_misuse("unknown option %s; --%s?", given, best->name);
    tool_misuse("unknown or ambiguous option %s", given);
}

/* ---- the command line ---- */

typedef struct {
    const ps_tool *tool;
    ps_option all[MAX_OPTIONS];
    size_t n;
    struct option longs[MAX_OPTIONS + 3];
    char shorts[2 * MAX_OPTIONS + 8];
    const ps_option *given[MAX_GIVEN]; /* in the order they were */
    char *values[MAX_GIVEN];
    int stored;
} parser;

static void version(const ps_tool *tool)
{
    printf("%s (psgraph) %s\n", tool->name, PS_VERSION);
    if (tool->products)
        printf("products: %s\n", tool->products());
    printf("compiler: %s\n", __VERSION__);
}

/* The tool's rows, then those that all tools have. */
static void gather(parser *p, const ps_option *rows, ps_common *c)
{
    const ps_option shared[] = {
        {'o', "output", "FILE", PS_OPT_STR, &c->output, 0, 0, "write there, complete or not at all", NULL},
        {'z', "gzip", NULL, PS_OPT_FLAG, &c->gzip, 0, 0, "compress the output", NULL},
        {'j', "threads", "N", PS_OPT_INT, &c->threads, 1, MAX_THREADS, "threads in all", NULL},
        {'s', "seed", "N", PS_OPT_INT, &c->seed, 0, 9e15, "seed of all random numbers", NULL},
        {'q', "quiet", NULL, PS_OPT_FLAG, &c->quiet, 0, 0, "no warnings, no progress", NULL},
        {'v', "verbose", NULL, PS_OPT_FLAG, &c->verbose, 0, 0, "say more on stderr", NULL},
        {0, "sandbox", NULL, PS_OPT_FLAG, &c->sandbox, 0, 0, "may read files and write standard output, nothing else",
         NULL},
    };
    for (; rows[p->n].name; p->n++)
        p->all[p->n] = rows[p->n];
    memcpy(p->all + p->n, shared, sizeof shared);
    p->n += sizeof shared / sizeof *shared;
}

/* As getopt_long wants them. */
static void spell(parser *p)
{
    strcpy(p->shorts, ":hV");
    for (size_t i = 0; i < p->n; i++) {
        const ps_option *o = &p->all[i];
        const char letter[3] = {(char)o->letter, o->arg ? ':' : 0, 0};
        if (o->letter)
            strcat(p->shorts, letter);
        p->longs[i] = (struct option){o->name, o->arg ? required_argument : no_argument, NULL, LONG_BASE + (int)i};
    }
    p->longs[p->n] = (struct option){"help", no_argument, NULL, 'h'};
    p->longs[p->n + 1] = (struct option){"version", no_argument, NULL, 'V'};
}

_Noreturn static void tell(const parser *p, int what)
{
    if (what == 'h')
        help(p->tool, p->all, (int)p->n);
    else
        version(p->tool);
    if (fflush(stdout) == 0 && !ferror(stdout))
        exit(0);
    tool_complain("<stdout>: cannot write: %s", strerror(errno));
    exit(1);
}

/* What getopt_long got. */
static void take(parser *p, int got, char **argv)
{
    if (got == '?' && optopt && optopt < LONG_BASE)
        tool_misuse("unknown option -%c", optopt);
    if (got == '?')
        unknown_long(argv[optind - 1], p->longs);
    if (got == ':')
        tool_misuse("option %s needs an argument", argv[optind - 1]);
    if (got == 'h' || got == 'V')
        tell(p, got);
    for (size_t i = 0; i < p->n; i++)
        if (got == LONG_BASE + (int)i || got == p->all[i].letter) {
            if (p->stored == MAX_GIVEN)
                tool_misuse("more than %d options", MAX_GIVEN);
            p->given[p->stored] = &p->all[i];
            p->values[p->stored++] = optarg;
        }
}

static void enter_sandbox(const ps_common *c)
{
    if (c->output)
        tool_misuse("--sandbox: nothing is written but standard output: no -o");
    if (ps_sandbox() < 0) {
        tool_complain("%s", ps_errmsg());
        exit(1);
    }
}

int ps_tool_parse(const ps_tool *t, const ps_option *rows, ps_common *c, int argc, char **argv)
{
    parser p = {.tool = t};
    int got;
    tool_begin(t);
    gather(&p, rows, c);
    spell(&p);
    while ((got = getopt_long(argc, argv, p.shorts, p.longs, NULL)) != -1)
        take(&p, got, argv);
    store_all(p.given, p.values, p.stored);
    tool_obey(c);
    if (c->threads == 0)
        c->threads = ps_cores();
    if (optind < argc && !t->operands)
        tool_misuse("surplus operand '%s'", argv[optind]);
    if (c->sandbox)
        enter_sandbox(c);
    return optind;
}
