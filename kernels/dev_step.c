/* dev_step.c - device.h's steps, plainly. */
#include "dev_host.h"
#include "vec.h"

static void sum(ps_device *dev, size_t n, const ps_real *x, double *out, double *part)
{
    (void)dev;
    (void)part;
    *out = 0;
    for (size_t i = 0; i < n; i++)
        *out += (double)x[i];
}

static void squares(ps_device *dev, size_t n, const ps_real *x, double *out, double *part)
{
    (void)dev;
    (void)part;
    *out = 0;
    for (size_t i = 0; i < n; i++)
        *out += (double)x[i] * (double)x[i];
}

static void count_bad(ps_device *dev, size_t n, const ps_real *x, uint32_t *count)
{
    (void)dev;
    for (size_t i = 0; i < n; i++)
        *count += !__builtin_isfinite(x[i]);
}

static void adam(ps_device *dev, const ps_segments *s, ps_real *p, const ps_real *g, ps_real *m, ps_real *v,
                 ps_real step_size, ps_real root_scale)
{
    size_t first = 0;
    (void)dev;
    for (int i = 0; i < s->n; first = s->end[i++])
        ps_vec()->adam(s->end[i] - first, p + first, g + first, m + first, v + first, step_size, root_scale,
                       s->keep[i]);
}

static void sgd(ps_device *dev, size_t n, ps_real *p, const ps_real *g, ps_real *m, ps_real rate, ps_real momentum)
{
    (void)dev;
    ps_vec()->sgd(n, p, g, m, rate, momentum);
}

static ps_real token_gradient(size_t d, size_t j, uint32_t e, uint32_t end, const uint32_t *user, const ps_real *weight,
                              const ps_real *dy)
{
    ps_real g = 0;
    for (; e < end; e++)
        g += weight[e] * dy[user[e] * d + j];
    return g;
}

static void token_step(ps_device *dev, size_t rows, size_t d, const uint32_t *touched, const uint32_t *off,
                       const uint32_t *user, const ps_real *weight, const ps_real *dy, ps_real rate, ps_real *E,
                       ps_real *squares_of)
{
    (void)dev;
    for (size_t r = 0; r < rows; r++) {
        size_t row = touched[r];
        ps_real total = 0;
        for (size_t j = 0; j < d; j++) {
            ps_real g = token_gradient(d, j, off[r], off[r + 1], user, weight, dy);
            total += g * g;
        }
        squares_of[row] += total / (ps_real)d;
        for (size_t j = 0; j < d; j++)
            E[row * d + j] -= rate / (PS_SQRT(squares_of[row]) + PS_TOKEN_EPS) *
                              token_gradient(d, j, off[r], off[r + 1], user, weight, dy);
    }
}

void ps_host_add_step(ps_device_ops *ops)
{
    ops->sum = sum;
    ops->squares = squares;
    ops->count_bad = count_bad;
    ops->adam = adam;
    ops->sgd = sgd;
    ops->token_step = token_step;
}
