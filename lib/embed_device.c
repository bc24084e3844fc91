/* embed_device.c - inference on a device: a block of results after the other, each with the minibatch of Algorithm 2
 * around it. */
#include <stdlib.h>
#include <string.h>

#include "device_net.h"
#include "embed_parts.h"
#include "mem.h"

enum { BLOCK = 16384 };                     /* results */
static const size_t MOST = (size_t)4 << 30; /* bytes of a block's features, which the host has twice */

struct ps_on_device {
    ps_device *dev;
    ps_device_net net;
    ps_device_slot slot[PS_SLOTS];
    ps_device_room param;
    size_t block;          /* results at a time: fewer where their features are many */
    size_t ends[PS_SLOTS]; /* of the rows, behind the block that is in the slot */
    ps_minibatch mb;       /* of the block that is being made; the lists are those of `near` */
    ps_near near;
    uint32_t *all;   /* a block of x's rows, if all are wanted */
    uint32_t *items; /* a block's, for tokens */
    ps_real *z, *beta, *out;
};

static int make(ps_on_device *d, const ps_embedder *m)
{
    const ps_model *model = m->e.model;
    const ps_shape *s = &model->shape;
    ps_device_net_init(&d->net, d->dev, model, m->e.bf16 ? PS_PRODUCTS_BF16 : PS_PRODUCTS_F32);
    for (int i = 0; i < PS_SLOTS; i++)
        ps_device_slot_init(&d->slot[i], d->dev, i);
    d->all = ps_alloc(BLOCK, sizeof *d->all);
    d->items = ps_alloc(BLOCK, sizeof *d->items);
    d->z = ps_alloc((size_t)BLOCK * s->d, sizeof *d->z);
    d->beta = ps_alloc(BLOCK, sizeof *d->beta);
    d->out = ps_alloc((size_t)BLOCK * ps_embedding_dim(s), sizeof *d->out);
    if (!d->all || !d->items || !d->z || !d->beta || !d->out)
        return PS_EMEM;
    int rc = ps_device_room_for(d->dev, &d->param, model->size, sizeof(ps_real));
    return rc < 0 ? rc : d->dev->ops->put(d->dev, d->param.p, model->param, model->size * sizeof(ps_real));
}

ps_on_device *ps_on_device_new(const ps_embedder *m)
{
    ps_on_device *d = ps_zalloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->dev = m->e.device;
    d->block = BLOCK;
    if (make(d, m) == 0)
        return d;
    ps_on_device_free(d);
    return NULL;
}

void ps_on_device_free(ps_on_device *d)
{
    if (!d)
        return;
    ps_device_net_free(&d->net);
    for (int i = 0; i < PS_SLOTS; i++)
        ps_device_slot_free(&d->slot[i]);
    ps_device_room_free(d->dev, &d->param);
    ps_near_free(&d->near);
    ps_token_lists_free(&d->mb.tokens);
    void *const all[] = {d->all, d->items, d->z, d->beta, d->out};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(d);
}

/* ---- making a block ---- */

static int gather(void *ctx, size_t first, size_t end, ps_real *to)
{
    const ps_embedder *m = ctx;
    for (size_t i = first; i < end; i++, to += m->shape.dx)
        ps_embed_features(m, m->need.row[i], to);
    return 0;
}

/* All results are rows of x, or all are new items. */
static int list_tokens(ps_embedder *m, size_t n)
{
    ps_on_device *d = m->on_device;
    const ps_vectors *x = m->e.x;
    const ps_sparse *texts = m->extra ? m->extra->texts : m->e.texts;
    d->mb.tokens.items = 0;
    if (!m->shape.tokens || !texts)
        return 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t row = m->need.row[i];
        d->items[i] = (uint32_t)(m->extra ? m->extra->item[row - x->n] : ps_vectors_item(x, row));
    }
    return ps_token_lists_make(&d->mb.tokens, &m->e.model->vocabulary, texts, m->shape.token_scale, d->items, n);
}

/* Is there room for a block of so many items?  On the device: features in both slots and rounded for a product; of each
 * layer p, and for what is above it pooled neighbours, h and what a product makes of them.  Half of it is for that: the
 * model is there too, and what is free may change, but blocks, and with them the last digits, must not. */
