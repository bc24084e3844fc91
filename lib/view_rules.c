/* view_rules.c - the rules that the records of each kind keep: psrec(5); of view.h. */
#include <math.h>
#include <stdlib.h>

#include "mem.h"
#include "vectors.h"
#include "view.h"

static int broken(const char *stream, uint64_t number, const char *why)
{
    return ps_fail(PS_EDATA, "%s: record %llu: %s", stream, (unsigned long long)number, why);
}

static int in_range(const ps_graph *g, ps_space space, uint64_t u, const char *stream, uint64_t number)
{
    return g && space != PS_PLAIN ? ps_graph_in_range(g, space, u, stream, number) : 0;
}

static int vector_rules(const ps_head *h, const uint8_t *p, const char *stream, uint64_t number)
{
    const size_t elem = ps_elem_size(h->elem);
    for (uint32_t j = 0; j < h->dim; j++) {
        float v = ps_elem_get(p + j * elem, h->elem, h->scale);
        if (!isfinite(v))
            return ps_fail(PS_EDATA, "%s: record %llu, element %u: %s", stream, (unsigned long long)number, j,
                           isnan(v) ? "NaN" : "infinity");
    }
    return 0;
}

/* Nodes, or nodes with a value each, padded at the end. */
static int list_rules(const ps_head *h, const ps_graph *g, const uint8_t *p, const char *stream, uint64_t number)
{
    const size_t w = (size_t)h->width;
    const int valued = h->kind != PS_WALKS;
    int ended = 0;
    float before = INFINITY;
    for (uint32_t j = 0; j < h->dim; j++, p += valued ? w + 4 : w) {
        uint64_t u = ps_num(p, (int)w);
        float v = valued ? ps_getf32(p + w) : 0;
        if (u == PS_NONE) {
            ended = 1;
            if (v != 0)
                return broken(stream, number, "its padding has a value");
            continue;
        }
        if (ended)
            return broken(stream, number, "padding before its end");
        int rc = in_range(g, h->nspace, u, stream, number);
        if (rc < 0)
            return rc;
        if (!isfinite(v) || (h->kind == PS_NEIGHBOURS && !(v > 0)))
            return broken(stream, number, h->kind == PS_HITS ? "a score that is not finite"
                                                             : "a weight that is not positive and finite");
        if (v > before)
            return broken(stream, number, h->kind == PS_HITS ? "its hits are not best first"
                                                             : "its neighbours are not heaviest first");
        before = valued ? v : before;
    }
    return 0;
}

int ps_rules_record(const ps_head *h, const ps_graph *g, const uint8_t *p, const char *stream, uint64_t number)
{
    const size_t w = (size_t)h->width;
    float v;
    int rc = in_range(g, h->qspace, ps_num(p, (int)w), stream, number);
    if (rc == 0 && (h->kind == PS_EDGES || h->kind == PS_VISITS || h->kind == PS_PAIRS)) {
        if (ps_num(p + w, (int)w) == PS_NONE)
            return broken(stream, number, "its second node is missing");
        rc = in_range(g, h->nspace, ps_num(p + w, (int)w), stream, number);
    }
    if (rc < 0)
        return rc;
    switch (h->kind) {
    case PS_EDGES:
    case PS_PAIRS:
        v = ps_getf32(p + 2 * w);
        return v > 0 && isfinite(v) ? 0 : broken(stream, number, "a weight that is not positive and finite");
    case PS_VISITS: /* a query without visits has one record, of itself */
        if (ps_get32(p + 2 * w) > 0 || ps_num(p, (int)w) == ps_num(p + w, (int)w))
            return 0;
        return broken(stream, number, "a count of 0");
    case PS_SPARSE:
        if (ps_get32(p + w) >= h->dim)
            return ps_fail(PS_EDATA, "%s: record %llu: index %u, but there are %u", stream,
                           (unsigned long long)number, ps_get32(p + w), h->dim);
        return isfinite(ps_getf32(p + w + 4)) ? 0 : broken(stream, number, "a value that is not finite");
    case PS_VECTORS: return vector_rules(h, p + w, stream, number);
    case PS_WALKS:
    case PS_NEIGHBOURS:
    case PS_HITS: return list_rules(h, g, p + w, stream, number);
    default: return 0;
    }
}

