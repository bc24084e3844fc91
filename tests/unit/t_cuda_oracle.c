/* t_cuda_oracle.c - ten steps of training on a device against PyTorch's: every committed file of tests/oracle through
 * lib/device_train.c, on the host's plain operations and on CUDA's (emulated, or a GPU: make gpu-check). */
#include <glob.h>

#include "../cuda/emulator.h"
#include "device_net.h"
#include "device_train.h"
#include "model_case.h"

extern __typeof__(emulator_overruns) emulator_overruns __attribute__((weak));
extern __typeof__(emulator_memory) emulator_memory __attribute__((weak));

/* As t_oracle.c's after training: a share of the largest magnitude in the array. */
static const double close_enough = 1e-5;
enum { STEPS = 10, CASES_WANTED = 14 };
static double worst;

static void compare(const oracle *o, const char *device, const char *name, const ps_real *got)
{
    const oracle_entry *e = oracle_get(o, name);
    double most = 0;
    for (size_t i = 0; i < e->n; i++)
        most = fabs(e->values[i]) > most ? fabs(e->values[i]) : most;
    for (size_t i = 0; i < e->n; i++) {
        double off = fabs((double)got[i] - e->values[i]) / most;
        if (!(off <= close_enough)) {
            if (check_failures++ < 20)
                fprintf(stderr, "%s on %s: %s[%zu] is %.9g, should be %.9g\n", o->path, device, name, i, (double)got[i],
                        e->values[i]);
        } else if (off > worst) {
            worst = off;
        }
    }
}

static void load_parameters(model_case *c)
{
    for (int t = 0; t < c->model.tensors; t++) {
        const oracle_entry *e = oracle_get(c->from, c->model.tensor[t].name);
        for (size_t i = 0; i < e->n; i++)
            c->model.param[c->model.tensor[t].at + i] = (ps_real)e->values[i];
    }
}

static ps_recipe recipe_of(const model_case *c)
{
    const oracle *o = c->from;
    ps_recipe r = ps_recipe_default();
    r.shape = c->shape;
    r.loss = c->loss.kind;
    r.margin = oracle_real(o, "cfg.margin");
    r.optimizer = oracle_int(o, "cfg.optimizer") ? PS_SGD : PS_ADAM;
    r.decay = oracle_real(o, "cfg.wd");
    return r;
}

/* Ten steps, the next batch staged while one is computed; the losses into `losses`, parameters into the model. */
static void train(model_case *c, ps_device *dev, const ps_recipe *r, double rate, ps_real losses[STEPS])
{
    ps_optim optim;
    ps_device_result result;
    case_need(ps_optim_init(&optim, r->optimizer, r->decay, &c->model, c->pool), "optimiser");
    ps_device_train *t = ps_device_train_new(dev, &c->model, r, &c->known, NULL);
    case_need(t ? 0 : -1, "device");
    CHECK_OK(ps_device_train_load(t, &c->model, &optim));
    CHECK_OK(ps_device_train_stage(t, &c->mb, &c->mb, &c->batch, NULL));
    for (int s = 0; s < STEPS; s++) {
        CHECK_OK(ps_device_train_launch(t, rate, rate));
        if (s + 1 < STEPS)
            CHECK_OK(ps_device_train_stage(t, &c->mb, &c->mb, &c->batch, NULL));
        CHECK_OK(ps_device_train_wait(t, &result));
        losses[s] = (ps_real)result.loss;
        CHECK(isfinite(result.gradient) && result.gradient > 0 && result.pairs == c->B);
    }
    CHECK_OK(ps_device_train_store(t, &c->model, &optim));
    CHECK(optim.steps == STEPS);
    ps_device_train_free(t);
    ps_optim_free(&optim);
}

static void test_case(const oracle *o, ps_device *dev)
{
    static const ps_loss_kind kinds[] = {PS_LOSS_MARGIN, PS_LOSS_XENT, PS_LOSS_SOFTMAX};
    model_case c;
    ps_shape shape = case_shape_of(o);
    ps_real losses[STEPS];
    case_load(&c, o);
    case_set_up(&c, &shape, kinds[oracle_int(o, "cfg.loss")], oracle_real(o, "cfg.margin"), NULL);
    load_parameters(&c);
    ps_recipe r = recipe_of(&c);
    train(&c, dev, &r, oracle_real(o, "cfg.lr"), losses);
    compare(o, dev->name, "train.loss", losses);
    for (int t = 0; t < c.model.tensors; t++) {
        char name[16];
        snprintf(name, sizeof name, "final.%.8s", c.model.tensor[t].name);
        compare(o, dev->name, name, c.model.param + c.model.tensor[t].at);
    }
    case_tear_down(&c);
    case_unload(&c);
}

/* The same bytes twice. */
static void test_repeats(const oracle *o, ps_device *dev)
{
    ps_real losses[2][STEPS];
    for (int i = 0; i < 2; i++) {
        model_case c;
        ps_shape shape = case_shape_of(o);
        case_load(&c, o);
        case_set_up(&c, &shape, PS_LOSS_SOFTMAX, .1, NULL);
        load_parameters(&c);
        ps_recipe r = recipe_of(&c);
        train(&c, dev, &r, .01, losses[i]);
        case_tear_down(&c);
        case_unload(&c);
    }
    CHECK(memcmp(losses[0], losses[1], sizeof losses[0]) == 0);
}

