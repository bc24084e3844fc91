#include "parts.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

/* With the parameters, their moments and gradients, and the loss, all that takes memory in training is then below
 * 1 GiB for batches of 2048 pairs and hidden layers of 1024. */
enum { MOST = 736 << 20 };

void ps_parts_init(ps_parts *p, ps_net *net)
{
    *p = (ps_parts){.net = net, .most = MOST};
}

void ps_parts_free(ps_parts *p)
{
    ps_minibatch_free(&p->part);
    free(p->all_z);
    free(p->all_beta);
    free(p->level);
    memset(p, 0, sizeof *p);
}

/* ---- how much fits ---- */

typedef struct {
    ps_parts *p;
    const ps_minibatch *mb;
    uint32_t n[PS_LAYERS_MAX + 1]; /* of the part so far */
    size_t edges;
} measure;

/* The batch's item v is needed in S_k. */
static void need(measure *g, uint32_t v, uint32_t k)
{
    uint8_t *level = &g->p->level[v], before = *level;
    if (before > k)
        return;
    *level = (uint8_t)(k + 1);
    for (uint32_t i = before; i <= k; i++)
        g->n[i]++;
    if (k == 0)
        return;
    uint32_t begin = g->mb->off[v], end = g->mb->off[v + 1];
    g->edges += before < 2 ? end - begin : 0;
    for (uint32_t e = begin; e < end; e++)
        need(g, g->mb->index[e], k - 1);
}

/* The end of the part that begins with output `first`: one output at least. */
static int choose(ps_parts *p, const ps_minibatch *mb, uint32_t first, uint32_t *end)
{
    measure g = {.p = p, .mb = mb};
    uint32_t K = mb->layers;
    size_t batch = ps_minibatch_bytes(mb->n[0], ps_minibatch_edges(mb), mb->dx, 0);
    size_t left = batch < p->most / 2 ? p->most - batch : p->most / 2;
    if (ps_room(&p->level, &p->cap[2], mb->n[0], 1) < 0)
        return PS_EMEM;
    memset(p->level, 0, mb->n[0]);
    for (*end = first; *end < mb->n[K]; ++*end) {
        need(&g, *end, K);
        if (*end > first && ps_net_bytes(p->net, g.n) + ps_minibatch_bytes(g.n[0], g.edges, mb->dx, 1) > left)
            return 0;
    }
    return 0;
}

/* Makes the part that begins with output `first`. */
static int make(ps_parts *p, const ps_minibatch *mb, const ps_sources *from, uint32_t first)
{
    ps_sources s = *from;
    uint32_t local;
    s.batch = mb;
    p->first = first;
    int rc = choose(p, mb, first, &p->end);
    if (rc == 0)
        rc = ps_minibatch_begin(&p->part, from->shape, 2 * ((size_t)p->end - first));
    for (uint32_t u = first; u < p->end && rc == 0; u++)
        rc = ps_minibatch_add(&p->part, mb->item[u], &local);
    return rc < 0 ? rc : ps_minibatch_finish(&p->part, &s, 1, SIZE_MAX, p->net->pool);
}

/* ---- passes ---- */

static int part_forward(ps_parts *p, const ps_real *param, const ps_minibatch *mb, const ps_sources *from,
                        uint32_t first)
{
    int rc = make(p, mb, from, first);
    return rc < 0 ? rc : ps_net_forward(p->net, param, &p->part);
}

static int part_backward(ps_parts *p, const ps_real *param, ps_real *dz, const ps_real *dbeta, ps_real *grad, int last)
{
    p->net->ready = last ? p->ready : NULL;
    p->net->ready_ctx = p->ready_ctx;
    return ps_net_backward(p->net, param, &p->part, dz + (size_t)p->first * p->net->shape.d,
                           dbeta ? dbeta + p->first : NULL, grad);
}

int ps_parts_forward(ps_parts *p, const ps_real *param, const ps_minibatch *mb, const ps_sources *from)
{
    size_t n = mb->n[mb->layers], d = p->net->shape.d;
    int rc, bias = p->net->shape.bias;
    if (mb->complete)
        rc = ps_net_forward(p->net, param, mb);
    else
        rc = part_forward(p, param, mb, from, 0);
    p->z = p->net->z;
    p->beta = p->net->beta;
    if (rc < 0 || mb->complete || p->end == n)
        return rc;
    if (ps_room(&p->all_z, &p->cap[0], n * d, sizeof *p->all_z) < 0 ||
        ps_room(&p->all_beta, &p->cap[1], n, sizeof *p->all_beta) < 0)
        return PS_EMEM;
    p->z = p->all_z;
    p->beta = p->all_beta;
    for (;;) {
        memcpy(p->all_z + p->first * d, p->net->z, (p->end - p->first) * d * sizeof *p->all_z);
        if (bias)
            memcpy(p->all_beta + p->first, p->net->beta, (p->end - p->first) * sizeof *p->all_beta);
        if (p->end == n)
            return 0;
        rc = part_forward(p, param, mb, from, p->end);
        if (rc < 0)
            return rc;
    }
}

int ps_parts_backward(ps_parts *p, const ps_real *param, const ps_minibatch *mb, const ps_sources *from, ps_real *dz,
                      const ps_real *dbeta, ps_real *grad)
{
    p->net->ready = p->ready;
    p->net->ready_ctx = p->ready_ctx;
    if (mb->complete)
        return ps_net_backward(p->net, param, mb, dz, dbeta, grad);
    uint32_t last = p->first; /* the last part is still there */
    int rc = part_backward(p, param, dz, dbeta, grad, last == 0);
    for (uint32_t first = 0; first < last && rc == 0; first = p->end) {
        rc = part_forward(p, param, mb, from, first);
        if (rc == 0)
            rc = part_backward(p, param, dz, dbeta, grad, p->end == last);
    }
    return rc;
}
