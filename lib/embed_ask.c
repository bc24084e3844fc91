#include "embed_ask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { MANY = 1024 }; /* read at a time */

int ps_embed_write(void *ctx, uint64_t first, size_t n, const ps_real *z)
{
    const ps_embed_answer *a = ctx;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++, z += a->to->head.dim)
        rc = ps_embed_out_put(a->to, a->item ? a->item[first + i] : ps_vectors_item(a->x, first + i), z);
    return rc;
}

/* ---- some items ---- */

typedef struct {
    ps_embedder *m;
    ps_embed_answer *a;
    int soon;
    uint8_t *asked; /* a bit for each row of x */
    uint32_t *row;
    uint64_t *item;
    size_t n, row_cap, item_cap;
} asked;

static int answer(asked *g)
{
    g->a->item = g->item;
    int rc = ps_embed_rows(g->m, g->row, g->n);
    g->n = 0;
    return rc == 0 && g->soon ? ps_out_flush(g->a->to->out) : rc;
}

static int take_item(asked *g, uint64_t item)
{
    uint64_t row = ps_vectors_find(g->a->x, item);
    if (row == PS_NONE)
        return ps_fail(PS_EMATCH, "%s: no vector for item %llu", g->a->x->table.name, (unsigned long long)item);
    if (!g->soon && g->asked[row / 8] >> row % 8 & 1) {
        g->a->again++;
        return 0;
    }
    g->asked[row / 8] |= (uint8_t)(1 << row % 8);
    if (ps_grow(&g->row, &g->row_cap, g->n + 1, sizeof *g->row) < 0 ||
        ps_grow(&g->item, &g->item_cap, g->n + 1, sizeof *g->item) < 0)
        return PS_EMEM;
    g->row[g->n] = (uint32_t)row;
    g->item[g->n++] = item;
    return g->soon ? answer(g) : 0;
}

int ps_embed_ask(ps_embedder *m, ps_embed_answer *a, ps_queries *q, int soon)
{
    asked g = {.m = m, .a = a, .soon = soon, .asked = ps_zalloc(a->x->n / 8 + 1, 1)};
    ps_query_batch batch = {0};
    int rc = g.asked ? 0 : PS_EMEM;
    if (rc == 0 && soon)
        rc = ps_out_flush(a->to->out); /* the header: a reader may wait for it */
    while (rc == 0) {
        long n = ps_queries_next(q, &batch, soon ? 1 : MANY);
        if (n <= 0) {
            rc = (int)n;
            break;
        }
        for (size_t i = 0; i < batch.n && rc == 0; i++)
            rc = take_item(&g, batch.id[i]);
    }
    if (rc == 0 && !soon)
        rc = answer(&g);
    a->item = NULL;
    ps_query_batch_free(&batch);
    free(g.asked);
    free(g.row);
    free(g.item);
    return rc;
}

/* ---- new items ---- */

typedef struct {
    ps_reader *vectors, *near;
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

/* The next record of neighbourhoods must be the same item's. */
static int take_near(incoming *g)
{
    const ps_head *h = ps_reader_head(g->near);
    const size_t n = g->items.n;
    const uint8_t *p;
    long got = ps_reader_next(g->near, &p, 1);
    if (got < 0)
        return (int)got;
    if (got == 0 || ps_num(p, h->width) != g->item[n])
        return ps_fail(PS_EMATCH,
                       "%s: record %llu %s, but that of %s is item %llu: both must list the same items in the same "
                       "order",
                       ps_reader_name(g->near), (unsigned long long)g->number, got ? "is another item" : "is missing",
                       ps_reader_name(g->vectors), (unsigned long long)g->item[n]);
    int rc = ps_neighbours_check(h, p, ps_reader_name(g->near), g->number, UINT32_MAX);
    uint32_t end = n ? g->off[n] : 0;
    if (ps_grow(&g->off, &g->off_cap, n + 2, sizeof *g->off) < 0 ||
        ps_grow(&g->neighbour, &g->neighbour_cap, end + h->dim, sizeof *g->neighbour) < 0 ||
        ps_grow(&g->weight, &g->weight_cap, end + h->dim, sizeof *g->weight) < 0)
        return PS_EMEM;
    p += h->width;
    for (uint32_t t = 0; t < h->dim && rc == 0 && ps_num(p, h->width) != PS_NONE; t++, p += h->width + 4) {
        g->neighbour[end] = (uint32_t)ps_num(p, h->width);
        g->weight[end++] = ps_getf32(p + h->width);
    }
    g->off[n] = n ? g->off[n] : 0;
    g->off[n + 1] = end;
    return rc;
}

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

static int nothing_left(const incoming *g)
{
    const uint8_t *p;
    long n = ps_reader_next(g->near, &p, 1);
    return n <= 0 ? (int)n
                  : ps_fail(PS_EMATCH, "%s: more records than %s has vectors", ps_reader_name(g->near),
                            ps_reader_name(g->vectors));
}

int ps_embed_ask_new(ps_embedder *m, ps_embed_answer *a, ps_reader *vectors, ps_reader *near, const ps_sparse *texts,
                     int soon)
{
    incoming g = {.vectors = vectors, .near = near, .items.texts = texts};
    const ps_head *h = ps_reader_head(vectors);
    long n = 0;
    int rc = h->dim == a->x->d ? 0
                               : ps_fail(PS_EMATCH, "%s: vectors of %u elements, those of %s have %u",
                                         ps_reader_name(vectors), h->dim, a->x->table.name, a->x->d);
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
    void *const all[] = {g.x, g.item, g.off, g.neighbour, g.weight};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    return rc;
}