/* On the host, where an operation is done when it is queued: what the backward pass tells of is there, and nothing of
 * what it has not told of yet. */
typedef struct {
    const ps_real *grad;
    size_t until;
    uint32_t told;
} listening;

static int listen_to(void *ctx, size_t from)
{
    listening *l = ctx;
    CHECK(from < l->until);
    for (size_t i = 0; i < l->until; i++)
        if (isfinite(l->grad[i]) != (i >= from)) {
            fprintf(stderr, "element %zu is %g when those from %zu on are told of\n", i, (double)l->grad[i], from);
            check_failures++;
            break;
        }
    l->until = from;
    l->told++;
    return 0;
}

static void test_ready(const oracle *o, ps_device *dev)
{
    model_case c;
    ps_shape shape = case_shape_of(o);
    ps_device_slot slot;
    ps_device_net net;
    case_load(&c, o);
    case_set_up(&c, &shape, PS_LOSS_SOFTMAX, .1, NULL);
    load_parameters(&c);
    (void)case_loss(&c); /* dz, dbeta */
    for (size_t i = 0; i < c.model.dense; i++)
        c.grad[i] = NAN;
    listening l = {c.grad, c.model.dense, 0};
    ps_device_slot_init(&slot, dev, 0);
    ps_device_net_init(&net, dev, &c.model, PS_PRODUCTS_F32);
    net.ready = listen_to;
    net.ready_ctx = &l;
    CHECK_OK(ps_device_slot_fill(&slot, &c.mb, &c.mb, &c.batch, &c.known, NULL, NULL));
    CHECK_OK(ps_device_net_forward(&net, c.model.param, &slot.at));
    CHECK_OK(ps_device_net_backward(&net, c.model.param, &slot.at, c.dz, c.dbeta, c.grad));
    CHECK(l.told == 2 * shape.layers + 1 && l.until == 0);
    ps_device_net_free(&net);
    ps_device_slot_free(&slot);
    case_tear_down(&c);
    case_unload(&c);
}

static int gather(void *ctx, size_t first, size_t end, ps_real *to)
{
    const model_case *c = ctx;
    return ps_minibatch_features(&c->mb, &c->sources, first, end, to);
}

/* Features that are gathered as they are sent, a few rows at a time, of a batch that has none itself. */
static void test_features(const oracle *o, ps_device *dev)
{
    model_case c;
    ps_shape shape = case_shape_of(o);
    ps_device_slot slot;
    case_load(&c, o);
    case_set_up(&c, &shape, PS_LOSS_SOFTMAX, .1, NULL);
    const size_t n = (size_t)c.mb.n[0] * c.mb.dx;
    ps_real *want = c.mb.x, *got = case_alloc(n, sizeof *got);
    c.mb.x = NULL;
    c.mb.cap_x = 0;
    c.sources.apart = 1;
    case_fill(&c);
    CHECK(!c.mb.x && n == (size_t)c.mb.n[0] * c.mb.dx);
    const ps_device_features x = {gather, &c};
    ps_device_slot_init(&slot, dev, 0);
    for (slot.part = 1; slot.part < 2 * n * sizeof *got; slot.part *= 5) {
        CHECK_OK(ps_device_slot_fill(&slot, &c.mb, &c.mb, &c.batch, &c.known, &x, NULL));
        dev->ops->use_begin(dev, 0);
        CHECK_OK(dev->ops->get(dev, got, slot.at.x, n * sizeof *got));
        CHECK(memcmp(got, want, n * sizeof *got) == 0);
        dev->ops->zero(dev, slot.at.x, n * sizeof *got);
        dev->ops->use_end(dev, 0);
    }
    free(want);
    free(got);
    ps_device_slot_free(&slot);
    case_tear_down(&c);
    case_unload(&c);
}

int main(void)
{
    const char *root = getenv("PS_ROOT");
    char pattern[4096];
    glob_t files;
    ps_device *device[2] = {ps_device_host(), ps_device_cuda(0)};
    if (!device[1]) {
        printf("%s\n", ps_errmsg());
        return 77;
    }
    snprintf(pattern, sizeof pattern, "%s/tests/oracle/oracle_*.bin", root ? root : ".");
    if (glob(pattern, 0, NULL, &files) != 0 || files.gl_pathc < CASES_WANTED) {
        fprintf(stderr, "%s: not all files are there (PS_ROOT names the checkout)\n", pattern);
        return 1;
    }
    size_t idle = device[1]->used;
    for (size_t i = 0; i < files.gl_pathc; i++) {
        oracle *o = oracle_read(files.gl_pathv[i]);
        for (int d = 0; d < 2; d++)
            test_case(o, device[d]);
        test_ready(o, device[0]);
        if (i == 0)
            test_repeats(o, device[1]);
        for (int d = 0; d < 2 && i == 0; d++)
            test_features(o, device[d]);
        oracle_free(o);
    }
    CHECK(device[1]->used == idle);
    CHECK(!emulator_overruns || emulator_overruns() == 0);
    printf("%zu cases on %s and %s: farthest off %.1e\n", files.gl_pathc, device[0]->name, device[1]->name, worst);
    globfree(&files);
    for (int d = 0; d < 2; d++)
        device[d]->ops->close(device[d]);
    CHECK(!emulator_memory || emulator_memory() == 0);
    CHECK_END();
}
