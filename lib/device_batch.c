#include "device_batch.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

/* Bytes that a thread packs, and that are sent at a time. */
enum { ALIGN = 256, PIECES_MAX = 40, CHUNK = 1 << 20, PART = 64 << 20 };

int ps_device_room_for(ps_device *dev, ps_device_room *room, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return ps_fail(PS_EMEM, "%s: out of memory: %zu elements of %zu bytes", dev->name, count, size);
    if (bytes <= room->bytes && room->p)
        return 0;
    dev->ops->release(dev, room->p, room->bytes);
    bytes += bytes / 8; /* batches differ a little */
    room->p = dev->ops->alloc(dev, bytes);
    room->bytes = room->p ? bytes : 0;
    return room->p ? 0 : PS_EMEM;
}

void ps_device_room_free(ps_device *dev, ps_device_room *room)
{
    dev->ops->release(dev, room->p, room->bytes);
    *room = (ps_device_room){0};
}

void ps_device_slot_init(ps_device_slot *s, ps_device *dev, int slot)
{
    *s = (ps_device_slot){.dev = dev, .slot = slot, .part = PART};
}

void ps_device_slot_free(ps_device_slot *s)
{
    if (!s->dev)
        return;
    s->dev->ops->release_pinned(s->dev, s->pinned);
    ps_device_room_free(s->dev, &s->room);
    for (size_t i = 0; i < sizeof s->made / sizeof *s->made; i++)
        free(s->made[i]);
    memset(s, 0, sizeof *s);
}

/* ---- the lists that only a device needs ---- */

enum { KNOWN_OFF, KNOWN, USE_OFF, USE, TOKEN_OFF, TOKEN_BACK_OFF };

static int make_room(ps_device_slot *s, int list, size_t n)
{
    return ps_grow(&s->made[list], &s->made_cap[list], n, sizeof **s->made);
}

static int list_known(ps_device_slot *s, const ps_loss_batch *b, const ps_known *known)
{
    if (make_room(s, KNOWN_OFF, (size_t)b->pairs + 1) < 0)
        return PS_EMEM;
    uint32_t *off = s->made[KNOWN_OFF];
    off[0] = 0;
    for (uint32_t j = 0; j < b->pairs; j++) {
        uint64_t q = b->query[j], first = known && q < known->items ? known->off[q] : 0;
        uint64_t count = known && q < known->items ? known->off[q + 1] - first : 0;
        if (count > UINT32_MAX - off[j])
            return ps_fail(PS_EDATA, "more than 2^32 known positives in a batch");
        if (make_room(s, KNOWN, off[j] + count) < 0)
            return PS_EMEM;
        for (uint64_t i = 0; i < count; i++)
            s->made[KNOWN][off[j] + i] = ps_known_at(known, first + i);
        off[j + 1] = off[j] + (uint32_t)count;
    }
    return 0;
}

/* By row of z, in the order of queries, positives, negatives, hard ones: what sums must keep. */
static int list_uses(ps_device_slot *s, const ps_loss_batch *b, uint32_t rows)
{
    const uint32_t *row[4] = {b->query_row, b->positive_row, b->negative_row, b->hard_row};
    const size_t count[4] = {b->pairs, b->pairs, b->negatives, (size_t)b->pairs * b->hard};
    size_t all = count[0] + count[1] + count[2] + count[3];
    if (all >= 1u << PS_USE_SHIFT)
        return ps_fail(PS_EDATA, "a batch of %zu queries, positives and negatives is too large for a device", all);
    if (make_room(s, USE_OFF, (size_t)rows + 2) < 0 || make_room(s, USE, all) < 0)
        return PS_EMEM;
    uint32_t *next = s->made[USE_OFF] + 1; /* in the end, where a row's uses end */
    memset(s->made[USE_OFF], 0, ((size_t)rows + 2) * sizeof *next);
    for (int kind = 0; kind < 4; kind++)
        for (size_t i = 0; i < count[kind]; i++)
            next[row[kind][i] + 1]++;
    for (uint32_t u = 0; u < rows; u++)
        next[u + 1] += next[u];
    for (uint32_t kind = 0; kind < 4; kind++)
        for (size_t i = 0; i < count[kind]; i++)
            s->made[USE][next[row[kind][i]]++] = kind << PS_USE_SHIFT | (uint32_t)i;
    return 0;
}

/* size_t offsets in 32 bits. */
static int narrow(ps_device_slot *s, int list, const size_t *off, size_t n)
{
    if (n && off[n] > UINT32_MAX)
        return ps_fail(PS_EDATA, "more than 2^32 tokens in a batch");
    if (make_room(s, list, n + 1) < 0)
        return PS_EMEM;
    s->made[list][0] = 0;
    for (size_t i = 0; i < n; i++)
        s->made[list][i + 1] = (uint32_t)off[i + 1];
    return 0;
}

