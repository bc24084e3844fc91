/* pstrain - pairs in, model out. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bf16.h"
#include "device_group.h"
#include "gemm.h"
#include "stop.h"
#include "tool.h"
#include "train.h"
#include "train_inputs.h"
#include "train_log.h"
#include "validate.h"

typedef struct {
    ps_common common;
    ps_recipe recipe;
    ps_train_paths from;
    const char *surplus, *band, *device, *checkpoint, *resume, *log;
    double every; /* minutes */
    int64_t steps; /* of a walk */
    uint32_t ahead, shares, rate_batch;
    ps_comm *comm;
    int skip_unknown, no_bypass, no_bias, no_normalize;
} options;

/* What the callbacks of training need. */
typedef struct {
    const options *o;
    ps_validation validation;
    ps_train_log log;
} watcher;

static int is_stdin(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

/* What the options say together. */
static int settle(options *o)
{
    ps_recipe *r = &o->recipe;
    const char *why;
    r->seed = (uint64_t)o->common.seed;
    r->shape.bypass = r->shape.bypass && !o->no_bypass;
    r->shape.bias = r->shape.bias && !o->no_bias;
    r->shape.normalize = r->shape.normalize && !o->no_normalize;
    o->from.unknown = o->skip_unknown ? PS_UNKNOWN_SKIPPED : PS_UNKNOWN_FAILS;
    o->from.walk.seed = r->seed;
    if (o->surplus)
        return ps_usage_error("surplus operand '%s'", o->surplus);
    if (!o->from.graph || !o->from.vectors)
        return ps_usage_error("-g GRAPH and -x VECTORS are needed");
    if (!o->from.pairs + is_stdin(o->from.graph) + is_stdin(o->from.vectors) + is_stdin(o->from.texts) +
            is_stdin(o->from.neighbours) + is_stdin(o->from.valid) + is_stdin(o->resume) > 1)
        return ps_usage_error("standard input can be read only once: pairs without a file are there, and so is a FILE named -");
    if (ps_columns_asked(&o->from.columns) && !o->from.text)
        return ps_usage_error("-F, -H and --columns are about text: they need -t");
    if (ps_columns_check(&o->from.columns) < 0)
        return PS_EUSAGE;
    int on_cpu = strcmp(o->device, "cpu") == 0;
    if (!on_cpu && o->common.sandbox)
        return ps_usage_error("-D %s: a driver needs the rights that --sandbox gives up", o->device);
    if (r->tf32 && (on_cpu || r->bf16))
        return ps_usage_error(on_cpu ? "--tf32 is of GPUs: -D cuda" : "--tf32 and --bf16 cannot be together");
    if (r->bf16 && on_cpu && !ps_bf16_backend(&why))
        return ps_fail(PS_EDATA, "--bf16: %s", why);
    if (o->from.neighbours && (o->from.top != 20 || o->steps != 1000 || o->from.walk.restart != .5))
        return ps_usage_error("-T, -w and -r are of walks on the fly: not with -n NEIGHBOURHOODS");
    o->from.walk.steps = (uint64_t)o->steps;
    if (o->shares == 0)
        o->shares = (uint32_t)ps_comm_size(o->comm);
    if (o->shares < (uint32_t)ps_comm_size(o->comm))
        return ps_usage_error("--shares %u: each of the %d ranks needs one", o->shares, ps_comm_size(o->comm));
    if (o->shares > (uint32_t)ps_comm_size(o->comm) && !on_cpu)
        return ps_usage_error("-D %s: a GPU takes one share of a batch: --shares %u needs as many ranks", o->device, o->shares);
    if (o->rate_batch)
        ps_recipe_scale(r, o->rate_batch);
    if (r->patience && !o->from.valid)
        return ps_usage_error("--patience needs validation pairs (-p)");
    if (!ps_recipe_in_batch(r) && r->negatives == 0)
        return ps_usage_error("--negatives 0: without in-batch negatives, too, there is nothing to learn from");
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

/* ---- what training tells ---- */

static int validate(void *ctx, const ps_model *model, double *score)
{
    return ps_validate(&((watcher *)ctx)->validation, model, score);
}

static int on_start(void *ctx, uint64_t step)
{
    watcher *w = ctx;
    if (step)
        ps_info("going on after batch %" PRIu64, step);
    return w->o->log ? ps_train_log_open(&w->log, w->o->log, step) : 0;
}

static void on_step(void *ctx, const ps_step *s)
{
    watcher *w = ctx;
    if (!w->log.failed && ps_train_log_add(&w->log, s) < 0)
        ps_warn("%s; training goes on", ps_errmsg());
    ps_progress("batches", s->step, s->steps);
}

static void on_epoch(void *ctx, const ps_epoch *e)
{
    const ps_ring_times *t = &e->times;
    (void)ctx;
    if (isnan(e->valid))
        ps_info("epoch %u: loss %.5f", e->epoch, e->loss);
    else
        ps_info("epoch %u: loss %.5f, validation scaled MRR %.4f%s", e->epoch, e->loss, e->valid,
                e->best ? ", the best so far" : "");
    ps_info("epoch %u: producer busy %.2f s, waiting %.2f s; consumer busy %.2f s, waiting %.2f s", e->epoch, t->producing,
            t->full, t->training, t->starved);
    ps_info("epoch %u: products %.1f GFLOP, %.1f GFLOP/s over the whole of it", e->epoch, 1e-9 * e->operations,
            e->seconds > 0 ? 1e-9 * e->operations / e->seconds : 0);
}

static void on_checkpoint(void *ctx, uint64_t step, int rc)
{
    (void)ctx;
    if (rc == PS_ESYS)
        ps_warn("no checkpoint after batch %" PRIu64 ": %s", step, ps_errmsg());
    else if (rc == 0)
        ps_info("checkpoint after batch %" PRIu64, step);
}

static int stop(void *ctx)
{
    (void)ctx;
    return ps_stopped();
}

/* ---- the work ---- */

static int write_model(const options *o, ps_model *model, ps_out *out)
{
    free(model->options);
    model->options = ps_recipe_text(&o->recipe);
    return model->options ? ps_model_write(model, out) : PS_EMEM;
}

/* *log_rc: what became of the log; it does not keep the model from being written. */
static int train_on(const options *o, ps_train_inputs *in, ps_model *model, ps_pool *pool, ps_device *device, int *log_rc)
{
    const int first = ps_comm_rank(o->comm) == 0;
    char *run = first && (o->checkpoint || o->resume) ? ps_train_run(in, &o->from, &o->recipe) : NULL;
    const ps_neighbours *table = in->neighbours.dim ? &in->neighbours : NULL;
    const ps_sparse *texts = o->from.texts ? &in->texts : NULL;
    watcher w = {.o = o, .validation = {&in->x, table, texts, &in->valid, pool}};
    const ps_training t = {
        .graph = &in->graph, .pairs = &in->pairs, .known = &in->known, .recipe = &o->recipe, .pool = pool, .device = device,
        .from = {.shape = &o->recipe.shape, .x = &in->x, .neighbours = in->walks ? NULL : table, .graph = &in->graph,
                 .walk = o->from.walk, .top = o->from.top, .texts = texts, .vocabulary = &model->vocabulary},
        .ahead = o->ahead, .comm = o->comm, .shares = o->shares, .checkpoint = first ? o->checkpoint : NULL, .resume = o->resume, .run = run, .every = 60 * o->every,
        .validate = o->from.valid ? validate : NULL, .on_start = first ? on_start : NULL, .on_step = first ? on_step : NULL,
        .on_epoch = first ? on_epoch : NULL, .on_checkpoint = on_checkpoint, .stop = stop, .ctx = &w,
    };
    if (first && (o->checkpoint || o->resume) && !run)
        return PS_EMEM;
    if (o->checkpoint)
        ps_stop_catch();
    if (device)
        ps_info("device: %s", device->name);
    else
        ps_info("%d ranks, batches in %u shares; products: %s%s%s", ps_comm_size(o->comm), o->shares, ps_gemm_backend(), o->recipe.bf16 ? "; the network's from bf16: " : "",
                o->recipe.bf16 ? ps_bf16_backend(NULL) : "");
    int rc = ps_train(&t, model);
    ps_stop_restore();
    ps_progress_end();
    free(run);
    if (rc == 0)
        *log_rc = ps_train_log_close(&w.log);
    else
        ps_train_log_abandon(&w.log);
    return rc;
}

static void warn_of_pairs(const char *name, const ps_pairs *p)
{
    if (p->skipped)
        ps_warn("%s: %" PRIu64 " pairs skipped: the graph does not know an item of theirs", name, p->skipped);
    if (p->self)
        ps_warn("%s: %" PRIu64 " pairs of an item with itself: left out", name, p->self);
}

static int make_model(options *o, const ps_train_inputs *in, ps_model *model)
{
    ps_vocabulary vocabulary = {0};
    ps_shape *s = &o->recipe.shape;
    int rc = o->from.texts ? ps_vocabulary_make(&vocabulary, &in->texts) : 0;
    s->dx = in->x.d;
    s->buckets = o->from.texts ? in->texts.dim : 0;
    s->tokens = vocabulary.n;
    if (rc == 0)
        rc = ps_model_make(model, s);
    if (rc == 0)
        ps_model_set_vocabulary(model, &vocabulary);
    ps_vocabulary_free(&vocabulary);
    if (rc == 0) {
        free(model->history);
        model->history = ps_train_history(in, &o->from, &o->recipe);
        rc = model->history ? 0 : PS_EMEM;
    }
    return rc;
}

/* "cuda" is a GPU of its own for each rank of a machine. */
static int open_device(const options *o, ps_device **device)
{
    char own[32];
    snprintf(own, sizeof own, "cuda:%d", ps_comm_local_rank(o->comm));
    return ps_device_named(strcmp(o->device, "cuda") == 0 ? own : o->device, device);
}

/* A checkpoint takes the place of the one before; of a pipe, opening would wait for a reader. */
static int can_be_written(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return ps_fail(PS_EDATA, "%s: not a regular file: no checkpoint can take its place", path);
    ps_out *out = ps_out_open(path, 0);
    ps_out_abort(out);
    return out ? 0 : PS_ESYS;
}

/* "cuda" alone: each rank has a GPU of its own, and these add gradients up by themselves if they can. */
static void join_devices(const options *o, ps_device *device)
{
    if (strcmp(o->device, "cuda") != 0 || ps_comm_size(o->comm) == 1)
        return;
    ps_device_group(o->comm, device);
    if (device->ranks) /* NOLINT(clang-analyzer-core.NullDereference): "cuda" is a device */
        ps_info("gradients are added up by NCCL");
    else
        ps_warn("gradients are added up by the host, which takes longer: %s", ps_errmsg());
}

static int train(options *o)
{
    ps_train_inputs in = {0};
    ps_model model = {0};
    ps_pool *pool = NULL;
    ps_device *device = NULL;
    ps_out *out = NULL;
    int rc = ps_comm_begin(&o->comm), log_rc = 0;
    const int first = ps_comm_rank(o->comm) == 0;
    if (!first) {
        o->common.quiet = 1;
        o->common.verbose = 0;
    }
    if (rc == 0)
        rc = settle(o);
    if (rc == 0)
        rc = open_device(o, &device);
    if (rc == 0 && !(pool = ps_pool_new((int)o->common.threads)))
        rc = PS_EMEM;
    if (rc == 0)
        rc = ps_train_inputs_open(&in, &o->from, o->recipe.shape.layers, pool, o->comm);
    warn_of_pairs(o->from.pairs ? o->from.pairs : "<stdin>", &in.pairs);
    warn_of_pairs(o->from.valid, &in.valid);
    if (rc == 0)
        rc = make_model(o, &in, &model);
    /* Training may take long: an output that cannot be is known before. */
    if (rc == 0 && first && !(out = ps_tool_output(&o->common, 0)))
        rc = PS_ESYS;
    if (rc == 0 && first && o->checkpoint)
        rc = can_be_written(o->checkpoint);
    rc = ps_comm_agree(o->comm, rc, NULL);
    if (rc == 0)
        join_devices(o, device);
    if (rc == 0) {
        ps_model_init(&model, o->recipe.seed);
        rc = train_on(o, &in, &model, pool, device, &log_rc);
    }
    if (rc == 0 && first)
        rc = write_model(o, &model, out);
    if (rc == 0 && first)
        rc = ps_out_close(out);
    else
        ps_out_abort(out);
    if (device)
        device->ops->close(device);
    ps_pool_free(pool);
    ps_model_free(&model);
    ps_train_inputs_close(&in);
    return rc < 0 ? rc : log_rc;
}

static void use_paper(void *recipe)
{
    *(ps_recipe *)recipe = ps_recipe_paper();
}

int main(int argc, char **argv)
{
    options o = {.common = PS_COMMON_DEFAULT, .recipe = ps_recipe_default(),
                 .from = {.walk = PS_WALK_DEFAULT, .top = 20}, .steps = 1000, .every = 10, .ahead = 4, .device = "cpu"};
    ps_recipe *r = &o.recipe;
    ps_shape *s = &r->shape;
    const ps_preset paper = {use_paper, r};
    const ps_option rows[] = {
        {'g', "graph", "FILE", PS_OPT_STR, &o.from.graph, 0, 0, "the graph", NULL},
        {'x', "vectors", "FILE", PS_OPT_STR, &o.from.vectors, 0, 0, "feature vectors of the items", NULL},
        {'y', "texts", "FILE", PS_OPT_STR, &o.from.texts, 0, 0, "sparse texts of the items: learn an embedding of every token", NULL},
        {'n', "neighbours", "FILE", PS_OPT_STR, &o.from.neighbours, 0, 0, "neighbourhoods of the items; without it they are walked on the fly", NULL},
        {'T', "top", "N", PS_OPT_U32, &o.from.top, 1, 65536, "on the fly: neighbours of each item", NULL},
        {'w', "steps", "N", PS_OPT_INT, &o.steps, 1, PS_WALK_STEPS_MAX, "on the fly: steps of the walk from each item", NULL},
        {'r', "restart", "P", PS_OPT_REAL, &o.from.walk.restart, 0, 1, "on the fly: probability of a restart after each step", NULL},
        {'p', "pairs", "FILE", PS_OPT_STR, &o.from.valid, 0, 0, "validation pairs: the best epoch's model is kept", NULL},
        {'t', "text", NULL, PS_OPT_FLAG, &o.from.text, 0, 0, "pairs are text: query TAB positive [TAB weight]", NULL},
        PS_COLUMNS_ROWS(o.from.columns),
        {'u', "skip-unknown", NULL, PS_OPT_FLAG, &o.skip_unknown, 0, 0, "skip pairs of items that the graph does not know", NULL},
        {'c', "checkpoint", "FILE", PS_OPT_STR, &o.checkpoint, 0, 0, "checkpoint, now and then and at SIGINT and SIGTERM", NULL},
        {0, "every", "MINUTES", PS_OPT_MINUTES, &o.every, 0, 1e6, "between checkpoints", NULL},
        {0, "resume", "FILE", PS_OPT_STR, &o.resume, 0, 0, "go on from this checkpoint of the same training", NULL},
        {0, "log", "FILE", PS_OPT_STR, &o.log, 0, 0, "a line for each batch", NULL},
        {'D', "device", "NAME", PS_OPT_STR, &o.device, 0, 0, "what computes: cpu, cuda or cuda:N", NULL},
        {0, "tf32", NULL, PS_OPT_FLAG, &r->tf32, 0, 0, "on a GPU: products of the network from TF32 numbers", NULL},
        {0, "ahead", "N", PS_OPT_U32, &o.ahead, 0, 64, "most batches to make ahead; 0: one after the other", NULL},
        {0, "shares", "N", PS_OPT_U32, &o.shares, 0, 1024, "cut batches in so many shares for the ranks of mpirun; 0: one a rank", NULL},
        {0, "rate-batch", "N", PS_OPT_U32, &o.rate_batch, 0, 1 << 20, "the rates are meant for batches of N pairs: scale them to --batch; 0: do not", NULL},
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
        {0, "popularity", "X", PS_OPT_REAL, &r->popularity, 0, 4, "draw them in proportion to (1 + times as a positive)^X; 0: all alike", NULL},
        {0, "in-batch", "WHEN", PS_OPT_CHOICE, &r->in_batch, 0, 0, "the batch's other positives are negatives too; auto: of the softmax", PS_IN_BATCHES},
        {0, "no-logq", NULL, PS_OPT_FLAG, &r->no_logq, 0, 0, "softmax: no correction for how often a negative is drawn", NULL},
        {0, "hard", "N", PS_OPT_U32, &r->hard, 0, 1000, "most hard negatives a pair; epoch e has e - 1", NULL},
        {0, "band", "LOW-HIGH", PS_OPT_STR, &o.band, 0, 0, "their ranks by personalised PageRank, default 100-1000", NULL},
        {0, "epochs", "N", PS_OPT_U32, &r->epochs, 1, 1e6, "times through the pairs", NULL},
        {0, "patience", "N", PS_OPT_U32, &r->patience, 0, 1e6, "stop after so many epochs without a better one; 0: never", NULL},
        {0, "optimizer", "KIND", PS_OPT_CHOICE, &r->optimizer, 0, 0, "optimiser", PS_OPTIMIZERS},
        {0, "rate", "X", PS_OPT_REAL, &r->rate, 0, 1e3, "highest learning rate", NULL},
        {0, "token-rate", "X", PS_OPT_REAL, &r->token_rate, 0, 1e3, "highest learning rate of token embeddings", NULL},
        {0, "token-scale", "X", PS_OPT_REAL, &s->token_scale, 0, 1e6, "how much token embeddings count in the output", NULL},
        {0, "schedule", "KIND", PS_OPT_CHOICE, &r->schedule, 0, 0, "of the rate after warm-up", PS_SCHEDULES},
        {0, "warmup", "EPOCHS", PS_OPT_REAL, &r->warmup, 0, 1e6, "linear warm-up", NULL},
        {0, "dropout", "P", PS_OPT_REAL, &r->dropout, 0, .99, "share of the features' elements and tokens that are left out at random", NULL},
        {0, "bf16", NULL, PS_OPT_FLAG, &r->bf16, 0, 0, "products of the network from bf16 numbers", NULL},
        {0, "decay", "X", PS_OPT_REAL, &r->decay, 0, 1e3, "weight decay of Adam", NULL},
        {0},
    };
    const ps_tool tool = {"pstrain", "Trains a PinSage model on pairs.", "[PAIRS]", ps_gemm_backend};
    int first = ps_tool_parse(&tool, rows, &o.common, argc, argv);
    o.from.pairs = first < argc && !is_stdin(argv[first]) ? argv[first] : NULL;
    o.surplus = first + 1 < argc ? argv[first + 1] : NULL;
    int rc = train(&o), status = ps_comm_speaks(o.comm) ? ps_tool_finish(rc) : rc == PS_EUSAGE ? 2 : 1;
    ps_comm_end(o.comm, rc);
    return status;
}
