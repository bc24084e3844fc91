#include "embed_sources.h"

#include "model_file.h"
#include "tool.h"

static uint64_t fingerprint(const ps_embed_sources *s)
{
    return s->have_graph ? s->graph.fingerprint : 0;
}

static int open_asked(ps_embed_sources *s, const ps_embed_files *f)
{
    const ps_query_options q = {
        .graph = s->have_graph ? &s->graph : NULL, .text = f->text, .skip_unknown = f->skip_unknown,
        .bad_line = f->bad_line};
    s->queries = ps_queries_open(&q);
    if (!s->queries)
        return PS_EDATA;
    const ps_head *h = ps_queries_head(s->queries);
    if (ps_queries_space(s->queries) != PS_ITEMS)
        return ps_fail(PS_EKIND, "<stdin>: ids of items are needed here");
    return h ? ps_head_match(h, "<stdin>", s->x.head.graph) : 0;
}

static int open_near(ps_embed_sources *s, const ps_embed_files *f)
{
    ps_new_from *from = &s->fresh;
    if (f->fresh) {
        from->near = ps_reader_open(f->fresh, PS_NEIGHBOURS);
        return from->near ? ps_head_match(ps_reader_head(from->near), f->fresh, s->x.head.graph) : PS_EDATA;
    }
    const ps_query_options q = {
        .graph = &s->graph, .text = f->text, .skip_unknown = f->skip_unknown, .boards = 1, .path = f->boards,
        .bad_line = f->bad_line};
    from->graph = &s->graph;
    from->walk = f->walk;
    from->top = f->top ? f->top : s->n.dim;
    from->boards = ps_queries_open(&q);
    return !from->boards ? PS_EDATA
           : from->top   ? 0
                         : ps_usage_error("--boards without -n needs -T N: how many neighbours the items have");
}

static int open_fresh(ps_embed_sources *s, const ps_embed_files *f)
{
    s->vectors = ps_reader_open(NULL, PS_VECTORS);
    int rc = s->vectors ? open_near(s, f) : PS_EDATA;
    if (rc == 0 && f->fresh_texts)
        rc = ps_sparse_open(&s->fresh_texts, f->fresh_texts, 0, 0);
    if (rc == 0 && f->fresh_texts)
        rc = ps_model_widen(&s->model, &s->fresh_texts);
    s->fresh.texts = f->fresh_texts ? &s->fresh_texts : NULL;
    return rc;
}

int ps_embed_sources_texts(ps_embed_sources *s, const ps_embed_files *f)
{
    if (!f->texts && s->model.shape.tokens)
        return ps_usage_error("-y TEXTS is needed: the model has token embeddings");
    if (f->old_z && f->texts && !f->old_y)
        return ps_usage_error("--update with -y: --old-y TEXTS says what texts the earlier run had");
    int rc = f->texts ? ps_sparse_open(&s->texts, f->texts, s->x.head.graph, 0) : 0;
    /* Texts without a word need no embeddings, and a model that was trained with such has none. */
    if (rc == 0 && f->texts && !s->model.shape.tokens)
        return s->texts.n == 0 ? 0 : ps_fail(PS_EMATCH, "%s: the model has no token embeddings", f->texts);
    return rc == 0 && f->texts ? ps_model_widen(&s->model, &s->texts) : rc;
}

static int open_earlier(ps_embed_sources *s, const ps_embed_files *f)
{
    ps_embed_earlier *old = &s->earlier;
    int rc = ps_vectors_open_within(&s->old_z, f->old_z, 0, &s->spill);
    if (rc == 0)
        rc = ps_vectors_open_within(&s->old_x, f->old_x, 0, &s->spill);
    if (rc == 0 && f->old_n)
        rc = ps_neighbours_open_within(&s->old_n, f->old_n, 0, 0, &s->spill);
    if (rc == 0 && f->old_y)
        rc = ps_sparse_open(&s->old_texts, f->old_y, 0, 0);
    *old = (ps_embed_earlier){.x = &s->old_x,
                              .z = &s->old_z,
                              .neighbours = f->old_n ? &s->old_n : NULL,
                              .texts = f->old_y ? &s->old_texts : NULL};
    return rc;
}

int ps_embed_sources_open(ps_embed_sources *s, const ps_embed_files *f, uint64_t memory, const char *dir)
{
    *s = (ps_embed_sources){.spill = {memory, dir}};
    int rc = ps_model_read(&s->model, f->model);
    if (rc == 0 && f->graph) {
        rc = ps_graph_open(&s->graph, f->graph);
        s->have_graph = rc == 0;
    }
    if (rc == 0)
        rc = ps_vectors_open_within(&s->x, f->vectors, fingerprint(s), &s->spill);
    if (rc == 0 && f->neighbours)
        rc = ps_neighbours_open_within(&s->n, f->neighbours, s->x.head.graph, 0, &s->spill);
    if (rc == 0)
        rc = ps_embed_sources_texts(s, f);
    if (rc == 0 && f->old_z)
        rc = open_earlier(s, f);
    if (rc == 0 && (f->fresh || f->boards))
        rc = open_fresh(s, f);
    else if (rc == 0 && f->asked)
        rc = open_asked(s, f);
    return rc;
}

void ps_embed_sources_close(ps_embed_sources *s)
{
    ps_queries_close(s->queries);
    ps_queries_close(s->fresh.boards);
    ps_reader_close(s->fresh.near);
    ps_reader_close(s->vectors);
    ps_sparse_free(&s->texts);
    ps_sparse_free(&s->fresh_texts);
    ps_sparse_free(&s->old_texts);
    ps_neighbours_close(&s->n);
    ps_neighbours_close(&s->old_n);
    ps_vectors_close(&s->x);
    ps_vectors_close(&s->old_x);
    ps_vectors_close(&s->old_z);
    if (s->have_graph)
        ps_graph_close(&s->graph);
    ps_model_free(&s->model);
}
