/* vec.h - the loops around the matrix products, in several instruction sets.
 *
 * One body (vec_body.h) is compiled three times: for any processor, for AVX2 with FMA, for AVX-512.
 * ps_vec() picks the best that this processor runs; ps_vec_named() gives a certain one to the tests,
 * which compare each with the plain one.  Sums run over 16 lanes in a fixed order, so that a result
 * depends on the instruction set only through fused multiply-add.
 */
#ifndef PS_VEC_H
#define PS_VEC_H

#include <stddef.h>
#include <stdint.h>

#include "real.h"

typedef struct {
    const char *name;

    /* sum_i a[i] b[i] */
    ps_real (*dot)(size_t n, const ps_real *a, const ps_real *b);

    /* y += alpha x */
    void (*axpy)(size_t n, ps_real alpha, const ps_real *x, ps_real *y);

    /* y = alpha y */
    void (*scale)(size_t n, ps_real alpha, ps_real *y);

    /* Convolve's ReLU(. + bias) on rows of n at distance ld: y = max(0, y + bias). */
    void (*bias_relu)(size_t rows, size_t n, ps_real *y, size_t ld, const ps_real *bias);

    /* Its gradient: dy = 0 where the ReLU's output y was 0; the bias's: sum += dy. */
    void (*relu_grad)(size_t n, ps_real *dy, const ps_real *y, ps_real *sum);

    /* Where y is positive: bit i % 16 of bits[i / 16]; bits beyond n are 0. */
    void (*positive)(size_t n, const ps_real *y, uint16_t *bits);

    /* relu_grad from these bits. */
    void (*live_grad)(size_t n, ps_real *dy, const uint16_t *bits, ps_real *sum);

    /* relu_grad through z = y / |y|, from dz in dy: dy = scale (dy - along z) where z > 0, else 0; sum += dy.
     * along = z . dz, scale = 1 / |y|. */
    void (*unit_relu_grad)(size_t n, ps_real *dy, const ps_real *z, ps_real along, ps_real scale, ps_real *sum);

    /* Importance pooling: out[0..n-1] = sum over t < count of weight[t] * base[index[t] * ld + .]. */
    void (*pool_sum)(size_t n, size_t count, const uint32_t *index, const ps_real *weight, const ps_real *base,
                     size_t ld, ps_real *out);

    /* Max pooling of the same rows; count >= 1. arg[j] = which t gave the maximum (the first of equals). */
    void (*pool_max)(size_t n, size_t count, const uint32_t *index, const ps_real *base, size_t ld, ps_real *out,
                     uint32_t *arg);

    /* To bf16, the upper half of a float, to nearest even; NaN stays NaN. */
    void (*to_bf16)(size_t n, const ps_real *x, uint16_t *out);

    /* Adam: m, v are the moments, step_size = lr / (1 - b1^t), root_scale = 1 / sqrt(1 - b2^t);
     * decoupled weight decay first multiplies p by keep. */
    void (*adam)(size_t n, ps_real *p, const ps_real *g, ps_real *m, ps_real *v, ps_real step_size, ps_real root_scale,
                 ps_real keep);

    /* SGD with momentum: m = momentum m + g; p -= lr m. */
    void (*sgd)(size_t n, ps_real *p, const ps_real *g, ps_real *m, ps_real lr, ps_real momentum);
} ps_vec_ops;

/* The best for this processor.  PSGRAPH_ISA=plain|avx2|avx512 in the environment asks for another. */
const ps_vec_ops *ps_vec(void);

/* NULL if it was not built in or the processor lacks it. */
const ps_vec_ops *ps_vec_named(const char *name);

#define PS_ADAM_BETA1 ((ps_real)0.9)
#define PS_ADAM_BETA2 ((ps_real)0.999)
#define PS_ADAM_EPS ((ps_real)1e-8)

#endif
