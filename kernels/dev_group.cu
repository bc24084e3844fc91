/* dev_group.cu - several GPUs, a rank each: sums over all of them by NCCL.
 *
 * ncclAllReduce adds up in an order of its own, which depends on the machines and on NCCL's version.  Here the parts
 * are exchanged by NCCL and added up in the order of the ranks: the same bytes each time, and as many bytes on the
 * wires.  They have a queue of their own, beside the operations.
 *
 * NCCL is opened when ranks form a group.  Without its header the file is compiled without it; the tests, which have a
 * stand-in compiled in, define PS_NCCL_LINKED. */
#include "dev_cuda.cuh"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef PS_NCCL
#include <nccl.h>

enum { SUM_THREADS = 256 };

struct ps_cuda_group {
    ncclComm_t comm; /* NULL: no more */
    int rank, ranks;
    ps_cuda *c;
    cudaEvent_t ready, summed;
};

/* Joining is ncclCommInitRankConfig's, which does not wait: ncclCommInitRank would, for ranks that have failed, too. */
#define FUNCTIONS(F)      \
    F(GetUniqueId)        \
    F(CommInitRankConfig) \
    F(CommAbort) F(CommGetAsyncError) F(GetErrorString) F(GroupStart) F(GroupEnd) F(Send) F(Recv) F(AllGather)

#define POINTER(name) decltype(&nccl##name) name;
static struct {
    FUNCTIONS(POINTER)
} nccl;

