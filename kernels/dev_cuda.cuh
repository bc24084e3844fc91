/* dev_cuda.cuh - what dev_*.cu share: the device's state, launching, wide loads, sums over a block.
 *
 * Only what the CUDA runtime's headers declare is used, so that g++ compiles these files over tests/cuda as well.
 */
#ifndef PS_DEV_CUDA_CUH
#define PS_DEV_CUDA_CUH

#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

extern "C" {
#include "device.h"
#include "err.h"
#include "vec.h"
}

/* dev: first, so that a ps_device is one of these. */
typedef struct {
    ps_device dev;
    cudaStream_t compute, copy, sums;
    cudaEvent_t uploaded[PS_SLOTS], consumed[PS_SLOTS];
    cublasHandle_t blas;
    cublasLtHandle_t fused;
    void *workspace;      /* PS_CUDA_WORKSPACE bytes, of every product */
    uint16_t *rounded[2]; /* bf16 copies of a product's factors */
    size_t rounded_cap[2];
    struct ps_cuda_group *group; /* NULL: by itself */
} ps_cuda;

static inline ps_cuda *cuda_of(ps_device *dev)
{
    return (ps_cuda *)dev;
}

/* Keeps the first failure for `finish`. */
void ps_cuda_note(ps_device *dev, const char *what, cudaError_t rc);

/* The operations, by file. */
extern const ps_device_ops ps_cuda_ops;
void ps_cuda_gemm(ps_device *, ps_trans, ps_trans, size_t, size_t, size_t, const float *, size_t, const float *, size_t,
                  float, float *, size_t);
int ps_cuda_blas_open(ps_cuda *c); /* loads cuBLAS */
void ps_cuda_blas_close(ps_cuda *c);
int ps_cuda_fused_open(ps_cuda *c); /* loads cublasLt */
void ps_cuda_fused_close(ps_cuda *c);

/* Of a product m x n x k: two matrices, and their type. */
typedef struct {
    size_t m, n, k;
    const void *a;
    size_t lda;
    const void *b;
    size_t ldb;
    cudaDataType type;
} ps_cuda_factors;

/* Takes bf16 copies of them in their place, which last until the next call.  PS_EMEM: noted. */
int ps_cuda_round_factors(ps_device *dev, size_t a_rows, size_t a_cols, size_t b_rows, size_t b_cols,
                          ps_cuda_factors *f);
/* out [m x n] = A B + beta out by cuBLAS, of factors that are as its numbers want them. */
void ps_cuda_product(ps_device *dev, ps_trans ta, ps_trans tb, const ps_cuda_factors *f, float beta, float *out,
                     size_t ldc);
/* Each fills in its part of the table. */
void ps_cuda_add_rows(ps_device_ops *ops);
void ps_cuda_add_pool(ps_device_ops *ops);
void ps_cuda_add_loss(ps_device_ops *ops);
void ps_cuda_add_step(ps_device_ops *ops);
void ps_cuda_add_product(ps_device_ops *ops);
void ps_cuda_add_group(ps_device_ops *ops);
void ps_cuda_add_fused(ps_device_ops *ops);

/* Waits for a queue, but not for ranks that are gone. */
void ps_cuda_wait(ps_cuda *c, cudaStream_t queue);
void ps_cuda_group_leave(ps_device *dev);

enum { WARP = 32, THREADS_MAX = 256, PS_CUDA_WORKSPACE = 32 << 20 };

#define PS_STRING2(x) #x
#define PS_STRING(x) PS_STRING2(x)

/* A library, by the system's search or in that folder.  NULL after ps_fail. */
static inline void *ps_cuda_library(const char *name, const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    void *lib = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        ps_fail(PS_EDATA, "%s cannot be loaded: %s", name, dlerror());
    return lib;
}

/* Queues kernel(args...). */
template <class... P, class... A>
static void launch_on(cudaStream_t queue, ps_device *dev, const char *what, dim3 blocks, unsigned threads,
                      void (*kernel)(P...), A... args)
{
    if (blocks.x == 0 || blocks.y == 0)
        return;
    cudaLaunchConfig_t config = {};
    config.gridDim = blocks;
    config.blockDim = dim3(threads);
    config.stream = queue;
    ps_cuda_note(dev, what, cudaLaunchKernelEx(&config, kernel, static_cast<P>(args)...));
}

/* With the operations. */
template <class... P, class... A>
static void launch(ps_device *dev, const char *what, dim3 blocks, unsigned threads, void (*kernel)(P...), A... args)
{
    launch_on(cuda_of(dev)->compute, dev, what, blocks, threads, kernel, args...);
}

/* Enough warps for n elements, V a thread, up to `most` threads. */
static inline unsigned threads_for(size_t n, int V, unsigned most)
{
    size_t want = (n + V - 1) / V;
    want = (want + WARP - 1) / WARP * WARP;
    return want > most ? most : want ? (unsigned)want : (unsigned)WARP;
}

static inline unsigned parts_of(size_t n, size_t part)
{
    return (unsigned)((n + part - 1) / part);
}

/* Rows of n floats from each of these addresses can be read four at a time (an address of NULL: not used). */
template <class... T> static bool aligned(size_t n, const T *...p)
{
    bool all = n % 4 == 0;
    const void *each[] = {(const void *)p...};
    for (size_t i = 0; i < sizeof each / sizeof *each; i++)
        all = all && (uintptr_t)each[i] % 16 == 0;
    return all;
}

template <int V> struct alignas(4 * V) pack {
    float at[V];
};

template <int V> static inline __device__ pack<V> load(const float *p)
{
    return *reinterpret_cast<const pack<V> *>(p);
}

template <int V> static inline __device__ void store(float *p, pack<V> v)
{
    *reinterpret_cast<pack<V> *>(p) = v;
}

/* Over all threads of the block, the same in each.  The order depends on the block's size only.
 * (Shared memory stands in functions that are no templates: there the emulation can fill it with garbage.) */
static inline __device__ float block_sum(float v)
{
    __shared__ float shared[THREADS_MAX / WARP];
    for (int half = WARP / 2; half > 0; half /= 2)
        v += __shfl_xor_sync(0xffffffffu, v, half);
    if (threadIdx.x % WARP == 0)
        shared[threadIdx.x / WARP] = v;
    __syncthreads();
    float sum = 0;
    for (unsigned w = 0; w < blockDim.x / WARP; w++)
        sum += shared[w];
    __syncthreads(); /* shared is used again */
    return sum;
}

static inline __device__ float block_max(float v)
{
    __shared__ float shared[THREADS_MAX / WARP];
    for (int half = WARP / 2; half > 0; half /= 2)
        v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, half));
    if (threadIdx.x % WARP == 0)
        shared[threadIdx.x / WARP] = v;
    __syncthreads();
    float top = shared[0];
    for (unsigned w = 1; w < blockDim.x / WARP; w++)
        top = fmaxf(top, shared[w]);
    __syncthreads();
    return top;
}

#endif
