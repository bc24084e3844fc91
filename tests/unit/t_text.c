/* Lines, fields and numbers of text. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "text.h"

static void spill(const char *s, size_t n)
{
    FILE *f = fopen("t.txt", "wb");
    if (!f || fwrite(s, 1, n, f) != n || fclose(f) != 0)
        exit(1);
}

/* The lines of the text, joined by '|'. */
static int lines(const char *s, size_t n, char *joined)
{
    spill(s, n);
    ps_in *in = ps_in_open("t.txt");
    ps_text t = ps_text_make(in);
    ps_str line;
    int rc;
    *joined = 0;
    while ((rc = ps_text_line(&t, &line)) > 0) {
        strncat(joined, line.s, line.len);
        strcat(joined, "|");
    }
    ps_in_close(in);
    return rc;
}

static void line_ends(void)
{
    static const struct {
        const char *text, *joined;
    } cases[] = {
        {"", ""}, {"a", "a|"}, {"a\n", "a|"}, {"a\nb", "a|b|"}, {"\n", "|"}, {"\n\na\n", "||a|"},
        {"a\r\nb\r\n", "a|b|"}, {"a\r", "a|"}, {"a\rb\n", "a\rb|"}, {"\r\n", "|"},
    };
    char joined[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_OK(lines(cases[i].text, strlen(cases[i].text), joined));
        CHECK(strcmp(joined, cases[i].joined) == 0);
    }
    CHECK(lines("a\nb\0c\n", 6, joined) == PS_EDATA && strstr(ps_errmsg(), "t.txt: line 2: a NUL"));
}

static void long_lines(void)
{
    char *s = malloc(PS_LINE_MAX + 10);
    ps_str line;
    memset(s, 'x', PS_LINE_MAX + 10);
    for (int over = 0; over <= 1; over++) {
        s[0] = '\n';
        s[PS_LINE_MAX + over] = '\n'; /* the line between has PS_LINE_MAX - 1 + over bytes */
        spill(s, PS_LINE_MAX + 10);
        ps_in *in = ps_in_open("t.txt");
        ps_text t = ps_text_make(in);
        CHECK(ps_text_line(&t, &line) == 1 && line.len == 0);
        if (over == 0) {
            CHECK(ps_text_line(&t, &line) == 1 && line.len == PS_LINE_MAX - 1);
            CHECK(ps_text_line(&t, &line) == 1 && line.len == 9 && t.line == 3);
            CHECK(ps_text_line(&t, &line) == 0);
        } else {
            CHECK(ps_text_line(&t, &line) == PS_EDATA && strstr(ps_errmsg(), "line 2: longer than"));
        }
        ps_in_close(in);
        memset(s, 'x', PS_LINE_MAX + 10);
    }
    free(s);
}

static void fields(void)
{
    ps_str rest = {"a\t\tbc\t", 6}, field;
    CHECK(ps_text_field(&rest, &field) == 1 && field.len == 1 && *field.s == 'a');
    CHECK(ps_text_field(&rest, &field) == 1 && field.len == 0 && rest.s);
    CHECK(ps_text_field(&rest, &field) == 1 && field.len == 2);
    CHECK(ps_text_field(&rest, &field) == 1 && field.len == 0 && !rest.s);
    CHECK(ps_text_field(&rest, &field) == 0);
    rest = (ps_str){"", 0};
    CHECK(ps_text_field(&rest, &field) == 1 && field.len == 0);
    CHECK(ps_text_field(&rest, &field) == 0);
}

static ps_str str(const char *s)
{
    return (ps_str){s, strlen(s)};
}

static void whole_numbers(void)
{
    static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "1.0", "0x10", "1e3", "18446744073709551616", "a"};
    uint64_t v = 5;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(ps_text_u64(str(bad[i]), &v) == PS_EDATA);
    CHECK(ps_text_u64(str("18446744073709551615"), &v) == 0 && v == UINT64_MAX);
    CHECK(ps_text_u64(str("007"), &v) == 0 && v == 7);
    CHECK(ps_text_u64((ps_str){"123", 2}, &v) == 0 && v == 12);
}

static void real_numbers(void)
{
    static const char *const bad[] = {"",  "nan", "inf", "-infinity", "1e999", "1.5x", " 1", "1 ", "1,5", "--1",
                                      "0000000000000000000000000000000000000000000000000000000000000000"};
    double v = 5;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(ps_text_double(str(bad[i]), &v) == PS_EDATA);
    CHECK(ps_text_double(str("-1.5e-3"), &v) == 0 && v == -1.5e-3);
    CHECK(ps_text_double(str("-0"), &v) == 0 && v == 0 && signbit(v));
    CHECK(ps_text_double((ps_str){"1.25", 3}, &v) == 0 && v == 1.2);
}

int main(void)
{
    line_ends();
    long_lines();
    fields();
    whole_numbers();
    real_numbers();
    CHECK_END();
}
