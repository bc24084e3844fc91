/* psembed - feature vectors in, embeddings out. */
#include <stdlib.h>
#include <string.h>

#include "bf16.h"
#include "device_embed.h"
#include "embed_flow.h"
#include "embed_update.h"
#include "gemm.h"
#include "paged.h"
#include "tool.h"

typedef struct {
    ps_common common;
    const char *model, *texts, *neighbours, *vectors, *graph, *fresh, *fresh_texts, *tmp;
    const char *device;
    const char *update, *old_x, *old_n, *old_texts;
    const char *scatter, *features;
    int all, text, soon, skip_missing, bf16, elem, invert;
    uint32_t project, gather;
    int64_t memory;
} options;

/* All that is read before the work begins. */
typedef struct {
    ps_model model;
    ps_vectors x, old_x, old_z;
    ps_neighbours n, old_n;
    ps_sparse texts, fresh_texts, old_texts;
    ps_graph graph;
    ps_pool *pool;
    ps_device *device; /* NULL: the CPU */
    ps_spill spill;    /* memory that is left, and where temporary files go */
    ps_queries *queries;     /* of the items that are asked for */
    ps_reader *fresh, *near; /* new items: vectors, neighbourhoods */
} sources;

static void show(uint64_t done, uint64_t items)
{
    ps_progress("items", done, items);
}

/* ---- reading ---- */

static int open_asked(sources *s, const options *o)
{
    ps_query_options q = {.graph = o->graph ? &s->graph : NULL, .text = o->text, .skip_unknown = o->skip_missing};
    if (o->fresh) {
        s->fresh = ps_reader_open(NULL, PS_VECTORS);
        s->near = s->fresh ? ps_reader_open(o->fresh, PS_NEIGHBOURS) : NULL;
        return s->near ? ps_head_match(ps_reader_head(s->near), o->fresh, s->x.head.graph) : PS_EDATA;
    }
    s->queries = ps_queries_open(&q);
    if (!s->queries)
        return PS_EDATA;
    const ps_head *h = ps_queries_head(s->queries);
    if (ps_queries_space(s->queries) != PS_ITEMS)
        return ps_fail(PS_EKIND, "<stdin>: ids of items are needed here");
    return h ? ps_head_match(h, "<stdin>", s->x.head.graph) : 0;
}

static int open_texts(sources *s, const options *o)
{
    if (!o->texts && s->model.shape.tokens)
        return ps_usage_error("-y TEXTS is needed: the model has token embeddings");
    if (o->update && o->texts && !o->old_texts)
        return ps_usage_error("--update with -y: --old-y TEXTS says what texts the earlier run had");
    int rc = o->texts ? ps_sparse_open(&s->texts, o->texts, s->x.head.graph, 0) : 0;
    /* Texts without a word need no embeddings, and a model that was trained with such has none. */
    if (rc == 0 && o->texts && !s->model.shape.tokens)
        return s->texts.n == 0 ? 0 : ps_fail(PS_EMATCH, "%s: the model has no token embeddings", o->texts);
    if (rc == 0 && o->texts)
        rc = ps_model_widen(&s->model, &s->texts);
    if (rc == 0 && o->fresh_texts)
        rc = ps_sparse_open(&s->fresh_texts, o->fresh_texts, 0, 0);
    if (rc == 0 && o->fresh_texts)
        rc = ps_model_widen(&s->model, &s->fresh_texts);
    return rc == 0 && o->old_texts ? ps_sparse_open(&s->old_texts, o->old_texts, 0, 0) : rc;
}

static int open_earlier(sources *s, const options *o)
{
    int rc = ps_vectors_open_within(&s->old_z, o->update, 0, &s->spill);
    if (rc == 0)
        rc = ps_vectors_open_within(&s->old_x, o->old_x, 0, &s->spill);
    return rc == 0 && o->old_n ? ps_neighbours_open_within(&s->old_n, o->old_n, 0, 0, &s->spill) : rc;
}

