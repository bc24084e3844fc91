/* psembed - feature vectors in, embeddings out. */
#include <string.h>

#include "bf16.h"
#include "embed_filter.h"
#include "embed_sources.h"
#include "gemm.h"
#include "paged.h"
#include "tool.h"

typedef struct {
    ps_common common;
    ps_embed_files files;
    ps_embed_step step;
    const char *device, *tmp;
    int all, soon, skip_missing, bf16, elem;
    int64_t memory, steps;
    double favour;
} options;

static void show(uint64_t done, uint64_t items)
{
    ps_progress("items", done, items);
}

/* ---- embedding: all items, what changed, new ones, or those that are asked for ---- */

static int update(ps_embedder *m, const ps_embedding *e, const ps_embed_earlier *old, ps_embed_out *to)
{
    size_t computed = 0;
    int rc = to->head.scale > 0 ? ps_embed_earlier_check(old, &to->head)
                                : ps_usage_error("--update with -E i8 needs embeddings of length 1 without a bias");
    if (rc == 0)
        rc = ps_embed_update(m, e, old, to, &computed);
    if (rc == 0)
        ps_info("%zu of %llu items computed, the others copied", computed, (unsigned long long)e->x->n);
    return rc;
}

static void warn_of_skipped(ps_queries *q, const char *what)
{
    if (ps_queries_skipped(q))
        ps_warn("%llu names skipped: the graph does not know such %s", (unsigned long long)ps_queries_skipped(q), what);
}

static int run(ps_embedder *m, const ps_embedding *e, ps_embed_sources *s, int soon, ps_embed_answer *a)
{
    int rc;
    if (s->earlier.x)
        return update(m, e, &s->earlier, a->to);
    if (s->vectors) {
        rc = ps_embed_ask_new(m, a, s->vectors, &s->fresh, soon);
        if (rc == 0 && s->fresh.boards)
            warn_of_skipped(s->fresh.boards, "boards");
        return rc;
    }
    if (!s->queries)
        return ps_embed_all(m);
    rc = ps_embed_ask(m, a, s->queries, soon);
    if (rc == 0)
        warn_of_skipped(s->queries, "items");
    if (rc == 0 && a->again)
        ps_warn("%llu ids left out: they had been asked for before", (unsigned long long)a->again);
    return rc;
}

static int write_embeddings(const options *o, ps_embed_sources *s, ps_device *device, ps_pool *pool, ps_out *out)
{
    const ps_embed_form form = {(ps_elem)(o->elem + 1), o->bf16, o->skip_missing, o->favour};
    ps_embed_out to = {.held = {.fd = -1}};
    ps_embed_answer a = {.to = &to, .x = &s->x};
    /* Blocks of a device follow from what it has and what is asked for, not from what happens to be free. */
    const ps_embedding e = {.model = &s->model,
                            .x = &s->x,
                            .texts = s->model.shape.tokens ? &s->texts : NULL,
                            .neighbours = o->files.neighbours ? &s->n : NULL,
                            .skip_missing = o->skip_missing,
                            .bf16 = o->bf16,
                            .memory = device && !o->memory ? 0 : s->spill.memory,
                            .dir = s->spill.dir,
                            .device = device,
                            .pool = pool,
                            .sink = ps_embed_write,
                            .ctx = &a,
                            .progress = o->soon ? NULL : show};
    ps_head head = {0};
    ps_embedder *m = ps_embedder_new(&e);
    int rc = m ? ps_embed_head_make(&head, &s->model, s->vectors ? ps_reader_head(s->vectors) : &s->x.head, &form)
               : PS_EMATCH;
    if (rc == 0)
        rc = ps_embed_out_open(&to, out, &head, s->spill.dir);
    to.favour = (float)o->favour;
    if (rc == 0)
        rc = run(m, &e, s, o->soon, &a);
    if (rc == 0)
        rc = ps_embed_out_end(&to);
    if (rc == 0 && form.elem != PS_F32)
        ps_info("the largest difference between an element and what was written of it is %.3g", to.error);
    ps_embed_out_free(&to);
    ps_head_free(&head);
    ps_embedder_free(m);
    return rc;
}

