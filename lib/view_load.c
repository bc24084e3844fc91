/* view_load.c - text to records; of view.h. */
#include <math.h>
#include <stdlib.h>

#include "mem.h"
#include "view.h"

typedef struct {
    ps_loader *l;
    ps_text text;
    ps_record_taker take;
    void *ctx;
} loading;

enum { SKIP_LINE = 1 };

void ps_usual_spaces(ps_head *h)
{
    h->qspace = PS_ITEMS;
    h->nspace = h->kind == PS_EDGES ? PS_BOARDS
              : h->kind == PS_IDS || h->kind == PS_VECTORS || h->kind == PS_SPARSE ? PS_PLAIN : PS_ITEMS;
}

static int brief(ps_str s)
{
    return (int)(s.len < 60 ? s.len : 60);
}

static int bad_field(const loading *g, const char *what, ps_str field, const char *why)
{
    return ps_text_fail(&g->text, "%s '%.*s': %s", what, brief(field), field.s, why);
}

/* 0, or SKIP_LINE for a name that may be unknown, or an error. */
static int node(loading *g, ps_space space, ps_str *line, uint64_t *u)
{
    const ps_loader *l = g->l;
    ps_str field;
    if (!ps_text_field(line, &field) || field.len == 0)
        return ps_text_fail(&g->text, "a name or number is missing");
    if (l->graph && space != PS_PLAIN) {
        *u = ps_graph_find(l->graph, space, field);
        if (*u != PS_NONE)
            return 0;
        if (l->skip_unknown)
            return SKIP_LINE;
        return ps_text_fail(&g->text, "%s has no %s '%.*s' (-u skips such lines)", l->graph->name,
                            space == PS_BOARDS ? "board" : "item", brief(field), field.s);
    }
    if (ps_text_u64(field, u) < 0)
        return bad_field(g, "node", field, space == PS_PLAIN ? "not a number" : "not a number (-g GRAPH looks names up)");
    if (*u >= (l->head.width == 4 ? UINT32_MAX : PS_NONE))
        return bad_field(g, "node", field, "too large (--width 8 has room for more)");
    return 0;
}

static int real(const loading *g, const char *what, ps_str *line, float *v)
{
    ps_str field;
    double d;
    if (!ps_text_field(line, &field))
        return ps_text_fail(&g->text, "the %s is missing", what);
    if (ps_text_double(field, &d) < 0 || !isfinite((float)d))
        return bad_field(g, what, field, "not a finite number");
    *v = (float)d;
    return 0;
}

static int whole(const loading *g, const char *what, ps_str *line, uint32_t *v)
{
    ps_str field;
    uint64_t n;
    if (!ps_text_field(line, &field))
        return ps_text_fail(&g->text, "the %s is missing", what);
    if (ps_text_u64(field, &n) < 0 || n > UINT32_MAX)
        return bad_field(g, what, field, "not a whole number of 32 bits");
    *v = (uint32_t)n;
    return 0;
}

static int no_more(const loading *g, ps_str line)
{
    return line.s ? ps_text_fail(&g->text, "more columns than %s have", ps_kind_name(g->l->head.kind)) : 0;
}

static int hand_over(loading *g)
{
    g->l->open = 0;
    int rc = g->take(g->ctx, &g->l->head, g->l->record, ps_in_name(g->text.in));
    return rc < 0 ? rc : 0;
}

/* An empty record: all its entries are padding. */
static void clear(ps_loader *l, uint64_t first)
{
    const size_t w = (size_t)l->head.width, stride = l->head.kind == PS_WALKS ? w : w + 4;
    uint8_t *p = l->record;
    memset(p, 0, l->head.size);
    ps_put_num(p, (int)w, first);
    l->entries = 0;
    if (l->head.kind != PS_WALKS && l->head.kind != PS_NEIGHBOURS && l->head.kind != PS_HITS)
        return;
    p += w;
    for (uint32_t j = 0; j < l->head.dim; j++, p += stride)
        ps_put_num(p, (int)w, PS_NONE);
}

static int pair_line(loading *g, ps_str line, uint8_t *p)
{
    const ps_loader *l = g->l;
    const size_t w = (size_t)l->head.width;
    uint64_t u;
    uint32_t count = 0;
    float weight = 1;
    int rc = node(g, l->head.nspace, &line, &u);
    if (rc == 0 && l->head.kind == PS_VISITS)
        rc = whole(g, "count", &line, &count);
    else if (rc == 0 && line.s)
        rc = real(g, "weight", &line, &weight);
    if (rc != 0)
        return rc;
    ps_put_num(p + w, (int)w, u);
    if (l->head.kind == PS_VISITS)
        ps_put32(p + 2 * w, count);
    else
        ps_putf32(p + 2 * w, weight);
    return no_more(g, line);
}

