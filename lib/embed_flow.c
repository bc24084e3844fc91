#include "embed_flow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "embed_parts.h"
#include "mem.h"
#include "rng.h"
#include "sort.h"
#include "tool.h"
#include "vectors.h"

enum { MANY = 256 };                 /* records read at a time */
enum { PRESENT, MISSING, SUMS };     /* numbers of a sum: two weights, then the m of p */
static const double grid = 0x1.8p20; /* added and taken away again, it rounds to a multiple of 2^-32 */
static const double largest = 0x1p16;

/* ---- a stream record by record ---- */

typedef struct {
    ps_reader *r;
    const ps_head *head;
    const uint8_t *p;
    long left;
    uint64_t item, number; /* of this record */
    int begun, ended;
    int ascends; /* 1: items must not descend; 2: each once */
} cursor;

static cursor cursor_on(ps_reader *r, int ascends)
{
    return (cursor){.r = r, .head = ps_reader_head(r), .ascends = ascends};
}

/* 1; 0 at the end. */
static int advance(cursor *c)
{
    const uint64_t last = c->item;
    if (c->left > 0)
        c->p += c->head->size;
    else if ((c->left = ps_reader_next(c->r, &c->p, MANY)) <= 0)
        return c->ended = 1, (int)c->left;
    c->left--;
    c->item = ps_num(c->p, c->head->width);
    c->number += (uint64_t)c->begun;
    if (c->begun && c->ascends && (c->item < last || (c->item == last && c->ascends == 2)))
        return ps_fail(PS_EDATA, "%s: record %llu: item %llu after %llu: not in order (psview --raw -S sorts)",
                       ps_reader_name(c->r), (unsigned long long)c->number, (unsigned long long)c->item,
                       (unsigned long long)last);
    c->begun = 1;
    return 1;
}

static int vector_of(const cursor *c, ps_real *to)
{
    const ps_head *h = c->head;
    const size_t elem = ps_elem_size(h->elem);
    for (uint32_t j = 0; j < h->dim; j++) {
        float v = ps_elem_get(c->p + h->width + j * elem, h->elem, h->scale);
        if (!isfinite(v))
            return ps_fail(PS_EDATA, "%s: record %llu, element %u is not finite", ps_reader_name(c->r),
                           (unsigned long long)c->number, j);
        to[j] = (ps_real)v;
    }
    return 0;
}

static int check_vectors(const ps_reader *r, uint32_t dim, int flags)
{
    const ps_head *h = ps_reader_head(r);
    if ((h->flags & PS_FLAG_SUMS) != flags)
        return ps_fail(PS_EKIND, "%s: %s", ps_reader_name(r),
                       flags ? "sums (of --scatter) are needed here" : "holds sums, but vectors are needed here");
    return h->dim == dim ? 0
                         : ps_fail(PS_EMATCH, "%s: vectors of %u elements, but %u are needed here", ps_reader_name(r),
                                   h->dim, dim);
}

/* ---- invert ---- */

