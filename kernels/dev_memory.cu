/* dev_memory.cu - device.h's memory, copies and queues on a GPU; opening one. */
#include "dev_cuda.cuh"

#include <stdio.h>
#include <stdlib.h>

static const double MIB = 1 << 20;

void ps_cuda_note(ps_device *dev, const char *what, cudaError_t rc)
{
    if (rc == cudaSuccess || dev->failed)
        return;
    dev->failed = PS_EDATA;
    snprintf(dev->why, sizeof dev->why, "%s: %s", what, cudaGetErrorString(rc));
}

static void wait_for_all(ps_cuda *c)
{
    for (cudaStream_t queue : {c->copy, c->sums, c->compute})
        ps_cuda_wait(c, queue);
}

/* ---- memory ---- */

static void *alloc(ps_device *dev, size_t bytes)
{
    void *p = NULL;
    size_t left = 0, all = 0;
    cudaError_t rc = cudaMalloc(&p, bytes ? bytes : 1);
    if (rc == cudaSuccess) {
        dev->used += bytes;
        return p;
    }
    (void)cudaGetLastError(); /* reported here */
    if (rc == cudaErrorMemoryAllocation && cudaMemGetInfo(&left, &all) == cudaSuccess)
        ps_fail(PS_EMEM,
                "%s: too little memory: %.1f MiB are needed beside the %.1f MiB in use, %.1f of %.1f MiB are free; a "
                "smaller batch (psembed: -M), fewer neighbours or a narrower model need less",
                dev->name, (double)bytes / MIB, (double)dev->used / MIB, (double)left / MIB, (double)all / MIB);
    else
        ps_fail(PS_EDATA, "%s: memory: %s", dev->name, cudaGetErrorString(rc));
    return NULL;
}

/* What is queued still uses it: cudaFree waits for that. */
static void release(ps_device *dev, void *p, size_t bytes)
{
    if (!p)
        return;
    ps_cuda_note(dev, "release", cudaFree(p));
    dev->used -= bytes;
}

static void *alloc_pinned(ps_device *dev, size_t bytes)
{
    void *p = NULL;
    cudaError_t rc = cudaMallocHost(&p, bytes ? bytes : 1);
    if (rc == cudaSuccess)
        return p;
    (void)cudaGetLastError();
    ps_fail(PS_EMEM, "%s: %.1f MiB of pinned memory: %s", dev->name, (double)bytes / MIB, cudaGetErrorString(rc));
    return NULL;
}

/* Unlike cudaFree, cudaFreeHost is not said to wait for copies. */
static void release_pinned(ps_device *dev, void *p)
{
    if (!p)
        return;
    wait_for_all(cuda_of(dev));
    ps_cuda_note(dev, "release", cudaFreeHost(p));
}

/* ---- copies ---- */

static void stage_begin(ps_device *dev, int slot)
{
    ps_cuda *c = cuda_of(dev);
    ps_cuda_note(dev, "staging", cudaEventSynchronize(c->uploaded[slot]));
    ps_cuda_note(dev, "staging", cudaStreamWaitEvent(c->copy, c->consumed[slot], 0));
}

static void upload(ps_device *dev, void *to, const void *from, size_t bytes)
{
    if (bytes)
        ps_cuda_note(dev, "upload", cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, cuda_of(dev)->copy));
}

static void stage_end(ps_device *dev, int slot)
{
    ps_cuda_note(dev, "staging", cudaEventRecord(cuda_of(dev)->uploaded[slot], cuda_of(dev)->copy));
}

static void use_begin(ps_device *dev, int slot)
{
    ps_cuda_note(dev, "staging", cudaStreamWaitEvent(cuda_of(dev)->compute, cuda_of(dev)->uploaded[slot], 0));
}

static void use_end(ps_device *dev, int slot)
{
    ps_cuda_note(dev, "staging", cudaEventRecord(cuda_of(dev)->consumed[slot], cuda_of(dev)->compute));
}

static void fetch(ps_device *dev, void *pinned, const void *from, size_t bytes)
{
    ps_cuda_note(dev, "fetch", cudaMemcpyAsync(pinned, from, bytes, cudaMemcpyDeviceToHost, cuda_of(dev)->compute));
}

static void zero(ps_device *dev, void *p, size_t bytes)
{
    if (bytes)
        ps_cuda_note(dev, "zero", cudaMemsetAsync(p, 0, bytes, cuda_of(dev)->compute));
}

static void copy_within(ps_device *dev, void *to, const void *from, size_t bytes)
{
    ps_cuda_note(dev, "copy", cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, cuda_of(dev)->compute));
}

static int finish(ps_device *dev)
{
    wait_for_all(cuda_of(dev));
    int rc = dev->failed;
    dev->failed = 0;
    return rc < 0 ? ps_fail(rc, "%s: %s", dev->name, dev->why) : 0;
}

static int copy(ps_device *dev, void *to, const void *from, size_t bytes, cudaMemcpyKind kind)
{
    int rc = finish(dev);
    if (rc < 0 || bytes == 0)
        return rc;
    ps_cuda_note(dev, "copy", cudaMemcpyAsync(to, from, bytes, kind, cuda_of(dev)->compute));
    return finish(dev);
}

static int put(ps_device *dev, void *to, const void *from, size_t bytes)
{
    return copy(dev, to, from, bytes, cudaMemcpyHostToDevice);
}

static int get(ps_device *dev, void *to, const void *from, size_t bytes)
{
    return copy(dev, to, from, bytes, cudaMemcpyDeviceToHost);
}

