/* graph_mtx.c - edges from a Matrix Market file: a row for each item, a column for each board. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "graph_input.h"

typedef struct {
    ps_text text;
    int pattern; /* entries without a value */
    uint64_t items, boards, entries;
} matrix;

static int word(ps_str *rest, ps_str *out)
{
    while (rest->len > 0 && (rest->s[0] == ' ' || rest->s[0] == '\t'))
        *rest = (ps_str){rest->s + 1, rest->len - 1};
    size_t n = 0;
    while (n < rest->len && rest->s[n] != ' ' && rest->s[n] != '\t')
        n++;
    *out = (ps_str){rest->s, n};
    *rest = (ps_str){rest->s + n, rest->len - n};
    return n > 0;
}

static int is(ps_str w, const char *text)
{
    return w.len == strlen(text) && strncasecmp(w.s, text, w.len) == 0;
}

/* %%MatrixMarket matrix coordinate real|integer|pattern general */
static int banner(matrix *m)
{
    ps_str line, w[5] = {{0}};
    int rc = ps_text_line(&m->text, &line);
    for (int i = 0; i < 5 && rc > 0; i++)
        if (!word(&line, &w[i]))
            break;
    if (rc < 0)
        return rc;
    if (!w[0].s || !is(w[0], "%%MatrixMarket") || !is(w[1], "matrix"))
        return ps_text_fail(&m->text, "not a Matrix Market file: expected %%%%MatrixMarket matrix ...");
    if (!is(w[2], "coordinate"))
        return ps_text_fail(&m->text, "format '%.*s': only 'coordinate' is a graph", (int)w[2].len, w[2].s);
    m->pattern = is(w[3], "pattern");
    if (!m->pattern && !is(w[3], "real") && !is(w[3], "integer"))
        return ps_text_fail(&m->text, "field '%.*s': expected real, integer or pattern", (int)w[3].len, w[3].s);
    if (!is(w[4], "general"))
        return ps_text_fail(&m->text, "symmetry '%.*s': items x boards is 'general'", (int)w[4].len, w[4].s);
    return 0;
}

/* The next line that is neither blank nor a comment. */
static int next_line(matrix *m, ps_str *line)
{
    int rc;
    while ((rc = ps_text_line(&m->text, line)) > 0) {
        ps_str rest = *line, first;
        if (word(&rest, &first) && line->s[0] != '%')
            return rc;
    }
    return rc;
}

static int number(matrix *m, ps_str *line, uint64_t most, uint64_t *u)
{
    ps_str w;
    if (!word(line, &w) || ps_text_u64(w, u) < 0 || *u > most)
        return ps_text_fail(&m->text, "'%.*s': expected a whole number of at most %llu", (int)(w.len < 40 ? w.len : 40),
                            w.s, (unsigned long long)most);
    return 0;
}

static int sizes(matrix *m)
{
    ps_str line;
    int rc = next_line(m, &line);
    if (rc == 0)
        return ps_text_fail(&m->text, "the end: expected rows, columns and entries");
    if (rc > 0)
        rc = number(m, &line, PS_NODE_MAX, &m->items);
    if (rc == 0)
        rc = number(m, &line, PS_NODE_MAX, &m->boards);
    return rc < 0 ? rc : number(m, &line, UINT64_MAX, &m->entries);
}

/* One entry; zeros are no edges. */
static int entry(matrix *m, ps_builder *b, ps_str line)
{
    uint64_t u = 0, v = 0;
    double weight = 1;
    ps_str w;
    int rc = number(m, &line, m->items, &u);
    if (rc == 0)
        rc = number(m, &line, m->boards, &v);
    if (rc < 0)
        return rc;
    if (u == 0 || v == 0)
        return ps_text_fail(&m->text, "rows and columns are numbered from 1");
    if (!m->pattern && (!word(&line, &w) || ps_text_double(w, &weight) < 0 || weight < 0 || weight > 3e38))
        return ps_text_fail(&m->text, "a value that is no number of at least 0: an edge's weight");
    if (word(&line, &w))
        return ps_text_fail(&m->text, "'%.*s' after the entry", (int)(w.len < 40 ? w.len : 40), w.s);
    return (float)weight > 0 ? ps_builder_edge(b, u - 1, v - 1, (float)weight) : 0;
}

int ps_edges_from_mtx(ps_builder *b, const ps_edge_input *o)
{
    ps_in *in = ps_in_open(NULL);
    if (!in)
        return PS_ESYS;
    matrix m = {.text = ps_text_make(in)};
    ps_str line;
    uint64_t seen = 0;
    int rc = banner(&m);
    if (rc == 0)
        rc = sizes(&m);
    if (rc == 0)
        rc = ps_builder_reserve(b, m.items, m.boards);
    while (rc == 0 && (rc = next_line(&m, &line)) > 0) {
        rc = ++seen > m.entries
                 ? ps_text_fail(&m.text, "more than the %llu entries of the size line", (unsigned long long)m.entries)
                 : entry(&m, b, line);
        if (seen % 65536 == 0)
            o->progress("edges", seen, m.entries);
    }
    if (rc == 0 && seen < m.entries)
        rc = ps_fail(PS_EDATA, "%s: truncated: %llu of %llu entries", ps_in_name(in), (unsigned long long)seen,
                     (unsigned long long)m.entries);
    ps_in_close(in);
    return rc;
}