/* ---- wiring ---- */

static int check_options(const options *o)
{
    const ps_embed_files *f = &o->files;
    const int fresh = (f->fresh != NULL) + (f->boards != NULL);
    const char *why;
    if (!f->model)
        return ps_usage_error("-m MODEL is needed");
    if (!f->vectors && (o->all || f->text || f->graph || o->soon || fresh))
        return ps_usage_error(
            "-a, -t, -g, -l, --new and --boards go with -x VECTORS: without, standard input has all vectors");
    if (o->all + (f->text && !f->boards) + fresh > 1 || (o->all && o->soon))
        return ps_usage_error("only one of -a, -t, --new and --boards can be had at once, and -l not with -a");
    if ((f->text || f->boards) && !f->graph)
        return ps_usage_error("%s needs -g GRAPH%s", f->boards ? "--boards" : "-t",
                              f->boards ? "" : ", which knows the names");
    if (!f->boards && (f->top || o->steps != 1000 || f->walk.restart != .5))
        return ps_usage_error("-T, -w and -r are for walks from --boards");
    if (f->fresh_texts && (!fresh || !f->texts))
        return ps_usage_error("--new-texts goes with --new or --boards, and -y");
    if (o->favour != 0 && !fresh)
        return ps_usage_error("--favour is for new items, of --new or --boards");
    if (!f->old_z != !f->old_x || (!f->old_z && (f->old_n || f->old_y)))
        return ps_usage_error("--update needs --old-x, and --old-n and --old-y go with it");
    if (f->old_z && f->vectors && !o->all)
        return ps_usage_error("--update embeds all items");
    if (strcmp(o->device, "cpu") != 0 && o->common.sandbox)
        return ps_usage_error("-D %s: a driver needs the rights that --sandbox gives up", o->device);
    if (o->soon && o->elem)
        return ps_usage_error("-l writes f32 elements");
    if (o->bf16 && strcmp(o->device, "cpu") == 0 && !ps_bf16_backend(&why))
        return ps_usage_error("--bf16: %s", why);
    return 0;
}

static uint64_t memory(const options *o)
{
    return o->memory ? (uint64_t)o->memory : ps_free_memory();
}

/* A model is of no use to features of another kind, which may have as many dimensions. */
static void warn_of_others(const ps_model *model, const ps_head *head, const char *path)
{
    const char *line = ps_head_differs(head, model->history, "psfeat");
    if (line)
        ps_warn("%s was made by '%.*s', and nothing that the model was trained with was", path ? path : "<stdin>",
                (int)strcspn(line, "\n"), line);
}

static void warn_of_inputs(const ps_embed_sources *s, const ps_embed_files *f)
{
    if (!s->vectors || f->vectors)
        warn_of_others(&s->model, &s->x.head, f->vectors);
    if (s->vectors)
        warn_of_others(&s->model, ps_reader_head(s->vectors), NULL);
    if (f->texts)
        warn_of_others(&s->model, &s->texts.head, f->texts);
    if (f->fresh_texts)
        warn_of_others(&s->model, &s->fresh_texts.head, f->fresh_texts);
}

static int embed(options *o)
{
    ps_embed_files *f = &o->files;
    ps_embed_sources s = {0};
    ps_device *device = NULL;
    f->asked = f->vectors && !o->all;
    f->skip_unknown = o->skip_missing;
    f->bad_line = o->soon ? ps_warn_skipped : NULL;
    f->walk.steps = (uint64_t)o->steps;
    f->walk.seed = (uint64_t)o->common.seed;
    int rc = check_options(o);
    if (rc == 0)
        rc = ps_device_named(o->device, &device);
    if (rc == 0)
        rc = ps_embed_sources_open(&s, f, memory(o), ps_temp_dir(o->tmp));
    ps_pool *pool = rc == 0 ? ps_pool_new((int)o->common.threads) : NULL;
    if (rc == 0 && s.model.shape.layers && !f->neighbours && !s.vectors)
        ps_warn("no neighbourhoods (-n): every item is embedded from its features alone");
    if (rc == 0)
        warn_of_inputs(&s, f);
    ps_out *out = pool ? ps_tool_output(&o->common, 0) : NULL;
    if (rc == 0)
        rc = out ? write_embeddings(o, &s, device, pool, out) : PS_ESYS;
    if (rc == 0)
        rc = ps_out_close(out);
    else
        ps_out_abort(out);
    ps_pool_free(pool);
    ps_embed_sources_close(&s);
    if (device)
        device->ops->close(device);
    return rc;
}