static int sparse_line(loading *g, ps_str line, uint8_t *p)
{
    const size_t w = (size_t)g->l->head.width;
    uint32_t index = 0;
    float value = 0;
    int rc = whole(g, "index", &line, &index);
    if (rc == 0)
        rc = real(g, "value", &line, &value);
    if (rc < 0)
        return rc;
    ps_put32(p + w, index);
    ps_putf32(p + w + 4, value);
    return no_more(g, line);
}

static int vector_line(loading *g, ps_str line, uint8_t *p)
{
    const ps_head *h = &g->l->head;
    p += h->width;
    for (uint32_t j = 0; j < h->dim; j++, p += 4) {
        float v = 0;
        if (!line.s)
            return ps_text_fail(&g->text, "%u elements, but %u are expected", j, h->dim);
        int rc = real(g, "element", &line, &v);
        if (rc < 0)
            return rc;
        ps_putf32(p, v);
    }
    return line.s ? ps_text_fail(&g->text, "more than %u elements", h->dim) : 0;
}

/* Entries to the end of the line, behind those that are there. */
static int list_line(loading *g, ps_str line)
{
    ps_loader *l = g->l;
    const size_t w = (size_t)l->head.width, stride = l->head.kind == PS_WALKS ? w : w + 4;
    while (line.s) {
        uint64_t u;
        float v = 0;
        int rc = node(g, l->head.nspace, &line, &u);
        if (rc == 0 && l->head.kind != PS_WALKS)
            rc = real(g, l->head.kind == PS_HITS ? "score" : "weight", &line, &v);
        if (rc != 0)
            return rc;
        if (l->entries == l->head.dim)
            return ps_text_fail(&g->text, "more than the %u entries that -d allows", l->head.dim);
        uint8_t *p = l->record + w + l->entries++ * stride;
        ps_put_num(p, (int)w, u);
        if (l->head.kind != PS_WALKS)
            ps_putf32(p + w, v);
    }
    return 0;
}

/* One entry, or a number alone: the record that is open goes on as long as the number stays the same. */
static int entry_line(loading *g, ps_str line, uint64_t first)
{
    ps_loader *l = g->l;
    ps_str probe = line, field;
    int rc = 0;
    if (l->open && (!line.s || l->entries == l->head.dim || ps_num(l->record, l->head.width) != first))
        rc = hand_over(g);
    if (rc < 0)
        return rc;
    if (!l->open)
        clear(l, first);
    l->open = 1;
    if (line.s) {
        for (int i = 0; i < 2; i++)
            ps_text_field(&probe, &field);
        if (probe.s)
            return ps_text_fail(&g->text, "more than one entry (--wide reads a record a line)");
        rc = list_line(g, line);
    }
    return rc == 0 && !line.s ? hand_over(g) : rc;
}

/* The first line of vectors says how long they are. */
static int take_dimension(loading *g, ps_str line)
{
    ps_loader *l = g->l;
    ps_str field;
    uint32_t n = 0;
    if (l->head.kind != PS_VECTORS || l->head.dim > 0)
        return 0;
    while (ps_text_field(&line, &field))
        n++;
    if (n < 2)
        return ps_text_fail(&g->text, "a vector without elements");
    l->head.dim = n - 1;
    int rc = ps_head_size(&l->head);
    return rc < 0 ? ps_fail_in(rc, ps_in_name(g->text.in)) : 0;
}

static int load_line(loading *g, ps_str line)
{
    ps_loader *l = g->l;
    const ps_kind kind = l->head.kind;
    const int listed = (kind == PS_HITS || kind == PS_NEIGHBOURS) && !l->wide;
    uint64_t first;
    if (listed && line.len == 0)
        return l->open ? hand_over(g) : 0;
    int rc = take_dimension(g, line);
    if (rc == 0)
        rc = node(g, l->head.qspace, &line, &first);
    if (rc == 0 && ps_grow(&l->record, &l->cap, l->head.size, 1) < 0)
        rc = PS_EMEM;
    if (rc != 0)
        return rc;
    if (listed)
        return entry_line(g, line, first);
    clear(l, first);
    switch (kind) {
    case PS_IDS: rc = no_more(g, line); break;
    case PS_SPARSE: rc = sparse_line(g, line, l->record); break;
    case PS_VECTORS: rc = vector_line(g, line, l->record); break;
    case PS_EDGES:
    case PS_PAIRS:
    case PS_VISITS: rc = pair_line(g, line, l->record); break;
    default: rc = list_line(g, line); break;
    }
    return rc == 0 ? hand_over(g) : rc;
}

int ps_load(ps_loader *l, ps_in *in, ps_record_taker take, void *ctx)
{
    loading g = {.l = l, .text = ps_text_make(in), .take = take, .ctx = ctx};
    ps_str line;
    int rc;
    while ((rc = ps_text_line(&g.text, &line)) > 0) {
        rc = load_line(&g, line);
        if (rc < 0)
            return rc;
        l->skipped += rc == SKIP_LINE;
    }
    return rc == 0 && l->open ? hand_over(&g) : rc;
}

void ps_loader_free(ps_loader *l)
{
    free(l->record);
    l->record = NULL;
    ps_head_free(&l->head);
}
