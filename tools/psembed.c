/* psembed - feature vectors in, embeddings out. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "embed.h"
#include "mem.h"
#include "temp.h"
#include "tool.h"

typedef struct {
    ps_common common;
    const char *model, *texts, *neighbours;
    int skip_missing, bf16;
    int64_t memory;
    const char *tmp;
} options;

typedef struct {
    const ps_vectors *x;
    ps_writer *writer;
    ps_head head;
    uint8_t *record;
} sink;

static int write_rows(void *ctx, uint64_t first, size_t n, const ps_real *z)
{
    sink *s = ctx;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        uint8_t *p = s->record + s->head.width;
        ps_put_num(s->record, s->head.width, ps_vectors_item(s->x, first + i));
        for (uint32_t j = 0; j < s->head.dim && rc == 0; j++) {
            ps_putf32(p + 4 * j, (float)z[i * s->head.dim + j]);
            if (!isfinite(z[i * s->head.dim + j]))
                rc = ps_fail(PS_EDATA, "%s: the embedding of item %llu is not finite: the model's parameters or the "
                             "features are too large", s->x->table.name,
                             (unsigned long long)ps_vectors_item(s->x, first + i));
        }
        if (rc == 0)
            rc = ps_writer_put(s->writer, s->record, 1);
    }
    ps_progress("items", first + n, s->x->n);
    return rc;
}

static int make_head(ps_head *head, const ps_model *model, const ps_vectors *x)
{
    *head = ps_head_make(PS_VECTORS, ps_embedding_dim(&model->shape));
    head->elem = PS_F32;
    head->width = x->head.width;
    head->qspace = x->head.qspace;
    head->graph = x->head.graph;
    head->flags = model->shape.bias ? PS_FLAG_BIAS : 0;
    int rc = ps_head_size(head);
    if (rc == 0)
        rc = ps_head_inherit(head, &x->head);
    return rc < 0 ? rc : ps_head_note(head, "psembed %s model=%08x", PS_VERSION, model->crc);
}

static int write_embeddings(const options *o, ps_embedding *e)
{
    sink s = {.x = e->x};
    e->sink = write_rows;
    e->ctx = &s;
    int rc = make_head(&s.head, e->model, e->x);
    ps_out *out = NULL;
    if (rc == 0 && !(s.record = ps_alloc(s.head.size, 1)))
        rc = PS_EMEM;
    if (rc == 0 && !(out = ps_tool_output(&o->common, 0)))
        rc = PS_ESYS;
    if (rc == 0 && !(s.writer = ps_writer_new(out, &s.head)))
        rc = PS_ESYS;
    if (rc == 0)
        rc = ps_embed(e);
    if (rc == 0)
        rc = ps_writer_close(s.writer);
    else if (s.writer)
        ps_writer_abort(s.writer);
    if (rc == 0)
        rc = ps_out_close(out);
    else if (out)
        ps_out_abort(out);
    e->ctx = NULL;
    free(s.record);
    ps_head_free(&s.head);
    return rc;
}

static int embed(const options *o)
{
    ps_model model = {0};
    ps_vectors x = {0};
    ps_neighbours n = {0};
    ps_sparse texts = {0};
    ps_pool *pool = NULL;
    int rc = o->model ? ps_model_read(&model, o->model) : ps_usage_error("-m MODEL is needed");
    if (rc == 0)
        rc = ps_vectors_open(&x, NULL, 0);
    if (rc == 0 && o->neighbours)
        rc = ps_neighbours_open(&n, o->neighbours, x.head.graph, 0);
    if (rc == 0 && o->texts)
        rc = ps_sparse_open(&texts, o->texts, x.head.graph, 0);
    if (rc == 0 && !o->texts && model.shape.tokens)
        rc = ps_usage_error("-y TEXTS is needed: the model has token embeddings");
    if (rc == 0 && o->texts && !model.shape.tokens)
        rc = ps_fail(PS_EMATCH, "%s: the model has no token embeddings", o->texts);
    if (rc == 0 && o->texts)
        rc = ps_model_widen(&model, &texts);
    if (rc == 0 && !(pool = ps_pool_new((int)o->common.threads)))
        rc = PS_EMEM;
    if (rc == 0 && model.shape.layers && !o->neighbours)
        ps_warn("no neighbourhoods (-n): every item is embedded from its features alone");
    ps_embedding e = {.model = &model,
                      .x = &x,
                      .texts = o->texts ? &texts : NULL,
                      .neighbours = o->neighbours ? &n : NULL,
                      .skip_missing = o->skip_missing,
                      .bf16 = o->bf16,
                      .memory = (uint64_t)o->memory,
                      .dir = ps_temp_dir(o->tmp),
                      .pool = pool};
    if (rc == 0)
        rc = write_embeddings(o, &e);
    ps_pool_free(pool);
    ps_sparse_free(&texts);
    ps_neighbours_close(&n);
    ps_vectors_close(&x);
    ps_model_free(&model);
    return rc;
}

int main(int argc, char **argv)
{
    options o = {.common = PS_COMMON_DEFAULT};
    const ps_option rows[] = {
        {'m', "model", "FILE", PS_OPT_STR, &o.model, 0, 0, "the model", NULL},
        {'y', "texts", "FILE", PS_OPT_STR, &o.texts, 0, 0, "sparse texts of the items, for token embeddings", NULL},
        {'n', "neighbours", "FILE", PS_OPT_STR, &o.neighbours, 0, 0, "neighbourhoods of the items", NULL},
        {'u', "skip-unknown", NULL, PS_OPT_FLAG, &o.skip_missing, 0, 0, "leave out neighbours that have no vector", NULL},
        {'M', "memory", "SIZE", PS_OPT_SIZE, &o.memory, 1 << 20, 0x1p62, "memory to use, like 2G", NULL},
        {0, "tmp", "DIR", PS_OPT_STR, &o.tmp, 0, 0, "temporary files go there (default: $TMPDIR or /tmp)", NULL},
        {0, "bf16", NULL, PS_OPT_FLAG, &o.bf16, 0, 0, "products of numbers rounded to bf16", NULL},
        {0},
    };
    const ps_tool tool = {"psembed", "Embeds the feature vectors on standard input by a model.", NULL};
    ps_tool_parse(&tool, rows, &o.common, argc, argv);
    return ps_tool_finish(embed(&o));
}