/* ---- the filters ---- */

static int check_filter(const options *o)
{
    const ps_embed_files *f = &o->files;
    const char *why;
    if (ps_embed_steps(&o->step) > 1 || f->neighbours || o->all || f->text || f->graph || o->soon || f->fresh ||
        f->boards || f->old_z || o->favour != 0)
        return ps_usage_error("--invert, --project, --scatter and --gather are by themselves");
    if (strcmp(o->device, "cpu") != 0)
        return ps_usage_error("-D %s: the steps of map and reduce have the same bytes in any pieces: not on a GPU",
                              o->device);
    if (!o->step.invert && !f->model)
        return ps_usage_error("-m MODEL is needed");
    return o->bf16 && !ps_bf16_backend(&why) ? ps_usage_error("--bf16: %s", why) : 0;
}

static int filter(options *o)
{
    ps_embed_sources s = {0};
    ps_embed_step *step = &o->step;
    step->own = o->files.vectors;
    int rc = check_filter(o);
    if (rc == 0 && !step->invert)
        rc = ps_model_read(&s.model, o->files.model);
    if (rc == 0 && step->gather && step->gather == s.model.shape.layers)
        rc = ps_embed_sources_texts(&s, &o->files);
    const ps_embed_form form = {(ps_elem)(o->elem + 1), o->bf16, o->skip_missing, 0};
    const ps_embedding e = {.model = &s.model,
                            .texts = s.model.shape.tokens ? &s.texts : NULL,
                            .skip_missing = o->skip_missing,
                            .bf16 = o->bf16,
                            .memory = memory(o),
                            .dir = ps_temp_dir(o->tmp)};
    ps_reader *in = rc == 0 ? ps_reader_open(NULL, step->invert ? PS_NEIGHBOURS : PS_VECTORS) : NULL;
    ps_out *out = in ? ps_tool_output(&o->common, 0) : NULL;
    if (rc == 0)
        rc = out ? ps_embed_filter(step, &e, &form, in, out) : PS_EDATA;
    if (rc == 0)
        rc = ps_out_close(out);
    else
        ps_out_abort(out);
    ps_reader_close(in);
    ps_embed_sources_close(&s);
    return rc;
}

