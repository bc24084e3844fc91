/* dev_pool.cu - device.h's pooling: a block gathers one row (a tile of its columns), its list read through shared
 * memory. */
#include "dev_cuda.cuh"

enum { TILE = 128, CHUNK = 64 };
enum { SET, ADD, MASK };

/* Where entries below `limit` end: they ascend. */
static __device__ uint32_t end_below(const uint32_t *list, uint32_t first, uint32_t last, uint32_t limit)
{
    while (first < last) {
        uint32_t middle = first + (last - first) / 2;
        if (list[middle] < limit)
            first = middle + 1;
        else
            last = middle;
    }
    return last;
}

typedef struct {
    uint32_t row[CHUNK];
    float factor[CHUNK];
} chunk;

static __device__ chunk *shared_chunk()
{
    __shared__ chunk list;
    return &list;
}

/* SET: out = sum; ADD: out += sum; MASK: out = sum where out is positive, else 0, of entries below limit. */
template <int V, int MODE>
static __global__ void sum_kernel(size_t n, const uint32_t *off, const uint32_t *index, const float *weight,
                                  uint32_t limit, const float *base, float *out)
{
    chunk *list = shared_chunk();
    size_t j = ((size_t)blockIdx.y * blockDim.x + threadIdx.x) * V, at = (size_t)blockIdx.x * n + j;
    uint32_t e = off[blockIdx.x], end = off[blockIdx.x + 1];
    pack<V> sum = {};
    if (MODE == MASK)
        end = end_below(index, e, end, limit);
    for (; e < end; e += CHUNK) {
        uint32_t count = end - e < CHUNK ? end - e : (uint32_t)CHUNK;
        for (uint32_t i = threadIdx.x; i < count; i += blockDim.x) {
            list->row[i] = index[e + i];
            list->factor[i] = weight[e + i];
        }
        __syncthreads();
        if (j < n) {
#pragma unroll 4
            for (uint32_t t = 0; t < count; t++) {
                pack<V> a = load<V>(base + (size_t)list->row[t] * n + j);
                for (int i = 0; i < V; i++)
                    sum.at[i] += list->factor[t] * a.at[i];
            }
        }
        __syncthreads();
    }
    if (j >= n)
        return;
    if (MODE != SET) {
        pack<V> old = load<V>(out + at);
        for (int i = 0; i < V; i++)
            sum.at[i] = MODE == ADD ? old.at[i] + sum.at[i] : old.at[i] > 0 ? sum.at[i] : 0;
    }
    store<V>(out + at, sum);
}

template <int MODE>
static void pool(ps_device *dev, const char *what, size_t rows, size_t n, const uint32_t *off, const uint32_t *index,
                 const float *weight, uint32_t limit, const float *base, float *out)
{
    int V = aligned(n, base, out) ? 4 : 1;
    unsigned threads = threads_for(n, V, TILE);
    launch(dev, what, dim3((unsigned)rows, parts_of(n, (size_t)threads * V)), threads,
           V == 4 ? sum_kernel<4, MODE> : sum_kernel<1, MODE>, n, off, index, weight, limit, base, out);
}

static void pool_sum(ps_device *dev, size_t rows, size_t n, const uint32_t *off, const uint32_t *index,
                     const float *weight, const float *base, int add, float *out)
{
    if (add)
        pool<ADD>(dev, "pool_sum", rows, n, off, index, weight, 0, base, out);
    else
        pool<SET>(dev, "pool_sum", rows, n, off, index, weight, 0, base, out);
}

static void pool_sum_back(ps_device *dev, size_t rows, size_t n, const uint32_t *off, const uint32_t *user,
                          const float *weight, uint32_t users, const float *d, float *p)
{
    pool<MASK>(dev, "pool_sum_back", rows, n, off, user, weight, users, d, p);
}

/* One column a thread: max pooling is not the default, and its argument needs no wide loads. */
static __global__ void max_kernel(size_t n, const uint32_t *off, const uint32_t *index, const float *base, float *out,
                                  uint32_t *arg)
{
    size_t j = (size_t)blockIdx.y * blockDim.x + threadIdx.x, at = (size_t)blockIdx.x * n + j;
    uint32_t first = off[blockIdx.x], count = off[blockIdx.x + 1] - first, most = 0;
    if (j >= n)
        return;
    float top = count ? base[(size_t)index[first] * n + j] : 0;
#pragma unroll 4
    for (uint32_t t = 1; t < count; t++) {
        float v = base[(size_t)index[first + t] * n + j];
        most = v > top ? t : most;
        top = v > top ? v : top;
    }
    out[at] = top;
    if (count)
        arg[at] = most;
}

static void pool_max(ps_device *dev, size_t rows, size_t n, const uint32_t *off, const uint32_t *index,
                     const float *base, float *out, uint32_t *arg)
{
    unsigned threads = threads_for(n, 1, TILE);
    launch(dev, "pool_max", dim3((unsigned)rows, parts_of(n, threads)), threads, max_kernel, n, off, index, base, out,
           arg);
}

static __global__ void max_back_kernel(size_t n, const uint32_t *off, const uint32_t *user, const uint32_t *slot,
                                       uint32_t users, const float *d, const uint32_t *arg, float *p)
{
    size_t j = (size_t)blockIdx.y * blockDim.x + threadIdx.x, at = (size_t)blockIdx.x * n + j;
    uint32_t e = off[blockIdx.x], end = end_below(user, e, off[blockIdx.x + 1], users);
    float sum = 0;
    if (j >= n)
        return;
#pragma unroll 4
    for (; e < end; e++) {
        size_t from = (size_t)user[e] * n + j;
        sum += arg[from] == slot[e] ? d[from] : 0;
    }
    p[at] = p[at] > 0 ? sum : 0;
}

static void pool_max_back(ps_device *dev, size_t rows, size_t n, const uint32_t *off, const uint32_t *user,
                          const uint32_t *slot, uint32_t users, const float *d, const uint32_t *arg, float *p)
{
    unsigned threads = threads_for(n, 1, TILE);
    launch(dev, "pool_max_back", dim3((unsigned)rows, parts_of(n, threads)), threads, max_back_kernel, n, off, user,
           slot, users, d, arg, p);
}

void ps_cuda_add_pool(ps_device_ops *ops)
{
    ops->pool_sum = pool_sum;
    ops->pool_max = pool_max;
    ops->pool_sum_back = pool_sum_back;
    ops->pool_max_back = pool_max_back;
}
