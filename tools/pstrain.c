/* pstrain - pairs in, model out. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "rng.h"
#include "tool.h"
#include "train.h"
#include "validate.h"

typedef struct {
    ps_common common;
    ps_recipe recipe;
    const char *graph, *vectors, *neighbours, *valid, *band;
    int text, skip_unknown, no_bypass, no_bias, no_normalize;
} options;

/* All that training reads. */
typedef struct {
    ps_graph graph;
    ps_vectors x;
    ps_neighbours neighbours;
    ps_pairs pairs, valid;
    ps_known known;
} inputs;

static int read_pairs(const options *o, ps_pairs *p, const char *path, const ps_graph *g)
{
    int rc = ps_pairs_read(p, path, g, o->text, o->skip_unknown ? PS_UNKNOWN_SKIPPED : PS_UNKNOWN_FAILS);
    if (rc == 0 && p->skipped)
        ps_warn("%s: %" PRIu64 " pairs skipped: the graph does not know an item of theirs", path ? path : "<stdin>",
                p->skipped);
    if (rc == 0 && p->self)
        ps_warn("%s: %" PRIu64 " pairs of an item with itself: left out", path ? path : "<stdin>", p->self);
    if (rc == 0 && p->n == 0)
        rc = ps_fail(PS_EDATA, "%s: no pairs in it", path ? path : "<stdin>");
    return rc;
}

static int open_inputs(const options *o, inputs *in)
{
    int rc = ps_graph_open(&in->graph, o->graph);
    if (rc == 0)
        rc = ps_vectors_open(&in->x, o->vectors, in->graph.fingerprint);
    if (rc == 0 && o->neighbours)
        rc = ps_neighbours_open(&in->neighbours, o->neighbours, in->graph.fingerprint, in->graph.items.nodes);
    if (rc == 0 && o->valid)
        rc = read_pairs(o, &in->valid, o->valid, &in->graph);
    if (rc == 0)
        rc = read_pairs(o, &in->pairs, NULL, &in->graph);
    return rc < 0 ? rc : ps_known_make(&in->known, &in->pairs, in->graph.items.nodes);
}

static void close_inputs(inputs *in)
{
    ps_known_free(&in->known);
    ps_pairs_free(&in->pairs);
    ps_pairs_free(&in->valid);
    ps_neighbours_close(&in->neighbours);
    ps_vectors_close(&in->x);
    ps_graph_close(&in->graph);
}

/* What the options say together. */
static int settle(options *o)
{
    ps_recipe *r = &o->recipe;
    r->seed = (uint64_t)o->common.seed;
    r->shape.bypass = r->shape.bypass && !o->no_bypass;
    r->shape.bias = r->shape.bias && !o->no_bias;
    r->shape.normalize = r->shape.normalize && !o->no_normalize;
    if (!o->graph || !o->vectors)
        return ps_usage_error("-g GRAPH and -x VECTORS are needed");
    if (!o->neighbours && r->shape.layers)
        return ps_usage_error("-n NEIGHBOURHOODS is needed for convolutions (psneigh makes it; --layers 0 has none)");
    if (r->patience && !o->valid)
        return ps_usage_error("--patience needs validation pairs (-p)");
    if (r->loss != PS_LOSS_SOFTMAX && r->negatives == 0)
        return ps_usage_error("--negatives 0: this loss needs some");
    if (o->band) {
        char *end;
        unsigned long low = strtoul(o->band, &end, 10), high = *end == '-' ? strtoul(end + 1, &end, 10) : 0;
        if (*end || low < 1 || low > high || high > 1u << 30)
            return ps_usage_error("--band: '%s' is not LOW-HIGH, ranks from 1", o->band);
        r->band_low = (uint32_t)low;
        r->band_high = (uint32_t)high;
    }
    return 0;
}

static int validate(void *ctx, const ps_model *model, double *score)
{
    return ps_validate(ctx, model, score);
}

static void on_step(void *ctx, uint64_t step, uint64_t steps, double loss)
{
    (void)ctx;
    (void)loss;
    ps_progress("batches", step, steps);
}

