/* embed_block.c - a block of rows through the products of a layer or of the head, by one thread. */
#include <stdlib.h>
#include <string.h>

#include "bf16.h"
#include "embed_parts.h"
#include "mem.h"
#include "net.h"
#include "vec.h"

/* ---- weights ---- */

static int take(const ps_embedder *m, ps_weights *w, size_t n, size_t k, const ps_real *from, size_t ld)
{
    *w = (ps_weights){n, k, ld, from, {0}};
    return m->e.bf16 ? 0 : m->ops->pack(&w->packed, n, k, from, ld, 0);
}

int ps_embed_weights(ps_embedder *m)
{
    const ps_shape *s = &m->shape;
    const ps_places *at = &m->e.model->at;
    const ps_real *param = m->e.model->param;
    const size_t last = s->layers ? s->m : s->dx;
    int rc = 0;
    m->ops = ps_packed_best();
    for (uint32_t k = 0; k < s->layers && rc == 0; k++) {
        size_t c = ps_layer_inputs(s, k);
        rc = take(m, &m->Q[k], s->m, c, param + at->Q[k], c);
        if (rc == 0)
            rc = take(m, &m->own[k], s->m, c, param + at->W[k], c + s->m);
        if (rc == 0)
            rc = take(m, &m->pooled[k], s->m, s->m, param + at->W[k] + c, c + s->m);
    }
    if (rc == 0)
        rc = take(m, &m->G1, s->m, last, param + at->G1, last);
    if (rc == 0)
        rc = take(m, &m->G2, s->d, s->m, param + at->G2, s->m);
    if (rc == 0 && s->bypass)
        rc = take(m, &m->G3, s->d, s->dx, param + at->G3, s->dx);
    return rc;
}

int ps_embed_rooms(ps_embedder *m)
{
    const ps_shape *s = &m->shape;
    const size_t B = m->block, wide = s->dx > s->m ? s->dx : s->m;
    m->room = ps_zalloc((size_t)m->threads, sizeof *m->room);
    if (!m->room)
        return PS_EMEM;
    for (int t = 0; t < m->threads; t++) {
        ps_embed_room *r = &m->room[t];
        r->in = ps_aligned(B * wide, sizeof *r->in);
        r->x = ps_aligned(B * s->dx, sizeof *r->x);
        r->pooled = ps_aligned(B * s->m, sizeof *r->pooled);
        r->out = ps_aligned(B * s->m, sizeof *r->out);
        r->r = ps_aligned(B * s->m, sizeof *r->r);
        r->y = ps_aligned(B * s->d, sizeof *r->y);
        r->local = ps_alloc(B, sizeof *r->local);
        r->items = ps_alloc(B, sizeof *r->items);
        if (!r->in || !r->x || !r->pooled || !r->out || !r->r || !r->y || !r->local || !r->items)
            return PS_EMEM;
    }
    return 0;
}

void ps_embed_block_free(ps_embedder *m)
{
    for (int k = 0; k < PS_LAYERS_MAX; k++) {
        ps_packed_free(&m->Q[k].packed);
        ps_packed_free(&m->own[k].packed);
        ps_packed_free(&m->pooled[k].packed);
    }
    ps_packed_free(&m->G1.packed);
    ps_packed_free(&m->G2.packed);
    ps_packed_free(&m->G3.packed);
    for (int t = 0; m->room && t < m->threads; t++) {
        ps_embed_room *r = &m->room[t];
        void *const all[] = {r->in, r->x, r->pooled, r->out, r->r, r->y, r->local, r->items};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            free(all[i]);
        ps_near_free(&r->near);
        ps_token_lists_free(&r->tokens);
    }
    free(m->room);
}

/* y [n x w->n] = x W^T, or added to it.  bf16: all rows of the block, so that the shape is always the same and with it
 * the order of every sum; x and y have them. */
static void product(const ps_embedder *m, size_t n, ps_block x, const ps_weights *w, int add, ps_real *y)
{
    if (m->e.bf16)
        ps_bf16_one(PS_N, PS_T, m->block, w->n, w->k, 1, x.at, x.ld, w->w, w->ld, add ? 1 : 0, y, w->n);
    else
        m->ops->multiply(n, x.at, x.ld, &w->packed, add, y, w->n);
}

/* ---- rows of a layer ---- */

void ps_embed_locals(const ps_embedder *m, uint32_t k, size_t first, size_t n, uint32_t *local)
{
    const uint32_t *at = m->need.set[k].at;
    for (size_t i = 0; i < n; i++)
        local[i] = at ? at[first + i] : (uint32_t)(first + i);
}

