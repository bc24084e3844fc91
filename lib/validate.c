#include "validate.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "eval.h"
#include "mem.h"

typedef struct {
    const ps_validation *v;
    uint32_t d;
    ps_table table; /* the embeddings, as psembed writes them */
} job;

static int keep(void *ctx, uint64_t first, size_t n, const ps_real *z)
{
    const job *g = ctx;
    uint8_t *p = g->table.own + first * g->table.head.size;
    for (size_t i = 0; i < n; i++) {
        ps_put_num(p, g->table.head.width, ps_vectors_item(g->v->x, first + i));
        p += g->table.head.width;
        for (uint32_t j = 0; j < g->d; j++, p += 4)
            ps_putf32(p, (float)z[i * g->d + j]);
    }
    return 0;
}

static int check_pairs(const ps_validation *v)
{
    const ps_pairs *p = v->pairs;
    for (size_t i = 0; i < 2 * p->n; i++) {
        uint32_t item = i < p->n ? p->query[i] : p->positive[i - p->n];
        if (ps_vectors_find(v->x, item) == PS_NONE)
            return ps_fail(PS_EMATCH, "%s: no vector for item %u of a validation pair", v->x->table.name, item);
    }
    return p->n ? 0 : ps_fail(PS_EDATA, "no validation pairs");
}

static int embed(job *g, const ps_model *model)
{
    const ps_validation *v = g->v;
    ps_table *t = &g->table;
    t->head = ps_head_make(PS_VECTORS, g->d);
    t->head.width = v->x->head.width;
    t->head.flags = model->shape.bias ? PS_FLAG_BIAS : 0;
    int rc = ps_head_size(&t->head);
    if (rc < 0)
        return rc;
    t->count = v->x->n;
    t->name = strdup("the model's embeddings");
    t->own = ps_alloc(t->count, t->head.size);
    t->records = t->own;
    if (!t->name || !t->own)
        return PS_EMEM;
    return ps_embed(&(ps_embedding){.model = model,
                                    .x = v->x,
                                    .neighbours = v->neighbours,
                                    .texts = v->texts,
                                    .pool = v->pool,
                                    .sink = keep,
                                    .ctx = g});
}

static int rank(const ps_validation *v, const ps_knn *knn, double *score)
{
    ps_ranks ranks;
    ps_metrics figures;
    int rc = ps_ranks_make(&ranks, v->pairs, NULL, knn->n);
    if (rc < 0)
        return rc;
    rc = ps_ranks_vectors(&ranks, knn, 0, v->pool);
    if (rc == 0) {
        ps_metrics_make(&figures, &ranks, &(ps_cutoffs){0}, NULL);
        *score = figures.scaled_mrr;
    }
    ps_ranks_free(&ranks);
    return rc;
}

int ps_validate(const ps_validation *v, const ps_model *model, double *score)
{
    job g = {.v = v, .d = ps_embedding_dim(&model->shape)};
    ps_knn knn;
    int rc = check_pairs(v);
    if (rc == 0)
        rc = embed(&g, model);
    if (rc < 0) {
        ps_table_close(&g.table);
        return rc;
    }
    rc = ps_knn_take(&knn, &g.table, NULL, 0);
    if (rc < 0)
        return rc;
    rc = rank(v, &knn, score);
    ps_knn_close(&knn);
    return rc;
}
