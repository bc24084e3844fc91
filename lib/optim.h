/* optim.h - the step from a gradient to new parameters, and the learning rate over time. */
#ifndef PS_OPTIM_H
#define PS_OPTIM_H

#include "model.h"
#include "par.h"

typedef enum { PS_ADAM, PS_SGD } ps_optimizer;
#define PS_OPTIMIZERS "adam|sgd"
typedef enum { PS_COSINE, PS_EXPONENTIAL, PS_CONSTANT } ps_schedule;
#define PS_SCHEDULES "cosine|exponential|constant"

#define PS_RATE_END .05 /* the schedules end at this share of the peak */
#define PS_MOMENTUM .9

typedef struct {
    ps_optimizer kind;
    double decay;    /* of matrices, times the rate, before each Adam step (decoupled: AdamW) */
    uint64_t steps;  /* taken so far */
    const ps_model *layout;
    ps_pool *pool;
    ps_real *m, *v;  /* moments of the dense parameters */
    double *part;    /* of the norm */
} ps_optim;

PS_MUST_USE int ps_optim_init(ps_optim *o, ps_optimizer kind, double decay, const ps_model *layout, ps_pool *pool);
void ps_optim_free(ps_optim *o);

/* L2 norm of a gradient: finite if all its f32 elements are, and the same for any number of threads. */
double ps_optim_norm(ps_optim *o, const ps_real *grad);

/* One step: Adam (Kingma and Ba 2015; b1 .9, b2 .999, eps 1e-8) or SGD with momentum. */
void ps_optim_step(ps_optim *o, double rate, ps_real *param, const ps_real *grad);

/* Rate of step s (from 0) of `total`: linear warm-up over the first `warmup` steps (paper, 3.3), then down from `peak`
 * to PS_RATE_END of it at the last. */
double ps_rate(ps_schedule schedule, double peak, uint64_t s, uint64_t warmup, uint64_t total);

#endif
