#include "embed_update.h"

#include <stdlib.h>
#include <string.h>

#include "embed_parts.h"
#include "mem.h"

enum { ROWS = 4096 }; /* of a task */

/* ---- do they belong together? ---- */

static const char *last_line(const char *history)
{
    size_t n = strlen(history);
    while (n > 1 && history[n - 2] != '\n')
        n--;
    return n > 1 ? history + n - 1 : history;
}

int ps_embed_earlier_check(const ps_embed_earlier *old, const ps_head *head)
{
    const ps_head *h = &old->z->head;
    const char *name = old->z->table.name, *was = last_line(h->history), *is = last_line(head->history);
    if (h->elem != head->elem || h->dim != head->dim || h->flags != head->flags || h->width != head->width ||
        h->scale != head->scale)
        return ps_fail(PS_EMATCH, "%s: embeddings of another shape or element type than this run's", name);
    if (strcmp(was, is) != 0)
        return ps_fail(PS_EMATCH, "%s: is of another model or of other options: \"%.*s\", and this run is \"%.*s\"",
                       name, (int)strcspn(was, "\n"), was, (int)strcspn(is, "\n"), is);
    return 0;
}

/* ---- what has changed? ---- */

enum { FEATURES = 1, NEIGHBOURS = 2, OUTPUT = 4 }; /* of an item itself */

typedef struct {
    const ps_embedding *e;
    const ps_embed_earlier *old;
    uint8_t *self;         /* of each row: the above */
    uint8_t *below, *here; /* is its h^(k-1), its h^k another one? */
    struct scratch {
        uint32_t *items[2];
        float *alpha[2];
    } * scratch; /* of each thread */
} comparison;

static int same_text(const comparison *c, uint64_t item)
{
    const ps_sparse *a = c->e->texts, *b = c->old->texts;
    uint64_t i = a ? ps_sparse_find(a, item) : PS_NONE, j = b ? ps_sparse_find(b, item) : PS_NONE;
    size_t n = i == PS_NONE ? 0 : a->off[i + 1] - a->off[i], o = j == PS_NONE ? 0 : b->off[j + 1] - b->off[j];
    return n == o && (n == 0 || (memcmp(a->index + a->off[i], b->index + b->off[j], n * sizeof *a->index) == 0 &&
                                 memcmp(a->value + a->off[i], b->value + b->off[j], n * sizeof *a->value) == 0));
}

/* The same items with the same weights, which are there or not as they were. */
static int same_neighbours(const comparison *c, uint64_t item, struct scratch *s)
{
    const ps_neighbours *a = c->e->neighbours, *b = c->old->neighbours;
    size_t n = a ? ps_neighbours_get(a, item, s->items[0], s->alpha[0]) : 0;
    size_t o = b ? ps_neighbours_get(b, item, s->items[1], s->alpha[1]) : 0;
    if (n != o || memcmp(s->items[0], s->items[1], n * sizeof *s->items[0]) != 0 ||
        memcmp(s->alpha[0], s->alpha[1], n * sizeof *s->alpha[0]) != 0)
        return 0;
    for (size_t t = 0; t < n && c->e->skip_missing; t++)
        if ((ps_vectors_find(c->e->x, s->items[0][t]) == PS_NONE) !=
            (ps_vectors_find(c->old->x, s->items[0][t]) == PS_NONE))
            return 0;
    return 1;
}

static int compare_task(void *ctx, size_t task, int thread)
{
    const comparison *c = ctx;
    const ps_vectors *x = c->e->x;
    uint64_t first = (uint64_t)task * ROWS, end = first + ROWS < x->n ? first + ROWS : x->n;
    for (uint64_t r = first; r < end; r++) {
        uint64_t item = ps_vectors_item(x, r), was = ps_vectors_find(c->old->x, item);
        int self = 0;
        if (was == PS_NONE || memcmp(ps_vectors_row(x, r), ps_vectors_row(c->old->x, was), x->d * sizeof(float)) != 0)
            self |= FEATURES;
        if (!same_neighbours(c, item, &c->scratch[thread]))
            self |= NEIGHBOURS;
        if (ps_vectors_find(c->old->z, item) == PS_NONE || !same_text(c, item))
            self |= OUTPUT;
        c->self[r] = (uint8_t)self;
        c->below[r] = self & FEATURES;
    }
    return 0;
}

static int spread_task(void *ctx, size_t task, int thread)
{
    const comparison *c = ctx;
    const ps_vectors *x = c->e->x;
    uint32_t *items = c->scratch[thread].items[0];
    float *alpha = c->scratch[thread].alpha[0];
    uint64_t first = (uint64_t)task * ROWS, end = first + ROWS < x->n ? first + ROWS : x->n;
    for (uint64_t r = first; r < end; r++) {
        int changed = c->below[r] || (c->self[r] & NEIGHBOURS);
        size_t n = changed || !c->e->neighbours
                       ? 0
                       : ps_neighbours_get(c->e->neighbours, ps_vectors_item(x, r), items, alpha);
        for (size_t t = 0; t < n && !changed; t++) {
            uint64_t at = ps_vectors_find(x, items[t]);
            changed = at != PS_NONE && c->below[at];
        }
        c->here[r] = changed != 0;
    }
    return 0;
}

