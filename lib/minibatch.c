#include "minibatch.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "rng.h"

enum { GATHER_ROWS = 256 };

void ps_minibatch_free(ps_minibatch *mb)
{
    free(mb->item);
    free(mb->x);
    free(mb->off);
    free(mb->index);
    free(mb->weight);
    free(mb->back_off);
    free(mb->user);
    free(mb->slot);
    free(mb->back_weight);
    free(mb->hash);
    free(mb->neighbour);
    free(mb->alpha);
    free(mb->walked);
    ps_walker_free(mb->walker);
    ps_token_lists_free(&mb->tokens);
    memset(mb, 0, sizeof *mb);
}

/* ---- renumbering ---- */

static int rehash(ps_minibatch *mb, size_t slots)
{
    uint32_t *hash = ps_zalloc(slots, sizeof *hash);
    if (!hash)
        return PS_EMEM;
    for (uint32_t i = 0; i < mb->n[0]; i++) {
        size_t at = ps_mix64(mb->item[i]) & (slots - 1);
        while (hash[at])
            at = (at + 1) & (slots - 1);
        hash[at] = i + 1;
    }
    free(mb->hash);
    mb->hash = hash;
    mb->slots = slots;
    return 0;
}

int ps_minibatch_begin(ps_minibatch *mb, const ps_shape *shape, size_t expect)
{
    size_t slots = 1024;
    while (slots < 2 * expect)
        slots *= 2;
    mb->layers = shape->layers;
    mb->dx = shape->dx;
    memset(mb->n, 0, sizeof mb->n);
    mb->tokens.items = 0;
    if (slots > mb->slots)
        return rehash(mb, slots);
    memset(mb->hash, 0, mb->slots * sizeof *mb->hash);
    return 0;
}

uint32_t ps_minibatch_find(const ps_minibatch *mb, uint32_t item)
{
    for (size_t at = ps_mix64(item) & (mb->slots - 1); mb->hash[at]; at = (at + 1) & (mb->slots - 1))
        if (mb->item[mb->hash[at] - 1] == item)
            return mb->hash[at] - 1;
    return UINT32_MAX;
}

/* While the batch grows, n[0] counts the items so far. */
int ps_minibatch_add(ps_minibatch *mb, uint32_t item, uint32_t *local)
{
    size_t at = ps_mix64(item) & (mb->slots - 1);
    for (; mb->hash[at]; at = (at + 1) & (mb->slots - 1))
        if (mb->item[mb->hash[at] - 1] == item) {
            *local = mb->hash[at] - 1;
            return 0;
        }
    if (mb->n[0] == UINT32_MAX - 1 || ps_grow(&mb->item, &mb->cap_item, mb->n[0] + 1, sizeof *mb->item) < 0)
        return PS_EMEM;
    mb->item[mb->n[0]] = item;
    *local = mb->n[0]++;
    mb->hash[at] = *local + 1;
    return 2 * (size_t)mb->n[0] > mb->slots ? rehash(mb, 2 * mb->slots) : 0;
}

/* ---- neighbours ---- */

static int grow_edges(ps_minibatch *mb, size_t need)
{
    if (ps_grow(&mb->index, &mb->cap_edge[0], need, sizeof *mb->index) < 0 ||
        ps_grow(&mb->weight, &mb->cap_edge[1], need, sizeof *mb->weight) < 0)
        return PS_EMEM;
    return 0;
}

static int ready_for_neighbours(ps_minibatch *mb, const ps_sources *from)
{
    uint32_t T = from->neighbours ? from->neighbours->dim : from->top;
    if (mb->cap_neighbours < T) {
        free(mb->neighbour);
        free(mb->alpha);
        mb->neighbour = ps_alloc(T, sizeof *mb->neighbour);
        mb->alpha = ps_alloc(T, sizeof *mb->alpha);
        mb->cap_neighbours = mb->neighbour && mb->alpha ? T : 0;
        if (!mb->cap_neighbours)
            return PS_EMEM;
    }
    if (from->batch || from->neighbours || (mb->walker && mb->walker_seed == from->walk.seed))
        return 0;
    ps_walker_free(mb->walker);
    mb->walker = ps_walker_new(from->graph, &from->walk);
    mb->walker_seed = from->walk.seed;
    return mb->walker ? 0 : PS_EMEM;
}

/* Local u gets the `count` neighbours that stand in mb->neighbour, with their weights in mb->alpha. */
static int add_neighbourhood(ps_minibatch *mb, const ps_sources *from, uint32_t u, size_t count)
{
    uint32_t begin = mb->off[u];
    if (grow_edges(mb, begin + count) < 0)
        return PS_EMEM;
    for (size_t t = 0; t < count; t++) {
        if (ps_minibatch_add(mb, mb->neighbour[t], &mb->index[begin + t]) < 0)
            return PS_EMEM;
        mb->weight[begin + t] = from->shape->pooling == PS_POOL_MEAN ? (ps_real)1 / (ps_real)count
                                                                     : (ps_real)mb->alpha[t];
    }
    mb->off[u + 1] = begin + (uint32_t)count;
    return 0;
}