static int open_all(sources *s, const options *o)
{
    s->spill = (ps_spill){o->memory ? (uint64_t)o->memory : ps_free_memory(), ps_temp_dir(o->tmp)};
    int rc = ps_model_read(&s->model, o->model);
    if (rc == 0 && o->graph)
        rc = ps_graph_open(&s->graph, o->graph);
    if (rc == 0)
        rc = ps_vectors_open_within(&s->x, o->vectors, o->graph ? s->graph.fingerprint : 0, &s->spill);
    if (rc == 0 && o->neighbours)
        rc = ps_neighbours_open_within(&s->n, o->neighbours, s->x.head.graph, 0, &s->spill);
    if (rc == 0)
        rc = open_texts(s, o);
    if (rc == 0 && o->update)
        rc = open_earlier(s, o);
    if (rc == 0 && o->vectors && !o->all)
        rc = open_asked(s, o);
    if (rc == 0 && !(s->pool = ps_pool_new((int)o->common.threads)))
        rc = PS_EMEM;
    return rc;
}

static void close_all(sources *s, const options *o)
{
    ps_pool_free(s->pool);
    ps_queries_close(s->queries);
    ps_reader_close(s->near);
    ps_reader_close(s->fresh);
    ps_sparse_free(&s->texts);
    ps_sparse_free(&s->fresh_texts);
    ps_sparse_free(&s->old_texts);
    ps_neighbours_close(&s->n);
    ps_neighbours_close(&s->old_n);
    ps_vectors_close(&s->x);
    ps_vectors_close(&s->old_x);
    ps_vectors_close(&s->old_z);
    if (o->graph)
        ps_graph_close(&s->graph);
    ps_model_free(&s->model);
}

/* ---- embedding ---- */

static int update(ps_embedder *m, const ps_embedding *e, sources *s, const options *o, ps_embed_out *to)
{
    size_t computed = 0;
    const ps_embed_earlier old = {.x = &s->old_x, .z = &s->old_z, .neighbours = o->old_n ? &s->old_n : NULL,
                                  .texts = s->old_texts.off ? &s->old_texts : NULL};
    int rc = to->head.scale > 0 ? ps_embed_earlier_check(&old, &to->head)
                                : ps_usage_error("--update with -E i8 needs embeddings of length 1 without a bias");
    if (rc == 0)
        rc = ps_embed_update(m, e, &old, to, &computed);
    if (rc == 0)
        ps_info("%zu of %llu items computed, the others copied", computed, (unsigned long long)e->x->n);
    return rc;
}

static int run(ps_embedder *m, const ps_embedding *e, sources *s, const options *o, ps_embed_answer *a)
{
    if (s->device)
        return ps_device_embed(e, s->device);
    if (o->update)
        return update(m, e, s, o, a->to);
    if (s->fresh)
        return ps_embed_ask_new(m, a, s->fresh, s->near, s->fresh_texts.off ? &s->fresh_texts : NULL, o->soon);
    if (!s->queries)
        return ps_embed_all(m);
    int rc = ps_embed_ask(m, a, s->queries, o->soon);
    if (rc == 0 && ps_queries_skipped(s->queries))
        ps_warn("%llu names skipped: the graph does not know them", (unsigned long long)ps_queries_skipped(s->queries));
    if (rc == 0 && a->again)
        ps_warn("%llu ids left out: they had been asked for before", (unsigned long long)a->again);
    return rc;
}

