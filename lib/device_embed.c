#include "device_embed.h"

#include <stdlib.h>
#include <string.h>

#include "device_net.h"
#include "mem.h"

enum { BLOCK = 16384 };

typedef struct {
    const ps_embedding *e;
    ps_device *dev;
    ps_sources from;
    ps_minibatch mb;
    ps_device_net net;
    ps_device_slot slot[PS_SLOTS];
    ps_device_room param;
    uint32_t *local[PS_SLOTS]; /* of the block's items */
    ps_real *z, *beta, *rows;
} work;

static int make(work *w)
{
    const ps_model *model = w->e->model;
    const ps_shape *s = &model->shape;
    size_t block = w->e->x->n < BLOCK ? w->e->x->n : BLOCK;
    w->from = (ps_sources){.shape = s,
                           .x = w->e->x,
                           .neighbours = w->e->neighbours,
                           .texts = s->tokens ? w->e->texts : NULL,
                           .vocabulary = &model->vocabulary};
    ps_device_net_init(&w->net, w->dev, model, PS_PRODUCTS_F32);
    for (int i = 0; i < PS_SLOTS; i++) {
        ps_device_slot_init(&w->slot[i], w->dev, i);
        if (!(w->local[i] = ps_alloc(block, sizeof **w->local)))
            return PS_EMEM;
    }
    w->z = ps_alloc(block * s->d, sizeof *w->z);
    w->beta = ps_alloc(block, sizeof *w->beta);
    w->rows = ps_alloc(block * ps_embedding_dim(s), sizeof *w->rows);
    if (!w->z || !w->beta || !w->rows)
        return PS_EMEM;
    int rc = ps_device_room_for(w->dev, &w->param, model->size, sizeof(ps_real));
    return rc < 0 ? rc : w->dev->ops->put(w->dev, w->param.p, model->param, model->size * sizeof(ps_real));
}

static void unmake(work *w)
{
    ps_minibatch_free(&w->mb);
    ps_device_net_free(&w->net);
    for (int i = 0; i < PS_SLOTS; i++) {
        ps_device_slot_free(&w->slot[i]);
        free(w->local[i]);
    }
    ps_device_room_free(w->dev, &w->param);
    free(w->z);
    free(w->beta);
    free(w->rows);
}

/* Sends a block; an item that stands twice in it is there once. */
static int stage(work *w, int slot, uint64_t first, size_t n)
{
    int rc = ps_minibatch_begin(&w->mb, w->from.shape, 4 * n);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = ps_minibatch_add(&w->mb, (uint32_t)ps_vectors_item(w->e->x, first + i), &w->local[slot][i]);
    if (rc == 0)
        rc = ps_minibatch_finish(&w->mb, &w->from, 0, SIZE_MAX, w->e->pool);
    return rc < 0 ? rc : ps_device_slot_fill(&w->slot[slot], &w->mb, &w->mb, NULL, NULL);
}

static int launch(work *w, int slot)
{
    w->dev->ops->use_begin(w->dev, slot);
    int rc = ps_device_net_forward(&w->net, w->param.p, &w->slot[slot].at);
    w->dev->ops->use_end(w->dev, slot);
    return rc;
}

static int deliver(work *w, int slot, uint64_t first, size_t n)
{
    const ps_shape *s = w->from.shape;
    size_t there = w->slot[slot].at.n[s->layers], width = ps_embedding_dim(s);
    int rc = w->dev->ops->get(w->dev, w->z, w->net.z.p, there * s->d * sizeof *w->z);
    if (rc == 0 && s->bias)
        rc = w->dev->ops->get(w->dev, w->beta, w->net.beta.p, there * sizeof *w->beta);
    for (size_t i = 0; i < n && rc == 0; i++) {
        memcpy(w->rows + i * width, w->z + (size_t)w->local[slot][i] * s->d, s->d * sizeof *w->rows);
        if (s->bias)
            w->rows[i * width + s->d] = (ps_real)s->tau * w->beta[w->local[slot][i]];
    }
    if (rc == 0)
        rc = w->e->sink(w->e->ctx, first, n, w->rows);
    if (rc == 0 && w->e->progress)
        w->e->progress(first + n, w->e->x->n);
    return rc;
}

/* The next block is made and sent while one is computed. */
static int run(work *w)
{
    uint64_t all = w->e->x->n;
    int slot = 0, rc = all ? stage(w, 0, 0, all < BLOCK ? all : BLOCK) : 0;
    for (uint64_t first = 0; first < all && rc == 0; first += BLOCK, slot = 1 - slot) {
        uint64_t next = first + BLOCK;
        rc = launch(w, slot);
        if (rc == 0 && next < all)
            rc = stage(w, 1 - slot, next, all - next < BLOCK ? all - next : BLOCK);
        if (rc == 0)
            rc = deliver(w, slot, first, all - first < BLOCK ? all - first : BLOCK);
    }
    return rc;
}

int ps_device_embed(const ps_embedding *e, ps_device *dev)
{
    const ps_shape *s = &e->model->shape;
    if (s->tokens && !e->texts)
        return ps_fail(PS_EMATCH, "the model has token embeddings: it needs the items' texts");
    if (s->layers && !e->neighbours)
        return ps_fail(PS_EUSAGE, "on a GPU, neighbourhoods (-n) are needed");
    if (e->skip_missing)
        return ps_fail(PS_EUSAGE, "-u is not for GPUs");
    work w = {.e = e, .dev = dev};
    int rc = make(&w);
    if (rc == 0)
        rc = run(&w);
    unmake(&w);
    return rc;
}
