/* dev_step.cu - device.h's steps: sums, Adam, SGD, Adagrad of token embeddings. */
#include "dev_cuda.cuh"

enum { STEP_THREADS = 256, PER_THREAD = 4 };

/* ---- sums: always PS_SUM_BLOCKS blocks, so that their order depends on n only ---- */

template <bool SQUARE> static __device__ double term(double v)
{
    return SQUARE ? v * v : v;
}

static __device__ double block_sum_wide(double v)
{
    __shared__ double shared[STEP_THREADS / WARP];
    for (int half = WARP / 2; half > 0; half /= 2)
        v += __shfl_xor_sync(0xffffffffu, v, half);
    if (threadIdx.x % WARP == 0)
        shared[threadIdx.x / WARP] = v;
    __syncthreads();
    double sum = 0;
    for (unsigned w = 0; w < blockDim.x / WARP; w++)
        sum += shared[w];
    return sum;
}

template <class T, bool SQUARE> static __global__ void sum_kernel(size_t n, const T *x, double *part)
{
    size_t step = (size_t)gridDim.x * blockDim.x;
    double sum = 0;
#pragma unroll 8
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step)
        sum += term<SQUARE>(x[i]);
    sum = block_sum_wide(sum);
    if (threadIdx.x == 0)
        part[blockIdx.x] = sum;
}

template <bool SQUARE>
static void add_up(ps_device *dev, const char *what, size_t n, const float *x, double *out, double *part)
{
    launch(dev, what, dim3(PS_SUM_BLOCKS), STEP_THREADS, sum_kernel<float, SQUARE>, n, x, part);
    launch(dev, what, dim3(1), STEP_THREADS, sum_kernel<double, false>, (size_t)PS_SUM_BLOCKS, part, out);
}

static void sum(ps_device *dev, size_t n, const float *x, double *out, double *part)
{
    add_up<false>(dev, "sum", n, x, out, part);
}

static void squares(ps_device *dev, size_t n, const float *x, double *out, double *part)
{
    add_up<true>(dev, "squares", n, x, out, part);
}

static __global__ void bad_kernel(size_t n, const float *x, uint32_t *count)
{
    uint32_t bad = 0;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (size_t)gridDim.x * blockDim.x)
        bad += !isfinite(x[i]);
    if (bad)
        atomicAdd(count, bad); /* whole numbers: any order */
}

static void count_bad(ps_device *dev, size_t n, const float *x, uint32_t *count)
{
    launch(dev, "count_bad", dim3(PS_SUM_BLOCKS), STEP_THREADS, bad_kernel, n, x, count);
}

/* ---- dense parameters: neighbouring threads, neighbouring elements; PER_THREAD of them at the block's distance ----
 */

/* Not all matrices begin where four floats can be read at once; the loads of the PER_THREAD elements overlap instead.
 */
static __global__ void adam_kernel(ps_segments s, size_t n, float *p, const float *g, float *m, float *v,
                                   float step_size, float root_scale)
{
    size_t first = (size_t)blockIdx.x * blockDim.x * PER_THREAD + threadIdx.x;
    float pi[PER_THREAD], gi[PER_THREAD], mi[PER_THREAD], vi[PER_THREAD];
    for (int k = 0; k < PER_THREAD; k++) {
        size_t i = first + (size_t)k * blockDim.x;
        if (i < n) {
            pi[k] = p[i];
            gi[k] = g[i];
            mi[k] = m[i];
            vi[k] = v[i];
        }
    }
    int segment = 0;
    for (int k = 0; k < PER_THREAD; k++) {
        size_t i = first + (size_t)k * blockDim.x;
        if (i >= n)
            return;
        while (i >= s.end[segment])
            segment++;
        m[i] = mi[k] = PS_ADAM_BETA1 * mi[k] + (1 - PS_ADAM_BETA1) * gi[k];
        v[i] = vi[k] = PS_ADAM_BETA2 * vi[k] + (1 - PS_ADAM_BETA2) * gi[k] * gi[k];
        p[i] = s.keep[segment] * pi[k] - step_size * mi[k] / (sqrtf(vi[k]) * root_scale + PS_ADAM_EPS);
    }
}

static void adam(ps_device *dev, const ps_segments *s, float *p, const float *g, float *m, float *v, float step_size,
                 float root_scale)
{
    size_t n = s->n ? s->end[s->n - 1] : 0;
    launch(dev, "adam", dim3(parts_of(n, STEP_THREADS * PER_THREAD)), STEP_THREADS, adam_kernel, *s, n, p, g, m, v,
           step_size, root_scale);
}

static __global__ void sgd_kernel(size_t n, float *p, const float *g, float *m, float rate, float momentum)
{
    size_t i = (size_t)blockIdx.x * blockDim.x * PER_THREAD + threadIdx.x;
    for (int k = 0; k < PER_THREAD && i < n; k++, i += blockDim.x) {
        m[i] = momentum * m[i] + g[i];
        p[i] -= rate * m[i];
    }
}

static void sgd(ps_device *dev, size_t n, float *p, const float *g, float *m, float rate, float momentum)
{
    launch(dev, "sgd", dim3(parts_of(n, STEP_THREADS * PER_THREAD)), STEP_THREADS, sgd_kernel, n, p, g, m, rate,
           momentum);
}

/* ---- token embeddings ---- */

static __device__ float token_gradient(size_t d, size_t j, uint32_t first, uint32_t end, const uint32_t *user,
                                       const float *weight, const float *dy)
{
    float sum = 0;
    for (uint32_t e = first; e < end; e++)
        sum += weight[e] * dy[(size_t)user[e] * d + j];
    return sum;
}

/* A token has few users: their rows are read a second time, from the cache, and its gradient is not kept. */
static __global__ void token_kernel(size_t d, const uint32_t *touched, const uint32_t *off, const uint32_t *user,
                                    const float *weight, const float *dy, float rate, float *E, float *squares_of)
{
    uint32_t row = touched[blockIdx.x], first = off[blockIdx.x], end = off[blockIdx.x + 1];
    float sum = 0, before = squares_of[row];
    for (size_t j = threadIdx.x; j < d; j += blockDim.x) {
        float g = token_gradient(d, j, first, end, user, weight, dy);
        sum += g * g;
    }
    float total = before + block_sum(sum) / (float)d;
    float step = -rate / (sqrtf(total) + PS_TOKEN_EPS);
    if (threadIdx.x == 0)
        squares_of[row] = total;
    for (size_t j = threadIdx.x; j < d; j += blockDim.x)
        E[row * d + j] += step * token_gradient(d, j, first, end, user, weight, dy);
}

static void token_step(ps_device *dev, size_t rows, size_t d, const uint32_t *touched, const uint32_t *off,
                       const uint32_t *user, const float *weight, const float *dy, float rate, float *E,
                       float *squares_of)
{
    launch(dev, "token_step", dim3((unsigned)rows), threads_for(d, 1, THREADS_MAX), token_kernel, d, touched, off, user,
           weight, dy, rate, E, squares_of);
}

void ps_cuda_add_step(ps_device_ops *ops)
{
    ops->sum = sum;
    ops->squares = squares;
    ops->count_bad = count_bad;
    ops->adam = adam;
    ops->sgd = sgd;
    ops->token_step = token_step;
}
