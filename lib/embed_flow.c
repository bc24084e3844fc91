#include "embed_flow.h"

#include <stdlib.h>
#include <string.h>

#include "embed_parts.h"
#include "embed_stream.h"
#include "mem.h"
#include "tool.h"

/* ---- invert ---- */

int ps_embed_invert(ps_reader *near, ps_out *out)
{
    ps_cursor c = ps_cursor_on(near, 0);
    ps_head head = ps_head_make(PS_PAIRS, 0);
    const int w = head.width = c.head->width;
    uint8_t record[20];
    head.qspace = c.head->nspace;
    head.nspace = c.head->qspace;
    head.graph = c.head->graph;
    int rc = ps_head_size(&head);
    if (rc == 0)
        rc = ps_head_inherit(&head, c.head);
    if (rc == 0)
        rc = ps_head_note(&head, "psembed %s invert", PS_VERSION);
    ps_writer *writer = rc == 0 ? ps_writer_new(out, &head) : NULL;
    rc = writer ? 0 : PS_ESYS;
    while (rc == 0 && (rc = ps_cursor_next(&c)) > 0) {
        const uint8_t *e = c.p + w;
        rc = ps_neighbours_check(c.head, c.p, ps_reader_name(near), c.number, UINT32_MAX);
        for (uint32_t t = 0; t < c.head->dim && rc == 0 && ps_num(e, w) != PS_NONE; t++, e += w + 4) {
            memcpy(record, e, (size_t)w);
            ps_put_num(record + w, w, c.item);
            memcpy(record + 2 * w, e + w, 4);
            rc = ps_writer_put(writer, record, 1);
        }
    }
    ps_head_free(&head);
    if (rc == 0)
        return ps_writer_close(writer);
    ps_writer_abort(writer);
    return rc;
}

/* ---- project ---- */

/* Up to a block of vectors into room->in, their items into `items`. */
static long take_block(ps_cursor *c, const ps_embedder *m, uint64_t *items)
{
    ps_embed_room *room = m->room;
    size_t n = 0;
    int rc = 0;
    while (n < m->block && (rc = ps_cursor_next(c)) > 0) {
        items[n] = c->item;
        rc = ps_cursor_vector(c, room->in + n++ * c->head->dim);
        if (rc < 0)
            break;
    }
    return rc < 0 ? rc : (long)n;
}

int ps_embed_project_flow(const ps_embedding *e, ps_reader *vectors, uint32_t k, ps_out *out)
{
    ps_cursor c = ps_cursor_on(vectors, 0);
    ps_head head = {0};
    ps_embed_out to = {.held = {.fd = -1}};
    ps_embedder *m = ps_embedder_bare(e);
    uint64_t *items = m ? ps_alloc(m->block, sizeof *items) : NULL;
    int rc = items ? ps_flow_check(vectors, ps_layer_inputs(&e->model->shape, k - 1), 0) : PS_EMEM;
    long n = 0;
    if (rc == 0)
        rc = ps_flow_head_of(&head, e, c.head, "project", k);
    if (rc == 0)
        rc = ps_embed_out_open(&to, out, &head, e->dir);
    while (rc == 0 && (n = take_block(&c, m, items)) > 0) {
        ps_embed_projected(m, k - 1, (size_t)n, (ps_block){m->room->in, c.head->dim}, m->room->out);
        for (long i = 0; i < n && rc == 0; i++)
            rc = ps_embed_out_put(&to, items[i], m->room->out + (size_t)i * m->shape.m);
    }
    rc = rc < 0 ? rc : (int)n;
    if (rc == 0)
        rc = ps_embed_out_end(&to);
    ps_embed_out_free(&to);
    ps_head_free(&head);
    ps_embedder_free(m);
    free(items);
    return rc;
}

/* ---- gather ---- */

int ps_embed_gather_head(ps_head *head, const ps_embedding *e, const ps_head *own, uint32_t k,
                         const ps_embed_form *form)
{
    return k == e->model->shape.layers ? ps_embed_head_make(head, e->model, own, form)
                                       : ps_flow_head_of(head, e, own, "gather", k);
}

