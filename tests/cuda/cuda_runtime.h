/* cuda_runtime.h - CUDA on the CPU, for tests: what kernels/dev_*.cu use of the CUDA runtime, so that g++ compiles the
 * very same files and they run where there is no GPU.  emulator.cc has how; emulator.h what a test may ask of it.
 *
 * Each CUDA thread is a coroutine.  Between barriers the threads of a block run in a random order, so that one which
 * reads what another has yet to write is likely to see the wrong value.  Streams run in a random order too, as far as
 * events allow. Shared memory is garbage when a block begins, device memory when it is allocated; the host cannot touch
 * it.
 */
#ifndef EMULATED_CUDA_RUNTIME_H
#define EMULATED_CUDA_RUNTIME_H

#include <functional>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <tuple>

#define __global__
#define __device__
/* One block runs at a time.  In one section, so that it can be filled with garbage. */
#define __shared__ static __attribute__((section("cuda_shared")))

struct uint3 {
    unsigned x, y, z;
};

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};

/* ---- inside kernels ---- */

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

void __syncthreads();

/* Gives v to the warp and takes lane `from`'s, when all lanes of the mask have come to it. */
uint64_t emulated_exchange(unsigned mask, uint64_t v, int from);
int emulated_lane();

template <class T> T __shfl_xor_sync(unsigned mask, T v, int lanes)
{
    static_assert(sizeof v <= sizeof(uint64_t), "one register");
    uint64_t bits = 0;
    memcpy(&bits, &v, sizeof v);
    bits = emulated_exchange(mask, bits, emulated_lane() ^ lanes);
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* Threads of one block at a time, none of which is interrupted. */
static inline unsigned atomicAdd(unsigned *p, unsigned v)
{
    unsigned old = *p;
    *p += v;
    return old;
}

static inline uint32_t __float_as_uint(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static inline float __uint_as_float(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* ---- the runtime ---- */

enum cudaError_t {
    cudaSuccess,
    cudaErrorInvalidValue,
    cudaErrorMemoryAllocation,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101,
    cudaErrorNoKernelImageForDevice = 209,
    cudaErrorNotReady = 600,
    cudaErrorLaunchFailure = 719
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum { cudaEventDisableTiming = 2, cudaStreamNonBlocking = 1 };
typedef struct emulated_stream *cudaStream_t;
typedef struct emulated_event *cudaEvent_t;
struct cudaDeviceProp {
    char name[256];
    size_t totalGlobalMem;
    int major, minor;
};
struct cudaFuncAttributes {
    int binaryVersion;
};
struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
};

cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaSetDevice(int n);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *about, int n);
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *about, const void *kernel);
cudaError_t cudaGetLastError();
const char *cudaGetErrorString(cudaError_t rc);
cudaError_t cudaMalloc(void **p, size_t bytes);
cudaError_t cudaFree(void *p);
cudaError_t cudaMallocHost(void **p, size_t bytes);
cudaError_t cudaFreeHost(void *p);
cudaError_t cudaMemGetInfo(size_t *left, size_t *all);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);

cudaError_t emulated_launch(const cudaLaunchConfig_t *config, std::function<void()> thread);

template <class... P, class... A>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config, void (*kernel)(P...), A &&...args)
{
    std::tuple<P...> copies(static_cast<P>(args)...);
    return emulated_launch(config, [=] { std::apply(kernel, copies); });
}

/* ---- for the functions of cublas_v2.h and nccl.h, which are queued too ---- */
void emulated_queue(cudaStream_t stream, std::function<void()> work);
/* What waits for other processes: not before `ready`. */
void emulated_queue_when(cudaStream_t stream, std::function<bool()> ready, std::function<void()> work);
bool emulated_is_device(const void *p, size_t bytes);
/* From now on nothing runs, and whoever waits is told. */
void emulated_die();

#endif
