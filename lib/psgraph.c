#include "psgraph.h"

#include <stdlib.h>
#include <string.h>

#include "embed.h"
#include "graph.h"
#include "mem.h"
#include "walk.h"

const char *psgraph_error(void)
{
    return ps_errmsg();
}

/* ---- the graph ---- */

struct psgraph_graph {
    ps_graph g;
};

psgraph_graph *psgraph_open(const char *path)
{
    psgraph_graph *g = ps_zalloc(1, sizeof *g);
    if (g && ps_graph_open(&g->g, path) < 0) {
        free(g);
        return NULL;
    }
    return g;
}

void psgraph_close(psgraph_graph *g)
{
    if (!g)
        return;
    ps_graph_close(&g->g);
    free(g);
}

uint64_t psgraph_items(const psgraph_graph *g)
{
    return g->g.items.nodes;
}

uint64_t psgraph_boards(const psgraph_graph *g)
{
    return g->g.boards.nodes;
}

uint64_t psgraph_find(const psgraph_graph *g, const char *name)
{
    return ps_graph_find(&g->g, PS_ITEMS, (ps_str){name, strlen(name)});
}

size_t psgraph_name(const psgraph_graph *g, uint64_t item, char *name, size_t room)
{
    char number[32];
    const ps_str s = ps_graph_name(&g->g, PS_ITEMS, item, number);
    if (room > 0) {
        const size_t n = s.len < room ? s.len : room - 1;
        memcpy(name, s.s, n);
        name[n] = 0;
    }
    return s.len;
}

static size_t neighbours_of(const ps_graph *g, const ps_side *side, uint64_t u, const uint32_t **list)
{
    *list = NULL;
    if (u >= side->nodes || side->off[u] > side->off[u + 1] || side->off[u + 1] > g->edges)
        return 0;
    *list = side->adj + side->off[u];
    return ps_degree(side, u);
}

size_t psgraph_boards_of(const psgraph_graph *g, uint64_t item, const uint32_t **boards)
{
    return neighbours_of(&g->g, &g->g.items, item, boards);
}

size_t psgraph_items_of(const psgraph_graph *g, uint64_t board, const uint32_t **items)
{
    return neighbours_of(&g->g, &g->g.boards, board, items);
}

/* ---- walks ---- */

struct psgraph_walker {
    ps_walker *w;
};

psgraph_walker *psgraph_walker_new(const psgraph_graph *g, uint64_t steps, double restart, uint64_t seed)
{
    if (steps < 1 || steps > PS_WALK_STEPS_MAX || !(restart >= 0 && restart <= 1)) {
        ps_fail(PS_EUSAGE,
                "walks of %llu steps with restart probability %g: steps are 1 to %llu, the probability 0 to 1",
                (unsigned long long)steps, restart, (unsigned long long)PS_WALK_STEPS_MAX);
        return NULL;
    }
    const ps_walk_options o = {.steps = steps, .restart = restart, .seed = seed};
    psgraph_walker *w = ps_zalloc(1, sizeof *w);
    if (w && !(w->w = ps_walker_new(&g->g, &o))) {
        free(w);
        return NULL;
    }
    return w;
}

void psgraph_walker_free(psgraph_walker *w)
{
    if (!w)
        return;
    ps_walker_free(w->w);
    free(w);
}

long psgraph_walk(psgraph_walker *w, uint64_t item, psgraph_visit *out, size_t room)
{
    const ps_visit *visits;
    long n = ps_walker_rank(w->w, item, &visits);
    if (n > 0 && (size_t)n > room)
        n = (long)room;
    for (long i = 0; i < n; i++)
        out[i] = (psgraph_visit){visits[i].item, visits[i].count};
    return n;
}

/* ---- streams ---- */

struct psgraph_stream {
    ps_reader *r;
    uint64_t *item;
    float *value;
    size_t item_cap, value_cap;
};

psgraph_stream *psgraph_stream_open(const char *path)
{
    psgraph_stream *s = ps_zalloc(1, sizeof *s);
    if (s && !(s->r = ps_reader_open(path, 0))) {
        free(s);
        return NULL;
    }
    return s;
}

void psgraph_stream_close(psgraph_stream *s)
{
    if (!s)
        return;
    ps_reader_close(s->r);
    free(s->item);
    free(s->value);
    free(s);
}

const char *psgraph_stream_kind(const psgraph_stream *s)
{
    return ps_kind_name(ps_reader_head(s->r)->kind);
}

static void vector(const ps_head *h, const uint8_t *p, psgraph_record *r, float *value)
{
    static const size_t bytes[] = {[PS_F32] = 4, [PS_F16] = 2, [PS_BF16] = 2, [PS_I8] = 1};
    for (r->n = 0; r->n < h->dim; r->n++, p += bytes[h->elem])
        value[r->n] = ps_elem_get(p, h->elem, h->scale);
    r->item = NULL;
}