/* ---- opening and closing ---- */

static void close_device(ps_device *dev)
{
    ps_cuda *c = cuda_of(dev);
    ps_cuda_group_leave(dev);
    ps_cuda_blas_close(c);
    for (int s = 0; s < PS_SLOTS; s++) {
        if (c->uploaded[s])
            (void)cudaEventDestroy(c->uploaded[s]);
        if (c->consumed[s])
            (void)cudaEventDestroy(c->consumed[s]);
    }
    for (cudaStream_t queue : {c->compute, c->copy, c->sums})
        if (queue)
            (void)cudaStreamDestroy(queue);
    free(c);
}

static const ps_device_ops *operations()
{
    static ps_device_ops ops;
    ops.name = "cuda";
    ops.alloc = alloc;
    ops.release = release;
    ops.alloc_pinned = alloc_pinned;
    ops.release_pinned = release_pinned;
    ops.close = close_device;
    ops.stage_begin = stage_begin;
    ops.upload = upload;
    ops.stage_end = stage_end;
    ops.use_begin = use_begin;
    ops.use_end = use_end;
    ops.fetch = fetch;
    ops.copy = copy_within;
    ops.zero = zero;
    ops.put = put;
    ops.get = get;
    ops.finish = finish;
    ps_cuda_add_product(&ops);
    ps_cuda_add_rows(&ops);
    ps_cuda_add_pool(&ops);
    ps_cuda_add_loss(&ops);
    ps_cuda_add_step(&ops);
    ps_cuda_add_group(&ops);
    ps_cuda_add_fused(&ops);
    return &ops;
}

/* The reasons that a user can do something about, in words. */
static int check_driver(int n)
{
    int driver = 0, built = 0, count = 0;
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0)
        return ps_fail(PS_EDATA, "cuda:%d: no NVIDIA driver is loaded on this machine", n);
    (void)cudaRuntimeGetVersion(&built);
    cudaError_t rc = cudaGetDeviceCount(&count);
    if (rc == cudaErrorInsufficientDriver)
        return ps_fail(
            PS_EDATA,
            "cuda:%d: the driver (for CUDA %d.%d) is older than this build (CUDA %d.%d): a newer driver, or a "
            "build with an older CUDA, is needed",
            n, driver / 1000, driver % 1000 / 10, built / 1000, built % 1000 / 10);
    if (rc == cudaErrorNoDevice || (rc == cudaSuccess && count == 0))
        return ps_fail(PS_EDATA, "cuda:%d: there is no GPU on this machine", n);
    if (rc != cudaSuccess)
        return ps_fail(PS_EDATA, "cuda:%d: %s", n, cudaGetErrorString(rc));
    if (n >= count)
        return ps_fail(PS_EDATA, "cuda:%d: there %s on this machine", n,
                       count == 1 ? "is only GPU 0" : "are not so many GPUs");
    return 0;
}

static __global__ void probe_kernel()
{
}

/* Of all kernels or of none there is code for this GPU, or PTX that its driver makes code of. */
static int check_code(int n, const cudaDeviceProp *about)
{
    cudaFuncAttributes unused;
    cudaError_t rc = cudaFuncGetAttributes(&unused, (const void *)probe_kernel);
    if (rc == cudaSuccess)
        return 0;
    (void)cudaGetLastError();
    if (rc == cudaErrorNoKernelImageForDevice)
        return ps_fail(PS_EDATA,
                       "cuda:%d (%.70s): this program was not built for its compute capability, %d.%d: make "
                       "CUDA_ARCHS=%d%d",
                       n, about->name, about->major, about->minor, about->major, about->minor);
    return ps_fail(PS_EDATA, "cuda:%d (%.70s): %s", n, about->name, cudaGetErrorString(rc));
}

static cudaError_t make_queues(ps_cuda *c, int n)
{
    cudaError_t rc = cudaSetDevice(n);
    for (cudaStream_t *queue : {&c->compute, &c->copy, &c->sums})
        if (rc == cudaSuccess)
            rc = cudaStreamCreateWithFlags(queue, cudaStreamNonBlocking);
    for (int s = 0; s < PS_SLOTS; s++) {
        if (rc == cudaSuccess)
            rc = cudaEventCreateWithFlags(&c->uploaded[s], cudaEventDisableTiming);
        if (rc == cudaSuccess)
            rc = cudaEventCreateWithFlags(&c->consumed[s], cudaEventDisableTiming);
    }
    return rc;
}

extern "C" ps_device *ps_device_cuda(int n)
{
    cudaDeviceProp about;
    if (check_driver(n) < 0)
        return NULL;
    ps_cuda *c = (ps_cuda *)calloc(1, sizeof *c);
    if (!c) {
        ps_fail(PS_EMEM, "out of memory");
        return NULL;
    }
    c->dev.ops = operations();
    cudaError_t rc = make_queues(c, n);
    if (rc == cudaSuccess)
        rc = cudaGetDeviceProperties(&about, n);
    c->dev.memory = rc == cudaSuccess ? about.totalGlobalMem : 0;
    if (rc == cudaSuccess)
        snprintf(c->dev.name, sizeof c->dev.name, "cuda:%d (%.70s)", n, about.name);
    else
        ps_fail(PS_EDATA, "cuda:%d: %s", n, cudaGetErrorString(rc));
    if (rc == cudaSuccess && check_code(n, &about) == 0 && ps_cuda_blas_open(c) == 0)
        return &c->dev;
    close_device(&c->dev);
    return NULL;
}
