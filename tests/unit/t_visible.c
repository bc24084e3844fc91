/* Control characters and bytes that are no UTF-8 are shown, not obeyed. */
#include <string.h>

#include "check.h"
#include "visible.h"

static const char *shown(const char *text, size_t n, const char *keep)
{
    static char out[256];
    ps_visible state = {0};
    out[ps_visible_copy(&state, text, n, keep, out)] = 0;
    return out;
}

#define SAME(text, keep, wanted) CHECK(strcmp(shown(text, sizeof text - 1, keep), wanted) == 0)

/* In parts of every length, the same comes out. */
static void parts(const char *text, size_t n)
{
    char whole[256];
    strcpy(whole, shown(text, n, "\n"));
    for (size_t cut = 0; cut <= n; cut++) {
        char out[256];
        ps_visible state = {0};
        size_t len = ps_visible_copy(&state, text, cut, "\n", out);
        len += ps_visible_copy(&state, text + cut, n - cut, "\n", out + len);
        out[len] = 0;
        CHECK(strcmp(out, whole) == 0);
    }
}

int main(void)
{
    SAME("", "", "");
    SAME("plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7 \xc4\x9b", "", "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7 \xc4\x9b");
    SAME("a\tb\n", "\n\t", "a\tb\n");
    SAME("a\tb\n", "", "a\\x09b\\x0a");
    SAME("\033]0;title\007\r\177", "\n\t", "\\x1b]0;title\\x07\\x0d\\x7f");
    SAME("\0", "\n", "\\x00");
    SAME("\xc2\x9b" "31m", "", "\xc2\\x9b" "31m");
    SAME("\x9b" "31m", "", "\\x9b" "31m");
    SAME("\xc2\xa0", "", "\xc2\xa0");
    SAME("\xe2\x82\x82\x9b", "", "\xe2\x82\x82\\x9b");
    SAME("\xff\xfe\xc0\x80", "", "\\xff\\xfe\\xc0\\x80");
    SAME("\xe2" "a\x82", "", "\xe2" "a\\x82");
    static const char mixed[] = "x\xc2\x9b\xf0\x9f\x90\xa7\n\033\x80\xc3";
    parts(mixed, sizeof mixed - 1);
    CHECK_END();
}
