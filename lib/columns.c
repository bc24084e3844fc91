#include "columns.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

static const struct {
    const char *name;
    char is;
} words[] = {{"tab", '\t'}, {"\\t", '\t'}, {"comma", ','}, {"semicolon", ';'}, {"space", ' '}, {"pipe", '|'}};

/* 0: it is none. */
static char separator_of(const ps_columns_options *o)
{
    const char *s = o->separator;
    if (!s)
        return '\t';
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(s, words[i].name) == 0)
            return words[i].is;
    return s[0] && !s[1] && s[0] != '"' && s[0] != '\n' && s[0] != '\r' ? s[0] : 0;
}

/* The list's next entry; 0 at its end. */
static int next_entry(const char **list, ps_str *entry)
{
    if (!*list)
        return 0;
    const size_t len = strcspn(*list, ",");
    *entry = (ps_str){*list, len};
    *list = (*list)[len] ? *list + len + 1 : NULL;
    return 1;
}

int ps_columns_check(const ps_columns_options *o)
{
    const char *list = o->list;
    ps_str entry;
    uint64_t number;
    size_t n = 0;
    if (!separator_of(o))
        return ps_fail(PS_EUSAGE,
                       "-F (--separator): '%s' is not one character, nor tab, comma, semicolon, space or pipe",
                       o->separator);
    while (next_entry(&list, &entry)) {
        if (entry.len == 0 || ++n > PS_COLUMNS_MAX)
            return ps_fail(PS_EUSAGE, "--columns '%s': expected up to %d names or numbers with commas between", o->list,
                           PS_COLUMNS_MAX);
        if (ps_text_u64(entry, &number) == 0 ? number == 0 : !o->header)
            return ps_fail(PS_EUSAGE, "--columns: '%.*s': columns are numbered from 1%s", (int)entry.len, entry.s,
                           o->header ? "" : ", and have names only with -H");
    }
    return 0;
}

void ps_columns_make(ps_columns *c, const ps_columns_options *o, size_t blanks_from)
{
    *c = (ps_columns){.o = *o, .separator = separator_of(o), .blanks_from = blanks_from};
    c->quotes = c->separator != '\t';
}

void ps_columns_free(ps_columns *c)
{
    free(c->text);
    free(c->field);
    free(c->line);
    *c = (ps_columns){0};
}

/* ---- one record ---- */

static int put(ps_columns *c, const char *s, size_t n)
{
    if (ps_grow(&c->text, &c->text_cap, c->used + n + 1, 1) < 0)
        return PS_EMEM;
    memcpy(c->text + c->used, s, n);
    c->used += n;
    c->field[c->fields - 1].len += n;
    return 0;
}

static int begin_field(ps_columns *c)
{
    if (ps_grow(&c->field, &c->field_cap, c->fields + 1, sizeof *c->field) < 0)
        return PS_EMEM;
    c->field[c->fields++] = (ps_column_span){c->used, 0};
    return 0;
}

/* The rest of a quoted field from `s` on, over as many lines as it takes; *s and *end are then those of the line that
 * it ends on, behind the quote. */
static int quoted(ps_columns *c, ps_text *t, const char **s, const char **end)
{
    const uint64_t opened = t->line;
    for (;;) {
        const char *quote = *s < *end ? memchr(*s, '"', (size_t)(*end - *s)) : NULL;
        int rc = put(c, *s, (size_t)((quote ? quote : *end) - *s));
        if (rc == 0 && quote && quote + 1 < *end && quote[1] == '"') {
            rc = put(c, quote, 1);
            *s = quote + 2;
            if (rc < 0)
                return rc;
            continue;
        }
        if (rc < 0 || quote) {
            *s = quote ? quote + 1 : *s;
            return rc;
        }
        ps_str line = {NULL, 0};
        rc = put(c, "\n", 1);
        if (rc == 0 && c->used > PS_LINE_MAX)
            return ps_text_fail(t, "the quotes that are opened on line %llu hold more than %d bytes",
                                (unsigned long long)opened, PS_LINE_MAX);
        if (rc == 0)
            rc = ps_text_raw_line(t, &line);
        if (rc == 0)
            return ps_text_fail(t, "the end, within quotes that are opened on line %llu", (unsigned long long)opened);
        if (rc < 0)
            return rc;
        *s = line.s;
        *end = line.s + line.len;
    }
}

