/* Command lines: the bytes, cut at newlines, are arguments.  However they are taken, every value is within its range,
 * and what ends the program does so with status 0 or 2. */
#include <getopt.h>
#include <math.h>
#include <setjmp.h>

#include "columns.h"
#include "fuzz.h"
#include "tool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static jmp_buf back;
static int inside, status;

/* Linked by --wrap=exit. */
_Noreturn void __real_exit(int s);
_Noreturn void __wrap_exit(int s);
_Noreturn void __wrap_exit(int s)
{
    if (!inside)
        __real_exit(s);
    status = s;
    longjmp(back, 1);
}

/* Linked by --wrap=ps_sandbox: the process that is tried must be able to go on, and its sanitizer to end. */
int __wrap_ps_sandbox(void);
int __wrap_ps_sandbox(void)
{
    return 0;
}

static void set_preset(void *ctx)
{
    *(int64_t *)ctx = 7;
}

/* A small table by the columns that are asked for, if they make sense. */
static void read_table(const ps_columns_options *o)
{
    static const char table[] = "item,board\tw|x;y z\n\"a\",b\tc|d;e f\n1,2\t3|4;5 6\n";
    ps_columns columns;
    ps_str line;
    if (ps_columns_check(o) < 0)
        return;
    fuzz_file f = fuzz_file_make((const uint8_t *)table, sizeof table - 1);
    ps_in *in = ps_in_open(f.path);
    MUST(in);
    ps_text text = ps_text_make(in);
    ps_columns_make(&columns, o, SIZE_MAX);
    if (ps_columns_asked(o))
        text.columns = &columns;
    for (int lines = 0; ps_text_line(&text, &line) > 0; lines++)
        MUST(lines < 3);
    ps_columns_free(&columns);
    ps_in_close(in);
    fuzz_file_close(&f);
}

enum { MAX_ARGS = 64, TEXT = 4096 };

static void parse(int argc, char **argv)
{
    static const ps_tool tool = {.name = "fuzz", .purpose = "to be tried", .operands = "[FILE]"};
    int64_t whole = 5, size = 1 << 20;
    uint32_t small = 3;
    double real = .5;
    const char *text = "default";
    ps_list list = {0};
    int chosen = 0, flag = 0;
    ps_columns_options columns = {0};
    const ps_preset preset = {set_preset, &whole};
    const ps_option rows[] = {
        {'w', "whole", "N", PS_OPT_INT, &whole, 1, 100, "whole", NULL},
        {'n', "number", "N", PS_OPT_U32, &small, 0, 1000, "number", NULL},
        {'r', "real", "R", PS_OPT_REAL, &real, 0, 1, "real", NULL},
        {'M', "memory", "SIZE", PS_OPT_SIZE, &size, 1 << 20, 0x1p62, "memory", NULL},
        {'x', "text", "TEXT", PS_OPT_STR, &text, 0, 0, "text", NULL},
        {0, "list", "FILE", PS_OPT_LIST, &list, 0, 0, "list", NULL},
        {'E', "element", "TYPE", PS_OPT_CHOICE, &chosen, 0, 0, "element", "f32|f16|bf16"},
        {0, "paper", NULL, PS_OPT_PRESET, (void *)(uintptr_t)&preset, 0, 0, "preset", NULL},
        {'f', "flag", NULL, PS_OPT_FLAG, &flag, 0, 0, "flag", NULL},
        PS_COLUMNS_ROWS(columns),
        {0, NULL, NULL, PS_OPT_FLAG, NULL, 0, 0, NULL, NULL},
    };
    static ps_common c;
    c = (ps_common)PS_COMMON_DEFAULT;
    optind = 0;
    int at = ps_tool_parse(&tool, rows, &c, argc, argv);
    MUST(at >= 1 && at <= argc);
    MUST(whole >= 1 && whole <= 100 && small <= 1000 && real >= 0 && real <= 1 && size >= 1 << 20);
    read_table(&columns);
    MUST(chosen >= 0 && chosen < 3 && list.n <= PS_LIST_MAX && c.threads >= 1 && c.seed >= 0 && text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static char words[TEXT];
    static int quiet;
    char *argv[MAX_ARGS + 2] = {"fuzz"};
    int argc = 1;
    if (!quiet++)
        MUST(freopen("/dev/null", "w", stdout));
    n = n < TEXT - 1 ? n : TEXT - 1;
    memcpy(words, data, n);
    words[n] = 0;
    for (char *s = words; s && argc <= MAX_ARGS;) {
        char *end = strchr(s, '\n');
        if (end)
            *end++ = 0;
        argv[argc++] = s;
        s = end;
    }
    inside = 1;
    if (setjmp(back) == 0)
        parse(argc, argv);
    else
        MUST(status == 0 || status == 2);
    inside = 0;
    return 0;
}