static int scratch_room(comparison *c, int threads)
{
    size_t dim[2] = {c->e->neighbours ? c->e->neighbours->dim : 0, c->old->neighbours ? c->old->neighbours->dim : 0};
    c->scratch = ps_zalloc((size_t)threads, sizeof *c->scratch);
    for (int t = 0; c->scratch && t < threads; t++)
        for (int i = 0; i < 2; i++) {
            c->scratch[t].items[i] = ps_alloc(dim[i], sizeof *c->scratch[t].items[i]);
            c->scratch[t].alpha[i] = ps_alloc(dim[i], sizeof *c->scratch[t].alpha[i]);
            if (!c->scratch[t].items[i] || !c->scratch[t].alpha[i])
                return PS_EMEM;
        }
    return c->scratch ? 0 : PS_EMEM;
}

int ps_embed_changed(const ps_embedding *e, const ps_embed_earlier *old, uint8_t **changed, size_t *n)
{
    const size_t rows = e->x->n, tasks = (rows + ROWS - 1) / ROWS;
    const int threads = e->pool ? ps_pool_threads(e->pool) : 1;
    comparison c = {
        .e = e, .old = old, .self = ps_alloc(rows, 1), .below = ps_alloc(rows, 1), .here = ps_alloc(rows, 1)};
    int rc = c.self && c.below && c.here ? scratch_room(&c, threads) : PS_EMEM;
    if (rc == 0 && old->x->d != e->x->d)
        rc = ps_fail(PS_EMATCH, "%s: vectors of %u elements, those of %s have %u", old->x->table.name, old->x->d,
                     e->x->table.name, e->x->d);
    if (rc == 0)
        rc = ps_pool_run(e->pool, tasks, compare_task, &c);
    for (uint32_t k = 0; k < e->model->shape.layers && rc == 0; k++) {
        rc = ps_pool_run(e->pool, tasks, spread_task, &c);
        uint8_t *t = c.below;
        c.below = c.here;
        c.here = t;
    }
    *n = 0;
    for (size_t r = 0; r < rows && rc == 0; r++) {
        c.below[r] = c.below[r] || (c.self[r] & (FEATURES | OUTPUT));
        *n += c.below[r];
    }
    *changed = rc == 0 ? c.below : NULL;
    for (int t = 0; c.scratch && t < threads; t++)
        for (int i = 0; i < 2; i++) {
            free(c.scratch[t].items[i]);
            free(c.scratch[t].alpha[i]);
        }
    free(c.scratch);
    free(c.self);
    free(c.here);
    if (rc < 0)
        free(c.below);
    return rc;
}

/* ---- writing both ---- */

typedef struct {
    const ps_embedding *e;
    const ps_vectors *z;
    ps_embed_out *to;
    const uint32_t *row; /* of each result */
    uint64_t next;       /* row to be written */
} merge;

/* Rows from g->next on that are the same, up to `end`: in one piece where they stood in one. */
static int copy_until(merge *g, uint64_t end)
{
    const ps_head *h = &g->z->head;
    int rc = 0;
    while (g->next < end && rc == 0) {
        uint64_t from = ps_vectors_find(g->z, ps_vectors_item(g->e->x, g->next)), n = 1;
        while (g->next + n < end && n < ROWS && from + n < g->z->n &&
               ps_vectors_item(g->z, from + n) == ps_vectors_item(g->e->x, g->next + n))
            n++;
        rc = ps_embed_out_copy(g->to, g->z->table.records + from * h->size, n);
        g->next += n;
    }
    return rc;
}

static int write_merged(void *ctx, uint64_t first, size_t n, const ps_real *z)
{
    merge *g = ctx;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++, z += g->to->head.dim) {
        uint64_t row = g->row[first + i];
        rc = copy_until(g, row);
        if (rc == 0)
            rc = ps_embed_out_put(g->to, ps_vectors_item(g->e->x, row), z);
        g->next = row + 1;
    }
    return rc;
}

int ps_embed_update(ps_embedder *m, const ps_embedding *e, const ps_embed_earlier *old, ps_embed_out *to,
                    size_t *computed)
{
    uint8_t *changed;
    int rc = ps_embed_changed(e, old, &changed, computed);
    if (rc < 0)
        return rc;
    uint32_t *rows = ps_alloc(*computed, sizeof *rows);
    size_t n = 0;
    for (uint64_t r = 0; rows && r < e->x->n; r++)
        if (changed[r]) /* NOLINT(clang-analyzer-core.NullDereference): what did not fail has made it */
            rows[n++] = (uint32_t)r;
    merge g = {.e = e, .z = old->z, .to = to, .row = rows};
    free(changed);
    m->e.sink = write_merged;
    m->e.ctx = &g;
    rc = !rows ? PS_EMEM : n > 0 ? ps_embed_rows(m, rows, n) : 0;
    if (rc == 0)
        rc = copy_until(&g, e->x->n);
    m->e.sink = e->sink;
    m->e.ctx = e->ctx;
    free(rows);
    return rc;
}
