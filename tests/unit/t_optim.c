/* t_optim.c - the gradient's norm: against a plain sum, the same for any number of threads, beyond the squares of f32.
 */
#include "optim.h"

#include <math.h>

#include "check.h"
#include "rng.h"

int main(void)
{
    const ps_shape shape = {.dx = 37, .layers = 2, .m = 101, .d = 29, .tau = 1};
    ps_model model;
    ps_optim optim;
    ps_pool *pool = ps_pool_new(3);
    CHECK(pool && ps_model_make(&model, &shape) == 0 && ps_optim_init(&optim, PS_ADAM, 0, &model, pool) == 0);
    ps_real *grad = model.param; /* as good as any */
    for (int big = 0; big <= 1; big++) {
        const double scale = big ? 1e30 : 1;
        long double sum = 0;
        for (size_t i = 0; i < model.dense; i++) {
            grad[i] = (ps_real)(scale * (ps_unit(ps_rng(5, i)) - .5));
            sum += (long double)grad[i] * (long double)grad[i];
        }
        const double norm = ps_optim_norm(&optim, grad);
        CHECK(fabs(norm / (double)sqrtl(sum) - 1) < 1e-12);
        optim.pool = NULL;
        CHECK(ps_optim_norm(&optim, grad) == norm);
        optim.pool = pool;
    }
    grad[7] = (ps_real)INFINITY;
    CHECK(isinf(ps_optim_norm(&optim, grad)));
    ps_optim_free(&optim);
    ps_model_free(&model);
    ps_pool_free(pool);
    CHECK_END();
}