/* The sums of `item`, put together, as a pooled vector; sums->item is behind it then. */
static int pooled_of(const ps_shape *s, ps_cursor *sums, uint64_t item, double *sum, double *next, ps_real *pooled)
{
    int rc = 1;
    memset(sum, 0, (PS_SUM_FIRST + s->m) * sizeof *sum);
    for (; rc > 0 && !sums->ended && sums->item == item; rc = ps_cursor_next(sums)) {
        ps_sum_read(sums, next);
        ps_sum_add(sum, next, s->m, s->pooling == PS_POOL_MAX);
    }
    if (rc >= 0 && !sums->ended && sums->item < item)
        rc = ps_fail(PS_EMATCH, "%s: record %llu: sums of item %llu, which has no vector", ps_reader_name(sums->r),
                     (unsigned long long)sums->number, (unsigned long long)sums->item);
    const int scaled = s->pooling == PS_POOL_MEAN || (s->pooling == PS_POOL_IMPORTANCE && sum[PS_SUM_MISSING] > 0);
    for (size_t j = 0; j < s->m; j++)
        pooled[j] = (ps_real)(scaled && sum[PS_SUM_PRESENT] > 0 ? sum[PS_SUM_FIRST + j] / sum[PS_SUM_PRESENT]
                                                                : sum[PS_SUM_FIRST + j]);
    return rc < 0 ? rc : 0;
}

static int features_of(ps_cursor *c, uint64_t item, ps_real *to)
{
    int rc = 1;
    while (rc > 0 && (!c->begun || c->item < item))
        rc = ps_cursor_next(c);
    if (rc < 0)
        return rc;
    return !c->ended && c->item == item
               ? ps_cursor_vector(c, to)
               : ps_fail(PS_EMATCH, "%s: no vector for item %llu", ps_reader_name(c->r), (unsigned long long)item);
}

typedef struct {
    ps_embedder *m;
    ps_cursor sums, own, features;
    uint64_t *items;
    double *sum, *next;
    ps_real *z;
    uint32_t k;
    int last;
} gather;

static int gather_block(gather *g, size_t n, ps_embed_out *to)
{
    ps_embedder *m = g->m;
    ps_embed_room *room = m->room;
    const ps_shape *s = &m->shape;
    const ps_block in = {room->in, g->own.head->dim}, h = {room->out, s->m};
    const ps_real *z = room->out;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = pooled_of(s, &g->sums, g->items[i], g->sum, g->next, room->pooled + i * s->m);
        room->items[i] = (uint32_t)g->items[i];
        if (rc == 0 && g->last && g->features.r)
            rc = features_of(&g->features, g->items[i], room->x + i * s->dx);
    }
    if (rc < 0)
        return rc;
    ps_embed_combined(m, g->k - 1, n, in, room->pooled, room->out);
    if (g->last) {
        rc = ps_embed_headed(m, room, n, 0, h, g->features.r ? (ps_block){room->x, s->dx} : in, g->z);
        z = g->z;
    }
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = ps_embed_out_put(to, g->items[i], z + i * to->head.dim);
    return rc;
}

int ps_embed_gather(const ps_embedding *e, ps_reader *sums, ps_reader *own, ps_reader *features, uint32_t k,
                    ps_embed_out *to)
{
    const ps_shape *s = &e->model->shape;
    const size_t numbers = PS_SUM_FIRST + s->m;
    gather g = {.m = ps_embedder_bare(e),
                .sums = ps_cursor_on(sums, 1),
                .own = ps_cursor_on(own, 2),
                .k = k,
                .last = k == s->layers};
    if (features)
        g.features = ps_cursor_on(features, 2);
    g.items = g.m ? ps_alloc(g.m->block, sizeof *g.items) : NULL;
    g.sum = ps_alloc(2 * numbers, sizeof *g.sum);
    g.z = g.m ? ps_alloc(g.m->block * ps_embedding_dim(s), sizeof *g.z) : NULL;
    int rc = g.items && g.sum && g.z ? ps_flow_check(own, ps_layer_inputs(s, k - 1), 0) : PS_EMEM;
    long n = 0;
    g.next = g.sum + numbers;
    if (rc == 0)
        rc = ps_flow_check(sums, (uint32_t)(2 * numbers), PS_FLAG_SUMS);
    if (rc == 0 && features)
        rc = ps_flow_check(features, s->dx, 0);
    if (rc == 0)
        rc = ps_cursor_next(&g.sums) < 0 ? PS_EDATA : 0;
    while (rc == 0 && (n = take_block(&g.own, g.m, g.items)) > 0)
        rc = gather_block(&g, (size_t)n, to);
    rc = rc < 0 ? rc : (int)n;
    if (rc == 0 && !g.sums.ended)
        rc = ps_fail(PS_EMATCH, "%s: record %llu: sums of item %llu, which has no vector", ps_reader_name(sums),
                     (unsigned long long)g.sums.number, (unsigned long long)g.sums.item);
    if (rc == 0 && features)
        rc = ps_cursor_drain(&g.features);
    ps_embedder_free(g.m);
    free(g.items);
    free(g.sum);
    free(g.z);
    return rc;
}