/* Lists that are padded at their end. */
static void list(const ps_head *h, const uint8_t *p, psgraph_record *r, uint64_t *item, float *value)
{
    const int valued = h->kind != PS_WALKS;
    const size_t step = (size_t)h->width + (valued ? 4 : 0);
    for (r->n = 0; r->n < h->dim && ps_num(p, h->width) != PS_NONE; r->n++, p += step) {
        item[r->n] = ps_num(p, h->width);
        if (valued)
            value[r->n] = ps_getf32(p + h->width);
    }
    if (!valued)
        r->value = NULL;
}

static void single(const ps_head *h, const uint8_t *p, psgraph_record *r, uint64_t *item, float *value)
{
    const int width = h->kind == PS_SPARSE ? 4 : h->width;
    r->n = 1;
    item[0] = ps_num(p, width);
    value[0] = h->kind == PS_VISITS ? (float)ps_get32(p + width) : ps_getf32(p + width);
}

int psgraph_stream_next(psgraph_stream *s, psgraph_record *r)
{
    const uint8_t *p;
    const long n = ps_reader_next(s->r, &p, 1);
    if (n <= 0)
        return (int)n;
    const ps_head *h = ps_reader_head(s->r);
    const size_t room = h->dim > 0 && h->kind != PS_SPARSE ? h->dim : 1;
    if (ps_grow(&s->item, &s->item_cap, room, sizeof *s->item) < 0 ||
        ps_grow(&s->value, &s->value_cap, room, sizeof *s->value) < 0)
        return PS_EMEM;
    *r = (psgraph_record){.first = ps_num(p, h->width), .item = s->item, .value = s->value};
    p += h->width;
    switch (h->kind) {
    case PS_VECTORS: vector(h, p, r, s->value); break;
    case PS_HITS:
    case PS_NEIGHBOURS:
    case PS_WALKS: list(h, p, r, s->item, s->value); break;
    case PS_IDS: break;
    default: single(h, p, r, s->item, s->value); break;
    }
    return 1;
}

/* ---- embedding ---- */

struct psgraph_model {
    ps_model model;
    ps_vectors x;
    ps_neighbours neighbours;
    ps_sparse texts;
    int has_model, has_x, has_neighbours, has_texts;
    ps_embedder *embedder;
    float *out; /* where the result goes */
};

static int take_embedding(void *ctx, uint64_t first, size_t n, const ps_real *z)
{
    const psgraph_model *m = ctx;
    (void)first;
    (void)n;
    for (uint32_t j = 0; j < ps_embedding_dim(&m->model.shape); j++)
        m->out[j] = (float)z[j];
    return 0;
}

static int open_all(psgraph_model *m, const psgraph_model_files *f)
{
    int rc = ps_model_read(&m->model, f->model);
    m->has_model = rc == 0;
    if (rc == 0)
        rc = ps_vectors_open(&m->x, f->features, 0);
    m->has_x = rc == 0;
    const uint64_t graph = rc == 0 ? m->x.head.graph : 0;
    if (rc == 0 && f->neighbours) {
        rc = ps_neighbours_open(&m->neighbours, f->neighbours, graph, 0);
        m->has_neighbours = rc == 0;
    }
    if (rc == 0 && f->texts) {
        rc = ps_sparse_open(&m->texts, f->texts, graph, 0);
        m->has_texts = rc == 0;
    }
    if (rc == 0 && m->has_texts && m->model.shape.tokens)
        rc = ps_model_widen(&m->model, &m->texts);
    if (rc < 0)
        return rc;
    const ps_embedding e = {.model = &m->model,
                            .x = &m->x,
                            .neighbours = m->has_neighbours ? &m->neighbours : NULL,
                            .texts = m->has_texts && m->model.shape.tokens ? &m->texts : NULL,
                            .sink = take_embedding,
                            .ctx = m};
    m->embedder = ps_embedder_new(&e);
    return m->embedder ? 0 : PS_EMATCH;
}

psgraph_model *psgraph_model_open(const psgraph_model_files *files)
{
    psgraph_model *m = NULL;
    if (!files->model || !files->features)
        ps_fail(PS_EUSAGE, "a model and features are needed to embed items");
    else
        m = ps_zalloc(1, sizeof *m);
    if (m && open_all(m, files) < 0) {
        psgraph_model_close(m);
        return NULL;
    }
    return m;
}

void psgraph_model_close(psgraph_model *m)
{
    if (!m)
        return;
    ps_embedder_free(m->embedder);
    if (m->has_texts)
        ps_sparse_free(&m->texts);
    if (m->has_neighbours)
        ps_neighbours_close(&m->neighbours);
    if (m->has_x)
        ps_vectors_close(&m->x);
    if (m->has_model)
        ps_model_free(&m->model);
    free(m);
}

size_t psgraph_model_dim(const psgraph_model *m, int *has_bias)
{
    if (has_bias)
        *has_bias = ps_embedding_dim(&m->model.shape) > m->model.shape.d;
    return ps_embedding_dim(&m->model.shape);
}

int psgraph_embed(psgraph_model *m, uint64_t item, float *out)
{
    const uint64_t row = ps_vectors_find(&m->x, item);
    if (row == PS_NONE)
        return ps_fail(PS_EDATA, "%s: no vector for item %llu", m->x.table.name, (unsigned long long)item);
    m->out = out;
    return ps_embed_rows(m->embedder, &(uint32_t){(uint32_t)row}, 1);
}
