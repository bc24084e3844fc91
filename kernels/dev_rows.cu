/* dev_rows.cu - device.h's operations on rows.  A block a row where a row is summed; a strip of PS_STRIP rows and a
 * tile of columns where columns are. */
#include "dev_cuda.cuh"

enum { TILE = 128 }; /* threads across columns */

/* ---- a block a row ---- */

template <int V> static __global__ void gather_kernel(size_t n, const float *from, const uint32_t *row, float *to)
{
    const float *a = from + (size_t)row[blockIdx.x] * n;
    float *b = to + (size_t)blockIdx.x * n;
    for (size_t j = (size_t)threadIdx.x * V; j < n; j += (size_t)blockDim.x * V)
        store<V>(b + j, load<V>(a + j));
}

static void gather_rows(ps_device *dev, size_t rows, size_t n, const float *from, const uint32_t *row, float *to)
{
    bool wide = aligned(n, from, to);
    launch(dev, "gather_rows", dim3((unsigned)rows), threads_for(n, wide ? 4 : 1, THREADS_MAX),
           wide ? gather_kernel<4> : gather_kernel<1>, n, from, row, to);
}

template <int V> static __device__ pack<V> relu(const float *y, const float *bias)
{
    pack<V> a = load<V>(y), b = load<V>(bias);
    for (int i = 0; i < V; i++)
        a.at[i] = a.at[i] + b.at[i] > 0 ? a.at[i] + b.at[i] : 0;
    return a;
}

/* The row is read again from the cache rather than kept: registers for it would have to be many. */
template <int V> static __global__ void normalize_kernel(size_t n, float *y, const float *bias, float *norm)
{
    float *row = y + (size_t)blockIdx.x * n, sum = 0;
    for (size_t j = (size_t)threadIdx.x * V; j < n; j += (size_t)blockDim.x * V) {
        pack<V> a = bias ? relu<V>(row + j, bias + j) : load<V>(row + j);
        for (int i = 0; i < V; i++)
            sum += a.at[i] * a.at[i];
    }
    float length = sqrtf(block_sum(sum)), scale = 1 / (length > PS_NORM_MIN ? length : PS_NORM_MIN);
    if (threadIdx.x == 0)
        norm[blockIdx.x] = length;
    for (size_t j = (size_t)threadIdx.x * V; j < n; j += (size_t)blockDim.x * V) {
        pack<V> a = bias ? relu<V>(row + j, bias + j) : load<V>(row + j);
        for (int i = 0; i < V; i++)
            a.at[i] *= scale;
        store<V>(row + j, a);
    }
}

static void normalize(ps_device *dev, size_t rows, size_t n, float *y, const float *bias, float *norm)
{
    bool wide = aligned(n, y, bias);
    launch(dev, "normalize", dim3((unsigned)rows), threads_for(n, wide ? 4 : 1, THREADS_MAX),
           wide ? normalize_kernel<4> : normalize_kernel<1>, n, y, bias, norm);
}

/* dy may be dz: a thread reads what it writes, and nothing else, after the sum. */
template <int V, bool RELU>
static __global__ void normalize_back_kernel(size_t n, const float *dz, const float *z, const float *norm, float *dy)
{
    size_t first = (size_t)blockIdx.x * n;
    float sum = 0;
    for (size_t j = (size_t)threadIdx.x * V; j < n; j += (size_t)blockDim.x * V) {
        pack<V> a = load<V>(dz + first + j), b = load<V>(z + first + j);
        for (int i = 0; i < V; i++)
            sum += a.at[i] * b.at[i];
    }
    float length = norm[blockIdx.x], along = block_sum(sum);
    float scale = 1 / (length > PS_NORM_MIN ? length : PS_NORM_MIN);
    along = length > PS_NORM_MIN ? along : 0;
    for (size_t j = (size_t)threadIdx.x * V; j < n; j += (size_t)blockDim.x * V) {
        pack<V> a = load<V>(dz + first + j), b = load<V>(z + first + j);
        for (int i = 0; i < V; i++) {
            float d = scale * (a.at[i] - along * b.at[i]);
            a.at[i] = !RELU || b.at[i] > 0 ? d : 0;
        }
        store<V>(dy + first + j, a);
    }
}

static void normalize_back(ps_device *dev, size_t rows, size_t n, const float *dz, const float *z, const float *norm,
                           float *dy)
{
    bool wide = aligned(n, dz, z, dy);
    launch(dev, "normalize_back", dim3((unsigned)rows), threads_for(n, wide ? 4 : 1, THREADS_MAX),
           wide ? normalize_back_kernel<4, false> : normalize_back_kernel<1, false>, n, dz, z, norm, dy);
}

static void unit_relu_back(ps_device *dev, size_t rows, size_t n, float *dh, const float *h, const float *norm)
{
    bool wide = aligned(n, dh, h);
    launch(dev, "unit_relu_back", dim3((unsigned)rows), threads_for(n, wide ? 4 : 1, THREADS_MAX),
           wide ? normalize_back_kernel<4, true> : normalize_back_kernel<1, true>, n, dh, h, norm, dh);
}