static int read_field(ps_columns *c, ps_text *t, const char **s, const char **end)
{
    int rc = begin_field(c);
    if (rc == 0 && c->quotes && *s < *end && **s == '"') {
        ++*s;
        rc = quoted(c, t, s, end);
        if (rc == 0 && *s < *end && **s != c->separator)
            rc = ps_text_fail(t, "column %zu: something follows its closing quote (a quote within quotes is doubled)",
                              c->fields);
        return rc;
    }
    const char *stop = rc == 0 && *s < *end ? memchr(*s, c->separator, (size_t)(*end - *s)) : NULL;
    if (rc == 0)
        rc = put(c, *s, (size_t)((stop ? stop : *end) - *s));
    *s = stop ? stop : *end;
    return rc;
}

/* The next record's fields: 1, 0 at the end. */
static int read_record(ps_columns *c, ps_text *t)
{
    ps_str line = {NULL, 0};
    uint64_t lines = 0;
    int rc = 1;
    for (; rc > 0 && line.len == 0; lines++) {
        rc = ps_text_raw_line(t, &line);
        if (rc > 0 && t->line == 1 && line.len >= 3 && memcmp(line.s, "\xef\xbb\xbf", 3) == 0)
            line = (ps_str){line.s + 3, line.len - 3};
    }
    if (rc <= 0)
        return rc;
    c->empty += lines - 1;
    const char *s = line.s, *end = s + line.len;
    c->fields = c->used = 0;
    for (;; s++) {
        rc = read_field(c, t, &s, &end);
        if (rc < 0 || s == end)
            return rc < 0 ? rc : 1;
    }
}

/* ---- the columns ---- */

static int find_name(ps_columns *c, const ps_text *t, ps_str name, size_t *column)
{
    char there[400] = "";
    size_t at = 0;
    for (size_t i = 0; i < c->fields; i++) {
        const ps_column_span f = c->field[i];
        if (f.len == name.len && memcmp(c->text + f.at, name.s, f.len) == 0) {
            *column = i;
            return 0;
        }
        if (at + f.len + 3 < sizeof there) {
            at += (size_t)(stpcpy(there + at, i ? ", " : "") - (there + at));
            memcpy(there + at, c->text + f.at, f.len);
            there[at += f.len] = 0;
        }
    }
    return ps_text_fail(t, "no column '%.*s'; there are: %s", (int)name.len, name.s, there);
}

static int choose(ps_columns *c, ps_text *t)
{
    const char *list = c->o.list;
    ps_str entry;
    uint64_t number;
    int rc = c->o.header ? read_record(c, t) : 1;
    if (rc <= 0)
        return rc < 0 ? rc
                      : ps_fail(PS_EDATA, "%s: empty, expected a line with the columns' names (-H)", ps_in_name(t->in));
    for (rc = 0; rc == 0 && next_entry(&list, &entry);) {
        size_t *column = &c->column[c->n++];
        if (ps_text_u64(entry, &number) == 0)
            *column = number - 1;
        else
            rc = find_name(c, t, entry, column);
    }
    return rc;
}

static int hand_out(ps_columns *c, const ps_text *t, ps_str *line)
{
    const size_t n = c->n ? c->n : c->fields;
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t column = c->n ? c->column[i] : i;
        if (column >= c->fields)
            return ps_text_fail(t, "%zu columns, but column %zu is needed", c->fields, column + 1);
        const ps_column_span f = c->field[column];
        if (ps_grow(&c->line, &c->line_cap, len + f.len + 2, 1) < 0)
            return PS_EMEM;
        if (i > 0)
            c->line[len++] = '\t';
        for (size_t k = 0; k < f.len; k++) {
            const char ch = c->text[f.at + k];
            const int parts = ch == '\t' || ch == '\n' || ch == '\r';
            if (parts && i < c->blanks_from)
                return ps_text_fail(t, "column %zu: a tab or an end of line, which no name can have", column + 1);
            c->line[len++] = parts ? ' ' : ch;
        }
    }
    *line = (ps_str){c->line, len};
    return 1;
}

int ps_columns_line(ps_columns *c, ps_text *t, ps_str *line)
{
    int rc = c->begun ? 0 : choose(c, t);
    c->begun = 1;
    if (rc == 0)
        rc = read_record(c, t);
    return rc <= 0 ? rc : hand_out(c, t, line);
}
