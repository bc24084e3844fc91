#include "tokens.h"

#include <stdlib.h>
#include <string.h>

#include "feat_sign.h"
#include "mem.h"
#include "rng.h"
#include "vec.h"
#include "visits.h"

enum { ITEMS = 64, ROWS = 64 };

/* ---- which buckets have rows ---- */

int ps_vocabulary_union(ps_vocabulary *all, const ps_vocabulary *v, const ps_sparse *texts)
{
    memset(all, 0, sizeof *all);
    uint8_t *seen = ps_zalloc(texts->dim, 1);
    if (!seen)
        return PS_EMEM;
    for (uint32_t i = 0; i < v->n; i++)
        seen[v->bucket[i]] = 1;
    for (uint64_t e = 0; e < texts->off[texts->n]; e++)
        seen[texts->index[e]] = 1;
    for (uint32_t b = 0; b < texts->dim; b++)
        all->n += seen[b];
    all->bucket = ps_alloc(all->n, sizeof *all->bucket);
    for (uint32_t b = 0, n = 0; b < texts->dim && all->bucket; b++)
        if (seen[b])
            all->bucket[n++] = b;
    free(seen);
    return all->bucket ? 0 : PS_EMEM;
}

int ps_vocabulary_make(ps_vocabulary *v, const ps_sparse *texts)
{
    return ps_vocabulary_union(v, &(ps_vocabulary){0}, texts);
}

void ps_vocabulary_free(ps_vocabulary *v)
{
    free(v->bucket);
    memset(v, 0, sizeof *v);
}

