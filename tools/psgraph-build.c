/* psgraph-build - edges in, graph file out. */
#include <stdlib.h>
#include <string.h>

#include "graph.h"
#include "mem.h"
#include "tool.h"

typedef struct {
    ps_common common;
    int text, skip_unknown;
    const char *items;
    uint64_t skipped;
} options;

/* The item list fixes which items there are and their numbers: first column of each line. */
static int read_items(const options *o, ps_builder *b)
{
    ps_in *in = ps_in_open(o->items);
    if (!in)
        return PS_ESYS;
    ps_text t = ps_text_make(in);
    ps_str line, name;
    int rc;
    while ((rc = ps_text_line(&t, &line)) > 0) {
        ps_text_field(&line, &name);
        uint64_t before = ps_builder_nodes(b, PS_ITEMS), number = before;
        if (name.len == 0)
            rc = ps_text_fail(&t, "an empty item name");
        else
            rc = ps_builder_node(b, PS_ITEMS, name, &number);
        if (rc == 0 && number < before)
            rc = ps_text_fail(&t, "item '%.*s' again (first on line %llu)", (int)name.len, name.s,
                              (unsigned long long)number + 1);
        if (rc < 0)
            break;
    }
    ps_in_close(in);
    if (rc == 0 && ps_builder_nodes(b, PS_ITEMS) == 0)
        rc = ps_fail(PS_EDATA, "%s: no items in it", o->items);
    ps_builder_close_items(b);
    return rc;
}

static int edge_line(options *o, ps_builder *b, const ps_text *t, ps_str line)
{
    ps_str item, board, field;
    uint64_t u = 0, v = 0;
    double weight = 1;
    if (!ps_text_field(&line, &item) || !ps_text_field(&line, &board) || item.len == 0 || board.len == 0)
        return ps_text_fail(t, "expected item TAB board [TAB weight]");
    if (ps_text_field(&line, &field)) {
        if (ps_text_double(field, &weight) < 0 || !(weight > 0) || !((float)weight > 0) || weight > 3e38)
            return ps_text_fail(t, "weight '%.*s': it must be a positive number", (int)(field.len < 40 ? field.len : 40),
                                field.s);
        if (ps_text_field(&line, &field))
            return ps_text_fail(t, "more than three columns");
    }
    int rc = ps_builder_node(b, PS_ITEMS, item, &u);
    if (rc == 0 && u == PS_NONE) {
        if (!o->skip_unknown)
            return ps_text_fail(t, "item '%.*s' is not in the item list %s (-u skips such lines)", (int)item.len,
                                item.s, o->items);
        o->skipped++;
        return 0;
    }
    if (rc == 0)
        rc = ps_builder_node(b, PS_BOARDS, board, &v);
    return rc < 0 ? rc : ps_builder_edge(b, u, v, (float)weight);
}

static int read_text(options *o, ps_builder *b)
{
    ps_in *in = ps_in_open(NULL);
    if (!in)
        return PS_ESYS;
    ps_text t = ps_text_make(in);
    ps_str line;
    int rc;
    while ((rc = ps_text_line(&t, &line)) > 0) {
        rc = edge_line(o, b, &t, line);
        if (rc < 0)
            break;
        if (t.line % 65536 == 0)
            ps_progress("edges", t.line, 0);
    }
    if (rc == 0 && t.line == 0)
        rc = ps_fail(PS_EDATA, "%s: empty, expected edges", ps_in_name(in));
    ps_in_close(in);
    return rc;
}

static int read_records(ps_builder *b)
{
    ps_reader *r = ps_reader_open(NULL, PS_EDGES);
    if (!r)
        return PS_EDATA;
    const ps_head *h = ps_reader_head(r);
    const int w = h->width;
    const uint8_t *p;
    long n, rc = 0;
    while (rc == 0 && (n = ps_reader_next(r, &p, 4096)) != 0) {
        rc = n;
        for (long i = 0; i < n && (i == 0 || rc == 0); i++, p += h->size)
            rc = ps_builder_edge(b, ps_num(p, w), ps_num(p + w, w), ps_getf32(p + 2 * w));
        if (rc < 0 && n > 0)
            ps_fail_in((int)rc, ps_reader_name(r));
        ps_progress("edges", ps_reader_count(r), 0);
    }
    ps_reader_close(r);
    return (int)rc;
}

static int build(options *o)
{
    if (!o->text && o->items)
        return ps_usage_error("-I needs -t: edge records carry numbers, not names");
    ps_builder *b = ps_builder_new();
    int rc = b ? 0 : PS_EMEM;
    if (rc == 0 && o->items)
        rc = read_items(o, b);
    if (rc == 0)
        rc = o->text ? read_text(o, b) : read_records(b);
    ps_out *out = rc == 0 ? ps_tool_output(&o->common, 0) : NULL;
    if (rc == 0 && !out)
        rc = PS_ESYS;
    if (rc == 0)
        rc = ps_builder_write(b, out, "psgraph-build " PS_VERSION "\n");
    if (rc == 0) {
        rc = ps_out_close(out);
        ps_info("%llu items, %llu boards", (unsigned long long)ps_builder_nodes(b, PS_ITEMS),
                (unsigned long long)ps_builder_nodes(b, PS_BOARDS));
    } else {
        ps_out_abort(out);
    }
    if (rc == 0 && o->skipped)
        ps_warn("%llu edges skipped: their items are not in %s", (unsigned long long)o->skipped, o->items);
    ps_builder_free(b);
    return rc;
}

int main(int argc, char **argv)
{
    options o = {.common = PS_COMMON_DEFAULT};
    const ps_option rows[] = {
        {'t', "text", NULL, PS_OPT_FLAG, &o.text, 0, 0, "edges are text: item TAB board [TAB weight]", NULL},
        {'I', "items", "FILE", PS_OPT_STR, &o.items, 0, 0, "all items, a line each (first column), in this order", NULL},
        {'u', "skip-unknown", NULL, PS_OPT_FLAG, &o.skip_unknown, 0, 0, "skip edges of items that -I does not list", NULL},
        {0},
    };
    const ps_tool tool = {"psgraph-build", "Builds a graph file from the edges on standard input.", NULL};
    ps_tool_parse(&tool, rows, &o.common, argc, argv);
    return ps_tool_finish(build(&o));
}