static int make_lists(ps_device_slot *s, const ps_minibatch *mb, const ps_minibatch *outputs, const ps_loss_batch *b,
                      const ps_known *known)
{
    const ps_token_lists *all = &outputs->tokens;
    int rc = narrow(s, TOKEN_OFF, mb->tokens.off, mb->tokens.items);
    if (rc == 0)
        rc = narrow(s, TOKEN_BACK_OFF, all->back_off, b && all->items ? all->rows : 0);
    if (rc == 0 && b)
        rc = list_known(s, b, known);
    if (rc == 0 && b)
        rc = list_uses(s, b, outputs->n[outputs->layers]);
    return rc;
}

/* ---- packing ---- */

typedef struct {
    const void *from;
    size_t bytes;
    void *to; /* the pointer in ps_device_batch, of whatever type */
} piece;

typedef struct {
    int n;
    piece piece[PIECES_MAX];
} packing;

static void add(packing *p, void *to, const void *from, size_t count, size_t size)
{
    p->piece[p->n++] = (piece){from, count * size, to};
}

static void add_words(packing *p, uint32_t **to, const uint32_t *from, size_t count)
{
    add(p, to, from, count, sizeof *from);
}

static void add_reals(packing *p, ps_real **to, const ps_real *from, size_t count)
{
    add(p, to, from, count, sizeof *from);
}

static void list_minibatch(packing *p, ps_device_batch *at, const ps_minibatch *mb, int back)
{
    int any = mb->layers && mb->n[0]; /* a share may be of nothing */
    size_t edges = any ? mb->off[mb->n[1]] : 0, users = any ? (size_t)mb->n[1] + 1 : 0;
    size_t below = back && any ? (size_t)mb->n[0] + 1 : 0, edges_back = back ? edges : 0;
    add_words(p, &at->off, mb->off, users);
    add_words(p, &at->index, mb->index, edges);
    add_reals(p, &at->weight, mb->weight, edges);
    add_words(p, &at->back_off, mb->back_off, below);
    add_words(p, &at->user, mb->user, edges_back);
    add_words(p, &at->slot, mb->slot, mb->slot ? edges_back : 0); /* max pooling only */
    add_reals(p, &at->back_weight, mb->back_weight, edges_back);
}

/* t: of the items that are embedded here; all: of those that the step is taken for, NULL without one. */
static void list_tokens(packing *p, ps_device_slot *s, const ps_token_lists *t, const ps_token_lists *all)
{
    ps_device_batch *at = &s->at;
    size_t n = t->items ? t->off[t->items] : 0, n_back = all && all->items ? all->off[all->items] : 0;
    at->token_items = t->items;
    at->token_rows = all && all->items ? all->rows : 0;
    add_words(p, &at->token_off, s->made[TOKEN_OFF], at->token_items + 1);
    add_words(p, &at->token_row, t->row, n);
    add_reals(p, &at->token_weight, t->weight, n);
    add_words(p, &at->touched, all ? all->touched : NULL, at->token_rows);
    add_words(p, &at->token_back_off, s->made[TOKEN_BACK_OFF], at->token_rows + 1);
    add_words(p, &at->token_user, all ? all->user : NULL, n_back);
    add_reals(p, &at->token_back_weight, all ? all->back_weight : NULL, n_back);
}

static void list_loss(packing *p, ps_device_slot *s, const ps_loss_batch *b, uint32_t rows)
{
    ps_device_batch *at = &s->at;
    size_t B = at->pairs = b->pairs, N = at->negatives = b->negatives, hard = B * b->hard;
    at->hard = b->hard;
    at->weight_sum = 0;
    for (size_t j = 0; j < B; j++)
        at->weight_sum += (double)b->weight[j];
    add_words(p, &at->query, b->query, B);
    add_words(p, &at->positive, b->positive, B);
    add_words(p, &at->negative, b->negative, N);
    add_words(p, &at->hard_item, b->hard_item, hard);
    add_words(p, &at->query_row, b->query_row, B);
    add_words(p, &at->positive_row, b->positive_row, B);
    add_words(p, &at->negative_row, b->negative_row, N);
    add_words(p, &at->hard_row, b->hard_row, hard);
    add(p, &at->pair_weight, b->weight, B, sizeof *b->weight);
    add_reals(p, &at->log_bq, b->log_bq, b->log_bq ? B : 0);
    add_reals(p, &at->log_np, b->log_np, b->log_np ? N : 0);
    add_words(p, &at->known_off, s->made[KNOWN_OFF], B + 1);
    add_words(p, &at->known, s->made[KNOWN], s->made[KNOWN_OFF][B]);
    add_words(p, &at->use_off, s->made[USE_OFF], (size_t)rows + 1);
    add_words(p, &at->use, s->made[USE], s->made[USE_OFF][rows]);
}

