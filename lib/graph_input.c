#include "graph_input.h"

#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "mem.h"

enum { AT_ONCE = 32 }; /* lines whose names are looked for at the same time */

/* The lines that items stand on, where these are not their numbers plus 1: in tables. */
typedef struct {
    uint64_t *of;
    size_t cap;
} item_lines;

/* The item list fixes which items there are and their numbers: first column of each line. */
static int item_line(ps_builder *b, const ps_edge_input *o, const ps_text *t, item_lines *lines, ps_str line)
{
    ps_str name;
    uint64_t before = ps_builder_nodes(b, PS_ITEMS), number = before;
    ps_text_field(&line, &name);
    if (name.len == 0)
        return ps_text_fail(t, "an empty item name");
    int rc = ps_builder_node(b, PS_ITEMS, name, &number);
    if (rc == 0 && number < before && !o->growing)
        return ps_text_fail(t, "item '%.*s' again (first on line %llu)", (int)name.len, name.s,
                            /* It was noted.  NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
                            (unsigned long long)(t->columns ? lines->of[number] : number + 1));
    if (rc == 0 && t->columns && !o->growing &&
        (rc = ps_grow(&lines->of, &lines->cap, number + 1, sizeof *lines->of)) == 0)
        lines->of[number] = t->line;
    return rc;
}

/* Which column of the item list has the items: the one that is called as in the edges, or the first. */
static const char *item_column(const ps_columns_options *edges, char *name, size_t room)
{
    uint64_t number;
    const size_t len = edges->list ? strcspn(edges->list, ",") : room;
    if (!edges->header || len >= room || ps_text_u64((ps_str){edges->list, len}, &number) == 0)
        return "1";
    memcpy(name, edges->list, len);
    name[len] = 0;
    return name;
}

static int read_items(ps_builder *b, const ps_edge_input *o)
{
    ps_in *in = ps_in_open(o->items);
    if (!in)
        return PS_ESYS;
    ps_text t = ps_text_make(in);
    ps_str line;
    ps_columns columns = {0};
    item_lines lines = {0};
    char name[256];
    int rc;
    if (ps_columns_asked(&o->columns)) {
        ps_columns_options how = o->columns;
        how.list = item_column(&o->columns, name, sizeof name);
        ps_columns_make(&columns, &how, 1);
        t.columns = &columns;
    }
    while ((rc = ps_text_line(&t, &line)) > 0)
        if ((rc = item_line(b, o, &t, &lines, line)) < 0)
            break;
    free(lines.of);
    ps_columns_free(&columns);
    ps_in_close(in);
    if (rc == 0 && ps_builder_nodes(b, PS_ITEMS) == 0)
        rc = ps_fail(PS_EDATA, "%s: no items in it", o->items);
    ps_builder_close_items(b);
    return rc;
}

static int read_weight(const ps_edge_input *o, const ps_text *t, ps_str field, float *weight)
{
    double w;
    if (field.len == 1 && field.s[0] == '-') {
        *weight = PS_TAKE_OUT;
        return o->growing ? 0 : ps_text_fail(t, "an edge to take out, but no graph to take it from (-g)");
    }
    if (ps_text_double(field, &w) < 0 || !((float)w > 0) || w > 3e38)
        return ps_text_fail(t, "weight '%.*s': it must be a positive number", (int)(field.len < 40 ? field.len : 40),
                            field.s);
    *weight = (float)w;
    return 0;
}

static int number(const ps_text *t, ps_str field, uint64_t *u)
{
    if (ps_text_u64(field, u) == 0 && *u <= PS_NODE_MAX)
        return 0;
    return ps_text_fail(t, "'%.*s' is no number from 0 to %u", (int)(field.len < 40 ? field.len : 40), field.s,
                        PS_NODE_MAX);
}

static int edge_line(ps_edge_input *o, ps_builder *b, const ps_text *t, ps_str line)
{
    ps_str item, board, field;
    uint64_t u = 0, v = 0;
    float weight = 1;
    int rc = 0;
    if (!ps_text_field(&line, &item) || !ps_text_field(&line, &board) || item.len == 0 || board.len == 0)
        return ps_text_fail(t, "expected item TAB board [TAB weight]%s", ps_text_hint(t, item));
    if (ps_text_field(&line, &field)) {
        rc = read_weight(o, t, field, &weight);
        if (rc == 0 && ps_text_field(&line, &field))
            rc = ps_text_fail(t, "more than three columns (--columns chooses some)");
    }
    if (rc == 0)
        rc = o->numbers ? number(t, item, &u) : ps_builder_node(b, PS_ITEMS, item, &u);
    if (rc == 0 && u == PS_NONE) {
        if (!o->skip_unknown)
            return ps_text_fail(t, "item '%.*s' is not in the item list %s (-u skips such lines)", (int)item.len,
                                item.s, o->items);
        o->skipped++;
        return 0;
    }
    if (rc == 0)
        rc = o->numbers ? number(t, board, &v) : ps_builder_node(b, PS_BOARDS, board, &v);
    return rc < 0 ? rc : ps_builder_edge(b, u, v, weight);
}

/* ---- the common case: lines of two names without control characters ---- */

typedef struct {
    ps_name_key item, board;
} two_names;

#ifdef __SSE2__
/* The name at p, of which 16 bytes can be read: its length, 0 if it is not short. */
static size_t scan_short(const uint8_t *p, ps_name_key *key)
{
    static const uint8_t keep[32] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    const __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
    const int below = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(' ' - 1)), x));
    const size_t len = (size_t)__builtin_ctz((unsigned)below | 1 << 16);
    if (len > PS_NAME_SHORT)
        return 0;
    const __m128i name = _mm_and_si128(x, _mm_loadu_si128((const __m128i *)(const void *)(keep + 16 - len)));
    key->name = (ps_str){(const char *)p, len};
    key->head = (uint64_t)_mm_cvtsi128_si64(name);
    key->tail = (uint32_t)_mm_cvtsi128_si32(_mm_srli_si128(name, 8));
    return len;
}
#else
static size_t scan_short(const uint8_t *p, ps_name_key *key)
{
    (void)p, (void)key;
    return 0;
}
#endif