static int write_embeddings(const options *o, sources *s, ps_out *out)
{
    const ps_embed_form form = {(ps_elem)(o->elem + 1), o->bf16, o->skip_missing};
    ps_embed_out to = {.held = {.fd = -1}};
    ps_embed_answer a = {.to = &to, .x = &s->x};
    const ps_embedding e = {.model = &s->model,
                            .x = &s->x,
                            .texts = s->model.shape.tokens ? &s->texts : NULL,
                            .neighbours = o->neighbours ? &s->n : NULL,
                            .skip_missing = o->skip_missing,
                            .bf16 = o->bf16,
                            .memory = s->spill.memory,
                            .dir = s->spill.dir,
                            .pool = s->pool,
                            .sink = ps_embed_write,
                            .ctx = &a,
                            .progress = o->soon ? NULL : show};
    ps_head head = {0};
    ps_embedder *m = ps_embedder_new(&e);
    int rc = m ? ps_embed_head_make(&head, &s->model, s->fresh ? ps_reader_head(s->fresh) : &s->x.head, &form) : PS_EMATCH;
    if (rc == 0)
        rc = ps_embed_out_open(&to, out, &head, s->spill.dir);
    if (rc == 0)
        rc = run(m, &e, s, o, &a);
    if (rc == 0)
        rc = ps_embed_out_end(&to);
    if (rc == 0 && form.elem != PS_F32)
        ps_info("the largest difference between an element and what was written of it is %.3g", to.error);
    ps_embed_out_free(&to);
    ps_head_free(&head);
    ps_embedder_free(m);
    return rc;
}

/* ---- the filters ---- */

static int gather(const options *o, const ps_embedding *e, ps_reader *in, ps_out *out)
{
    const ps_embed_form form = {(ps_elem)(o->elem + 1), o->bf16, o->skip_missing};
    const int needs = e->model->shape.bypass && o->gather == e->model->shape.layers && o->gather > 1;
    if (!o->vectors || needs != (o->features != NULL))
        return ps_usage_error(!o->vectors ? "--gather needs -x VECTORS, those of the layer below"
                              : needs     ? "--gather needs --features VECTORS: the model has a bypass"
                                          : "--features is for the last of several convolutions of a model with a bypass");
    ps_reader *own = ps_reader_open(o->vectors, PS_VECTORS), *x = o->features ? ps_reader_open(o->features, PS_VECTORS) : NULL;
    ps_embed_out to = {.held = {.fd = -1}};
    ps_head head = {0};
    int rc = own && (x || !o->features) ? ps_embed_gather_head(&head, e, ps_reader_head(own), o->gather, &form) : PS_EDATA;
    if (rc == 0)
        rc = ps_embed_out_open(&to, out, &head, e->dir);
    if (rc == 0)
        rc = ps_embed_gather(e, in, own, x, o->gather, &to);
    if (rc == 0)
        rc = ps_embed_out_end(&to);
    ps_embed_out_free(&to);
    ps_head_free(&head);
    ps_reader_close(own);
    ps_reader_close(x);
    return rc;
}

static int scatter(const options *o, const ps_embedding *e, ps_reader *in, ps_out *out)
{
    ps_reader *pairs = ps_reader_open(o->scatter, PS_PAIRS);
    int rc = pairs ? ps_embed_scatter(e, in, pairs, out) : PS_EDATA;
    ps_reader_close(pairs);
    return rc;
}

static int filter_step(const options *o, sources *s, ps_reader *in, ps_out *out)
{
    const ps_embedding e = {.model = &s->model,
                            .texts = s->model.shape.tokens ? &s->texts : NULL,
                            .skip_missing = o->skip_missing,
                            .bf16 = o->bf16,
                            .memory = o->memory ? (uint64_t)o->memory : ps_free_memory(),
                            .dir = ps_temp_dir(o->tmp)};
    if (o->invert)
        return ps_embed_invert(in, out);
    if (o->project > s->model.shape.layers || o->gather > s->model.shape.layers)
        return ps_usage_error("%s: the model has %u convolutions", o->project ? "--project" : "--gather", s->model.shape.layers);
    return o->project   ? ps_embed_project_flow(&e, in, o->project, out)
           : o->scatter ? scatter(o, &e, in, out)
                        : gather(o, &e, in, out);
}

