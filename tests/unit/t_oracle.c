/* t_oracle.c - lib/'s model against PyTorch's: every committed file of tests/oracle, the outputs of every layer,
 * loss, all gradients, ten steps of training, and whole-graph inference. */
#include <glob.h>

#include "embed.h"
#include "model_case.h"
#include "parts.h"

/* How far a value may be from PyTorch's float64, as a share of the largest magnitude in its array (for outputs, of 1 if
 * that is less).  Measured: 5e-6, 2e-6 after training; in double 2e-14. */
#ifdef PS_DOUBLE
static const double close_enough = 2e-13, after_training = 2e-13;
#else
static const double close_enough = 2e-5, after_training = 1e-5;
#endif

enum { STEPS = 10, CASES_WANTED = 14 };

static double worst_close, worst_training;

static double largest(const oracle_entry *e)
{
    double most = 0;
    for (size_t i = 0; i < e->n; i++)
        most = fabs(e->values[i]) > most ? fabs(e->values[i]) : most;
    return most;
}

/* Elements got[i * stride + j] of rows of `cols` against the entry. */
static void compare(const oracle *o, const char *name, const ps_real *got, size_t cols, size_t stride, double scale,
                    double tolerance, double *worst)
{
    const oracle_entry *e = oracle_get(o, name);
    for (size_t i = 0; i < e->n; i++) {
        double value = (double)got[i / cols * stride + i % cols], off = fabs(value - e->values[i]) / scale;
        if (!(off <= tolerance)) {
            if (check_failures++ < 20)
                fprintf(stderr, "%s: %s[%zu] is %.12g, should be %.12g (off by %.2g of %.2g)\n", o->path, name, i,
                        value, e->values[i], off, tolerance);
        } else if (off > *worst) {
            *worst = off;
        }
    }
}

static void compare_output(const oracle *o, const char *name, const ps_real *got, size_t cols, size_t stride)
{
    double most = largest(oracle_get(o, name));
    compare(o, name, got, cols, stride, most > 1 ? most : 1, close_enough, &worst_close);
}

static void load_parameters(model_case *c)
{
    for (int t = 0; t < c->model.tensors; t++) {
        const ps_tensor *x = &c->model.tensor[t];
        const oracle_entry *e = oracle_get(c->from, x->name);
        CHECK(e->n == (size_t)x->rows * x->cols && (e->ndim == 1) == x->vector);
        for (size_t i = 0; i < e->n; i++)
            c->model.param[x->at + i] = (ps_real)e->values[i];
    }
}

/* All items as one minibatch: every layer is complete, and local numbers are item numbers.  It takes the place of the
 * training batch for a while, so that both are used with memory of another size. */
static void test_outputs(model_case *c)
{
    uint32_t local, K = c->shape.layers;
    case_need(ps_minibatch_begin(&c->mb, &c->model.shape, c->items), "minibatch");
    for (uint32_t u = 0; u < c->items; u++)
        case_need(ps_minibatch_add(&c->mb, u, &local), "minibatch");
    case_need(ps_minibatch_finish(&c->mb, &c->sources, 0, SIZE_MAX, c->pool), "minibatch");
    CHECK(c->mb.n[0] == c->items && c->mb.n[K] == c->items);
    CHECK_OK(ps_net_forward(&c->net, c->model.param, &c->mb));
    for (uint32_t k = 1; k <= K; k++) {
        char name[16];
        snprintf(name, sizeof name, "out.h%u", k);
        compare_output(c->from, name, c->net.layer[k - 1].h, c->shape.m, c->shape.m);
    }
    compare_output(c->from, "out.z", c->net.z, c->shape.d, c->shape.d);
    if (c->shape.bias)
        compare_output(c->from, "out.beta", c->net.beta, 1, 1);
    case_fill(c);
}

/* ---- whole-graph inference ---- */

typedef struct {
    ps_real *z;
    uint32_t width;
    uint64_t rows;
} embedded;

static int take(void *ctx, uint64_t first, size_t n, const ps_real *z)
{
    embedded *e = ctx;
    CHECK(first == e->rows);
    memcpy(e->z + first * e->width, z, n * e->width * sizeof *z);
    e->rows += n;
    return 0;
}

static void test_inference(model_case *c)
{
    embedded e = {.width = ps_embedding_dim(&c->shape)};
    e.z = case_alloc((size_t)c->items * e.width, sizeof *e.z);
    CHECK(e.width == c->shape.d + (c->shape.bias ? 1 : 0));
    CHECK_OK(ps_embed(&(ps_embedding){
        .model = &c->model, .x = &c->x, .neighbours = &c->neighbours, .pool = c->pool, .sink = take, .ctx = &e}));
    CHECK(e.rows == c->items);
    compare_output(c->from, "out.z", e.z, c->shape.d, e.width);
    if (c->shape.bias) {
        for (uint32_t u = 0; u < c->items; u++)
            e.z[u * e.width + c->shape.d] /= (ps_real)c->shape.tau;
        compare_output(c->from, "out.beta", e.z + c->shape.d, 1, e.width);
    }
    free(e.z);
}

/* ---- loss, gradients, training ---- */

static void compare_gradient(const model_case *c, ps_real value)
{
    compare_output(c->from, "out.loss", &value, 1, 1);
    for (int t = 0; t < c->model.tensors; t++) {
        const ps_tensor *x = &c->model.tensor[t];
        char name[16];
        snprintf(name, sizeof name, "grad.%.8s", x->name);
        compare(c->from, name, c->grad + x->at, x->cols, x->cols, largest(oracle_get(c->from, name)), close_enough,
                &worst_close);
    }
}

