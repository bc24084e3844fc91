/* dev_host.c - device.h's memory, copies and products on the host: every operation is done when it is called. */
#include "dev_host.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bf16.h"
#include "mem.h"
#include "vec.h"

static void *alloc(ps_device *dev, size_t bytes)
{
    void *p = ps_alloc(bytes, 1);
    dev->used += p ? bytes : 0;
    return p;
}

static void release(ps_device *dev, void *p, size_t bytes)
{
    dev->used -= p ? bytes : 0;
    free(p);
}

static void *alloc_pinned(ps_device *dev, size_t bytes)
{
    (void)dev;
    return ps_alloc(bytes, 1);
}

static void release_pinned(ps_device *dev, void *p)
{
    (void)dev;
    free(p);
}

static void close_device(ps_device *dev)
{
    free(dev);
}

/* A slot is free as soon as it is asked for. */
static void slot(ps_device *dev, int which)
{
    (void)dev;
    (void)which;
}

static void copy(ps_device *dev, void *to, const void *from, size_t bytes)
{
    (void)dev;
    if (bytes)
        memcpy(to, from, bytes);
}

static int copy_now(ps_device *dev, void *to, const void *from, size_t bytes)
{
    copy(dev, to, from, bytes);
    return 0;
}

static void zero(ps_device *dev, void *p, size_t bytes)
{
    (void)dev;
    if (bytes)
        memset(p, 0, bytes);
}

static int finish(ps_device *dev)
{
    int rc = dev->failed;
    dev->failed = 0;
    return rc < 0 ? ps_fail(rc, "%s: %s", dev->name, dev->why) : 0;
}

/* TF32 is the GPU's own; here it is float. */
static void gemm(ps_device *dev, ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, const ps_real *a, size_t lda,
                 const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc)
{
    ps_gemm_fn *run = dev->products == PS_PRODUCTS_BF16 ? ps_gemm_bf16 : ps_gemm;
    run(NULL, ta, tb, m, n, k, 1, a, lda, b, ldb, beta, c, ldc);
}

static void gemm_bias_relu(ps_device *dev, size_t m, size_t n, size_t k, const ps_real *a, const ps_real *b, size_t ldb,
                           const ps_real *bias, ps_real *c)
{
    gemm(dev, PS_N, PS_T, m, n, k, a, k, b, ldb, 0, c, n);
    dev->ops->bias_relu(dev, m, n, c, bias);
}

static void to_bf16(ps_device *dev, size_t rows, size_t n, const ps_real *x, size_t ld, uint16_t *out)
{
    (void)dev;
    for (size_t u = 0; u < rows; u++)
        ps_vec()->to_bf16(n, x + u * ld, out + u * n);
}

static void from_bf16(ps_device *dev, size_t n, const uint16_t *x, ps_real *out)
{
    (void)dev;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)x[i] << 16;
        float f;
        memcpy(&f, &bits, sizeof f);
        out[i] = (ps_real)f;
    }
}

static ps_device_ops ops = {.name = "host",
                            .alloc = alloc,
                            .release = release,
                            .alloc_pinned = alloc_pinned,
                            .release_pinned = release_pinned,
                            .close = close_device,
                            .stage_begin = slot,
                            .upload = copy,
                            .stage_end = slot,
                            .use_begin = slot,
                            .use_end = slot,
                            .fetch = copy,
                            .copy = copy,
                            .zero = zero,
                            .put = copy_now,
                            .get = copy_now,
                            .finish = finish,
                            .gemm = gemm,
                            .gemm_bias_relu = gemm_bias_relu,
                            .to_bf16 = to_bf16,
                            .from_bf16 = from_bf16};

static void fill(void)
{
    ps_host_add_rows(&ops);
    ps_host_add_pool(&ops);
    ps_host_add_loss(&ops);
    ps_host_add_step(&ops);
}

ps_device *ps_device_host(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill);
    ps_device *dev = ps_zalloc(1, sizeof *dev);
    if (!dev)
        return NULL;
    dev->ops = &ops;
    snprintf(dev->name, sizeof dev->name, "host");
    return dev;
}