int ps_embed_invert(ps_reader *near, ps_out *out)
{
    cursor c = cursor_on(near, 0);
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
    while (rc == 0 && (rc = advance(&c)) > 0) {
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

/* Vectors of layer k of the items of `from`. */
static int layer_head(ps_head *head, const ps_embedding *e, const ps_head *from, const char *what, uint32_t k)
{
    *head = ps_head_make(PS_VECTORS, e->model->shape.m);
    head->width = from->width;
    head->qspace = from->qspace;
    head->graph = from->graph;
    int rc = ps_head_size(head);
    if (rc == 0)
        rc = ps_head_inherit(head, from);
    return rc < 0 ? rc
                  : ps_head_note(head, "psembed %s %s=%u model=%08x%s", PS_VERSION, what, k, e->model->crc,
                                 e->bf16 ? " bf16" : "");
}

/* Up to a block of vectors into room->in, their items into `items`. */
static long take_block(cursor *c, const ps_embedder *m, uint64_t *items)
{
    ps_embed_room *room = m->room;
    size_t n = 0;
    int rc = 0;
    while (n < m->block && (rc = advance(c)) > 0) {
        items[n] = c->item;
        rc = vector_of(c, room->in + n++ * c->head->dim);
        if (rc < 0)
            break;
    }
    return rc < 0 ? rc : (long)n;
}

int ps_embed_project_flow(const ps_embedding *e, ps_reader *vectors, uint32_t k, ps_out *out)
{
    cursor c = cursor_on(vectors, 0);
    ps_head head = {0};
    ps_embed_out to = {.held = {.fd = -1}};
    ps_embedder *m = ps_embedder_bare(e);
    uint64_t *items = m ? ps_alloc(m->block, sizeof *items) : NULL;
    int rc = items ? check_vectors(vectors, ps_layer_inputs(&e->model->shape, k - 1), 0) : PS_EMEM;
    long n = 0;
    if (rc == 0)
        rc = layer_head(&head, e, c.head, "project", k);
    if (rc == 0)
        rc = ps_embed_out_open(&to, out, &head, e->dir);
    while (rc == 0 && (n = take_block(&c, m, items)) > 0) {
        ps_embed_projected(m, m->room, k - 1, (size_t)n);
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

/* ---- sums ---- */

/* What an item's neighbours come to; numbers: SUMS + m. */
static void add_sum(double *to, const double *from, size_t m, int max)
{
    to[PRESENT] += from[PRESENT];
    to[MISSING] += from[MISSING];
    for (size_t j = SUMS; j < SUMS + m; j++)
        to[j] = !max ? to[j] + from[j] : from[j] > to[j] ? from[j] : to[j];
}

static void read_sum(const cursor *c, double *numbers)
{
    const uint8_t *p = c->p + c->head->width;
    for (uint32_t j = 0; j < c->head->dim / 2; j++, p += 8)
        numbers[j] = (double)ps_getf32(p) + (double)ps_getf32(p + 4);
}

static int write_sum(const ps_head *head, ps_writer *w, uint8_t *record, uint64_t item, const double *numbers)
{
    uint8_t *p = record + head->width;
    ps_put_num(record, head->width, item);
    for (uint32_t j = 0; j < head->dim / 2; j++, p += 8) {
        if (!(numbers[j] < largest))
            return ps_fail(PS_EDATA,
                           "item %llu: a sum of projections is %g, and must be below %g: scale the features down",
                           (unsigned long long)item, numbers[j], largest);
        float high = (float)numbers[j];
        ps_putf32(p, high);
        ps_putf32(p + 4, (float)(numbers[j] - (double)high));
    }
    return ps_writer_put(w, record, 1);
}

/* ---- scatter ---- */

typedef struct {
    const ps_embedding *e;
    ps_head head;
    size_t m, numbers;
    ps_real *p;     /* the projection at hand */
    uint64_t *slot; /* a hash: place + 1 of an item's sum, 0: none */
    size_t slots, n, most;
    uint64_t *item; /* of the sums in memory */
    double *sum;
    ps_sort *filed; /* sums that went out of memory: item, numbers */
    uint8_t *record;
    ps_writer *writer;
} scatter;

static void filed_key(const void *ctx, const uint8_t *record, uint64_t key[2])
{
    (void)ctx;
    memcpy(key, record, sizeof *key);
    key[1] = 0;
}

static int by_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* All sums in memory, ascending, to the output or (more = 1) to the files; none is left. */
static int empty(scatter *s, int more)
{
    uint64_t(*order)[2] = ps_alloc(s->n, sizeof *order);
    const size_t bytes = s->numbers * sizeof *s->sum;
    int rc = order ? 0 : PS_EMEM;
    if (rc == 0 && more && !s->filed &&
        !(s->filed = ps_sort_new(sizeof **order + bytes, filed_key, NULL, s->e->memory / 2, s->e->dir)))
        rc = PS_EMEM;
    for (size_t i = 0; i < s->n && rc == 0; i++) {
        order[i][0] = s->item[i];
        order[i][1] = i;
    }
    if (rc == 0)
        qsort(order, s->n, sizeof *order, by_first);
    for (size_t i = 0; i < s->n && rc == 0; i++) {
        const double *sum = s->sum + order[i][1] * s->numbers;
        if (!more) {
            rc = write_sum(&s->head, s->writer, s->record, order[i][0], sum);
            continue;
        }
        memcpy(s->record, order[i], sizeof **order);
        memcpy(s->record + sizeof **order, sum, bytes);
        rc = ps_sort_put(s->filed, s->record);
    }
    free(order);
    s->n = 0;
    memset(s->slot, 0, s->slots * sizeof *s->slot);
    return rc;
}

static int sum_of(scatter *s, uint64_t item, double **sum)
{
    int rc = s->n == s->most ? empty(s, 1) : 0;
    uint64_t at = ps_mix64(item) & (s->slots - 1);
    for (; s->slot[at] && s->item[s->slot[at] - 1] != item; at = (at + 1) & (s->slots - 1))
        ;
    if (!s->slot[at]) {
        s->slot[at] = s->n + 1;
        s->item[s->n] = item;
        memset(s->sum + s->n * s->numbers, 0, s->numbers * sizeof *s->sum);
        s->n++;
    }
    *sum = s->sum + (s->slot[at] - 1) * s->numbers;
    return rc;
}

/* One pair, whose neighbour's p is at hand or missing. */
static int add_pair(scatter *s, const cursor *pair, int present)
{
    const int w = pair->head->width;
    const ps_pooling pooling = s->e->model->shape.pooling;
    const double weight = pooling == PS_POOL_IMPORTANCE ? (double)ps_getf32(pair->p + 2 * w) : 1;
    uint64_t item = ps_num(pair->p + w, w);
    double *sum;
    if (!present && !s->e->skip_missing)
        return ps_fail(PS_EMATCH, "no vector for item %llu, a neighbour of item %llu", (unsigned long long)pair->item,
                       (unsigned long long)item);
    int rc = sum_of(s, item, &sum);
    if (rc < 0)
        return rc;
    sum[present ? PRESENT : MISSING] += (weight + grid) - grid;
    for (size_t j = 0; j < s->m && present; j++) {
        double v = (double)s->p[j], *to = &sum[SUMS + j];
        if (!(v < largest))
            return ps_fail(PS_EDATA,
                           "item %llu: its projection has the element %g, and must be below %g: scale the features "
                           "down",
                           (unsigned long long)pair->item, v, largest);
        if (pooling == PS_POOL_MAX)
            *to = v > *to ? v : *to;
        else
            *to += (weight * v + grid) - grid;
    }
    return 0;
}

/* To the end mark, which vouches for what was read. */
static int drain(cursor *c)
{
    int rc = 0;
    while (!c->ended && rc >= 0)
        rc = advance(c);
    return rc < 0 ? rc : 0;
}

/* Both streams side by side. */
static int join(scatter *s, cursor *p, cursor *pair)
{
    uint64_t at_hand = PS_NONE;
    int rc = advance(p), more = 0;
    while (rc >= 0 && (more = advance(pair)) > 0) {
        while (rc >= 0 && !p->ended && p->item < pair->item)
            rc = advance(p);
        const int present = !p->ended && p->item == pair->item;
        if (rc >= 0 && present && at_hand != p->item) {
            at_hand = p->item;
            rc = vector_of(p, s->p);
        }
        if (rc >= 0)
            rc = add_pair(s, pair, present);
    }
    return rc < 0 ? rc : more < 0 ? more : drain(p);
}

static int merge_filed(scatter *s)
{
    const uint8_t *record;
    double *sum = s->sum, *next = s->sum + s->numbers;
    uint64_t item = PS_NONE, is;
    int rc = empty(s, 1), more = 0;
    if (rc == 0)
        rc = ps_sort_end(s->filed);
    while (rc == 0 && (more = ps_sort_next(s->filed, &record)) > 0) {
        memcpy(&is, record, sizeof is);
        memcpy(next, record + sizeof is, s->numbers * sizeof *next);
        if (is == item) {
            add_sum(sum, next, s->m, s->e->model->shape.pooling == PS_POOL_MAX);
            continue;
        }
        if (item != PS_NONE)
            rc = write_sum(&s->head, s->writer, s->record, item, sum);
        item = is;
        memcpy(sum, next, s->numbers * sizeof *sum);
    }
    if (rc == 0 && more == 0 && item != PS_NONE)
        rc = write_sum(&s->head, s->writer, s->record, item, sum);
    return rc < 0 ? rc : more;
}

static int scatter_room(scatter *s, const ps_head *pairs, ps_out *out)
{
    const size_t bytes = s->numbers * sizeof *s->sum;
    s->most = s->e->memory / 2 / (bytes + 32) + 2;
    if (s->most > UINT32_MAX / 4)
        s->most = UINT32_MAX / 4;
    for (s->slots = 16; s->slots < 2 * s->most; s->slots *= 2)
        ;
    s->slot = ps_zalloc(s->slots, sizeof *s->slot);
    s->item = ps_alloc(s->most, sizeof *s->item);
    s->sum = ps_alloc(s->most, bytes);
    s->p = ps_alloc(s->m, sizeof *s->p);
    s->record = ps_alloc(s->head.size + sizeof *s->item + bytes, 1);
    if (!s->slot || !s->item || !s->sum || !s->p || !s->record)
        return PS_EMEM;
    s->head.width = pairs->width;
    s->head.qspace = pairs->nspace;
    s->head.dim = (uint32_t)(2 * s->numbers);
    s->head.flags = PS_FLAG_SUMS;
    int rc = ps_head_size(&s->head);
    if (rc == 0)
        s->writer = ps_writer_new(out, &s->head);
    return s->writer ? 0 : rc < 0 ? rc : PS_ESYS;
}

int ps_embed_scatter(const ps_embedding *e, ps_reader *p, ps_reader *pairs, ps_out *out)
{
    scatter s = {.e = e, .m = e->model->shape.m, .numbers = SUMS + e->model->shape.m};
    cursor of = cursor_on(p, 2), pair = cursor_on(pairs, 1);
    int rc = check_vectors(p, e->model->shape.m, 0);
    if (rc == 0)
        rc = ps_head_match(pair.head, ps_reader_name(pairs), of.head->graph);
    if (rc == 0)
        rc = layer_head(&s.head, e, of.head, "scatter", 0);
    if (rc == 0)
        rc = scatter_room(&s, pair.head, out);
    if (rc == 0)
        rc = join(&s, &of, &pair);
    if (rc == 0)
        rc = s.filed ? merge_filed(&s) : empty(&s, 0);
    if (rc == 0)
        rc = ps_writer_close(s.writer);
    else
        ps_writer_abort(s.writer);
    ps_sort_free(s.filed);
    ps_head_free(&s.head);
    void *const all[] = {s.slot, s.item, s.sum, s.p, s.record};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    return rc;
}

/* ---- gather ---- */

int ps_embed_gather_head(ps_head *head, const ps_embedding *e, const ps_head *own, uint32_t k,
                         const ps_embed_form *form)
{
    return k == e->model->shape.layers ? ps_embed_head_make(head, e->model, own, form)
                                       : layer_head(head, e, own, "gather", k);
}

/* The sums of `item`, put together, as a pooled vector; sums->item is behind it then. */
static int pooled_of(const ps_shape *s, cursor *sums, uint64_t item, double *sum, double *next, ps_real *pooled)
{
    int rc = 1;
    memset(sum, 0, (SUMS + s->m) * sizeof *sum);
    for (; rc > 0 && !sums->ended && sums->item == item; rc = advance(sums)) {
        read_sum(sums, next);
        add_sum(sum, next, s->m, s->pooling == PS_POOL_MAX);
    }
    if (rc >= 0 && !sums->ended && sums->item < item)
        rc = ps_fail(PS_EMATCH, "%s: record %llu: sums of item %llu, which has no vector", ps_reader_name(sums->r),
                     (unsigned long long)sums->number, (unsigned long long)sums->item);
    const int scaled = s->pooling == PS_POOL_MEAN || (s->pooling == PS_POOL_IMPORTANCE && sum[MISSING] > 0);
    for (size_t j = 0; j < s->m; j++)
        pooled[j] = (ps_real)(scaled && sum[PRESENT] > 0 ? sum[SUMS + j] / sum[PRESENT] : sum[SUMS + j]);
    return rc < 0 ? rc : 0;
}

static int features_of(cursor *c, uint64_t item, ps_real *to)
{
    int rc = 1;
    while (rc > 0 && (!c->begun || c->item < item))
        rc = advance(c);
    if (rc < 0)
        return rc;
    return !c->ended && c->item == item
               ? vector_of(c, to)
               : ps_fail(PS_EMATCH, "%s: no vector for item %llu", ps_reader_name(c->r), (unsigned long long)item);
}

typedef struct {
    ps_embedder *m;
    cursor sums, own, features;
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
    if (g->last && s->bypass && !g->features.r)
        memcpy(room->x, room->in, n * s->dx * sizeof *room->x);
    ps_embed_combined(m, room, g->k - 1, n, room->pooled);
    if (g->last) {
        rc = ps_embed_headed(m, room, n, 0, g->z);
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
    const size_t numbers = SUMS + s->m;
    gather g = {
        .m = ps_embedder_bare(e), .sums = cursor_on(sums, 1), .own = cursor_on(own, 2), .k = k, .last = k == s->layers};
    if (features)
        g.features = cursor_on(features, 2);
    g.items = g.m ? ps_alloc(g.m->block, sizeof *g.items) : NULL;
    g.sum = ps_alloc(2 * numbers, sizeof *g.sum);
    g.z = g.m ? ps_alloc(g.m->block * ps_embedding_dim(s), sizeof *g.z) : NULL;
    int rc = g.items && g.sum && g.z ? check_vectors(own, ps_layer_inputs(s, k - 1), 0) : PS_EMEM;
    long n = 0;
    g.next = g.sum + numbers;
    if (rc == 0)
        rc = check_vectors(sums, (uint32_t)(2 * numbers), PS_FLAG_SUMS);
    if (rc == 0 && features)
        rc = check_vectors(features, s->dx, 0);
    if (rc == 0)
        rc = advance(&g.sums) < 0 ? PS_EDATA : 0;
    while (rc == 0 && (n = take_block(&g.own, g.m, g.items)) > 0)
        rc = gather_block(&g, (size_t)n, to);
    rc = rc < 0 ? rc : (int)n;
    if (rc == 0 && !g.sums.ended)
        rc = ps_fail(PS_EMATCH, "%s: record %llu: sums of item %llu, which has no vector", ps_reader_name(sums),
                     (unsigned long long)g.sums.number, (unsigned long long)g.sums.item);
    if (rc == 0 && features)
        rc = drain(&g.features);
    ps_embedder_free(g.m);
    free(g.items);
    free(g.sum);
    free(g.z);
    return rc;
}
