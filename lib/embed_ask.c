#include "embed_ask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { MANY = 1024 }; /* read at a time */

int ps_embed_write(void *ctx, uint64_t first, size_t n, const ps_real *z)
{
    const ps_embed_answer *a = ctx;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++, z += a->to->head.dim)
        rc = ps_embed_out_put(a->to, a->item ? a->item[first + i] : ps_vectors_item(a->x, first + i), z);
    return rc;
}

/* ---- some items ---- */

typedef struct {
    ps_embedder *m;
    ps_embed_answer *a;
    int soon;
    uint8_t *asked; /* a bit for each row of x */
    uint32_t *row;
    uint64_t *item;
    size_t n, row_cap, item_cap;
} asked;

static int answer(asked *g)
{
    g->a->item = g->item;
    int rc = ps_embed_rows(g->m, g->row, g->n);
    g->n = 0;
    return rc == 0 && g->soon ? ps_out_flush(g->a->to->out) : rc;
}

static int take_item(asked *g, uint64_t item)
{
    uint64_t row = ps_vectors_find(g->a->x, item);
    if (row == PS_NONE)
        return ps_fail(PS_EMATCH, "%s: no vector for item %llu", g->a->x->table.name, (unsigned long long)item);
    if (!g->soon && g->asked[row / 8] >> row % 8 & 1) {
        g->a->again++;
        return 0;
    }
    g->asked[row / 8] |= (uint8_t)(1 << row % 8);
    if (ps_grow(&g->row, &g->row_cap, g->n + 1, sizeof *g->row) < 0 ||
        ps_grow(&g->item, &g->item_cap, g->n + 1, sizeof *g->item) < 0)
        return PS_EMEM;
    g->row[g->n] = (uint32_t)row;
    g->item[g->n++] = item;
    return g->soon ? answer(g) : 0;
}

int ps_embed_ask(ps_embedder *m, ps_embed_answer *a, ps_queries *q, int soon)
{
    asked g = {.m = m, .a = a, .soon = soon, .asked = ps_zalloc(a->x->n / 8 + 1, 1)};
    ps_query_batch batch = {0};
    int rc = g.asked ? 0 : PS_EMEM;
    if (rc == 0 && soon)
        rc = ps_out_flush(a->to->out); /* the header: a reader may wait for it */
    while (rc == 0) {
        long n = ps_queries_next(q, &batch, soon ? 1 : MANY);
        if (n <= 0) {
            rc = (int)n;
            break;
        }
        for (size_t i = 0; i < batch.n && rc == 0; i++)
            rc = take_item(&g, batch.id[i]);
    }
    if (rc == 0 && !soon)
        rc = answer(&g);
    a->item = NULL;
    ps_query_batch_free(&batch);
    free(g.asked);
    free(g.row);
    free(g.item);
    return rc;
}
