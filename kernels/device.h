/* device.h - training's arithmetic on whole arrays: one interface, two forms.
 *
 * dev_*.c are plain loops on the host's memory: the reference, and what the tests compare with.  dev_*.cu do the same
 * on an NVIDIA GPU.  lib/device_*.c run a model through either and know no difference.
 *
 * Every array that an operation takes is the device's (ps_device_ops.alloc) unless it says otherwise, row-major, rows
 * without gaps.  Operations are queued and run in their order; a failure is kept, and reported by `finish`.  Sums are
 * taken in an order that depends on the shapes only: the same device gives the same bytes each time. `part` is room for
 * sums on the way: ps_device_parts(rows) x n.
 */
#ifndef PS_DEVICE_H
#define PS_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "gemm.h"
#include "real.h"

/* What products are made of; sums are float in all of them. */
typedef enum { PS_PRODUCTS_F32, PS_PRODUCTS_TF32, PS_PRODUCTS_BF16 } ps_products;

typedef struct ps_device ps_device;

/* What the devices of a group know it by. */
typedef struct {
    char byte[128];
} ps_group_id;

/* Parameters of one kind, one after the other: those before `end` (and not of the segment before) are multiplied by
 * `keep` first (decoupled weight decay). */
enum { PS_SEGMENTS_MAX = 64, PS_SLOTS = 2, PS_STRIP = 32 };
typedef struct {
    int n;
    size_t end[PS_SEGMENTS_MAX];
    ps_real keep[PS_SEGMENTS_MAX];
} ps_segments;

/* The loss of B pairs against N shared, H hard negatives (lib/loss.h): what goes in and comes out. */
typedef struct {
    int kind; /* as ps_loss_kind: 0 softmax, 1 margin, 2 xent */
    uint32_t pairs, negatives, hard, d;
    ps_real margin, tau;
    double weight_sum;
    const uint32_t *query, *positive, *negative, *hard_item; /* items */
    const uint32_t *positive_row, *negative_row, *hard_row;  /* rows of z */
    const float *weight;
    const ps_real *log_bq, *log_np;    /* softmax only */
    const uint32_t *known_off, *known; /* of pair j: known[known_off[j]] .., the query's positives, ascending */
    const ps_real *q, *p, *z, *beta;   /* rows of z gathered: B x d, B x d; z; beta: NULL without item bias */
    ps_real *sn, *sp,
        *sh; /* B x N, B x B (NULL: no in-batch negatives), B x H: scores in (sh: computed), gradients out */
    ps_real *down, *pair_loss; /* B: gradient of S(q,i); w l / sum of w */
} ps_device_loss;

/* Where a row of z stands in the batch, as ps_device_ops.loss_rows wants it: kind in the upper 2 bits, below them j of
 * queries and positives, i of negatives, j H + h of hard ones. */
enum { PS_USE_QUERY, PS_USE_POSITIVE, PS_USE_NEGATIVE, PS_USE_HARD, PS_USE_SHIFT = 30 };

