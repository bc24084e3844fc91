/* What the JSON writer writes, byte for byte. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "json.h"

static char text[4096];

static int written(ps_out *out, ps_json *j, const char *want)
{
    CHECK_OK(ps_json_finish(j));
    CHECK_OK(ps_out_close(out));
    FILE *f = fopen("out.json", "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = 0;
    if (f)
        fclose(f);
    if (strcmp(text, want) != 0)
        fprintf(stderr, "got  %swant %s", text, want);
    return strcmp(text, want) == 0;
}

static void values(void)
{
    ps_out *out = ps_out_open("out.json", PS_OUT_TEXT);
    ps_json j = ps_json_make(out);
    ps_json_object(&j, NULL);
    ps_json_count(&j, "n", UINT64_MAX);
    ps_json_object(&j, "empty");
    ps_json_end(&j);
    ps_json_array(&j, "list");
    ps_json_number(&j, NULL, 0.25);
    ps_json_number(&j, NULL, -1e-9);
    ps_json_number(&j, NULL, INFINITY);
    ps_json_number(&j, NULL, NAN);
    ps_json_array(&j, NULL);
    ps_json_end(&j);
    ps_json_end(&j);
    ps_json_number(&j, "last", 1.0 / 3);
    ps_json_end(&j);
    CHECK(written(out, &j,
                  "{\"n\": 18446744073709551615, \"empty\": {}, \"list\": [0.25, -1e-09, null, null, []], "
                  "\"last\": 0.333333}\n"));
}

static void strings(void)
{
    static const struct {
        const char *s, *want;
    } cases[] = {
        {"plain", "\"plain\"\n"},
        {"a\"b\\c", "\"a\\\"b\\\\c\"\n"},
        {"tab\tnl\n\x01", "\"tab\\u0009nl\\u000a\\u0001\"\n"},
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"\n"},
        {"\xff", "\"\\ufffd\"\n"},
        {"\xc3", "\"\\ufffd\"\n"},                         /* cut off */
        {"\xc0\xaf", "\"\\ufffd\\ufffd\"\n"},              /* overlong */
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"\n"},   /* a surrogate */
        {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"\n"}, /* above U+10FFFF */
        {"\xe9t\xe9", "\"\\ufffdt\\ufffd\"\n"},            /* Latin-1 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ps_out *out = ps_out_open("out.json", PS_OUT_TEXT);
        ps_json j = ps_json_make(out);
        ps_json_string(&j, NULL, cases[i].s, strlen(cases[i].s));
        CHECK(written(out, &j, cases[i].want));
    }
}

static void too_deep(void)
{
    ps_out *out = ps_out_open("out.json", PS_OUT_TEXT);
    ps_json j = ps_json_make(out);
    for (int i = 0; i <= PS_JSON_DEPTH; i++)
        ps_json_array(&j, NULL);
    CHECK(ps_json_finish(&j) == PS_EUSAGE);
    ps_out_abort(out);
}

int main(void)
{
    values();
    strings();
    too_deep();
    CHECK_END();
}
