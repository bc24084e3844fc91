/* view_graph.c - a graph in numbers, its sections, its edges; of view.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph_file.h"
#include "graph_stats.h"
#include "view.h"

static void field_word(ps_fields *f, const char *name, const char *value)
{
    ps_field_str(f, name, (ps_str){value, strlen(value)});
}

static void basics(const ps_graph *g, ps_fields *f)
{
    char fingerprint[20];
    snprintf(fingerprint, sizeof fingerprint, "%016llx", (unsigned long long)g->fingerprint);
    field_word(f, "kind", "graph");
    ps_field_u64(f, "version", PS_GRAPH_VERSION);
    field_word(f, "fingerprint", fingerprint);
    ps_field_u64(f, "items", g->items.nodes);
    ps_field_u64(f, "boards", g->boards.nodes);
    ps_field_u64(f, "edges", g->edges);
    field_word(f, "item names", g->item_names.n ? "yes" : "no");
    field_word(f, "board names", g->board_names.n ? "yes" : "no");
    field_word(f, "weighted", g->items.weight ? "yes" : "no");
}

static void named(ps_fields *f, const char *format, const char *what, uint64_t value)
{
    char name[48];
    snprintf(name, sizeof name, format, what);
    ps_field_u64(f, name, value);
}

static int degrees(const ps_graph *g, ps_space space, const char *what, ps_fields *f)
{
    const ps_side *side = space == PS_BOARDS ? &g->boards : &g->items;
    char name[48], buf[32];
    ps_side_stats s;
    int rc = ps_side_measure(g, space, &s);
    if (rc < 0)
        return rc;
    named(f, "least %s degree", what, s.least);
    snprintf(name, sizeof name, "mean %s degree", what);
    ps_field_real(f, name, side->nodes ? (double)g->edges / (double)side->nodes : 0);
    named(f, "most %s degree", what, s.most);
    named(f, "%ss without edges", what, s.none);
    named(f, "%s degree, 50%% have at most", what, s.p50);
    named(f, "%s degree, 90%% have at most", what, s.p90);
    named(f, "%s degree, 99%% have at most", what, s.p99);
    for (int i = 0; i < s.n_largest; i++) {
        snprintf(name, sizeof name, "%s with most edges, %d", what, i + 1);
        ps_str node = ps_graph_name(g, space, s.largest[i], buf);
        char *text = NULL;
        if (asprintf(&text, "%.*s (%llu)", (int)(node.len < 200 ? node.len : 200), node.s,
                     (unsigned long long)ps_degree(side, s.largest[i])) < 0)
            return ps_fail(PS_EMEM, "out of memory");
        field_word(f, name, text);
        free(text);
    }
    return 0;
}

int ps_view_graph(const ps_graph *g, ps_fields *f)
{
    uint64_t components = 0, most = 0;
    basics(g, f);
    ps_field_u64(f, "ancestors", g->n_ancestors);
    int rc = degrees(g, PS_ITEMS, "item", f);
    if (rc == 0)
        rc = degrees(g, PS_BOARDS, "board", f);
    if (rc == 0)
        rc = ps_graph_components(g, &components, &most);
    if (rc == 0) {
        ps_field_u64(f, "components", components);
        ps_field_u64(f, "items of the largest component", most);
    }
    return rc;
}

int ps_view_graph_head(const ps_graph *g, ps_fields *f)
{
    const uint8_t *p = g->blob.data;
    basics(g, f);
    ps_field_u64(f, "file bytes", g->blob.size);
    for (int i = 0; i < ps_get16(p + 10); i++) {
        char name[64], place[64];
        ps_section s = ps_section_decode(p + PS_GRAPH_HEAD + i * PS_GRAPH_ENTRY);
        snprintf(name, sizeof name, "section %u %s", s.id, ps_section_name(s.id));
        snprintf(place, sizeof place, "byte %llu, %llu bytes", (unsigned long long)s.offset,
                 (unsigned long long)s.bytes);
        field_word(f, name, place);
    }
    for (uint64_t i = 0; i < g->n_ancestors; i++) {
        char name[48], fingerprint[20];
        snprintf(name, sizeof name, "ancestor %llu", (unsigned long long)i + 1);
        snprintf(fingerprint, sizeof fingerprint, "%016llx", (unsigned long long)g->ancestors[3 * i]);
        field_word(f, name, fingerprint);
    }
    ps_field_lines(f, "history", (ps_str){g->history, g->history_len});
    return f->rc;
}

static int put_name(const ps_graph *g, ps_out *out, int json, ps_space space, uint64_t u)
{
    char buf[32];
    ps_str name = ps_graph_name(g, space, u, buf);
    return json && name.s != buf ? ps_json_str(out, name) : ps_out_write(out, name.s, name.len);
}

static int put_edge(const ps_graph *g, ps_out *out, int json, uint64_t u, uint64_t e)
{
    int rc = ps_out_printf(out, "%s", json ? "{\"item\":" : "");
    if (rc == 0)
        rc = put_name(g, out, json, PS_ITEMS, u);
    if (rc == 0)
        rc = ps_out_printf(out, "%s", json ? ",\"board\":" : "\t");
    if (rc == 0)
        rc = put_name(g, out, json, PS_BOARDS, g->items.adj[e]);
    if (rc == 0 && g->items.weight)
        rc = ps_out_printf(out, "%s%.9g", json ? ",\"weight\":" : "\t", (double)g->items.weight[e]);
    return rc < 0 ? rc : ps_out_printf(out, "%s", json ? "}\n" : "\n");
}

int ps_view_edges(const ps_graph *g, ps_out *out, int json, uint64_t skip, uint64_t take)
{
    uint64_t n = g->edges > skip ? g->edges - skip : 0, end = skip + (take && take < n ? take : n);
    int rc = 0;
    for (uint64_t u = 0; u < g->items.nodes && rc == 0; u++) {
        uint64_t e = g->items.off[u], stop = g->items.off[u + 1];
        if (stop < e || stop > g->edges)
            return ps_fail(PS_EDATA, "%s: item %llu: its offsets are not in order", g->name, (unsigned long long)u);
        for (e = e < skip ? skip : e; e < stop && e < end && rc == 0; e++)
            rc = put_edge(g, out, json, u, e);
    }
    return rc;
}