typedef struct {
    const char *name; /* "host", "cuda" */

    /* ---- memory: what alloc gives is not set, starts at 256 bytes; NULL after ps_fail, which says how much is wanted
     * and free ---- */
    void *(*alloc)(ps_device *dev, size_t bytes);
    void (*release)(ps_device *dev, void *p, size_t bytes); /* as many as alloc was asked for; NULL is allowed */
    void *(*alloc_pinned)(ps_device *dev, size_t bytes);    /* of the host, which the device reads by itself */
    void (*release_pinned)(ps_device *dev, void *p);
    void (*close)(ps_device *dev);

    /* ---- copies ----
     * Uploads go from pinned memory through a queue of their own, beside the operations.  A slot is a pinned buffer and
     * its place on the device: stage_begin waits until both may be written, stage_end ends its uploads; use_begin lets
     * the operations behind it wait for them, use_end says that those before it were the last to read the slot. */
    void (*stage_begin)(ps_device *dev, int slot);
    void (*upload)(ps_device *dev, void *to, const void *from, size_t bytes);
    void (*stage_end)(ps_device *dev, int slot);
    void (*use_begin)(ps_device *dev, int slot);
    void (*use_end)(ps_device *dev, int slot);
    void (*fetch)(ps_device *dev, void *pinned, const void *from, size_t bytes); /* queued with the operations */
    void (*copy)(ps_device *dev, void *to, const void *from, size_t bytes);      /* within the device */
    void (*zero)(ps_device *dev, void *p, size_t bytes);
    /* At once, from and to any memory of the host. */
    int (*put)(ps_device *dev, void *to, const void *from, size_t bytes);
    int (*get)(ps_device *dev, void *to, const void *from, size_t bytes);
    /* Waits for everything; the first failure since the last call. */
    int (*finish)(ps_device *dev);

    /* ---- products: C = op(A) op(B) + beta C, as ps_gemm; beta 0 or 1 ---- */
    void (*gemm)(ps_device *dev, ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, const ps_real *a, size_t lda,
                 const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc);
    /* C [m x n] = ReLU(A B^T + bias), of A [m x k] and B [n x k] at distance ldb, in one pass over C where that pays. A
     * NaN may become 0, as by bias_relu, or stay one. */
    void (*gemm_bias_relu)(ps_device *dev, size_t m, size_t n, size_t k, const ps_real *a, const ps_real *b, size_t ldb,
                           const ps_real *bias, ps_real *c);
    /* rows x n at distance ld to bf16 without gaps, to nearest even; and back. */
    void (*to_bf16)(ps_device *dev, size_t rows, size_t n, const ps_real *x, size_t ld, uint16_t *out);
    void (*from_bf16)(ps_device *dev, size_t n, const uint16_t *x, ps_real *out);

    /* ---- rows (dev_rows) ---- */
    void (*gather_rows)(ps_device *dev, size_t rows, size_t n, const ps_real *from, const uint32_t *row, ps_real *to);
    void (*bias_relu)(ps_device *dev, size_t rows, size_t n, ps_real *y, const ps_real *bias);
    /* y = y / |y|, norm = |y|; a norm below 1e-12 is taken for it.  With a bias (NULL: none) first y = ReLU(y + bias).
     */
    void (*normalize)(ps_device *dev, size_t rows, size_t n, ps_real *y, const ps_real *bias, ps_real *norm);
    /* dy = (dz - z (z . dz)) / norm; dy may be dz */
    void (*normalize_back)(ps_device *dev, size_t rows, size_t n, const ps_real *dz, const ps_real *z,
                           const ps_real *norm, ps_real *dy);
    /* The same in place, and then dh = 0 where h is not positive: back through normalize with a bias. */
    void (*unit_relu_back)(ps_device *dev, size_t rows, size_t n, ps_real *dh, const ps_real *h, const ps_real *norm);
    /* dy = 0 where y is not positive; sum (n): over the rows of dy. */
    void (*relu_back)(ps_device *dev, size_t rows, size_t n, ps_real *dy, const ps_real *y, ps_real *sum,
                      ps_real *part);
    /* sum (n) = sum over u of weight[u] x_u (weight NULL: 1) */
    void (*column_sums)(ps_device *dev, size_t rows, size_t n, const ps_real *weight, const ps_real *x, ps_real *sum,
                        ps_real *part);
    void (*row_dots)(ps_device *dev, size_t rows, size_t n, const ps_real *x, const ps_real *b, ps_real *out);
    void (*outer_add)(ps_device *dev, size_t rows, size_t n, const ps_real *weight, const ps_real *b, ps_real *y);

    /* ---- pooling (dev_pool): of row u, index[off[u]] .. index[off[u + 1] - 1], rows of base [. x n] ---- */
    /* out_u = (add: out_u +) sum of weight x base row; no neighbours: 0. */
    void (*pool_sum)(ps_device *dev, size_t rows, size_t n, const uint32_t *off, const uint32_t *index,
                     const ps_real *weight, const ps_real *base, int add, ps_real *out);
    /* The largest, and which neighbour had it (the first of equals; arg is not written without neighbours). */
    void (*pool_max)(ps_device *dev, size_t rows, size_t n, const uint32_t *off, const uint32_t *index,
                     const ps_real *base, ps_real *out, uint32_t *arg);
    /* Back, by neighbour v: user[off[v]] .., ascending, those below `users`.  p holds ReLU's output on entry, the
     * gradient before the ReLU on return: the sum over v's users of weight x d_user, 0 where p is not positive. */
    void (*pool_sum_back)(ps_device *dev, size_t rows, size_t n, const uint32_t *off, const uint32_t *user,
                          const ps_real *weight, uint32_t users, const ps_real *d, ps_real *p);
    /* The same for the largest: v was neighbour number slot[] of its user. */
    void (*pool_max_back)(ps_device *dev, size_t rows, size_t n, const uint32_t *off, const uint32_t *user,
                          const uint32_t *slot, uint32_t users, const ps_real *d, const uint32_t *arg, ps_real *p);

    /* ---- loss (dev_loss) ---- */
    void (*loss_pairs)(ps_device *dev, const ps_device_loss *l);
    /* dz [rows x d], dbeta [rows; NULL: none] from what stands where: use[use_off[u]] .., in that order.  dq = sn n +
     * sp p, dp = sp^T q, dn = sn^T q (dp and sum_p: NULL without in-batch negatives); sum_n, sum_p: column sums of sn,
     * sp. */
    void (*loss_rows)(ps_device *dev, const ps_device_loss *l, size_t rows, const uint32_t *use_off,
                      const uint32_t *use, const ps_real *dq, const ps_real *dp, const ps_real *dn,
                      const ps_real *sum_n, const ps_real *sum_p, ps_real *dz, ps_real *dbeta);

    /* ---- steps (dev_step); sums in double; part: PS_SUM_BLOCKS ---- */
    void (*sum)(ps_device *dev, size_t n, const ps_real *x, double *out, double *part);
    void (*squares)(ps_device *dev, size_t n, const ps_real *x, double *out, double *part);
    void (*count_bad)(ps_device *dev, size_t n, const ps_real *x,
                      uint32_t *count); /* NaN and infinities; added to *count */
    /* As ps_vec_ops's, over all parameters at once. */
    void (*adam)(ps_device *dev, const ps_segments *s, ps_real *p, const ps_real *g, ps_real *m, ps_real *v,
                 ps_real step_size, ps_real root_scale);
    void (*sgd)(ps_device *dev, size_t n, ps_real *p, const ps_real *g, ps_real *m, ps_real rate, ps_real momentum);
    /* Row-wise Adagrad (lib/tokens.h) of rows touched[0 .. rows - 1] of E, each from its users off[r] ... */
    void (*token_step)(ps_device *dev, size_t rows, size_t d, const uint32_t *touched, const uint32_t *off,
                       const uint32_t *user, const ps_real *weight, const ps_real *dy, ps_real rate, ps_real *E,
                       ps_real *squares);

    /* ---- several devices, a rank each (dev_group); NULL where there is no such thing ---- */
    /* Can this device be in a group?  PS_EDATA, saying why not.  id (NULL: not asked for): a new group's. */
    int (*group_open)(ps_device *dev, ps_group_id *id);
    /* Begins to join it; group_joined: 1 until all ranks have, then 0, and dev->ranks is set.  After a failure of
     * either group_leave, and the device is by itself, as before. */
    int (*group_join)(ps_device *dev, const ps_group_id *id, int rank, int ranks);
    int (*group_joined)(ps_device *dev);
    void (*group_leave)(ps_device *dev);
    /* Every rank, in the same order: x [n, a multiple of ps_group_unit] = ((x of rank 0 + x of rank 1) + ... in this
     * order, the same bytes everywhere; others: as much room, is overwritten.  Sums begin after the operations that are
     * queued so far, and run one after the other, beside those that are queued behind them, until group_end: it lets
     * the operations behind it wait.  `finish` waits for sums too, but not for a rank that is gone: it fails.  A sum
     * fails after the first failure that `finish` has not reported: then the other ranks wait for this one. */
    int (*group_sum)(ps_device *dev, size_t n, ps_real *x, ps_real *others);
    void (*group_end)(ps_device *dev);
} ps_device_ops;