static int is_filter(const options *o)
{
    return o->invert || o->project || o->scatter || o->gather;
}

static int filter(const options *o)
{
    sources s = {0};
    const char *why;
    const int all = o->invert + (o->project > 0) + (o->scatter != NULL) + (o->gather > 0);
    if (all > 1 || o->neighbours || o->all || o->text || o->graph || o->soon || o->fresh || o->update ||
        strcmp(o->device, "cpu") != 0)
        return ps_usage_error("--invert, --project, --scatter and --gather are by themselves");
    if (!o->invert && !o->model)
        return ps_usage_error("-m MODEL is needed");
    if (o->bf16 && !ps_bf16_backend(&why))
        return ps_usage_error("--bf16: %s", why);
    int rc = o->invert ? 0 : ps_model_read(&s.model, o->model);
    if (rc == 0 && o->gather && o->gather == s.model.shape.layers)
        rc = open_texts(&s, o);
    ps_reader *in = rc == 0 ? ps_reader_open(NULL, o->invert ? PS_NEIGHBOURS : PS_VECTORS) : NULL;
    ps_out *out = in ? ps_tool_output(&o->common, 0) : NULL;
    if (rc == 0)
        rc = out ? filter_step(o, &s, in, out) : PS_EDATA;
    if (rc == 0)
        rc = ps_out_close(out);
    else
        ps_out_abort(out);
    ps_reader_close(in);
    close_all(&s, o);
    return rc;
}

/* ---- wiring ---- */

static int check_options(const options *o)
{
    const char *why;
    if (!o->model)
        return ps_usage_error("-m MODEL is needed");
    if (!o->vectors && (o->all || o->text || o->graph || o->soon || o->fresh))
        return ps_usage_error("-a, -t, -g, -l and --new go with -x VECTORS: without, standard input has all vectors");
    if (o->all + o->text + (o->fresh != NULL) > 1 || (o->all && o->soon))
        return ps_usage_error("only one of -a, -t and --new can be had at once, and -l not with -a");
    if (o->text && !o->graph)
        return ps_usage_error("-t needs -g GRAPH, which knows the names");
    if (o->fresh_texts && (!o->fresh || !o->texts))
        return ps_usage_error("--new-texts goes with --new and -y");
    if (!o->update != !o->old_x || (!o->update && (o->old_n || o->old_texts)))
        return ps_usage_error("--update needs --old-x, and --old-n and --old-y go with it");
    if (o->update && o->vectors && !o->all)
        return ps_usage_error("--update embeds all items");
    if (strcmp(o->device, "cpu") != 0 && (o->update || o->fresh || (o->vectors && !o->all) || o->bf16))
        return ps_usage_error("-D %s embeds all vectors, from floats", o->device);
    if (o->soon && o->elem)
        return ps_usage_error("-l writes f32 elements");
    if (o->bf16 && !ps_bf16_backend(&why))
        return ps_usage_error("--bf16: %s", why);
    return 0;
}

static int embed(const options *o)
{
    sources s = {0};
    int rc = check_options(o);
    if (rc < 0)
        return rc;
    rc = ps_device_named(o->device, &s.device);
    if (rc == 0)
        rc = open_all(&s, o);
    if (rc == 0 && s.model.shape.layers && !o->neighbours && !o->fresh)
        ps_warn("no neighbourhoods (-n): every item is embedded from its features alone");
    ps_out *out = rc == 0 ? ps_tool_output(&o->common, 0) : NULL;
    if (rc == 0)
        rc = out ? write_embeddings(o, &s, out) : PS_ESYS;
    if (rc == 0)
        rc = ps_out_close(out);
    else
        ps_out_abort(out);
    close_all(&s, o);
    if (s.device)
        s.device->ops->close(s.device);
    return rc;
}