static void on_epoch(void *ctx, const ps_epoch *e)
{
    (void)ctx;
    if (isnan(e->valid))
        ps_info("epoch %u: loss %.5f", e->epoch, e->loss);
    else
        ps_info("epoch %u: loss %.5f, validation scaled MRR %.4f%s", e->epoch, e->loss, e->valid,
                e->best ? ", the best so far" : "");
}

static int append(char **text, const char *more)
{
    size_t old = strlen(*text), n = strlen(more);
    char *p = realloc(*text, old + n + 1);
    if (!p)
        return ps_fail(PS_EMEM, "out of memory: %zu bytes", old + n + 1);
    memcpy(p + old, more, n + 1);
    *text = p;
    return 0;
}

/* Where the model comes from: the histories of what it was made of, then its own line. */
static int write_history(const inputs *in, const options *o, ps_model *model)
{
    char line[160];
    snprintf(line, sizeof line, "pstrain %s seed=%" PRIu64 " graph=%016" PRIx64 " pairs=%zu\n", PS_VERSION,
             o->recipe.seed, in->graph.fingerprint, in->pairs.n);
    int rc = append(&model->history, in->x.head.history);
    if (rc == 0 && o->neighbours)
        rc = append(&model->history, in->neighbours.head.history);
    return rc < 0 ? rc : append(&model->history, line);
}

static int write_model(const inputs *in, const options *o, ps_model *model, ps_out *out)
{
    int rc = write_history(in, o, model);
    char *text = rc == 0 ? ps_recipe_text(&o->recipe) : NULL;
    if (rc < 0 || !text)
        return rc < 0 ? rc : PS_EMEM;
    free(model->options);
    model->options = text;
    return ps_model_write(model, out);
}

static int train(options *o)
{
    inputs in = {0};
    ps_model model = {0};
    ps_pool *pool = NULL;
    ps_out *out = NULL;
    int rc = settle(o);
    if (rc == 0)
        rc = open_inputs(o, &in);
    o->recipe.shape.dx = in.x.d;
    if (rc == 0)
        rc = ps_model_make(&model, &o->recipe.shape);
    if (rc == 0 && !(pool = ps_pool_new((int)o->common.threads)))
        rc = PS_EMEM;
    ps_validation validation = {&in.x, o->neighbours ? &in.neighbours : NULL, &in.valid, pool};
    ps_training t = {
        .graph = &in.graph, .pairs = &in.pairs, .known = &in.known, .recipe = &o->recipe, .pool = pool,
        .from = {&o->recipe.shape, &in.neighbours, &in.x},
        .validate = o->valid ? validate : NULL, .ctx = &validation, .on_step = on_step, .on_epoch = on_epoch,
    };
    /* Training may take long: an output that cannot be is known before. */
    if (rc == 0 && !(out = ps_tool_output(&o->common, 0)))
        rc = PS_ESYS;
    if (rc == 0) {
        ps_model_init(&model, o->recipe.seed);
        rc = ps_train(&t, &model);
    }
    if (rc == 0)
        rc = write_model(&in, o, &model, out);
    if (rc == 0)
        rc = ps_out_close(out);
    else
        ps_out_abort(out);
    ps_pool_free(pool);
    ps_model_free(&model);
    close_inputs(&in);
    return rc;
}

static void use_paper(void *recipe)
{
    *(ps_recipe *)recipe = ps_recipe_paper();
}

