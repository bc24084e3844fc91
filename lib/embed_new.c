#include "embed_new.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { MANY = 1024 }; /* read at a time */

typedef struct {
    ps_reader *vectors;
    const ps_new_from *from;
    ps_head near;    /* shape of their neighbourhoods, read or walked */
    uint8_t *walked; /* one of these */
    ps_walker *walker;
    ps_query_batch boards;
    ps_new_items items; /* its arrays are these: */
    ps_real *x;
    uint64_t *item;
    uint32_t *off, *neighbour;
    float *weight;
    size_t x_cap, item_cap, off_cap, neighbour_cap, weight_cap;
    uint64_t number; /* of the record that is read */
} incoming;

static int take_vector(incoming *g, const uint8_t *p)
{
    const ps_head *h = ps_reader_head(g->vectors);
    const size_t elem = ps_elem_size(h->elem), n = g->items.n;
    if (ps_grow(&g->x, &g->x_cap, (n + 1) * h->dim, sizeof *g->x) < 0 ||
        ps_grow(&g->item, &g->item_cap, n + 1, sizeof *g->item) < 0)
        return PS_EMEM;
    g->item[n] = ps_num(p, h->width);
    for (uint32_t j = 0; j < h->dim; j++) {
        float v = ps_elem_get(p + h->width + j * elem, h->elem, h->scale);
        if (!isfinite(v))
            return ps_fail(PS_EDATA, "%s: record %llu, element %u: %s", ps_reader_name(g->vectors),
                           (unsigned long long)g->number, j, isnan(v) ? "NaN" : "infinity");
        g->x[n * h->dim + j] = (ps_real)v;
    }
    return 0;
}

/* ---- the neighbourhood that belongs to it ---- */

static const char *near_name(const incoming *g)
{
    return g->from->near ? ps_reader_name(g->from->near) : ps_queries_name(g->from->boards);
}

static int other_item(const incoming *g, int there)
{
    return ps_fail(PS_EMATCH,
                   "%s: record %llu %s, but that of %s is item %llu: both must list the same items in the same order",
                   near_name(g), (unsigned long long)g->number, there ? "is another item" : "is missing",
                   ps_reader_name(g->vectors), (unsigned long long)g->item[g->items.n]);
}

static int read_near(incoming *g, const uint8_t **record)
{
    long got = ps_reader_next(g->from->near, record, 1);
    if (got <= 0 || ps_num(*record, g->near.width) != g->item[g->items.n])
        return got < 0 ? (int)got : other_item(g, got > 0);
    return ps_neighbours_check(&g->near, *record, ps_reader_name(g->from->near), g->number, UINT32_MAX);
}

/* As the record that psneigh --boards writes of it. */
static int walk_near(incoming *g, const uint8_t **record)
{
    const ps_query_batch *b = &g->boards;
    const ps_visit *visits;
    long n = ps_queries_next(g->from->boards, &g->boards, 1);
    if (n <= 0 || b->id[0] != g->item[g->items.n])
        return n < 0 ? (int)n : other_item(g, n > 0);
    n = ps_walker_new_item(g->walker, b->id[0], b->item, ps_queries_boards(g->from->boards) == 2 ? b->weight : NULL,
                           b->off[1], g->near.dim, &visits);
    if (n < 0)
        return (int)n;
    ps_neighbours_put(g->walked, &g->near, PS_NONE, visits, (size_t)n);
    *record = g->walked;
    return 0;
}

static int take_near(incoming *g)
{
    const ps_head *h = &g->near;
    const size_t n = g->items.n;
    const uint8_t *p;
    int rc = g->from->near ? read_near(g, &p) : walk_near(g, &p);
    if (rc < 0)
        return rc;
    uint32_t end = n ? g->off[n] : 0;
    if (ps_grow(&g->off, &g->off_cap, n + 2, sizeof *g->off) < 0 ||
        ps_grow(&g->neighbour, &g->neighbour_cap, end + h->dim, sizeof *g->neighbour) < 0 ||
        ps_grow(&g->weight, &g->weight_cap, end + h->dim, sizeof *g->weight) < 0)
        return PS_EMEM;
    p += h->width;
    for (uint32_t t = 0; t < h->dim && ps_num(p, h->width) != PS_NONE; t++, p += h->width + 4) {
        g->neighbour[end] = (uint32_t)ps_num(p, h->width);
        g->weight[end++] = ps_getf32(p + h->width);
    }
    g->off[n] = n ? g->off[n] : 0;
    g->off[n + 1] = end;
    return 0;
}

/* ---- all of them ---- */

/* Up to `most` new items: how many. */
static long take_some(incoming *g, size_t most)
{
    const uint8_t *p;
    long n = ps_reader_next(g->vectors, &p, most);
    int rc = 0;
    g->items.n = 0;
    for (long i = 0; i < n && rc == 0; i++, p += ps_reader_head(g->vectors)->size) {
        rc = take_vector(g, p);
        if (rc == 0)
            rc = take_near(g);
        g->items.n++;
        g->number++;
    }
    g->items.x = g->x;
    g->items.item = g->item;
    g->items.off = g->off;
    g->items.neighbour = g->neighbour;
    g->items.weight = g->weight;
    return rc < 0 ? rc : n;
}

static int nothing_left(incoming *g)
{
    const uint8_t *p;
    long n = g->from->near ? ps_reader_next(g->from->near, &p, 1) : ps_queries_next(g->from->boards, &g->boards, 1);
    return n <= 0
               ? (int)n
               : ps_fail(PS_EMATCH, "%s: more records than %s has vectors", near_name(g), ps_reader_name(g->vectors));
}

static int begin(incoming *g, const ps_vectors *x)
{
    const ps_head *h = ps_reader_head(g->vectors);
    if (h->dim != x->d)
        return ps_fail(PS_EMATCH, "%s: vectors of %u elements, those of %s have %u", ps_reader_name(g->vectors), h->dim,
                       x->table.name, x->d);
    if (g->from->near) {
        g->near = *ps_reader_head(g->from->near);
        return 0;
    }
    g->near = ps_head_make(PS_NEIGHBOURS, g->from->top);
    g->walked = ps_alloc(g->near.size, 1);
    g->walker = g->walked ? ps_walker_new(g->from->graph, &g->from->walk) : NULL;
    return g->walker ? 0 : PS_EMEM;
}

int ps_embed_ask_new(ps_embedder *m, ps_embed_answer *a, ps_reader *vectors, const ps_new_from *from, int soon)
{
    incoming g = {.vectors = vectors, .from = from, .items.texts = from->texts};
    long n = 0;
    int rc = begin(&g, a->x);
    if (rc == 0 && soon)
        rc = ps_out_flush(a->to->out);
    while (rc == 0 && (n = take_some(&g, soon ? 1 : MANY)) > 0) {
        a->item = g.item;
        rc = ps_embed_new(m, &g.items);
        if (rc == 0 && soon)
            rc = ps_out_flush(a->to->out);
    }
    if (rc == 0)
        rc = n < 0 ? (int)n : nothing_left(&g);
    a->item = NULL;
    ps_walker_free(g.walker);
    ps_query_batch_free(&g.boards);
    void *const all[] = {g.x, g.item, g.off, g.neighbour, g.weight, g.walked};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    return rc;
}
