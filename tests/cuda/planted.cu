/* planted.cu - kernels with a barrier left out on purpose: t_cuda_kernels sees that the emulation shows it. */
#include <cuda_runtime.h>

enum { THREADS = 64 };

/* Each thread reads what another has written. */
static __global__ void reverse(int barrier, const unsigned *x, unsigned *out)
{
    __shared__ unsigned shared[THREADS];
    shared[threadIdx.x] = x[threadIdx.x];
    if (barrier)
        __syncthreads();
    out[threadIdx.x] = shared[THREADS - 1 - threadIdx.x];
}

/* Each thread writes again what another may still have to read. */
static __global__ void twice(int barrier, const unsigned *x, unsigned *out)
{
    __shared__ unsigned shared[THREADS];
    unsigned other;
    shared[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    other = shared[(threadIdx.x + 1) % THREADS];
    if (barrier)
        __syncthreads();
    shared[threadIdx.x] = 2 * other;
    __syncthreads();
    out[threadIdx.x] = shared[(threadIdx.x + 1) % THREADS];
}

/* Runs one of them on 0, 1, ...; 1 if what came out is right. */
extern "C" int planted_run(int which, int with_barrier)
{
    unsigned x[THREADS], out[THREADS];
    void *from, *to;
    cudaLaunchConfig_t config = {};
    for (unsigned i = 0; i < THREADS; i++)
        x[i] = i;
    if (cudaMalloc(&from, sizeof x) != cudaSuccess || cudaMalloc(&to, sizeof out) != cudaSuccess ||
        cudaStreamCreateWithFlags(&config.stream, cudaStreamNonBlocking) != cudaSuccess)
        return -1;
    config.gridDim = dim3(1);
    config.blockDim = dim3(THREADS);
    bool ok = cudaMemcpyAsync(from, x, sizeof x, cudaMemcpyHostToDevice, config.stream) == cudaSuccess &&
              cudaLaunchKernelEx(&config, which ? twice : reverse, with_barrier, (const unsigned *)from,
                                 (unsigned *)to) == cudaSuccess &&
              cudaMemcpyAsync(out, to, sizeof out, cudaMemcpyDeviceToHost, config.stream) == cudaSuccess &&
              cudaStreamSynchronize(config.stream) == cudaSuccess;
    (void)cudaStreamDestroy(config.stream);
    (void)cudaFree(from);
    (void)cudaFree(to);
    int right = 1;
    for (unsigned i = 0; i < THREADS; i++)
        right = right && out[i] == (which ? 2 * ((i + 2) % THREADS) : THREADS - 1 - i);
    return ok ? right : -1;
}