int main(int argc, char **argv)
{
    options o = {.common = PS_COMMON_DEFAULT, .device = "cpu"};
    const ps_option rows[] = {
        {'m', "model", "FILE", PS_OPT_STR, &o.model, 0, 0, "the model", NULL},
        {'y', "texts", "FILE", PS_OPT_STR, &o.texts, 0, 0, "sparse texts of the items, for token embeddings", NULL},
        {'n', "neighbours", "FILE", PS_OPT_STR, &o.neighbours, 0, 0, "neighbourhoods of the items", NULL},
        {'D', "device", "NAME", PS_OPT_STR, &o.device, 0, 0, "what computes: cpu, cuda or cuda:N", NULL},
        {'u', "skip-unknown", NULL, PS_OPT_FLAG, &o.skip_missing, 0, 0, "leave out neighbours that have no vector", NULL},
        {'x', "vectors", "FILE", PS_OPT_STR, &o.vectors, 0, 0, "vectors; standard input then says which items", NULL},
        {'a', "all", NULL, PS_OPT_FLAG, &o.all, 0, 0, "with -x: all items, nothing is read", NULL},
        {'t', "text", NULL, PS_OPT_FLAG, &o.text, 0, 0, "the items are text: a name a line", NULL},
        {'g', "graph", "FILE", PS_OPT_STR, &o.graph, 0, 0, "the graph that knows the names", NULL},
        {'l', "line-buffered", NULL, PS_OPT_FLAG, &o.soon, 0, 0, "answer each item before the next is read", NULL},
        {0, "new", "FILE", PS_OPT_STR, &o.fresh, 0, 0, "new items on standard input, with these neighbourhoods", NULL},
        {0, "new-texts", "FILE", PS_OPT_STR, &o.fresh_texts, 0, 0, "texts of the new items", NULL},
        {0, "update", "FILE", PS_OPT_STR, &o.update, 0, 0, "embeddings of an earlier run: compute what has changed", NULL},
        {0, "old-x", "FILE", PS_OPT_STR, &o.old_x, 0, 0, "vectors of that run", NULL},
        {0, "old-n", "FILE", PS_OPT_STR, &o.old_n, 0, 0, "neighbourhoods of that run", NULL},
        {0, "old-y", "FILE", PS_OPT_STR, &o.old_texts, 0, 0, "texts of that run", NULL},
        {0, "invert", NULL, PS_OPT_FLAG, &o.invert, 0, 0, "neighbourhoods to pairs: neighbour, item, weight", NULL},
        {0, "project", "K", PS_OPT_U32, &o.project, 1, PS_LAYERS_MAX, "vectors of layer K - 1 to projections", NULL},
        {0, "scatter", "FILE", PS_OPT_STR, &o.scatter, 0, 0, "projections to sums, by these pairs", NULL},
        {0, "gather", "K", PS_OPT_U32, &o.gather, 1, PS_LAYERS_MAX, "sums, and vectors of layer K - 1, to layer K", NULL},
        {0, "features", "FILE", PS_OPT_STR, &o.features, 0, 0, "features, for a bypass in the last of several layers", NULL},
        {'E', "element", "TYPE", PS_OPT_CHOICE, &o.elem, 0, 0, "elements of the embeddings", "f32|f16|bf16|i8"},
        {0, "bf16", NULL, PS_OPT_FLAG, &o.bf16, 0, 0, "multiply numbers rounded to bf16", NULL},
        {'M', "memory", "SIZE", PS_OPT_SIZE, &o.memory, 1 << 20, 0x1p62, "memory to use, like 2G (default: half of what is free)", NULL},
        {0, "tmp", "DIR", PS_OPT_STR, &o.tmp, 0, 0, "temporary files go there (default: $TMPDIR or /tmp)", NULL},
        {0},
    };
    const ps_tool tool = {"psembed", "Embeds the feature vectors on standard input by a model.", NULL, ps_gemm_backend};
    ps_tool_parse(&tool, rows, &o.common, argc, argv);
    return ps_tool_finish(is_filter(&o) ? filter(&o) : embed(&o));
}