static size_t aligned(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static int room_for(ps_device_slot *s, size_t bytes)
{
    if (bytes > s->pinned_bytes) {
        s->dev->ops->release_pinned(s->dev, s->pinned);
        s->pinned_bytes = bytes + bytes / 8;
        if (!(s->pinned = s->dev->ops->alloc_pinned(s->dev, s->pinned_bytes))) {
            s->pinned_bytes = 0;
            return PS_EMEM;
        }
    }
    return ps_device_room_for(s->dev, &s->room, bytes, 1);
}

typedef struct {
    const packing *p;
    char *to;
} copying;

/* Bytes task x CHUNK .. of what is packed, whatever pieces they are of. */
static int copy_task(void *ctx, size_t task, int thread)
{
    const copying *c = ctx;
    size_t first = task * CHUNK, end = first + CHUNK, at = 0;
    (void)thread;
    for (int i = 0; i < c->p->n && at < end; i++) {
        const piece *from = &c->p->piece[i];
        size_t low = at > first ? at : first, high = at + from->bytes < end ? at + from->bytes : end;
        if (low < high)
            memcpy(c->to + low, (const char *)from->from + (low - at), high - low);
        at += aligned(from->bytes);
    }
    return 0;
}

typedef struct {
    const ps_device_features *x;
    size_t dx, first, end, at_once; /* rows */
    ps_real *pinned;
} gathering;

static int gather_task(void *ctx, size_t task, int thread)
{
    const gathering *g = ctx;
    size_t i = g->first + task * g->at_once, end = i + g->at_once < g->end ? i + g->at_once : g->end;
    (void)thread;
    return g->x->rows(g->x->ctx, i, end, g->pinned + i * g->dx);
}

static int send_features(ps_device_slot *s, const ps_device_features *x, size_t rows, size_t dx, ps_pool *pool)
{
    const size_t bytes = dx * sizeof(ps_real), at_once = bytes < CHUNK ? CHUNK / bytes : 1,
                 part = bytes < s->part ? s->part / bytes : 1;
    int rc = 0;
    for (size_t first = 0, end; first < rows && rc == 0; first = end) {
        end = first + part < rows ? first + part : rows;
        gathering g = {x, dx, first, end, at_once, s->pinned};
        rc = ps_pool_run(pool, (end - first + at_once - 1) / at_once, gather_task, &g);
        if (rc == 0)
            s->dev->ops->upload(s->dev, (char *)s->room.p + first * bytes, (char *)s->pinned + first * bytes,
                                (end - first) * bytes);
    }
    return rc;
}

static int send(ps_device_slot *s, const packing *p, const ps_device_features *x, const ps_minibatch *mb, ps_pool *pool)
{
    const size_t features = aligned((size_t)mb->n[0] * mb->dx * sizeof(ps_real));
    size_t rest = 0;
    for (int i = 0; i < p->n; i++)
        rest += aligned(p->piece[i].bytes);
    s->dev->ops->stage_begin(s->dev, s->slot);
    int rc = room_for(s, features + rest);
    if (rc == 0)
        rc = send_features(s, x, mb->n[0], mb->dx, pool);
    copying c = {p, (char *)s->pinned + features};
    if (rc == 0)
        rc = ps_pool_run(pool, (rest + CHUNK - 1) / CHUNK, copy_task, &c);
    if (rc < 0)
        return rc;
    char *there = s->room.p;
    s->at.x = s->room.p;
    there += features;
    s->dev->ops->upload(s->dev, there, c.to, rest);
    for (int i = 0; i < p->n; i++) {
        memcpy(p->piece[i].to, &there, sizeof there);
        there += aligned(p->piece[i].bytes);
    }
    s->dev->ops->stage_end(s->dev, s->slot);
    return 0;
}

/* Of a batch that has them. */
static int own_rows(void *ctx, size_t first, size_t end, ps_real *to)
{
    const ps_minibatch *mb = ctx;
    memcpy(to, mb->x + first * mb->dx, (end - first) * mb->dx * sizeof *to);
    return 0;
}

int ps_device_slot_fill(ps_device_slot *s, const ps_minibatch *mb, const ps_minibatch *outputs,
                        const ps_loss_batch *loss, const ps_known *known, const ps_device_features *x, ps_pool *pool)
{
    const ps_device_features own = {own_rows, (void *)mb};
    packing p = {0};
    int rc = make_lists(s, mb, outputs, loss, known);
    if (rc < 0)
        return rc;
    memcpy(s->at.n, mb->n, sizeof s->at.n);
    s->at.rows = outputs->n[outputs->layers];
    list_minibatch(&p, &s->at, mb, loss != NULL);
    list_tokens(&p, s, &mb->tokens, loss ? &outputs->tokens : NULL);
    if (loss)
        list_loss(&p, s, loss, s->at.rows);
    return send(s, &p, x ? x : &own, mb, pool);
}