/* What the length of a sum over so many ranks (0: no group) is a multiple of. */
static inline size_t ps_group_unit(int ranks)
{
    return ranks > 0 ? 4 * (size_t)ranks : 1;
}

enum { PS_SUM_BLOCKS = 256 };

/* Form, name for messages, setting, and the first failure that `finish` has not reported. */
struct ps_device {
    const ps_device_ops *ops;
    char name[96];
    ps_products products;
    int failed;
    char why[256];
    size_t memory;           /* bytes it has in all; 0: the host's */
    size_t used;             /* bytes that alloc has given and release not taken back */
    int ranks;               /* of the group that it has joined; 0: none */
    uint64_t fused, unfused; /* gemm_bias_relu's of TF32 and bf16: in one kernel; in two, as none is known */
};

/* NULL after ps_fail.  close() ends either. */
ps_device *ps_device_host(void);
/* GPU number n, as the CUDA runtime counts.  PS_ESYS-like failures in words: built without CUDA, no driver, a driver
 * older than the build, no such device. */
ps_device *ps_device_cuda(int n);

/* "cuda" or "cuda:N".  PS_EUSAGE for anything else but "cpu", for which *dev is NULL. */
PS_MUST_USE int ps_device_named(const char *name, ps_device **dev);

/* Rows of `part`. */
size_t ps_device_parts(size_t rows);

#endif