static void test_gradient(model_case *c)
{
    compare_gradient(c, (ps_real)case_gradient(c));
}

/* A few columns of p, a few rows of gradients at a time, as with large batches. */
static void test_blocks(model_case *c)
{
    ps_net usual = c->net;
    c->net.columns = 16;
    c->net.block = 3;
    test_gradient(c);
    c->net.columns = usual.columns;
    c->net.block = usual.block;
}

/* The batch without its features, in parts of one output, of some, of all: the same loss and gradient. */
static void test_parts(model_case *c)
{
    ps_minibatch mb = {0};
    ps_parts parts;
    uint32_t local, outputs = c->mb.n[c->shape.layers];
    double value;
    case_need(ps_minibatch_begin(&mb, &c->model.shape, 8), "minibatch");
    for (uint32_t u = 0; u < outputs; u++)
        case_need(ps_minibatch_add(&mb, c->mb.item[u], &local), "minibatch");
    case_need(ps_minibatch_finish(&mb, &c->sources, 1, 0, c->pool), "minibatch");
    CHECK(!mb.complete && mb.n[0] == c->mb.n[0]);
    ps_parts_init(&parts, &c->net);
    size_t edges = ps_minibatch_edges(&mb), all = ps_net_bytes(&c->net, mb.n) +
                                                  ps_minibatch_bytes(mb.n[0], edges, mb.dx, 1) +
                                                  ps_minibatch_bytes(mb.n[0], edges, mb.dx, 0);
    for (int cut = 0; cut < 3; cut++) {
        parts.most = cut == 0 ? 0 : cut == 1 ? all - 1 : all;
        CHECK_OK(ps_parts_forward(&parts, c->model.param, &mb, &c->sources));
        CHECK(cut == 0 ? parts.first == outputs - 1 : (parts.first > 0) == (cut == 1));
        CHECK_OK(ps_loss_run(&c->loss, &c->batch, outputs, parts.z, c->shape.bias ? parts.beta : NULL, c->dz, c->dbeta,
                             &value));
        memset(c->grad, 0, c->model.size * sizeof *c->grad);
        CHECK_OK(ps_parts_backward(&parts, c->model.param, &mb, &c->sources, c->dz, c->shape.bias ? c->dbeta : NULL,
                                   c->grad));
        compare_gradient(c, (ps_real)value);
    }
    ps_parts_free(&parts);
    ps_minibatch_free(&mb);
}

static void test_training(model_case *c)
{
    const oracle *o = c->from;
    ps_optim optim;
    ps_real losses[STEPS];
    case_need(ps_optim_init(&optim, oracle_int(o, "cfg.optimizer") ? PS_SGD : PS_ADAM, oracle_real(o, "cfg.wd"),
                            &c->model, c->pool),
              "optimiser");
    for (int s = 0; s < STEPS; s++) {
        losses[s] = (ps_real)case_gradient(c);
        ps_optim_step(&optim, oracle_real(o, "cfg.lr"), c->model.param, c->grad);
    }
    ps_optim_free(&optim);
    double most = largest(oracle_get(o, "train.loss"));
    compare(o, "train.loss", losses, STEPS, STEPS, most, after_training, &worst_training);
    for (int t = 0; t < c->model.tensors; t++) {
        const ps_tensor *x = &c->model.tensor[t];
        char name[16];
        snprintf(name, sizeof name, "final.%.8s", x->name);
        compare(o, name, c->model.param + x->at, x->cols, x->cols, largest(oracle_get(o, name)), after_training,
                &worst_training);
    }
}

static void test_case(const char *path, ps_pool *pool)
{
    static const ps_loss_kind kinds[] = {PS_LOSS_MARGIN, PS_LOSS_XENT, PS_LOSS_SOFTMAX};
    oracle *o = oracle_read(path);
    model_case c;
    ps_shape shape = case_shape_of(o);
    case_load(&c, o);
    case_set_up(&c, &shape, kinds[oracle_int(o, "cfg.loss")], oracle_real(o, "cfg.margin"), pool);
    CHECK(oracle_get(o, "train.loss")->n == STEPS && oracle_get(o, "x")->dims[0] == c.items);
    load_parameters(&c);
    test_outputs(&c);
    test_inference(&c);
    test_gradient(&c);
    test_blocks(&c);
    test_parts(&c);
    test_training(&c);
    case_tear_down(&c);
    case_unload(&c);
    oracle_free(o);
}

int main(void)
{
    const char *root = getenv("PS_ROOT");
    char pattern[4096];
    glob_t files;
    ps_pool *pool = ps_pool_new(3);
    CHECK(pool != NULL);
    snprintf(pattern, sizeof pattern, "%s/tests/oracle/oracle_*.bin", root ? root : ".");
    if (glob(pattern, 0, NULL, &files) != 0 || files.gl_pathc < CASES_WANTED) {
        fprintf(stderr, "%s: not all files are there (PS_ROOT names the checkout)\n", pattern);
        return 1;
    }
    for (size_t i = 0; i < files.gl_pathc; i++)
        for (int threads = 0; threads < 2; threads++)
            test_case(files.gl_pathv[i], threads ? pool : NULL);
    printf("%zu cases: farthest off %.1e, after training %.1e\n", files.gl_pathc, worst_close, worst_training);
    globfree(&files);
    ps_pool_free(pool);
    CHECK_END();
}
