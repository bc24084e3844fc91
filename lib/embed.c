#include "embed.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "net.h"
#include "vec.h"

enum { BLOCK = 4096 };

typedef struct {
    const ps_embedding *e;
    ps_net net;
    ps_real *p, *h;     /* all rows x m: projections of this layer, outputs of the last */
    ps_real *x;         /* one block of features */
    ps_real *pooled, *out, *norm, *r, *z, *beta, *row; /* one block each */
    uint32_t *off, *index, *items; /* neighbours of a block */
    ps_real *weight;
    float *alpha;
    ps_token_lists tokens; /* of a block */
    uint32_t *block_items;
} work;

static void load_features(const work *w, uint64_t first, size_t n)
{
    const ps_vectors *x = w->e->x;
    for (size_t i = 0; i < n; i++) {
        const float *row = ps_vectors_row(x, first + i);
        for (uint32_t j = 0; j < x->d; j++)
            w->x[i * x->d + j] = (ps_real)row[j];
    }
}

/* What layer k reads of a block: the features or the layer below. */
static const ps_real *inputs(const work *w, uint32_t k, uint64_t first, size_t n)
{
    if (k > 0)
        return w->h + first * w->net.shape.m;
    load_features(w, first, n);
    return w->x;
}

static void project_all(const work *w, uint32_t k)
{
    uint64_t rows = w->e->x->n;
    for (uint64_t i = 0; i < rows; i += BLOCK) {
        size_t n = rows - i < BLOCK ? rows - i : BLOCK;
        ps_net_project(&w->net, w->e->model->param, k, n, inputs(w, k, i, n), w->p + i * w->net.shape.m);
    }
}

static int one_neighbourhood(work *w, uint64_t row, uint32_t *used)
{
    const ps_embedding *e = w->e;
    uint64_t item = ps_vectors_item(e->x, row);
    size_t count = e->neighbours ? ps_neighbours_get(e->neighbours, item, w->items, w->alpha) : 0;
    uint32_t begin = *used;
    ps_real sum = 0;
    for (size_t t = 0; t < count; t++) {
        uint64_t at = ps_vectors_find(e->x, w->items[t]);
        if (at == PS_NONE && e->skip_missing)
            continue;
        if (at == PS_NONE)
            return ps_fail(PS_EMATCH, "%s: no vector for item %u, a neighbour of item %llu", e->x->table.name,
                           w->items[t], (unsigned long long)item);
        w->index[*used] = (uint32_t)at;
        w->weight[*used] = (ps_real)w->alpha[t];
        sum += w->weight[(*used)++];
    }
    uint32_t kept = *used - begin;
    for (uint32_t t = begin; t < *used; t++)
        if (e->model->shape.pooling == PS_POOL_MEAN)
            w->weight[t] = (ps_real)1 / (ps_real)kept;
        else if (kept < count)
            w->weight[t] /= sum;
    return 0;
}

static int neighbourhoods(work *w, uint64_t first, size_t n)
{
    uint32_t used = 0;
    w->off[0] = 0;
    for (size_t i = 0; i < n; i++) {
        int rc = one_neighbourhood(w, first + i, &used);
        if (rc < 0)
            return rc;
        w->off[i + 1] = used;
    }
    return 0;
}

static int block_tokens(work *w, uint64_t first, size_t n)
{
    const ps_embedding *e = w->e;
    for (size_t i = 0; i < n; i++)
        w->block_items[i] = (uint32_t)ps_vectors_item(e->x, first + i);
    return ps_token_lists_make(&w->tokens, &e->model->vocabulary, e->texts, w->net.shape.token_scale, w->block_items, n);
}

static int head(work *w, uint64_t first, size_t n, const ps_real *h)
{
    const ps_shape *s = &w->net.shape;
    load_features(w, first, n);
    int rc = s->tokens ? block_tokens(w, first, n) : 0;
    if (rc == 0)
        rc = ps_net_head(&w->net, w->e->model->param, n, h, w->x, &w->tokens, w->r, w->z, w->norm, w->beta);
    const ps_real *rows = w->z;
    if (rc == 0 && s->bias) {
        for (size_t i = 0; i < n; i++) {
            memcpy(w->row + i * (s->d + 1), w->z + i * s->d, s->d * sizeof *w->row);
            w->row[i * (s->d + 1) + s->d] = (ps_real)s->tau * w->beta[i];
        }
        rows = w->row;
    }
    return rc < 0 ? rc : w->e->sink(w->e->ctx, first, n, rows);
}

