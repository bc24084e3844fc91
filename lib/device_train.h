/* device_train.h - the consumer's half of training on a device: parameters and optimiser stay there, batches go there,
 * two numbers come back.
 *
 * A step is: stage, launch, wait.  Staging returns when the batch is in pinned memory; its upload runs beside what
 * has been launched, so that staging the next batch between launch and wait costs no time on the device:
 *
 *     stage(0); for each batch i: launch(i), stage(i + 1), wait(i)
 */
#ifndef PS_DEVICE_TRAIN_H
#define PS_DEVICE_TRAIN_H

#include "device_batch.h"
#include "optim.h"
#include "recipe.h"

typedef struct ps_device_train ps_device_train;

/* What came of a batch. */
typedef struct {
    double loss, gradient; /* gradient: its L2 norm */
    uint32_t pairs;
} ps_device_result;

/* For the model's shape and the recipe's loss and optimiser; `known` and the pool, which copies
 * batches, must outlive it (NULL: none).  Parameters and
 * optimiser come with ps_device_train_load.  NULL after ps_fail: PS_EMEM says how much memory the device lacks. */
PS_MUST_USE ps_device_train *ps_device_train_new(ps_device *dev, const ps_model *model, const ps_recipe *r,
                                                 const ps_known *known, ps_pool *pool);
void ps_device_train_free(ps_device_train *t); /* NULL is allowed */

/* Parameters (token embeddings too), moments and the number of steps: to the device and back. */
PS_MUST_USE int ps_device_train_load(ps_device_train *t, const ps_model *model, const ps_optim *o);
PS_MUST_USE int ps_device_train_store(ps_device_train *t, ps_model *model, ps_optim *o);

/* Sends a batch; at most two that have not been waited for.  outputs: mb, or of a batch in shares, of which mb is one,
 * the batch's outputs (shares.h).  from: what features are gathered from; NULL: mb has them. */
PS_MUST_USE int ps_device_train_stage(ps_device_train *t, const ps_minibatch *mb, const ps_minibatch *outputs,
                                      const ps_loss_batch *loss, const ps_sources *from);
/* Queues forward, loss, backward and step of the batch that was staged first. */
PS_MUST_USE int ps_device_train_launch(ps_device_train *t, double rate, double token_rate);
/* Waits for it. */
PS_MUST_USE int ps_device_train_wait(ps_device_train *t, ps_device_result *result);

/* ---- a batch in shares, after staging: what stands between these is shares.h's work, by the host ----
 * All wait, and take and leave arrays of the host's: z, dz are rows x d of the whole batch or of the share, beta, dbeta
 * (without item bias: not touched) rows. */

/* The share's embeddings. */
PS_MUST_USE int ps_device_train_forward(ps_device_train *t, ps_real *z, ps_real *beta);
/* The loss of the whole batch, and its gradients by z and beta. */
PS_MUST_USE int ps_device_train_loss(ps_device_train *t, const ps_real *z, const ps_real *beta, ps_real *dz,
                                     ps_real *dbeta, ps_device_result *result);
/* The share's gradient (dense parameters), after its forward pass; dz, on entry of the share, becomes that by y if the
 * batch has tokens.  grad NULL: it stays on the device, where the sum over the ranks of its group begins with the
 * head's part, while layers below are at work; and does not wait but for dz. */
PS_MUST_USE int ps_device_train_backward(ps_device_train *t, ps_real *dz, const ps_real *dbeta, ps_real *grad);
/* After that, ALL: the step will wait for the sum.  any 0: this rank's share was of nothing, and had no backward pass.
 * After a failure of either the other ranks wait for this one: ps_comm_lost. */
PS_MUST_USE int ps_device_train_sum(ps_device_train *t, int any);
/* The step by the sum of all gradients (NULL: that of the device), and by dz of the whole batch for token embeddings.
 */
PS_MUST_USE int ps_device_train_step(ps_device_train *t, const ps_real *grad, const ps_real *dz, double rate,
                                     double token_rate, ps_device_result *result);

#endif
