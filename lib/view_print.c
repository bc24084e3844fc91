/* view_print.c - records as text or JSON lines; of view.h. */
#include <stdlib.h>
#include <string.h>

#include "vectors.h"
#include "view.h"

static int put(ps_out *out, const char *s)
{
    return ps_out_write(out, s, strlen(s));
}

static int node(const ps_printer *p, ps_out *out, ps_space space, uint64_t u)
{
    char buf[32];
    if (!p->graph || space == PS_PLAIN)
        return ps_out_printf(out, "%llu", (unsigned long long)u);
    ps_str name = ps_graph_name(p->graph, space, u, buf);
    return p->json && name.s != buf ? ps_json_str(out, name) : ps_out_write(out, name.s, name.len);
}

static int real(ps_out *out, float v)
{
    return ps_out_printf(out, "%.9g", (double)v);
}

/* What the entries of a list are called in JSON. */
static const char *list_name(ps_kind kind)
{
    return kind == PS_WALKS ? "items" : kind == PS_VECTORS ? "vector" : kind == PS_HITS ? "hits" : "neighbours";
}

static const char *first_name(ps_kind kind)
{
    switch (kind) {
    case PS_IDS:
    case PS_NEIGHBOURS: return "node";
    case PS_EDGES:
    case PS_VECTORS:
    case PS_SPARSE: return "item";
    default: return "query";
    }
}

static int begin(const ps_printer *p, ps_out *out, uint64_t first)
{
    int rc = p->json ? ps_out_printf(out, "{\"%s\":", first_name(p->head->kind)) : 0;
    return rc < 0 ? rc : node(p, out, p->head->qspace, first);
}

/* Before the field `name` (text: none). */
static int next(const ps_printer *p, ps_out *out, const char *name)
{
    return p->json ? ps_out_printf(out, ",\"%s\":", name) : put(out, "\t");
}

static int end(const ps_printer *p, ps_out *out)
{
    return put(out, p->json ? "}\n" : "\n");
}

static int print_pair(const ps_printer *p, ps_out *out, const uint8_t *r)
{
    const ps_head *h = p->head;
    const size_t w = (size_t)h->width;
    int rc = begin(p, out, ps_num(r, (int)w));
    if (rc == 0)
        rc = next(p, out, h->kind == PS_EDGES ? "board" : h->kind == PS_PAIRS ? "positive" : "node");
    if (rc == 0)
        rc = node(p, out, h->nspace, ps_num(r + w, (int)w));
    if (rc == 0)
        rc = next(p, out, h->kind == PS_VISITS ? "count" : "weight");
    if (rc == 0)
        rc = h->kind == PS_VISITS ? ps_out_printf(out, "%u", ps_get32(r + 2 * w)) : real(out, ps_getf32(r + 2 * w));
    return rc < 0 ? rc : end(p, out);
}

static int print_sparse(const ps_printer *p, ps_out *out, const uint8_t *r)
{
    const size_t w = (size_t)p->head->width;
    int rc = begin(p, out, ps_num(r, (int)w));
    if (rc == 0)
        rc = next(p, out, "index");
    if (rc == 0)
        rc = ps_out_printf(out, "%u", ps_get32(r + w));
    if (rc == 0)
        rc = next(p, out, "value");
    if (rc == 0)
        rc = real(out, ps_getf32(r + w + 4));
    return rc < 0 ? rc : end(p, out);
}

static uint32_t list_length(const ps_head *h, const uint8_t *r, size_t stride)
{
    uint32_t n = 0;
    while (n < h->dim && ps_num(r + (size_t)h->width + n * stride, h->width) != PS_NONE)
        n++;
    return n;
}

/* Walks and vectors always, hits and neighbours when wide: a record a line. */
static int print_row(const ps_printer *p, ps_out *out, const uint8_t *r)
{
    const ps_head *h = p->head;
    const size_t w = (size_t)h->width, elem = ps_elem_size(h->elem);
    const int is_vector = h->kind == PS_VECTORS, valued = h->kind != PS_WALKS && !is_vector;
    const size_t stride = is_vector ? elem : valued ? w + 4 : w;
    const uint32_t n = is_vector ? h->dim : list_length(h, r, stride);
    int rc = begin(p, out, ps_num(r, (int)w));
    if (rc == 0 && p->json)
        rc = ps_out_printf(out, ",\"%s\":[", list_name(h->kind));
    const uint8_t *e = r + w;
    for (uint32_t j = 0; j < n && rc == 0; j++, e += stride) {
        rc = p->json ? put(out, j ? valued ? ",[" : "," : valued ? "[" : "") : put(out, "\t");
        if (rc == 0)
            rc = is_vector ? real(out, ps_elem_get(e, h->elem, h->scale))
                           : node(p, out, h->nspace, ps_num(e, (int)w));
        if (rc == 0 && valued)
            rc = put(out, p->json ? "," : "\t");
        if (rc == 0 && valued)
            rc = real(out, ps_getf32(e + w));
        if (rc == 0 && valued && p->json)
            rc = put(out, "]");
    }
    if (rc == 0 && p->json)
        rc = put(out, "]");
    return rc < 0 ? rc : end(p, out);
}

/* An entry a line.  A record without entries is its number alone; where a record of the same number follows
 * one that has room left, an empty line parts them. */
static int print_entries(ps_printer *p, ps_out *out, const uint8_t *r)
{
    const ps_head *h = p->head;
    const size_t w = (size_t)h->width, stride = w + 4;
    const uint64_t first = ps_num(r, (int)w);
    const uint32_t n = list_length(h, r, stride);
    int rc = p->open && p->last == first && n > 0 ? put(out, "\n") : 0;
    if (rc == 0 && n == 0) {
        rc = node(p, out, h->qspace, first);
        if (rc == 0)
            rc = put(out, "\n");
    }
    const uint8_t *e = r + w;
    for (uint32_t j = 0; j < n && rc == 0; j++, e += stride) {
        rc = node(p, out, h->qspace, first);
        if (rc == 0)
            rc = put(out, "\t");
        if (rc == 0)
            rc = node(p, out, h->nspace, ps_num(e, (int)w));
        if (rc == 0)
            rc = ps_out_printf(out, "\t%.9g\n", (double)ps_getf32(e + w));
    }
    p->open = n > 0 && n < h->dim;
    p->last = first;
    return rc;
}

int ps_print_record(ps_printer *p, ps_out *out, const uint8_t *r)
{
    int rc;
    switch (p->head->kind) {
    case PS_EDGES:
    case PS_PAIRS:
    case PS_VISITS: return print_pair(p, out, r);
    case PS_SPARSE: return print_sparse(p, out, r);
    case PS_IDS:
        rc = begin(p, out, ps_num(r, p->head->width));
        return rc < 0 ? rc : end(p, out);
    case PS_HITS:
    case PS_NEIGHBOURS: return p->wide || p->json ? print_row(p, out, r) : print_entries(p, out, r);
    default: return print_row(p, out, r);
    }
}