/* Layer k of one block; the last layer goes on to the head at once. */
static int layer_block(work *w, uint32_t k, uint64_t first, size_t n)
{
    const ps_shape *s = &w->net.shape;
    int rc = neighbourhoods(w, first, n);
    if (rc == 0)
        rc = ps_net_pool(&w->net, n, w->off, w->index, w->weight, w->p, w->pooled, NULL);
    if (rc == 0)
        rc = ps_net_combine(&w->net, w->e->model->param, k, n, inputs(w, k, first, n), w->pooled, w->out, w->norm);
    if (rc < 0)
        return rc;
    if (k + 1 == s->layers)
        return head(w, first, n, w->out);
    memcpy(w->h + first * s->m, w->out, n * s->m * sizeof *w->h);
    return 0;
}

static int run(work *w)
{
    uint64_t rows = w->e->x->n;
    uint32_t K = w->net.shape.layers;
    int rc = 0;
    for (uint32_t k = 0; k < K && rc == 0; k++) {
        project_all(w, k);
        for (uint64_t i = 0; i < rows && rc == 0; i += BLOCK)
            rc = layer_block(w, k, i, rows - i < BLOCK ? rows - i : BLOCK);
    }
    for (uint64_t i = 0; K == 0 && i < rows && rc == 0; i += BLOCK) {
        size_t n = rows - i < BLOCK ? rows - i : BLOCK;
        load_features(w, i, n);
        rc = head(w, i, n, w->x);
    }
    return rc;
}

static int make_room(work *w)
{
    const ps_shape *s = &w->net.shape;
    size_t rows = w->e->x->n, block = rows < BLOCK ? rows : BLOCK, T = w->e->neighbours ? w->e->neighbours->dim : 0;
    size_t lists = T && w->e->neighbours->n < block ? w->e->neighbours->n : block; /* one an item: no more than there are */
    w->p = ps_aligned(s->layers ? rows * s->m : 0, sizeof *w->p);
    w->h = ps_aligned(s->layers > 1 ? rows * s->m : 0, sizeof *w->h);
    w->x = ps_aligned(block * s->dx, sizeof *w->x);
    w->pooled = ps_aligned(block * s->m, sizeof *w->pooled);
    w->out = ps_aligned(block * s->m, sizeof *w->out);
    w->norm = ps_aligned(block, sizeof *w->norm);
    w->r = ps_aligned(block * s->m, sizeof *w->r);
    w->z = ps_aligned(block * s->d, sizeof *w->z);
    w->beta = ps_aligned(block, sizeof *w->beta);
    w->row = ps_aligned(block * (s->d + 1), sizeof *w->row);
    w->off = ps_alloc(block + 1, sizeof *w->off);
    w->index = ps_alloc(lists * T, sizeof *w->index);
    w->weight = ps_alloc(lists * T, sizeof *w->weight);
    w->items = ps_alloc(T, sizeof *w->items);
    w->alpha = ps_alloc(T, sizeof *w->alpha);
    w->block_items = ps_alloc(block, sizeof *w->block_items);
    return w->p && w->h && w->x && w->pooled && w->out && w->norm && w->r && w->z && w->beta && w->row && w->off &&
                   w->index && w->weight && w->items && w->alpha && w->block_items
               ? 0
               : PS_EMEM;
}

int ps_embed(const ps_embedding *e)
{
    if (e->x->d != e->model->shape.dx)
        return ps_fail(PS_EMATCH, "%s: vectors of %u elements, the model reads %u", e->x->table.name, e->x->d,
                       e->model->shape.dx);
    if (e->model->shape.tokens && !e->texts)
        return ps_fail(PS_EMATCH, "the model has token embeddings: it needs the items' texts");
    if (e->x->n > UINT32_MAX)
        return ps_fail(PS_EDATA, "%s: more than 2^32 vectors at once", e->x->table.name);
    work w = {.e = e};
    ps_net_init(&w.net, e->model, e->pool);
    int rc = make_room(&w);
    if (rc == 0)
        rc = run(&w);
    void *const all[] = {w.p, w.h, w.x, w.pooled, w.out, w.norm, w.r, w.z, w.beta, w.row, w.off, w.index, w.weight, w.items, w.alpha, w.block_items};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    ps_token_lists_free(&w.tokens);
    ps_net_free(&w.net);
    return rc;
}