static uint32_t row_of(const ps_embedder *m, uint32_t local)
{
    return m->need.row ? m->need.row[local] : local;
}

void ps_embed_features(const ps_embedder *m, uint32_t row, ps_real *to)
{
    const ps_vectors *x = m->e.x;
    if (row >= x->n) {
        memcpy(to, m->extra->x + (row - x->n) * m->shape.dx, m->shape.dx * sizeof *to);
        return;
    }
    const float *from = ps_vectors_row(x, row);
    for (uint32_t j = 0; j < m->shape.dx; j++)
        to[j] = (ps_real)from[j];
}

static void copy_features(const ps_embedder *m, const uint32_t *local, size_t n, ps_real *to)
{
    for (size_t i = 0; i < n; i++)
        ps_embed_features(m, row_of(m, local[i]), to + i * m->shape.dx);
}

/* Where rows are handed on as they are: all in x's order, and no block to be filled up. */
static int in_place(const ps_embedder *m)
{
    return !m->need.row && !m->e.bf16;
}

/* The features of a block: where they are, if they stand there as they are needed, else in `room`. */
static ps_block features(const ps_embedder *m, const uint32_t *local, size_t n, ps_real *room)
{
#ifndef PS_DOUBLE
    size_t ld;
    if (in_place(m) && ps_vectors_stride(m->e.x, &ld))
        return (ps_block){ps_vectors_row(m->e.x, local[0]), ld};
#endif
    copy_features(m, local, n, room);
    return (ps_block){room, m->shape.dx};
}

/* What layer k reads: the features or the layer below. */
static int inputs(const ps_embedder *m, ps_embed_room *room, uint32_t k, size_t n, ps_block *in)
{
    if (k == 0) {
        *in = features(m, room->local, n, room->in);
        return 0;
    }
    *in = (ps_block){in_place(m) ? ps_hidden_at(&m->h, room->local, n) : NULL, m->shape.m};
    if (in->at)
        return 0;
    in->at = room->in;
    return ps_hidden_get(&m->h, room->local, n, room->in);
}

void ps_embed_projected(const ps_embedder *m, uint32_t k, size_t n, ps_block in, ps_real *out)
{
    product(m, n, in, &m->Q[k], 0, out);
    ps_vec()->bias_relu(n, m->shape.m, out, m->shape.m, m->e.model->param + m->e.model->at.q[k]);
}

int ps_embed_project(const ps_embedder *m, ps_embed_room *room, uint32_t k, size_t n)
{
    ps_block in;
    ps_real *p = in_place(m) ? ps_hidden_at(&m->p, room->local, n) : NULL;
    int rc = inputs(m, room, k, n, &in);
    if (rc < 0)
        return rc;
    ps_embed_projected(m, k, n, in, p ? p : room->out);
    return p ? 0 : ps_hidden_put(&m->p, room->local, n, room->out);
}

/* row = row / |row| */
static void normalize(size_t n, size_t d, ps_real *row)
{
    const ps_vec_ops *v = ps_vec();
    for (size_t i = 0; i < n; i++, row += d) {
        ps_real norm = PS_SQRT(v->dot(d, row, row));
        v->scale(d, 1 / (norm > PS_NORM_MIN ? norm : PS_NORM_MIN), row);
    }
}

void ps_embed_combined(const ps_embedder *m, uint32_t k, size_t n, ps_block in, const ps_real *pooled, ps_real *out)
{
    const size_t width = m->shape.m;
    product(m, n, in, &m->own[k], 0, out);
    product(m, n, (ps_block){pooled, width}, &m->pooled[k], 1, out);
    ps_vec()->bias_relu(n, width, out, width, m->e.model->param + m->e.model->at.w[k]);
    normalize(n, width, out);
}

static int add_tokens(const ps_embedder *m, ps_embed_room *room, const ps_sparse *texts, size_t first, size_t n)
{
    const uint32_t d = m->shape.d;
    int rc = texts ? ps_token_lists_make(&room->tokens, &m->e.model->vocabulary, texts, m->shape.token_scale,
                                         room->items + first, n)
                   : 0;
    if (texts && rc == 0)
        ps_tokens_add(&room->tokens, m->e.model->param + m->e.model->at.E, d, room->y + first * d, NULL);
    return rc;
}