typedef struct {
    ps_minibatch *mb;
    const ps_sources *from;
    uint32_t first; /* the local that the first walk is from */
} walking;

/* As ps_neighbours_put does it. */
static int take_visits(void *ctx, size_t i, const ps_visit *visits, size_t n)
{
    const walking *g = ctx;
    uint64_t sum = 0;
    for (size_t t = 0; t < n; t++)
        sum += visits[t].count;
    for (size_t t = 0; t < n; t++) {
        g->mb->neighbour[t] = visits[t].item;
        g->mb->alpha[t] = (float)((double)visits[t].count / (double)sum);
    }
    return add_neighbourhood(g->mb, g->from, g->first + (uint32_t)i, n);
}

/* Walks from locals first .. last - 1 together.  Items that only the vectors know have no neighbours, as items that a
 * table does not have. */
static int walk_neighbours(ps_minibatch *mb, const ps_sources *from, uint32_t first, uint32_t last)
{
    int rc = ps_grow(&mb->walked, &mb->cap_walked, last - first, sizeof *mb->walked);
    for (uint32_t u = first; u < last && rc == 0;) {
        uint32_t end = u;
        for (; end < last && mb->item[end] < from->graph->items.nodes; end++)
            mb->walked[end - u] = mb->item[end];
        walking g = {mb, from, u};
        if (end > u)
            rc = ps_walker_many(mb->walker, mb->walked, end - u, from->top, 1, take_visits, &g);
        else
            rc = add_neighbourhood(mb, from, end++, 0);
        u = end;
    }
    return rc;
}

/* Local u gets the neighbours that its item has in a larger batch. */
static int copy_neighbourhood(ps_minibatch *mb, const ps_sources *from, uint32_t u)
{
    const ps_minibatch *all = from->batch;
    uint32_t there = ps_minibatch_find(all, mb->item[u]), begin = all->off[there], count = all->off[there + 1] - begin;
    for (uint32_t t = 0; t < count; t++) {
        mb->neighbour[t] = all->item[all->index[begin + t]];
        mb->alpha[t] = (float)all->weight[begin + t];
    }
    return add_neighbourhood(mb, from, u, count);
}

/* Neighbours of locals first .. last - 1 become part of the batch. */
static int add_neighbours(ps_minibatch *mb, const ps_sources *from, uint32_t first, uint32_t last)
{
    int rc = 0;
    for (uint32_t u = first; from->batch && u < last && rc == 0; u++)
        rc = copy_neighbourhood(mb, from, u);
    if (from->batch)
        return rc;
    if (!from->neighbours)
        return walk_neighbours(mb, from, first, last);
    for (uint32_t u = first; u < last && rc == 0; u++)
        rc = add_neighbourhood(mb, from, u, ps_neighbours_get(from->neighbours, mb->item[u], mb->neighbour, mb->alpha));
    return rc;
}

static int add_layers(ps_minibatch *mb, const ps_sources *from)
{
    uint32_t done = 0;
    int rc = ready_for_neighbours(mb, from);
    for (uint32_t k = mb->layers; k >= 1 && rc == 0; k--) {
        uint32_t n = mb->n[0];
        mb->n[k] = n;
        rc = ps_grow(&mb->off, &mb->cap_off, (size_t)n + 1, sizeof *mb->off);
        if (rc == 0 && done == 0)
            mb->off[0] = 0;
        if (rc == 0)
            rc = add_neighbours(mb, from, done, n);
        done = n;
    }
    return rc;
}

/* Counting sort of the edges by their neighbour end: users come out ascending. */
static int turn_round(ps_minibatch *mb, int slots)
{
    uint32_t n = mb->n[0], edges = mb->off[mb->n[1]];
    if (ps_grow(&mb->back_off, &mb->cap_back[0], (size_t)n + 2, sizeof *mb->back_off) < 0 ||
        ps_grow(&mb->user, &mb->cap_back[1], edges, sizeof *mb->user) < 0 ||
        ps_grow(&mb->slot, &mb->cap_back[2], slots ? edges : 0, sizeof *mb->slot) < 0 ||
        ps_grow(&mb->back_weight, &mb->cap_back[3], edges, sizeof *mb->back_weight) < 0)
        return PS_EMEM;
    uint32_t *next = mb->back_off + 1; /* next[v]: where the next user of v goes; in the end, where v's users end */
    memset(mb->back_off, 0, ((size_t)n + 2) * sizeof *mb->back_off);
    for (uint32_t e = 0; e < edges; e++)
        next[mb->index[e] + 1]++;
    for (uint32_t v = 0; v < n; v++)
        next[v + 1] += next[v];
    for (uint32_t u = 0; u < mb->n[1]; u++)
        for (uint32_t e = mb->off[u]; e < mb->off[u + 1]; e++) {
            uint32_t to = next[mb->index[e]]++;
            mb->user[to] = u;
            if (slots)
                mb->slot[to] = e - mb->off[u];
            mb->back_weight[to] = mb->weight[e];
        }
    return 0;
}