template <int V> static __global__ void dots_kernel(size_t n, const float *x, const float *b, float *out)
{
    const float *row = x + (size_t)blockIdx.x * n;
    float sum = 0;
    for (size_t j = (size_t)threadIdx.x * V; j < n; j += (size_t)blockDim.x * V) {
        pack<V> a = load<V>(row + j), c = load<V>(b + j);
        for (int i = 0; i < V; i++)
            sum += a.at[i] * c.at[i];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        out[blockIdx.x] = sum;
}

static void row_dots(ps_device *dev, size_t rows, size_t n, const float *x, const float *b, float *out)
{
    bool wide = aligned(n, x, b);
    launch(dev, "row_dots", dim3((unsigned)rows), threads_for(n, wide ? 4 : 1, THREADS_MAX),
           wide ? dots_kernel<4> : dots_kernel<1>, n, x, b, out);
}

/* ---- a strip of rows, a tile of columns ---- */

/* y = ReLU(y + b), or with weights y += weight b. */
template <int V>
static __global__ void bias_kernel(size_t rows, size_t n, const float *weight, const float *bias, float *y)
{
    size_t j = ((size_t)blockIdx.y * blockDim.x + threadIdx.x) * V, u = (size_t)blockIdx.x * PS_STRIP;
    size_t end = u + PS_STRIP < rows ? u + PS_STRIP : rows;
    if (j >= n)
        return;
    pack<V> b = load<V>(bias + j);
#pragma unroll 4
    for (; u < end; u++) {
        pack<V> a = load<V>(y + u * n + j);
        float w = weight ? weight[u] : 1;
        for (int i = 0; i < V; i++) {
            a.at[i] += w * b.at[i];
            a.at[i] = weight || a.at[i] > 0 ? a.at[i] : 0;
        }
        store<V>(y + u * n + j, a);
    }
}

static dim3 tiles(size_t rows, size_t n, int V, unsigned threads)
{
    return dim3(parts_of(rows, PS_STRIP), parts_of(n, (size_t)threads * V));
}

static void outer_add(ps_device *dev, size_t rows, size_t n, const float *weight, const float *b, float *y)
{
    int V = aligned(n, b, y) ? 4 : 1;
    unsigned threads = threads_for(n, V, TILE);
    launch(dev, weight ? "outer_add" : "bias_relu", tiles(rows, n, V, threads), threads,
           V == 4 ? bias_kernel<4> : bias_kernel<1>, rows, n, weight, b, y);
}

static void bias_relu(ps_device *dev, size_t rows, size_t n, float *y, const float *bias)
{
    outer_add(dev, rows, n, NULL, bias, y);
}

/* part: a row of sums for each strip.  With y, x = 0 first where y is not positive. */
template <int V>
static __global__ void strip_kernel(size_t rows, size_t n, const float *weight, const float *x, const float *y,
                                    float *out, float *part)
{
    size_t j = ((size_t)blockIdx.y * blockDim.x + threadIdx.x) * V, u = (size_t)blockIdx.x * PS_STRIP;
    size_t end = u + PS_STRIP < rows ? u + PS_STRIP : rows;
    if (j >= n)
        return;
    pack<V> sum = {};
#pragma unroll 4
    for (; u < end; u++) {
        pack<V> a = load<V>(x + u * n + j);
        if (y) {
            pack<V> b = load<V>(y + u * n + j);
            for (int i = 0; i < V; i++)
                a.at[i] = b.at[i] > 0 ? a.at[i] : 0;
            store<V>(out + u * n + j, a);
        }
        float w = weight ? weight[u] : 1;
        for (int i = 0; i < V; i++)
            sum.at[i] += w * a.at[i];
    }
    store<V>(part + (size_t)blockIdx.x * n + j, sum);
}

/* Strips of rows, strips of their sums, and so on to one row. */
static void add_up(ps_device *dev, const char *what, size_t rows, size_t n, const float *weight, const float *x,
                   const float *y, float *out, float *sum, float *part)
{
    if (rows == 0)
        return dev->ops->zero(dev, sum, n * sizeof *sum);
    for (;;) {
        size_t strips = parts_of(rows, PS_STRIP);
        float *to = strips == 1 ? sum : part;
        int V = aligned(n, x, y, out, to) ? 4 : 1;
        unsigned threads = threads_for(n, V, TILE);
        launch(dev, what, tiles(rows, n, V, threads), threads, V == 4 ? strip_kernel<4> : strip_kernel<1>, rows, n,
               weight, x, y, out, to);
        if (strips == 1)
            return;
        x = part;
        y = weight = NULL;
        part += strips * n;
        rows = strips;
    }
}

static void column_sums(ps_device *dev, size_t rows, size_t n, const float *weight, const float *x, float *sum,
                        float *part)
{
    add_up(dev, "column_sums", rows, n, weight, x, NULL, NULL, sum, part);
}

static void relu_back(ps_device *dev, size_t rows, size_t n, float *dy, const float *y, float *sum, float *part)
{
    add_up(dev, "relu_back", rows, n, NULL, dy, y, dy, sum, part);
}

void ps_cuda_add_rows(ps_device_ops *ops)
{
    ops->gather_rows = gather_rows;
    ops->bias_relu = bias_relu;
    ops->normalize = normalize;
    ops->normalize_back = normalize_back;
    ops->unit_relu_back = unit_relu_back;
    ops->relu_back = relu_back;
    ops->column_sums = column_sums;
    ops->row_dots = row_dots;
    ops->outer_add = outer_add;
}
