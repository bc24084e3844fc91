/* embed_need.c - which items each layer needs: S_(k-1) is S_k and its neighbours (paper, Algorithm 2). */
#include <stdlib.h>
#include <string.h>

#include "embed_parts.h"
#include "mem.h"

enum { SEEN = 1 }; /* in need->local, before it has local numbers: seen; UINT32_MAX: not */

void ps_need_free(ps_need *need)
{
    free(need->row);
    free(need->local);
    free(need->key);
    for (int k = 0; k <= PS_LAYERS_MAX; k++)
        free(need->set[k].at);
    *need = (ps_need){0};
}

/* A row and the largest k whose S_k it is in. */
static int add(ps_need *need, uint32_t row)
{
    if (ps_grow(&need->row, &need->row_cap, need->items + 1, sizeof *need->row) < 0)
        return PS_EMEM;
    need->row[need->items++] = row;
    return 0;
}

/* Everything that was found before, from `begin` on, brings in its neighbours. */
static int add_neighbours(ps_embedder *m, size_t begin, uint32_t *items, float *alpha)
{
    ps_need *need = &m->need;
    size_t end = need->items;
    int rc = 0;
    for (size_t i = begin; i < end && rc == 0; i++) {
        uint32_t row = need->row[i];
        size_t n = ps_near_get(m, row, items, alpha);
        for (size_t t = 0; t < n && rc == 0; t++) {
            uint64_t at;
            rc = ps_near_row(m, row, items[t], &at);
            if (rc < 0 || at == PS_NONE || need->local[at] == SEEN)
                continue;
            need->local[at] = SEEN;
            rc = add(need, (uint32_t)at);
        }
    }
    return rc;
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Vectors have items of 32 bits here or no neighbours at all: then any order will do. */
static uint64_t key_of(const ps_embedder *m, size_t i, uint32_t row)
{
    uint64_t item = row < m->e.x->n ? ps_vectors_item(m->e.x, row) : UINT32_MAX;
    return (item < UINT32_MAX ? item : UINT32_MAX) << 32 | i;
}

/* Rows stand as they were found: level[i] ends S_i's.  Gives them local numbers and lists every set. */
static int number(ps_embedder *m, const size_t *level)
{
    ps_need *need = &m->need;
    uint32_t K = m->shape.layers, *local = ps_alloc(need->items, sizeof *local),
             *rows = ps_alloc(need->items, sizeof *rows);
    int rc = local && rows ? ps_grow(&need->key, &need->key_cap, need->items, sizeof *need->key) : PS_EMEM;
    for (size_t i = 0; i < need->items && rc == 0; i++)
        need->key[i] = key_of(m, i, need->row[i]);
    if (rc == 0 && need->items > 0)
        qsort(need->key, need->items, sizeof *need->key, by_key);
    for (uint32_t k = 0; k <= K && rc == 0; k++) {
        need->set[k].n = 0;
        rc = ps_grow(&need->set[k].at, &need->set[k].cap, level[k], sizeof *need->set[k].at);
    }
    for (size_t i = 0; i < need->items && rc == 0; i++) {
        uint32_t found = (uint32_t)need->key[i];
        rows[i] = need->row[found];
        local[found] = (uint32_t)i;
        if (rows[i] < m->e.x->n)
            need->local[rows[i]] = (uint32_t)i;
        for (uint32_t k = 0; k < K && found < level[k]; k++)
            need->set[k].at[need->set[k].n++] = (uint32_t)i;
    }
    for (size_t i = 0; i < level[K] && rc == 0; i++)
        need->set[K].at[need->set[K].n++] = local[i];
    if (rc == 0 && need->items > 0)
        memcpy(need->row, rows, need->items * sizeof *rows);
    free(local);
    free(rows);
    return rc;
}

/* As before any row was needed. */
static int begin(ps_embedder *m)
{
    ps_need *need = &m->need;
    const size_t n = m->e.x->n;
    if (!need->local) {
        need->local = ps_alloc(n, sizeof *need->local);
        if (!need->local)
            return PS_EMEM;
        memset(need->local, 0xff, n * sizeof *need->local);
    }
    for (size_t i = 0; i < need->items; i++)
        if (need->row && need->row[i] < n)
            need->local[need->row[i]] = UINT32_MAX;
    need->items = 0;
    return 0;
}

/* Leaves the rows as they were found. */
static int find(ps_embedder *m, const uint32_t *rows, size_t n, size_t *level)
{
    ps_need *need = &m->need;
    size_t most = ps_near_most(m), done = 0;
    uint32_t *items = ps_alloc(most, sizeof *items);
    float *alpha = ps_alloc(most, sizeof *alpha);
    int rc = items && alpha ? begin(m) : PS_EMEM;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = add(need, rows[i]);
        if (rc == 0 && rows[i] < m->e.x->n)
            need->local[rows[i]] = SEEN;
    }
    level[m->shape.layers] = need->items;
    for (uint32_t k = m->shape.layers; k-- > 0 && rc == 0;) {
        size_t end = need->items;
        rc = add_neighbours(m, done, items, alpha);
        done = end;
        level[k] = need->items;
    }
    free(items);
    free(alpha);
    return rc;
}

int ps_need_rows(ps_embedder *m, const uint32_t *rows, size_t n)
{
    size_t level[PS_LAYERS_MAX + 1];
    int rc = find(m, rows, n, level);
    return rc < 0 ? rc : number(m, level);
}

int ps_need_found(ps_embedder *m, const uint32_t *rows, size_t n, size_t *level)
{
    ps_need *need = &m->need;
    int rc = find(m, rows, n, level);
    for (size_t i = 0; i < need->items && rc == 0; i++)
        if (need->row[i] < m->e.x->n)
            need->local[need->row[i]] = (uint32_t)i;
    return rc;
}

int ps_need_all(ps_embedder *m)
{
    const ps_vectors *x = m->e.x;
    size_t n = x->n, i = x->in_order ? n : 1;
    while (i < n && ps_vectors_item(x, i - 1) < ps_vectors_item(x, i))
        i++;
    if (i < n) { /* not in the order of the items */
        uint32_t *rows = ps_alloc(n, sizeof *rows);
        for (i = 0; rows && i < n; i++)
            rows[i] = (uint32_t)i;
        int rc = rows ? ps_need_rows(m, rows, n) : PS_EMEM;
        free(rows);
        return rc;
    }
    ps_need_free(&m->need);
    m->need.items = n;
    for (uint32_t k = 0; k <= m->shape.layers; k++)
        m->need.set[k].n = n;
    return 0;
}