/* ---- features ---- */

typedef struct {
    ps_minibatch *mb;
    const ps_sources *from;
} gathering;

/* Leaves out n numbers of `to` at random, 16 bits of chance each. */
static void drop(double dropout, uint64_t key, size_t n, ps_real *to)
{
    const uint64_t below = (uint64_t)(dropout * 65536);
    const ps_real scale = 1 / (1 - (ps_real)below / 65536);
    for (size_t j = 0; j < n;) {
        uint64_t bits = ps_rng(key, j);
        for (size_t end = j + 4 < n ? j + 4 : n; j < end; j++, bits >>= 16)
            to[j] = (bits & 0xffff) < below ? 0 : scale * to[j];
    }
}

int ps_minibatch_features(const ps_minibatch *mb, const ps_sources *from, size_t first, size_t end, ps_real *to)
{
    for (size_t i = first; i < end; i++, to += mb->dx) {
        uint64_t row = ps_vectors_find(from->x, mb->item[i]);
        if (row == PS_NONE)
            return ps_fail(PS_EMATCH, "%s: no vector for item %u, which the batch needs", from->x->table.name,
                           mb->item[i]);
        const float *x = ps_vectors_row(from->x, row);
        for (uint32_t j = 0; j < mb->dx; j++)
            to[j] = (ps_real)x[j];
        if (from->dropout > 0)
            drop(from->dropout, ps_rng_key(from->dropout_key, mb->item[i]), mb->dx, to);
    }
    return 0;
}

static int gather(void *ctx, size_t task, int thread)
{
    const gathering *g = ctx;
    const size_t i = task * GATHER_ROWS, end = i + GATHER_ROWS < g->mb->n[0] ? i + GATHER_ROWS : g->mb->n[0];
    (void)thread;
    return ps_minibatch_features(g->mb, g->from, i, end, g->mb->x + i * g->mb->dx);
}

/* ---- tokens ---- */

static int list_tokens(ps_minibatch *mb, const ps_sources *from, size_t n, int gradients)
{
    ps_token_lists *l = &mb->tokens;
    int rc = ps_token_lists_make(l, from->vocabulary, from->texts, from->shape->token_scale, mb->item, n);
    for (size_t i = 0; i < n && rc == 0 && from->dropout > 0; i++)
        drop(from->dropout, ps_rng_key(from->dropout_key, ~(uint64_t)mb->item[i]), l->off[i + 1] - l->off[i],
             l->weight + l->off[i]);
    return rc == 0 && gradients ? ps_token_lists_turn(l) : rc;
}

size_t ps_minibatch_bytes(size_t items, size_t edges, size_t dx, int complete)
{
    /* Number and hash; a neighbour and its weight.  Features; for the way back, an offset, a user and its weight. */
    size_t bytes = items * (4 + 4 * 4) + edges * (4 + sizeof(ps_real));
    return complete ? bytes + items * (dx * sizeof(ps_real) + 4) + edges * (4 + sizeof(ps_real)) : bytes;
}

int ps_minibatch_finish(ps_minibatch *mb, const ps_sources *from, int gradients, size_t most, ps_pool *pool)
{
    if (from->x->d != mb->dx)
        return ps_fail(PS_EMATCH, "%s: vectors of %u elements, the model reads %u", from->x->table.name, from->x->d,
                       mb->dx);
    size_t outputs = mb->n[0]; /* S_K, so far */
    int rc = mb->layers ? add_layers(mb, from) : 0;
    mb->tokens.items = 0;
    if (rc == 0 && from->texts)
        rc = list_tokens(mb, from, outputs, gradients);
    mb->complete = rc == 0 && ps_minibatch_bytes(mb->n[0], ps_minibatch_edges(mb), mb->dx, 1) <= most;
    if (!mb->complete)
        return rc;
    if (gradients && mb->layers)
        rc = turn_round(mb, from->shape->pooling == PS_POOL_MAX);
    if (rc < 0 || from->apart)
        return rc;
    rc = ps_room(&mb->x, &mb->cap_x, (size_t)mb->n[0] * mb->dx, sizeof *mb->x);
    gathering g = {mb, from};
    return rc < 0 ? rc : ps_pool_run(pool, (mb->n[0] + GATHER_ROWS - 1) / GATHER_ROWS, gather, &g);
}

int ps_minibatch_outputs(ps_minibatch *mb, const ps_sources *from)
{
    for (uint32_t k = 1; k <= mb->layers; k++)
        mb->n[k] = mb->n[0];
    mb->complete = 0;
    mb->tokens.items = 0;
    return from->texts ? list_tokens(mb, from, mb->n[0], 1) : 0;
}