/* ---- records among others ---- */

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Sorts them; 1 and the number in *twice if one of them occurs twice. */
static int find_twice(uint64_t *id, size_t n, uint64_t *twice)
{
    if (n > 1)
        qsort(id, n, sizeof *id, ascending);
    for (size_t i = 1; i < n; i++)
        if (id[i] == id[i - 1]) {
            *twice = id[i];
            return 1;
        }
    return 0;
}

static int keep(uint64_t **to, size_t *n, size_t *cap, uint64_t value)
{
    if (ps_grow(to, cap, *n + 1, sizeof **to) < 0)
        return PS_EMEM;
    (*to)[(*n)++] = value;
    return 0;
}

static int list_distinct(ps_rules *r, const ps_head *h, const uint8_t *p, const char *stream, uint64_t number)
{
    const size_t w = (size_t)h->width;
    double sum = 0;
    uint64_t self = ps_num(p, (int)w), twice;
    r->entries = 0;
    p += w;
    for (uint32_t j = 0; j < h->dim && ps_num(p, (int)w) != PS_NONE; j++, p += w + 4) {
        if (keep(&r->entry, &r->entries, &r->entry_cap, ps_num(p, (int)w)) < 0)
            return PS_EMEM;
        if (h->kind == PS_NEIGHBOURS && h->qspace == h->nspace && ps_num(p, (int)w) == self)
            return broken(stream, number, "a node that is its own neighbour");
        sum += (double)ps_getf32(p + w);
    }
    if (find_twice(r->entry, r->entries, &twice))
        return ps_fail(PS_EDATA, "%s: record %llu: item %llu twice", stream, (unsigned long long)number,
                       (unsigned long long)twice);
    if (h->kind == PS_NEIGHBOURS && r->entries > 0 && fabs(sum - 1) > 1e-3)
        return ps_fail(PS_EDATA, "%s: record %llu: its weights sum to %g, not 1", stream, (unsigned long long)number,
                       sum);
    return 0;
}

/* The indices of the group that has just ended. */
static int indices_distinct(ps_rules *r, const char *stream)
{
    uint64_t twice;
    if (find_twice(r->entry, r->entries, &twice))
        return ps_fail(PS_EDATA, "%s: item %llu has index %llu twice", stream, (unsigned long long)r->last,
                       (unsigned long long)twice);
    r->entries = 0;
    return 0;
}

int ps_rules_add(ps_rules *r, const ps_head *h, const uint8_t *p, const char *stream, uint64_t number)
{
    const size_t w = (size_t)h->width;
    uint64_t id = ps_num(p, (int)w);
    int rc = 0;
    switch (h->kind) {
    case PS_HITS: return list_distinct(r, h, p, stream, number);
    case PS_NEIGHBOURS:
        rc = list_distinct(r, h, p, stream, number);
        return rc < 0 ? rc : keep(&r->id, &r->n, &r->cap, id);
    case PS_VECTORS: return h->flags & PS_FLAG_SUMS ? 0 : keep(&r->id, &r->n, &r->cap, id);
    case PS_VISITS:
        if (r->n > 0 && id == r->last)
            return 0;
        r->last = id;
        return keep(&r->id, &r->n, &r->cap, id);
    case PS_SPARSE:
        if (r->n == 0 || id != r->last) {
            rc = indices_distinct(r, stream);
            if (rc == 0)
                rc = keep(&r->id, &r->n, &r->cap, id);
            r->last = id;
        }
        return rc < 0 ? rc : keep(&r->entry, &r->entries, &r->entry_cap, ps_get32(p + w));
    default: return 0;
    }
}

int ps_rules_end(ps_rules *r, const ps_head *h, const char *stream)
{
    uint64_t twice;
    int rc = h->kind == PS_SPARSE ? indices_distinct(r, stream) : 0;
    if (rc == 0 && find_twice(r->id, r->n, &twice))
        rc = ps_fail(PS_EDATA,
                     h->kind == PS_SPARSE   ? "%s: the records of item %llu do not stand together"
                     : h->kind == PS_VISITS ? "%s: the records of query %llu do not stand together"
                                            : "%s: item %llu has two records",
                     stream, (unsigned long long)twice);
    return rc;
}

void ps_rules_free(ps_rules *r)
{
    free(r->id);
    free(r->entry);
    *r = (ps_rules){0};
}