int ps_embed_headed(const ps_embedder *m, ps_embed_room *room, size_t n, size_t fresh, ps_block h, ps_block x,
                    ps_real *z)
{
    const ps_shape *s = &m->shape;
    const ps_model *model = m->e.model;
    const size_t width = ps_embedding_dim(s);
    ps_real *y = room->y;
    product(m, n, h, &m->G1, 0, room->r);
    ps_vec()->bias_relu(n, s->m, room->r, s->m, model->param + model->at.g);
    product(m, n, (ps_block){room->r, s->m}, &m->G2, 0, y);
    if (s->bypass)
        product(m, n, x, &m->G3, 1, y);
    int rc = s->tokens ? add_tokens(m, room, m->e.texts, 0, n - fresh) : 0;
    if (rc == 0 && s->tokens && fresh)
        rc = add_tokens(m, room, m->extra->texts, n - fresh, fresh);
    if (s->normalize)
        normalize(n, s->d, y);
    for (size_t i = 0; i < n; i++) {
        memcpy(z + i * width, y + i * s->d, s->d * sizeof *z);
        if (s->bias)
            z[i * width + s->d] = (ps_real)s->tau * ps_vec()->dot(s->m, room->r + i * s->m, model->param + model->at.b);
    }
    return rc;
}

/* New items follow all others or are by themselves. */
static int head(const ps_embedder *m, ps_embed_room *room, size_t n, ps_real *z)
{
    const ps_vectors *v = m->e.x;
    ps_block h = {room->out, m->shape.m}, x = {0};
    size_t fresh = 0;
    if (m->shape.layers == 0 || m->shape.bypass)
        x = features(m, room->local, n, room->x);
    for (size_t i = 0; i < n && m->shape.tokens; i++) {
        uint32_t row = row_of(m, room->local[i]);
        fresh += row >= v->n;
        room->items[i] = (uint32_t)(row >= v->n ? m->extra->item[row - v->n] : ps_vectors_item(v, row));
    }
    return ps_embed_headed(m, room, n, fresh, m->shape.layers ? h : x, x, z);
}

/* Layer k + 1 of a block to `out`. */
static int combine(const ps_embedder *m, ps_embed_room *room, uint32_t k, size_t n, const ps_real *pooled, ps_real *out)
{
    ps_block in;
    int rc = inputs(m, room, k, n, &in);
    if (rc < 0)
        return rc;
    if (!pooled) {
        pooled = room->pooled;
        memset(room->pooled, 0, n * m->shape.m * sizeof *room->pooled);
        ps_embed_pool(m, &room->near, 0, n, m->p.p, 0, m->need.items, NULL, room->pooled);
    }
    ps_embed_combined(m, k, n, in, pooled, out);
    return 0;
}

int ps_embed_finish(const ps_embedder *m, ps_embed_room *room, uint32_t k, size_t n, const ps_real *pooled, ps_real *z)
{
    /* In its place only where what is read stands elsewhere. */
    ps_real *place = !z && k == 0 && in_place(m) ? ps_hidden_at(&m->h, room->local, n) : NULL;
    int rc = m->shape.layers ? combine(m, room, k, n, pooled, place ? place : room->out) : 0;
    if (rc < 0 || place)
        return rc;
    return z ? head(m, room, n, z) : ps_hidden_put(&m->h, room->local, n, room->out);
}

/* ---- pooling ---- */

/* Into the cache, before they are added: the rows are anywhere in memory. */
static void fetch(const ps_real *p, size_t width, const uint32_t *index, size_t n)
{
    const size_t line = 64 / sizeof *p;
    for (size_t t = 0; t < n; t++)
        for (size_t j = 0; j < width; j += line)
            __builtin_prefetch(p + index[t] * width + j, 0, 2);
}

void ps_embed_pool(const ps_embedder *m, const ps_near *near, size_t begin, size_t n, const ps_real *p, size_t first,
                   size_t rows, uint32_t *at, ps_real *out)
{
    enum { AHEAD = 6 }; /* items, of which few have a row among these */
    const size_t width = m->shape.m;
    p -= first * width;
    for (size_t i = 0; i < n; i++, out += width) {
        uint32_t from = at ? at[i] : near->off[begin + i], to = from, end = near->off[begin + i + 1];
        const size_t next = i + (at ? AHEAD : 1);
        if (next < n && at && at[next] < near->off[begin + next + 1] && near->index[at[next]] < first + rows) {
            fetch(p, width, near->index + at[next], 1);
            fetch(out, width, &(uint32_t){AHEAD}, 1);
        } else if (next < n && !at) {
            fetch(p, width, near->index + near->off[begin + next],
                  near->off[begin + next + 1] - near->off[begin + next]);
        }
        while (to < end && near->index[to] < first + rows)
            to++;
        if (from == to)
            continue;
        if (m->shape.pooling == PS_POOL_MAX)
            m->ops->pool_max(width, to - from, near->index + from, p, width, out);
        else
            m->ops->pool_sum(width, to - from, near->index + from, near->weight + from, p, width, out);
        if (at)
            at[i] = to;
    }
}