int main(int argc, char **argv)
{
    options o = {.common = PS_COMMON_DEFAULT, .recipe = ps_recipe_default()};
    ps_recipe *r = &o.recipe;
    ps_shape *s = &r->shape;
    const ps_preset paper = {use_paper, r};
    const ps_option rows[] = {
        {'g', "graph", "FILE", PS_OPT_STR, &o.graph, 0, 0, "the graph", NULL},
        {'x', "vectors", "FILE", PS_OPT_STR, &o.vectors, 0, 0, "feature vectors of the items", NULL},
        {'n', "neighbours", "FILE", PS_OPT_STR, &o.neighbours, 0, 0, "neighbourhoods of the items", NULL},
        {'p', "pairs", "FILE", PS_OPT_STR, &o.valid, 0, 0, "validation pairs: the best epoch's model is kept", NULL},
        {'t', "text", NULL, PS_OPT_FLAG, &o.text, 0, 0, "pairs are text: query TAB positive [TAB weight]", NULL},
        {'u', "skip-unknown", NULL, PS_OPT_FLAG, &o.skip_unknown, 0, 0, "skip pairs of items that the graph does not know", NULL},
        {0, "paper", NULL, PS_OPT_PRESET, (void *)&paper, 0, 0, "the paper's recipe; other options change it", NULL},
        {0, "layers", "K", PS_OPT_U32, &s->layers, 0, PS_LAYERS_MAX, "convolutions", NULL},
        {0, "hidden", "M", PS_OPT_U32, &s->m, 1, PS_DIM_MAX, "width of the hidden layers", NULL},
        {'d', "dim", "D", PS_OPT_U32, &s->d, 1, PS_DIM_MAX - 1, "dimension of the embeddings", NULL},
        {0, "pooling", "KIND", PS_OPT_CHOICE, &s->pooling, 0, 0, "pooling of neighbours", PS_POOLINGS},
        {0, "no-bypass", NULL, PS_OPT_FLAG, &o.no_bypass, 0, 0, "no linear path from features to output", NULL},
        {0, "no-bias", NULL, PS_OPT_FLAG, &o.no_bias, 0, 0, "no item bias", NULL},
        {0, "no-normalize", NULL, PS_OPT_FLAG, &o.no_normalize, 0, 0, "embeddings of any length", NULL},
        {0, "loss", "KIND", PS_OPT_CHOICE, &r->loss, 0, 0, "loss", PS_LOSSES},
        {0, "tau", "X", PS_OPT_REAL, &s->tau, 1e-4, 1e4, "temperature of the softmax", NULL},
        {0, "margin", "X", PS_OPT_REAL, &r->margin, 0, 1e6, "of the margin loss", NULL},
        {0, "batch", "N", PS_OPT_U32, &r->batch, 1, 1 << 20, "pairs in a batch", NULL},
        {0, "negatives", "N", PS_OPT_U32, &r->negatives, 0, 1 << 20, "random negatives shared by a batch", NULL},
        {0, "hard", "N", PS_OPT_U32, &r->hard, 0, 1000, "most hard negatives a pair; epoch e has e - 1", NULL},
        {0, "band", "LOW-HIGH", PS_OPT_STR, &o.band, 0, 0, "their ranks by personalised PageRank, default 100-1000", NULL},
        {0, "epochs", "N", PS_OPT_U32, &r->epochs, 1, 1e6, "times through the pairs", NULL},
        {0, "patience", "N", PS_OPT_U32, &r->patience, 0, 1e6, "stop after so many epochs without a better one; 0: never", NULL},
        {0, "optimizer", "KIND", PS_OPT_CHOICE, &r->optimizer, 0, 0, "optimiser", PS_OPTIMIZERS},
        {0, "rate", "X", PS_OPT_REAL, &r->rate, 0, 1e3, "highest learning rate", NULL},
        {0, "schedule", "KIND", PS_OPT_CHOICE, &r->schedule, 0, 0, "of the rate after warm-up", PS_SCHEDULES},
        {0, "warmup", "EPOCHS", PS_OPT_REAL, &r->warmup, 0, 1e6, "linear warm-up", NULL},
        {0, "decay", "X", PS_OPT_REAL, &r->decay, 0, 1e3, "weight decay of Adam", NULL},
        {0},
    };
    const ps_tool tool = {"pstrain", "Trains a PinSage model on the pairs on standard input.", NULL};
    ps_tool_parse(&tool, rows, &o.common, argc, argv);
    return ps_tool_finish(train(&o));
}
