/* device_batch.h - a batch of training on its way to a device: packed into pinned memory, sent in one piece on a queue
 * of its own while the device computes (kernels/device.h, slots). */
#ifndef PS_DEVICE_BATCH_H
#define PS_DEVICE_BATCH_H

#include "device.h"
#include "loss.h"
#include "minibatch.h"

/* Growable memory of a device. */
typedef struct {
    void *p;
    size_t bytes;
} ps_device_room;

/* At least so much; what it held is lost when it grows.  PS_EMEM, and it is empty. */
PS_MUST_USE int ps_device_room_for(ps_device *dev, ps_device_room *room, size_t count, size_t size);
void ps_device_room_free(ps_device *dev, ps_device_room *room);

/* Where a batch is on the device; names as in minibatch.h, tokens.h and loss.h. */
typedef struct {
    uint32_t n[PS_LAYERS_MAX + 1], pairs, negatives, hard;
    uint32_t rows; /* of z that the loss speaks of: n[K], or all of a batch that is cut into shares */
    size_t token_items, token_rows;
    double weight_sum;
    ps_real *x, *weight, *back_weight;
    uint32_t *off, *index, *back_off, *user, *slot;
    uint32_t *token_off, *token_row, *touched, *token_back_off, *token_user;
    ps_real *token_weight, *token_back_weight;
    uint32_t *query, *positive, *negative, *hard_item, *query_row, *positive_row, *negative_row, *hard_row;
    float *pair_weight;
    ps_real *log_bq, *log_np;
    uint32_t *known_off, *known; /* of each pair: its query's known positives */
    uint32_t *use_off, *use;     /* of each row of z: where it stands (kernels/device.h) */
} ps_device_batch;

/* A slot, and the lists that are made for it. */
typedef struct {
    ps_device *dev;
    int slot;
    void *pinned;
    size_t pinned_bytes;
    ps_device_room room;
    uint32_t *made[6];
    size_t made_cap[6];
    size_t part; /* bytes of features that are sent at a time; tests set another */
    ps_device_batch at;
} ps_device_slot;

void ps_device_slot_init(ps_device_slot *s, ps_device *dev, int slot);
void ps_device_slot_free(ps_device_slot *s);

/* Where features come from: writes rows first .. end - 1 of the batch to `to`; by any thread. */
typedef struct {
    int (*rows)(void *ctx, size_t first, size_t end, ps_real *to);
    void *ctx;
} ps_device_features;

/* Waits until the slot may be written, packs the batch and queues its upload, part by part: one is on its way while the
 * next is packed.  The batch may be changed when this returns.  The pool (NULL: none) packs: features are gigabytes,
 * and written where they are sent from.  x: NULL: they are mb's.  known: NULL: none. loss NULL: for a forward pass
 * only, without what the loss and the backward pass need. outputs: mb; or, where mb is a share (shares.h), the whole
 * batch's outputs and tokens, which the loss speaks of. */
PS_MUST_USE int ps_device_slot_fill(ps_device_slot *s, const ps_minibatch *mb, const ps_minibatch *outputs,
                                    const ps_loss_batch *loss, const ps_known *known, const ps_device_features *x,
                                    ps_pool *pool);

#endif