uint32_t ps_vocabulary_find(const ps_vocabulary *v, uint32_t bucket)
{
    uint32_t low = 0, n = v->n;
    while (n > 0) {
        uint32_t half = n / 2;
        if (v->bucket[low + half] < bucket) {
            low += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return low < v->n && v->bucket[low] == bucket ? low : UINT32_MAX;
}

void ps_token_start(uint32_t bucket, uint32_t d, ps_real *row)
{
    uint64_t key = ps_signs_key(0, PS_SIGNS_TOKEN, bucket);
    for (uint32_t j = 0; j < d; j++)
        row[j] = ps_rng(key, j / 64) >> j % 64 & 1 ? (ps_real)1 / 16 : (ps_real)-1 / 16;
}

/* ---- the tokens of a batch ---- */

void ps_token_lists_free(ps_token_lists *l)
{
    free(l->off);
    free(l->row);
    free(l->weight);
    free(l->touched);
    free(l->back_off);
    free(l->user);
    free(l->back_weight);
    free(l->key[0]);
    free(l->key[1]);
    memset(l, 0, sizeof *l);
}

static int list_tokens(ps_token_lists *l, const ps_vocabulary *v, const ps_sparse *texts, double scale,
                       const uint32_t *items)
{
    size_t n = 0;
    for (size_t i = 0; i < l->items; i++) {
        uint64_t at = ps_sparse_find(texts, items[i]);
        l->off[i] = n;
        if (at == PS_NONE)
            continue;
        size_t count = texts->off[at + 1] - texts->off[at];
        if (ps_grow(&l->row, &l->cap[1], n + count, sizeof *l->row) < 0 ||
            ps_grow(&l->weight, &l->cap[2], n + count, sizeof *l->weight) < 0)
            return PS_EMEM;
        for (uint64_t e = texts->off[at]; e < texts->off[at + 1]; e++) {
            l->row[n] = ps_vocabulary_find(v, texts->index[e]);
            l->weight[n] = (ps_real)(scale * (double)texts->value[e]);
            n += l->row[n] != UINT32_MAX;
        }
    }
    l->off[l->items] = n;
    return 0;
}

/* By row, then item: the order of every sum is the same however the items were found. */
int ps_token_lists_turn(ps_token_lists *l)
{
    size_t n = l->off[l->items];
    if (ps_grow(&l->touched, &l->cap[3], n, sizeof *l->touched) < 0 ||
        ps_grow(&l->back_off, &l->cap[4], n + 1, sizeof *l->back_off) < 0 ||
        ps_grow(&l->user, &l->cap[5], n, sizeof *l->user) < 0 ||
        ps_grow(&l->back_weight, &l->cap[6], n, sizeof *l->back_weight) < 0 ||
        ps_grow(&l->key[0], &l->cap[7], n, sizeof **l->key) < 0 || ps_grow(&l->key[1], &l->cap[8], n, sizeof **l->key) < 0)
        return PS_EMEM;
    for (size_t i = 0; i < l->items; i++)
        for (size_t e = l->off[i]; e < l->off[i + 1]; e++)
            l->key[0][e] = (uint64_t)l->row[e] << 32 | i;
    /* Within an item every row stands once, so position and key correspond: weights are found again by item. */
    const uint64_t *sorted = ps_radix_sort(l->key[0], l->key[1], n, 32);
    l->rows = 0;
    for (size_t k = 0; k < n; k++) {
        uint32_t row = (uint32_t)(sorted[k] >> 32), item = (uint32_t)sorted[k];
        if (k == 0 || row != l->touched[l->rows - 1]) {
            l->back_off[l->rows] = k;
            l->touched[l->rows++] = row;
        }
        size_t e = l->off[item];
        while (l->row[e] != row)
            e++;
        l->user[k] = item;
        l->back_weight[k] = l->weight[e];
    }
    l->back_off[l->rows] = n;
    return 0;
}

int ps_token_lists_make(ps_token_lists *l, const ps_vocabulary *v, const ps_sparse *texts, double scale,
                        const uint32_t *items, size_t n)
{
    l->items = n;
    l->rows = 0;
    int rc = ps_grow(&l->off, &l->cap[0], n + 1, sizeof *l->off);
    return rc == 0 ? list_tokens(l, v, texts, scale, items) : rc;
}

/* ---- the sums and their gradients ---- */

typedef struct {
    const ps_token_lists *l;
    const ps_real *dy;
    uint32_t d;
    ps_real rate, *E, *y, *squares, *scratch; /* scratch: threads x d */
} job;

static int add_items(void *ctx, size_t task, int thread)
{
    const job *g = ctx;
    (void)thread;
    size_t i = task * ITEMS, end = i + ITEMS < g->l->items ? i + ITEMS : g->l->items;
    for (; i < end; i++)
        for (size_t e = g->l->off[i]; e < g->l->off[i + 1]; e++)
            ps_vec()->axpy(g->d, g->l->weight[e], g->E + (size_t)g->l->row[e] * g->d, g->y + i * g->d);
    return 0;
}

void ps_tokens_add(const ps_token_lists *l, const ps_real *E, uint32_t d, ps_real *y, ps_pool *pool)
{
    job g = {.l = l, .d = d, .E = (ps_real *)E, .y = y};
    (void)!ps_pool_run(pool, (l->items + ITEMS - 1) / ITEMS, add_items, &g); /* cannot fail */
}

void ps_tokens_gradient(const ps_token_lists *l, size_t r, const ps_real *dy, uint32_t d, ps_real *g)
{
    size_t first = l->back_off[r];
    ps_vec()->pool_sum(d, l->back_off[r + 1] - first, l->user + first, l->back_weight + first, dy, d, g);
}

static int step_rows(void *ctx, size_t task, int thread)
{
    const job *g = ctx;
    const ps_vec_ops *v = ps_vec();
    ps_real *grad = g->scratch + (size_t)thread * g->d;
    size_t r = task * ROWS, end = r + ROWS < g->l->rows ? r + ROWS : g->l->rows;
    for (; r < end; r++) {
        uint32_t row = g->l->touched[r];
        ps_tokens_gradient(g->l, r, g->dy, g->d, grad);
        g->squares[row] += v->dot(g->d, grad, grad) / (ps_real)g->d;
        v->axpy(g->d, -g->rate / (PS_SQRT(g->squares[row]) + PS_TOKEN_EPS), grad, g->E + (size_t)row * g->d);
    }
    return 0;
}

int ps_tokens_step(const ps_token_lists *l, const ps_real *dy, uint32_t d, double rate, ps_real *E, ps_real *squares,
                   ps_pool *pool)
{
    ps_real *scratch = ps_alloc((size_t)ps_pool_threads(pool) * d, sizeof *scratch);
    if (!scratch)
        return PS_EMEM;
    job g = {.l = l, .dy = dy, .d = d, .rate = (ps_real)rate, .E = E, .squares = squares, .scratch = scratch};
    int rc = ps_pool_run(pool, (l->rows + ROWS - 1) / ROWS, step_rows, &g);
    free(scratch);
    return rc;
}
