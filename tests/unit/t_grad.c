/* t_grad.c - every gradient against central differences of the loss, in double: each parameter of every pooling, loss
 * and depth, with every choice of the optional parts.
 *
 * D(s) = (L(p + s) - L(p - s)) / 2s, and (4 D(s/2) - D(s)) / 3, whose error is of order s^4.  ReLU, hinge and maximum have
 * kinks: one within s makes D(s) and D(s/2) differ, whatever the gradient under test says, and a smaller step is
 * taken.
 */
#include "model_case.h"
#include "rng.h"

enum { LAYERS_MOST = 3, VARIANTS = 8 };

/* The test's bound, and the difference's own rounding. */
static const double relative = 1e-6, absolute = 1e-9;

static uint64_t compared, zero, smaller_steps;
static double worst;

static double difference(model_case *c, ps_real *p, double step)
{
    ps_real old = *p;
    *p = (ps_real)((double)old + step);
    double up = case_loss(c);
    *p = (ps_real)((double)old - step);
    double down = case_loss(c);
    *p = old;
    return (up - down) / (2 * step);
}

/* 0 if the two differences do not agree at any step. */
static int slope(model_case *c, ps_real *p, double *result)
{
    for (double step = 1e-4; step > 5e-7; step /= 5) {
        double whole = difference(c, p, step), half = difference(c, p, step / 2);
        *result = (4 * half - whole) / 3;
        if (fabs(whole - half) <= relative * fabs(half) + absolute)
            return 1;
        smaller_steps++;
    }
    return 0;
}

static void test_tensor(model_case *c, const ps_tensor *t, const char *what)
{
    for (size_t i = 0; i < (size_t)t->rows * t->cols; i++) {
        double numeric = 0, grad = (double)c->grad[t->at + i];
        int smooth = slope(c, &c->model.param[t->at + i], &numeric);
        double off = fabs(grad - numeric), bound = relative * fabs(numeric) + absolute;
        compared++;
        zero += grad == 0;
        if (smooth && off <= bound) {
            worst = off / bound > worst ? off / bound : worst;
            continue;
        }
        if (check_failures++ < 20)
            fprintf(stderr, "%s: gradient of %s[%zu] is %.12g, central difference %.12g%s\n", what, t->name, i, grad,
                    numeric, smooth ? "" : " (which does not settle)");
    }
}

/* Of a size that leaves about half of every ReLU's and hinge's inputs positive. */
static void draw_parameters(ps_model *m, uint64_t seed)
{
    for (int t = 0; t < m->tensors; t++) {
        const ps_tensor *x = &m->tensor[t];
        double size = x->vector ? .3 : sqrt(6. / x->cols);
        for (size_t i = 0; i < (size_t)x->rows * x->cols; i++)
            m->param[x->at + i] = (ps_real)(size * (2 * ps_unit(ps_rng(ps_rng_key(seed, (uint64_t)t), i)) - 1));
    }
}

static void test_model(model_case *c, const ps_shape *shape, ps_loss_kind kind, int hard, int in_batch)
{
    uint32_t all = c->length[3];
    char what[96];
    snprintf(what, sizeof what, "K %u, %s, %s%s%s%s%s%s", shape->layers, ps_pooling_name(shape->pooling),
             ps_loss_name(kind), shape->bypass ? ", bypass" : "", shape->bias ? ", bias" : "",
             shape->normalize ? ", normalised" : "", hard ? ", hard negatives" : "", in_batch ? ", in-batch negatives" : "");
    c->length[3] = hard ? all : 0;
    c->H = hard ? all / c->B : 0;
    case_set_up(c, shape, kind, .25, NULL);
    c->loss.in_batch = in_batch;
    draw_parameters(&c->model, 1 + shape->layers);
    case_gradient(c);
    for (int t = 0; t < c->model.tensors; t++)
        test_tensor(c, &c->model.tensor[t], what);
    case_tear_down(c);
    c->length[3] = all;
}

static void test_all(model_case *c)
{
    for (int v = 0; v < VARIANTS * 9 * (LAYERS_MOST + 1); v++) {
        int parts = v % VARIANTS, kind = v / VARIANTS % 3, pooling = v / VARIANTS / 3 % 3;
        ps_shape shape = {.dx = c->x.d, .layers = (uint32_t)(v / VARIANTS / 9), .m = 5, .d = 3,
                          .pooling = (ps_pooling)pooling, .bypass = parts & 1, .bias = parts >> 1 & 1,
                          .normalize = parts >> 2, .tau = .5};
        if (shape.layers > 0 || pooling == 0)
            test_model(c, &shape, (ps_loss_kind)kind, (parts + kind) % 2, v % 3 < 2);
    }
}

int main(void)
{
    const char *root = getenv("PS_ROOT");
    char path[4096];
    if (sizeof(ps_real) < sizeof(double)) {
        puts("central differences need double: FLAVOUR=double");
        return 77;
    }
    snprintf(path, sizeof path, "%s/tests/oracle/oracle_three_max.bin", root ? root : ".");
    oracle *o = oracle_read(path);
    model_case c;
    case_load(&c, o);
    test_all(&c);
    printf("%llu gradients (%llu of them 0), at most %.2f of the bound off; %llu smaller steps\n",
           (unsigned long long)compared, (unsigned long long)zero, worst, (unsigned long long)smaller_steps);
    CHECK(zero < compared / 3);
    case_unload(&c);
    oracle_free(o);
    CHECK_END();
}