#ifdef PS_NCCL_LINKED
static int load()
{
#define ADDRESS(name) nccl.name = nccl##name;
    FUNCTIONS(ADDRESS)
    return 0;
}
#else
static int load()
{
    void *lib = ps_cuda_library("libnccl.so.2", PS_NCCL_LIBRARIES);
    if (!lib)
        return PS_EDATA;
#define LOOK_UP(name)                                                 \
    if (!(nccl.name = (decltype(nccl.name))dlsym(lib, "nccl" #name))) \
        return ps_fail(PS_EDATA, "NCCL has no function nccl" #name);
    FUNCTIONS(LOOK_UP)
    return 0;
}
#endif

static int failed(const ps_device *dev, ncclResult_t rc)
{
    return ps_fail(PS_EDATA, "%s: NCCL: %s", dev->name, nccl.GetErrorString(rc));
}

static void note_nccl(ps_device *dev, ncclResult_t rc)
{
    if (rc == ncclSuccess || dev->failed)
        return;
    dev->failed = PS_EDATA;
    snprintf(dev->why, sizeof dev->why, "NCCL: %s", nccl.GetErrorString(rc));
}

/* ---- joining and leaving ---- */

static int group_open(ps_device *dev, ps_group_id *id)
{
    static_assert(sizeof *id == sizeof(ncclUniqueId), "as NCCL has it");
    int rc = load();
    if (rc < 0 || !id)
        return rc;
    ncclUniqueId own;
    ncclResult_t status = nccl.GetUniqueId(&own);
    memcpy(id, &own, sizeof own);
    return status == ncclSuccess ? 0 : failed(dev, status);
}

static int group_join(ps_device *dev, const ps_group_id *id, int rank, int ranks)
{
    ps_cuda_group *g = (ps_cuda_group *)calloc(1, sizeof *g);
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    ncclUniqueId common;
    if (!g)
        return ps_fail(PS_EMEM, "out of memory");
    *g = {NULL, rank, ranks, cuda_of(dev), NULL, NULL};
    cuda_of(dev)->group = g;
    for (cudaEvent_t *event : {&g->ready, &g->summed}) {
        cudaError_t rc = cudaEventCreateWithFlags(event, cudaEventDisableTiming);
        if (rc != cudaSuccess)
            return ps_fail(PS_EDATA, "%s: %s", dev->name, cudaGetErrorString(rc));
    }
    config.blocking = 0;
    memcpy(&common, id, sizeof common);
    ncclResult_t status = nccl.CommInitRankConfig(&g->comm, ranks, common, rank, &config);
    return status == ncclSuccess || status == ncclInProgress ? 0 : failed(dev, status);
}

static int group_joined(ps_device *dev)
{
    ps_cuda_group *g = cuda_of(dev)->group;
    ncclResult_t state = ncclSuccess, status = nccl.CommGetAsyncError(g->comm, &state);
    status = status == ncclSuccess ? state : status;
    if (status == ncclSuccess)
        dev->ranks = g->ranks;
    return status == ncclSuccess ? 0 : status == ncclInProgress ? 1 : failed(dev, status);
}

/* Not ncclCommDestroy, which would wait for ranks that may be gone. */
static void stop(ps_cuda_group *g)
{
    if (g->comm)
        (void)nccl.CommAbort(g->comm);
    g->comm = NULL;
}

void ps_cuda_group_leave(ps_device *dev)
{
    ps_cuda_group *g = cuda_of(dev)->group;
    if (!g)
        return;
    stop(g);
    for (cudaEvent_t event : {g->ready, g->summed})
        if (event)
            (void)cudaEventDestroy(event);
    free(g);
    cuda_of(dev)->group = NULL;
    dev->ranks = 0;
}

/* Has another rank failed?  Then what waits for it ends. */
static void look_for_failure(ps_cuda *c)
{
    ncclResult_t status = ncclSuccess;
    if (!c->group || !c->group->comm)
        return;
    note_nccl(&c->dev, nccl.CommGetAsyncError(c->group->comm, &status));
    if (status == ncclSuccess || status == ncclInProgress)
        return;
    note_nccl(&c->dev, status);
    stop(c->group);
}

/* ---- sums ---- */

/* What is queued has to be connected first, which goes on by itself.  After a failure nothing waits for other ranks. */
static void note_queued(ps_cuda_group *g, ncclResult_t rc)
{
    while (rc == ncclInProgress) {
        sched_yield();
        ncclResult_t asked = nccl.CommGetAsyncError(g->comm, &rc);
        rc = asked == ncclSuccess ? rc : asked;
    }
    note_nccl(&g->c->dev, rc);
    if (rc != ncclSuccess)
        stop(g);
}

/* own: slice number `rank` of this rank's x; parts: the same of the other ranks', one after the other. */
static __global__ void group_sum_kernel(int ranks, int rank, size_t slice, const float *parts, float *own)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= slice)
        return;
    float sum = rank == 0 ? own[i] : parts[i];
    for (int r = 1; r < ranks; r++)
        sum += r == rank ? own[i] : parts[r * slice + i];
    own[i] = sum;
}

/* parts: what the other ranks have of this one's slice */
static void exchange(ps_cuda_group *g, size_t slice, const float *x, float *parts)
{
    ps_device *dev = &g->c->dev;
    cudaStream_t queue = g->c->sums;
    note_nccl(dev, nccl.GroupStart());
    for (int r = 0; r < g->ranks; r++) {
        if (r == g->rank)
            continue;
        note_nccl(dev, nccl.Send(x + r * slice, slice, ncclFloat, r, g->comm, queue));
        note_nccl(dev, nccl.Recv(parts + r * slice, slice, ncclFloat, r, g->comm, queue));
    }
    note_queued(g, nccl.GroupEnd());
}

/* Each rank adds up a slice and gives it to all. */
static int group_sum(ps_device *dev, size_t n, float *x, float *others)
{
    ps_cuda *c = cuda_of(dev);
    ps_cuda_group *g = c->group;
    size_t slice = n / g->ranks;
    float *own = x + g->rank * slice;
    if (!g->comm)
        return ps_fail(PS_EDATA, "%s: another rank has failed", dev->name);
    ps_cuda_note(dev, "group_sum", cudaEventRecord(g->ready, c->compute));
    ps_cuda_note(dev, "group_sum", cudaStreamWaitEvent(c->sums, g->ready, 0));
    if (!dev->failed)
        exchange(g, slice, x, others);
    launch_on(c->sums, dev, "group_sum", dim3(parts_of(slice, SUM_THREADS)), SUM_THREADS, group_sum_kernel, g->ranks,
              g->rank, slice, others, own);
    if (!dev->failed && g->comm)
        note_queued(g, nccl.AllGather(own, x, slice, ncclFloat, g->comm, c->sums));
    return dev->failed ? ps_fail(dev->failed, "%s: %s", dev->name, dev->why) : 0;
}

static void group_end(ps_device *dev)
{
    ps_cuda *c = cuda_of(dev);
    ps_cuda_note(dev, "group_sum", cudaEventRecord(c->group->summed, c->sums));
    ps_cuda_note(dev, "group_sum", cudaStreamWaitEvent(c->compute, c->group->summed, 0));
}

#else

static int group_open(ps_device *dev, ps_group_id *)
{
    return ps_fail(PS_EDATA, "%s: built without NCCL", dev->name);
}

static int group_join(ps_device *dev, const ps_group_id *, int, int)
{
    return group_open(dev, NULL);
}

static int group_joined(ps_device *dev)
{
    return group_open(dev, NULL);
}

static int group_sum(ps_device *dev, size_t, float *, float *)
{
    return group_open(dev, NULL);
}

static void group_end(ps_device *)
{
}

void ps_cuda_group_leave(ps_device *)
{
}

static void look_for_failure(ps_cuda *)
{
}

#endif

void ps_cuda_wait(ps_cuda *c, cudaStream_t queue)
{
    cudaError_t rc;
    if (!c->group) {
        ps_cuda_note(&c->dev, "finish", cudaStreamSynchronize(queue));
        return;
    }
    while ((rc = cudaStreamQuery(queue)) == cudaErrorNotReady) {
        look_for_failure(c);
        sched_yield();
    }
    ps_cuda_note(&c->dev, "finish", rc);
}

void ps_cuda_add_group(ps_device_ops *ops)
{
    ops->group_open = group_open;
    ops->group_join = group_join;
    ops->group_joined = group_joined;
    ops->group_leave = ps_cuda_group_leave;
    ops->group_sum = group_sum;
    ops->group_end = group_end;
}