int main(int argc, char **argv)
{
    options o = {.common = PS_COMMON_DEFAULT, .device = "cpu", .steps = 1000, .files.walk = PS_WALK_DEFAULT};
    ps_embed_files *f = &o.files;
    ps_embed_step *step = &o.step;
    const ps_option rows[] = {
        {'m', "model", "FILE", PS_OPT_STR, &f->model, 0, 0, "the model", NULL},
        {'y', "texts", "FILE", PS_OPT_STR, &f->texts, 0, 0, "sparse texts of the items, for token embeddings", NULL},
        {'n', "neighbours", "FILE", PS_OPT_STR, &f->neighbours, 0, 0, "neighbourhoods of the items", NULL},
        {'D', "device", "NAME", PS_OPT_STR, &o.device, 0, 0, "what computes: cpu, cuda or cuda:N", NULL},
        {'u', "skip-unknown", NULL, PS_OPT_FLAG, &o.skip_missing, 0, 0, "leave out neighbours that have no vector",
         NULL},
        {'x', "vectors", "FILE", PS_OPT_STR, &f->vectors, 0, 0, "vectors; standard input then says which items", NULL},
        {'a', "all", NULL, PS_OPT_FLAG, &o.all, 0, 0, "with -x: all items, nothing is read", NULL},
        {'t', "text", NULL, PS_OPT_FLAG, &f->text, 0, 0, "the items, or the boards of new ones, are text: names", NULL},
        {'g', "graph", "FILE", PS_OPT_STR, &f->graph, 0, 0, "the graph that knows the names, and is walked from boards",
         NULL},
        {'l', "line-buffered", NULL, PS_OPT_FLAG, &o.soon, 0, 0, "answer each item before the next is read", NULL},
        {0, "new", "FILE", PS_OPT_STR, &f->fresh, 0, 0, "new items on standard input, with these neighbourhoods", NULL},
        {0, "boards", "FILE", PS_OPT_STR, &f->boards, 0, 0, "new items on standard input, on these boards", NULL},
        {'T', "top", "N", PS_OPT_U32, &f->top, 1, 65536, "from boards: neighbours (default: as many as -n has)", NULL},
        {'w', "steps", "N", PS_OPT_INT, &o.steps, 1, PS_WALK_STEPS_MAX, "from boards: steps of the walk", NULL},
        {'r', "restart", "P", PS_OPT_REAL, &f->walk.restart, 0, 1,
         "from boards: probability of a restart after each step", NULL},
        {0, "new-texts", "FILE", PS_OPT_STR, &f->fresh_texts, 0, 0, "texts of the new items", NULL},
        {0, "favour", "X", PS_OPT_REAL, &o.favour, 0, 1e6, "so much more item bias for the new items", NULL},
        {0, "update", "FILE", PS_OPT_STR, &f->old_z, 0, 0, "embeddings of an earlier run: compute what has changed",
         NULL},
        {0, "old-x", "FILE", PS_OPT_STR, &f->old_x, 0, 0, "vectors of that run", NULL},
        {0, "old-n", "FILE", PS_OPT_STR, &f->old_n, 0, 0, "neighbourhoods of that run", NULL},
        {0, "old-y", "FILE", PS_OPT_STR, &f->old_y, 0, 0, "texts of that run", NULL},
        {0, "invert", NULL, PS_OPT_FLAG, &step->invert, 0, 0, "neighbourhoods to pairs: neighbour, item, weight", NULL},
        {0, "project", "K", PS_OPT_U32, &step->project, 1, PS_LAYERS_MAX, "vectors of layer K - 1 to projections",
         NULL},
        {0, "scatter", "FILE", PS_OPT_STR, &step->scatter, 0, 0, "projections to sums, by these pairs", NULL},
        {0, "gather", "K", PS_OPT_U32, &step->gather, 1, PS_LAYERS_MAX, "sums, and vectors of layer K - 1, to layer K",
         NULL},
        {0, "features", "FILE", PS_OPT_STR, &step->features, 0, 0,
         "features, for a bypass in the last of several layers", NULL},
        {'E', "element", "TYPE", PS_OPT_CHOICE, &o.elem, 0, 0, "elements of the embeddings", "f32|f16|bf16|i8"},
        {0, "bf16", NULL, PS_OPT_FLAG, &o.bf16, 0, 0, "multiply numbers rounded to bf16", NULL},
        {'M', "memory", "SIZE", PS_OPT_SIZE, &o.memory, 1 << 20, 0x1p62,
         "memory to use, like 2G (default: half of what is free)", NULL},
        {0, "tmp", "DIR", PS_OPT_STR, &o.tmp, 0, 0, "temporary files go there (default: $TMPDIR or /tmp)", NULL},
        {0},
    };
    const ps_tool tool = {"psembed", "Embeds the feature vectors on standard input by a model.", NULL, ps_gemm_backend};
    ps_tool_parse(&tool, rows, &o.common, argc, argv);
    return ps_tool_finish(ps_embed_steps(step) > 0 ? filter(&o) : embed(&o));
}