/* The name at p that `end` follows; 0 if it is empty, not whole, or holds a byte below a blank. */
static size_t scan_name(const uint8_t *p, size_t n, uint8_t end, ps_name_key *key)
{
    size_t i = n >= 16 ? scan_short(p, key) : 0;
    if (i > 0)
        return p[i] == end ? i + 1 : 0;
    while (i < n && p[i] >= ' ')
        i++;
    if (i == 0 || i == n || p[i] != end)
        return 0;
    *key = ps_name_key_of((ps_str){(const char *)p, i});
    return i + 1;
}

/* The line at p: its bytes, 0 if it is another case. */
static size_t scan_line(const uint8_t *p, size_t n, two_names *line)
{
    size_t a = scan_name(p, n, '\t', &line->item);
    size_t b = a ? scan_name(p + a, n - a, '\n', &line->board) : 0;
    return b && a + b < PS_LINE_MAX ? a + b : 0;
}

/* Up to AT_ONCE lines; their places in the dictionaries are asked for. */
static size_t scan_lines(const ps_builder *b, const uint8_t *p, size_t n, two_names *line)
{
    size_t lines = 0, at = 0, size;
    int long_items = 0, long_boards = 0;
    for (; lines < AT_ONCE && (size = scan_line(p + at, n - at, &line[lines])) > 0; lines++, at += size) {
        ps_builder_expect(b, PS_ITEMS, &line[lines].item, 0);
        ps_builder_expect(b, PS_BOARDS, &line[lines].board, 0);
        long_items |= line[lines].item.tail == PS_NAME_LONG;
        long_boards |= line[lines].board.tail == PS_NAME_LONG;
    }
    for (int step = 1; step <= 2; step++)
        for (size_t i = 0; i < lines && (long_items || long_boards); i++) {
            if (long_items)
                ps_builder_expect(b, PS_ITEMS, &line[i].item, step);
            if (long_boards)
                ps_builder_expect(b, PS_BOARDS, &line[i].board, step);
        }
    return lines;
}

/* 1: an item that is not in the list. */
static int give_line(ps_builder *b, const two_names *line)
{
    uint64_t u, v = 0;
    int rc = ps_builder_keyed(b, PS_ITEMS, &line->item, &u);
    if (rc == 0 && u == PS_NONE)
        return 1;
    if (rc == 0)
        rc = ps_builder_keyed(b, PS_BOARDS, &line->board, &v);
    return rc < 0 ? rc : ps_builder_edge(b, u, v, 1);
}

/* Takes lines as long as they are of that case and whole in the buffer.  An item that is not in the list is left
 * for edge_line, which knows what to say. */
static int plain_lines(ps_builder *b, ps_text *t)
{
    const uint8_t *p;
    two_names line[AT_ONCE];
    ps_in_skip(t->in, t->consumed);
    t->consumed = 0;
    long n = ps_in_peek(t->in, &p, 1);
    size_t at = 0, lines = AT_ONCE;
    int rc = n < 0 ? (int)n : 0;
    while (rc == 0 && lines == AT_ONCE) {
        lines = scan_lines(b, p + at, (size_t)n - at, line);
        for (size_t i = 0; i < lines && (rc = give_line(b, &line[i])) == 0; i++) {
            at += line[i].item.name.len + line[i].board.name.len + 2;
            t->line++;
        }
    }
    ps_in_skip(t->in, at);
    return rc < 0 ? rc : 0;
}

int ps_edges_from_text(ps_builder *b, ps_edge_input *o)
{
    int rc = o->items ? read_items(b, o) : 0;
    ps_in *in = rc == 0 ? ps_in_open(NULL) : NULL;
    if (!in)
        return rc < 0 ? rc : PS_ESYS;
    ps_text t = ps_text_make(in);
    ps_str line;
    ps_columns columns = {0};
    uint64_t records = 0; /* of a table */
    if (ps_columns_asked(&o->columns)) {
        ps_columns_make(&columns, &o->columns, SIZE_MAX);
        t.columns = &columns;
    }
    while ((rc = o->numbers || t.columns ? 0 : plain_lines(b, &t)) == 0 && (rc = ps_text_line(&t, &line)) > 0) {
        rc = edge_line(o, b, &t, line);
        if (rc < 0)
            break;
        records++;
        if ((!o->numbers && !t.columns) || t.line % 65536 == 0)
            o->progress("edges", t.line, 0);
    }
    if (rc == 0 && (t.columns ? records == 0 : t.line == 0) && !o->growing)
        rc = ps_fail(PS_EDATA, "%s: empty, expected edges", ps_in_name(in));
    ps_columns_free(&columns);
    ps_in_close(in);
    return rc;
}
