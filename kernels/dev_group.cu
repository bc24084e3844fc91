/* dev_group.cu - several GPUs, a rank each: sums over all of them by NCCL.
 *
 * ncclAllReduce adds up in an order of its own, which depends on the machines and on NCCL's version.  Here the parts
 * are exchanged by NCCL and added up in the order of the ranks: the same bytes each time, and as many bytes on the
 * wires.
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
    ncclComm_t comm;
    int rank, ranks;
    ps_cuda *c;
};

#define FUNCTIONS(F) \
    F(GetUniqueId)   \
    F(CommInitRank)  \
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
    ncclUniqueId common;
    if (!g)
        return ps_fail(PS_EMEM, "out of memory");
    *g = {NULL, rank, ranks, cuda_of(dev)};
    memcpy(&common, id, sizeof common);
    ncclResult_t status = nccl.CommInitRank(&g->comm, ranks, common, rank);
    if (status != ncclSuccess) {
        free(g);
        return failed(dev, status);
    }
    cuda_of(dev)->group = g;
    dev->ranks = ranks;
    return 0;
}

/* Not ncclCommDestroy, which would wait for ranks that may be gone. */
static void stop(ps_cuda_group *g)
{
    if (g->comm)
        (void)nccl.CommAbort(g->comm);
    g->comm = NULL;
}

void ps_cuda_group_leave(ps_cuda *c)
{
    if (!c->group)
        return;
    stop(c->group);
    free(c->group);
    c->group = NULL;
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
    cudaStream_t queue = g->c->compute;
    note_nccl(dev, nccl.GroupStart());
    for (int r = 0; r < g->ranks; r++) {
        if (r == g->rank)
            continue;
        note_nccl(dev, nccl.Send(x + r * slice, slice, ncclFloat, r, g->comm, queue));
        note_nccl(dev, nccl.Recv(parts + r * slice, slice, ncclFloat, r, g->comm, queue));
    }
    note_nccl(dev, nccl.GroupEnd());
}

/* Each rank adds up a slice and gives it to all. */
static int group_sum(ps_device *dev, size_t n, float *x, float *others)
{
    ps_cuda_group *g = cuda_of(dev)->group;
    size_t slice = ((n + g->ranks - 1) / g->ranks + 3) / 4 * 4;
    float *own = x + g->rank * slice;
    if (!g->comm)
        return ps_fail(PS_EDATA, "%s: another rank has failed", dev->name);
    if (!dev->failed)
        exchange(g, slice, x, others);
    launch(dev, "group_sum", dim3(parts_of(slice, SUM_THREADS)), SUM_THREADS, group_sum_kernel, g->ranks, g->rank,
           slice, others, own);
    if (!dev->failed)
        note_nccl(dev, nccl.AllGather(own, x, slice, ncclFloat, g->comm, g->c->compute));
    return dev->failed ? ps_fail(dev->failed, "%s: %s", dev->name, dev->why) : 0;
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

static int group_sum(ps_device *dev, size_t, float *, float *)
{
    return group_open(dev, NULL);
}

void ps_cuda_group_leave(ps_cuda *)
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
    ops->group_sum = group_sum;
}