static int fits(const ps_embedder *m, const size_t *level)
{
    const ps_on_device *d = m->on_device;
    size_t features = level[0] * m->shape.dx * sizeof(ps_real), layers = 0;
    for (uint32_t k = 0; k < m->shape.layers; k++)
        layers += (level[k] + 4 * level[k + 1]) * m->shape.m * sizeof(ps_real);
    return features <= MOST && (!m->e.memory || features <= m->e.memory / 4) &&
           (!d->dev->memory || 3 * features + layers <= d->dev->memory / 2);
}

/* The sets of the next block: as many of the rows as take no more features than there is room for, but one at least. */
static int find(ps_embedder *m, const uint32_t *rows, size_t first, size_t all, size_t *n)
{
    ps_on_device *d = m->on_device;
    size_t level[PS_LAYERS_MAX + 1];
    for (;; d->block /= 2) {
        *n = all - first < d->block ? all - first : d->block;
        for (size_t i = 0; i < *n && !rows; i++)
            d->all[i] = (uint32_t)(first + i);
        int rc = ps_need_found(m, rows ? rows + first : d->all, *n, level);
        if (rc < 0)
            return rc;
        if (fits(m, level) || d->block == 1)
            break;
    }
    for (uint32_t k = 0; k <= m->shape.layers; k++)
        d->mb.n[k] = (uint32_t)level[k];
    return 0;
}

/* Sends the block of rows that begins at `first`. */
static int stage(ps_embedder *m, int slot, const uint32_t *rows, size_t first, size_t all)
{
    ps_on_device *d = m->on_device;
    ps_minibatch *mb = &d->mb;
    size_t n;
    int rc = find(m, rows, first, all, &n);
    mb->layers = m->shape.layers;
    mb->dx = m->shape.dx;
    d->near.n = 0;
    if (rc == 0 && mb->layers)
        rc = ps_near_add(m, &d->near, NULL, mb->n[1]);
    mb->off = d->near.off;
    mb->index = d->near.index;
    mb->weight = d->near.weight;
    if (rc == 0)
        rc = list_tokens(m, n);
    d->ends[slot] = first + n;
    const ps_device_features x = {gather, m};
    return rc < 0 ? rc : ps_device_slot_fill(&d->slot[slot], mb, mb, NULL, NULL, &x, m->e.pool);
}

/* ---- computing it ---- */

static int launch(ps_on_device *d, int slot)
{
    d->dev->ops->use_begin(d->dev, slot);
    int rc = ps_device_net_forward(&d->net, d->param.p, &d->slot[slot].at);
    d->dev->ops->use_end(d->dev, slot);
    return rc;
}

static int deliver(const ps_embedder *m, size_t first, size_t n, size_t all)
{
    ps_on_device *d = m->on_device;
    const ps_shape *s = &m->shape;
    size_t width = ps_embedding_dim(s);
    int rc = d->dev->ops->get(d->dev, s->bias ? d->z : d->out, d->net.z.p, n * s->d * sizeof *d->z);
    if (rc == 0 && s->bias)
        rc = d->dev->ops->get(d->dev, d->beta, d->net.beta.p, n * sizeof *d->beta);
    for (size_t i = 0; i < n && rc == 0 && s->bias; i++) {
        memcpy(d->out + i * width, d->z + i * s->d, s->d * sizeof *d->out);
        d->out[i * width + s->d] = (ps_real)s->tau * d->beta[i];
    }
    if (rc == 0)
        rc = m->e.sink(m->e.ctx, first, n, d->out);
    if (rc == 0 && m->e.progress)
        m->e.progress(first + n, all);
    return rc;
}

/* The next block is made and sent while one is computed. */
int ps_on_device_run(ps_embedder *m, const uint32_t *rows, size_t n)
{
    ps_on_device *d = m->on_device;
    int slot = 0, rc = n ? stage(m, 0, rows, 0, n) : 0;
    for (size_t first = 0; first < n && rc == 0; slot = 1 - slot) {
        size_t end = d->ends[slot];
        rc = launch(d, slot);
        if (rc == 0 && end < n)
            rc = stage(m, 1 - slot, rows, end, n);
        if (rc == 0)
            rc = deliver(m, first, end - first, n);
        first = end;
    }
    return rc;
}
