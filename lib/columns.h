/* columns.h - other people's tables as lines of tab-separated fields: separators, quotes, a header line, chosen
 * columns.
 *
 * With a ps_columns behind a ps_text (text.h), ps_text_line gives each record's chosen fields with tabs between, as the
 * parsers of the tools expect.  Fields may be quoted as in RFC 4180 ("a, ""b""", also over several lines) unless the
 * separator is a tab.  Empty lines are left out, and a byte order mark at the beginning.
 */
#ifndef PS_COLUMNS_H
#define PS_COLUMNS_H

#include "text.h"

enum { PS_COLUMNS_MAX = 64 };

/* What -F, -H and --columns say.  All zero: lines are taken as they are. */
typedef struct {
    const char *separator; /* one character, or "tab", "comma", "semicolon", "space", "pipe"; NULL: a tab */
    int header;            /* the first record has the columns' names */
    const char *list;      /* "user,item,3": names, or numbers from 1; NULL: all columns in their order */
} ps_columns_options;

/* The rows of these three for a tool's table of options; `o`: a ps_columns_options. */
#define PS_COLUMNS_ROWS(o)                                                                                       \
    {'F', "separator", "CHAR", PS_OPT_STR, &(o).separator, 0, 0, "what parts columns: CSV is -F ,", NULL},       \
        {'H', "header", NULL, PS_OPT_FLAG, &(o).header, 0, 0, "the text's first line names its columns", NULL},  \
    {                                                                                                            \
        0, "columns", "LIST", PS_OPT_STR, &(o).list, 0, 0, "columns to use, by name (-H) or number from 1", NULL \
    }

static inline int ps_columns_asked(const ps_columns_options *o)
{
    return o && (o->separator || o->header || o->list);
}

/* PS_EUSAGE if they make no sense; for a tool to call before it reads anything. */
PS_MUST_USE int ps_columns_check(const ps_columns_options *o);

typedef struct {
    size_t at, len; /* in `text` */
} ps_column_span;

/* The state for one stream.  The caller frees it after its ps_text. */
typedef struct ps_columns {
    ps_columns_options o;
    char separator;
    int quotes, begun;
    size_t blanks_from; /* chosen fields from this one on may have tabs and ends of lines, which become blanks */
    size_t n;           /* chosen; 0: all */
    size_t column[PS_COLUMNS_MAX]; /* from 0 */
    char *text;                    /* the record's fields, unquoted */
    ps_column_span *field;
    char *line; /* what is handed out */
    size_t fields, used, text_cap, field_cap, line_cap;
    uint64_t empty; /* lines left out that a record follows */
} ps_columns;

/* `blanks_from`: SIZE_MAX where every field is a name.  The options must be good (ps_columns_check). */
void ps_columns_make(ps_columns *c, const ps_columns_options *o, size_t blanks_from);
void ps_columns_free(ps_columns *c);

/* As ps_text_line, which calls it. */
PS_MUST_USE int ps_columns_line(ps_columns *c, ps_text *t, ps_str *line);

#endif
