/* embed_near.c - neighbours of items as local numbers, in the order in which they are pooled. */
#include <stdlib.h>
#include <string.h>

#include "embed_parts.h"
#include "mem.h"

void ps_near_free(ps_near *near)
{
    free(near->off);
    free(near->index);
    free(near->weight);
    free(near->items);
    free(near->alpha);
    *near = (ps_near){0};
}

static uint32_t extra_of(const ps_embedder *m, uint32_t row)
{
    return row - (uint32_t)m->e.x->n;
}

size_t ps_near_most(const ps_embedder *m)
{
    size_t most = m->e.neighbours ? m->e.neighbours->dim : 0;
    const ps_new_items *x = m->extra;
    for (size_t i = 0; x && i < x->n; i++)
        most = x->off[i + 1] - x->off[i] > most ? x->off[i + 1] - x->off[i] : most;
    return most;
}

size_t ps_near_get(const ps_embedder *m, uint32_t row, uint32_t *items, float *alpha)
{
    const ps_new_items *x = m->extra;
    if (row < m->e.x->n)
        return m->e.neighbours ? ps_neighbours_get(m->e.neighbours, ps_vectors_item(m->e.x, row), items, alpha) : 0;
    uint32_t i = extra_of(m, row), at = x->off[i], n = x->off[i + 1] - at;
    if (n > 0) {
        memcpy(items, x->neighbour + at, n * sizeof *items);
        memcpy(alpha, x->weight + at, n * sizeof *alpha);
    }
    return n;
}

int ps_near_row(const ps_embedder *m, uint32_t row, uint32_t item, uint64_t *at)
{
    const ps_vectors *x = m->e.x;
    *at = ps_vectors_find(x, item);
    if (*at != PS_NONE || m->e.skip_missing)
        return 0;
    uint64_t of = row < x->n ? ps_vectors_item(x, row) : m->extra->item[extra_of(m, row)];
    return ps_fail(PS_EMATCH, "%s: no vector for item %u, a neighbour of %s %llu", x->table.name, item,
                   row < x->n ? "item" : "new item", (unsigned long long)of);
}

/* Locals ascend with item numbers. */
static void sort_near(uint32_t *index, ps_real *weight, size_t n)
{
    for (size_t gap = n / 2; gap > 0; gap /= 2)
        for (size_t i = gap; i < n; i++) {
            uint32_t key = index[i];
            ps_real w = weight[i];
            size_t j = i;
            for (; j >= gap && index[j - gap] > key; j -= gap) {
                index[j] = index[j - gap];
                weight[j] = weight[j - gap];
            }
            index[j] = key;
            weight[j] = w;
        }
}

static int add_one(const ps_embedder *m, ps_near *near, uint32_t row, uint32_t *end)
{
    const ps_need *need = &m->need;
    size_t count = ps_near_get(m, row, near->items, near->alpha);
    uint32_t begin = *end;
    ps_real sum = 0;
    for (size_t t = 0; t < count; t++) {
        uint64_t at;
        int rc = ps_near_row(m, row, near->items[t], &at);
        if (rc < 0)
            return rc;
        if (at == PS_NONE)
            continue;
        near->index[*end] = need->local ? need->local[at] : (uint32_t)at;
        near->weight[*end] = (ps_real)near->alpha[t];
        sum += near->weight[(*end)++];
    }
    uint32_t kept = *end - begin;
    for (uint32_t t = begin; t < *end; t++)
        if (m->shape.pooling == PS_POOL_MEAN)
            near->weight[t] = (ps_real)1 / (ps_real)kept;
        else if (kept < count)
            near->weight[t] /= sum;
    sort_near(near->index + begin, near->weight + begin, kept);
    return 0;
}

int ps_near_add(const ps_embedder *m, ps_near *near, const uint32_t *local, size_t n)
{
    size_t most = ps_near_most(m);
    uint32_t end = near->n ? near->off[near->n] : 0;
    if (ps_grow(&near->off, &near->off_cap, near->n + n + 1, sizeof *near->off) < 0 ||
        ps_grow(&near->items, &near->items_cap, most, sizeof *near->items) < 0 ||
        ps_grow(&near->alpha, &near->alpha_cap, most, sizeof *near->alpha) < 0)
        return PS_EMEM;
    for (size_t i = 0; i < n; i++) {
        near->off[near->n] = end;
        if (ps_grow(&near->index, &near->index_cap, end + most, sizeof *near->index) < 0 ||
            ps_grow(&near->weight, &near->weight_cap, end + most, sizeof *near->weight) < 0)
            return PS_EMEM;
        const uint32_t u = local ? local[i] : (uint32_t)i;
        int rc = add_one(m, near, m->need.row ? m->need.row[u] : u, &end);
        if (rc < 0)
            return rc;
        near->n++;
    }
    near->off[near->n] = end;
    return 0;
}
