/* graph_alias.c - Walker's alias tables of a weighted side; of graph_side.h. */
#include <stdlib.h>
#include <string.h>

#include "crc.h"
#include "graph_side.h"
#include "mem.h"

enum { BLOCK = 1 << 16, NODES = 1 << 14 };

/* Whole nodes, about BLOCK edges of them. */
typedef struct {
    uint64_t first, end;  /* nodes */
    uint64_t base, edges; /* edges */
    uint64_t *off;        /* NODES + 1 */
    size_t cap[6];
    uint32_t *adj, *alias, *accept;
    float *weight;
    double *share;
    uint32_t *stack;
    uint32_t alias_crc, accept_crc;
} block;

typedef struct {
    ps_layout *l;
    int off, adj, weight, alias, accept;
    uint64_t nodes, next;
    block *block;
} job;

/* Vose's construction for one node; fixed order, hence the same on any machine. */
static void alias_table(const float *w, const uint32_t *adj, size_t n, uint32_t *alias, uint32_t *accept,
                        double *share, uint32_t *small, uint32_t *large)
{
    double sum = 0;
    size_t ns = 0, nl = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)w[i];
    for (size_t i = 0; i < n; i++) {
        share[i] = (double)w[i] * (double)n / sum;
        alias[i] = adj[i];
        accept[i] = UINT32_MAX;
        if (share[i] < 1)
            small[ns++] = (uint32_t)i;
        else
            large[nl++] = (uint32_t)i;
    }
    while (ns > 0 && nl > 0) {
        size_t s = small[--ns], l = large[nl - 1];
        accept[s] = (uint32_t)(share[s] * 0x1p32);
        alias[s] = adj[l];
        share[l] -= 1 - share[s];
        if (share[l] < 1) {
            nl--;
            small[ns++] = (uint32_t)l;
        }
    }
}

static int room(block *b)
{
    int rc = ps_grow(&b->adj, &b->cap[0], b->edges, sizeof *b->adj);
    if (rc == 0)
        rc = ps_grow(&b->alias, &b->cap[1], b->edges, sizeof *b->alias);
    if (rc == 0)
        rc = ps_grow(&b->accept, &b->cap[2], b->edges, sizeof *b->accept);
    if (rc == 0)
        rc = ps_grow(&b->weight, &b->cap[3], b->edges, sizeof *b->weight);
    if (rc == 0)
        rc = ps_grow(&b->share, &b->cap[4], b->edges, sizeof *b->share);
    return rc < 0 ? rc : ps_grow(&b->stack, &b->cap[5], 2 * b->edges, sizeof *b->stack);
}

/* The next nodes: as many as make a block. */
static int cut(job *j, block *b)
{
    uint64_t n = j->nodes - j->next < NODES ? j->nodes - j->next : NODES;
    int rc = ps_layout_read(j->l, j->off, j->next * 8, b->off, (n + 1) * 8);
    if (rc < 0)
        return rc;
    uint64_t k = 1;
    while (k < n && b->off[k + 1] - b->off[0] <= BLOCK)
        k++;
    b->first = j->next;
    b->end = j->next += k;
    b->base = b->off[0];
    b->edges = b->off[k] - b->off[0];
    return 0;
}

static int table_task(void *ctx, size_t task, int thread)
{
    job *j = ctx;
    block *b = &j->block[task];
    (void)thread;
    if (b->edges == 0)
        return 0;
    const size_t bytes = b->edges * 4;
    int rc = room(b);
    if (rc == 0)
        rc = ps_layout_read(j->l, j->adj, b->base * 4, b->adj, bytes);
    if (rc == 0)
        rc = ps_layout_read(j->l, j->weight, b->base * 4, b->weight, bytes);
    for (uint64_t u = 0; u < b->end - b->first && rc == 0; u++) {
        uint64_t o = b->off[u] - b->base, n = b->off[u + 1] - b->off[u];
        alias_table(b->weight + o, b->adj + o, n, b->alias + o, b->accept + o, b->share, b->stack, b->stack + n);
    }
    if (rc == 0)
        rc = ps_layout_write(j->l, j->alias, b->base * 4, b->alias, bytes);
    if (rc == 0)
        rc = ps_layout_write(j->l, j->accept, b->base * 4, b->accept, bytes);
    if (rc == 0) {
        b->alias_crc = ps_crc32(0, b->alias, bytes);
        b->accept_crc = ps_crc32(0, b->accept, bytes);
    }
    return rc;
}

static int run(job *j, ps_pool *pool, size_t blocks)
{
    int rc = 0;
    while (j->next < j->nodes && rc == 0) {
        size_t n = 0;
        while (n < blocks && j->next < j->nodes && rc == 0)
            rc = cut(j, &j->block[n++]);
        if (rc == 0)
            rc = ps_pool_run(pool, n, table_task, j);
        for (size_t i = 0; i < n && rc == 0; i++) {
            const block *b = &j->block[i];
            if (b->edges) {
                ps_layout_join(j->l, j->alias, b->alias_crc, b->edges * 4);
                ps_layout_join(j->l, j->accept, b->accept_crc, b->edges * 4);
            }
        }
    }
    return rc;
}

int ps_side_alias(ps_layout *l, ps_pool *pool, int off, int adj, int weight, int alias, int accept, uint64_t nodes,
                  uint64_t edges)
{
    const size_t blocks = (size_t)ps_pool_threads(pool) * 2;
    job j = {l, off, adj, weight, alias, accept, nodes, 0, ps_zalloc(blocks, sizeof *j.block)};
    int rc = j.block ? 0 : PS_EMEM;
    for (size_t i = 0; i < blocks && rc == 0; i++)
        rc = (j.block[i].off = ps_alloc(NODES + 1, sizeof *j.block[i].off)) ? 0 : PS_EMEM;
    if (rc == 0 && edges > 0)
        rc = run(&j, pool, blocks);
    for (size_t i = 0; j.block && i < blocks; i++) {
        block *b = &j.block[i];
        free(b->off);
        free(b->adj);
        free(b->alias);
        free(b->accept);
        free(b->weight);
        free(b->share);
        free(b->stack);
    }
    free(j.block);
    return rc;
}
