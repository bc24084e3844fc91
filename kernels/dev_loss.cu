/* dev_loss.cu - device.h's losses: a block a pair, from its scores to their gradients; then a block a row of z, which
 * collects what it has in the batch in the order of its list. */
#include "dev_cuda.cuh"

typedef struct {
    uint32_t n;
    const uint32_t *item, *row;
    float *s;
    const float *log_expected; /* NULL: 0 */
} column_set;

enum { SETS = 3 };

static __device__ bool masked(const ps_device_loss &l, uint32_t j, uint32_t item)
{
    uint32_t first = l.known_off[j], end = l.known_off[j + 1], last = end;
    while (first < last) {
        uint32_t middle = first + (last - first) / 2;
        if (l.known[middle] < item)
            first = middle + 1;
        else
            last = middle;
    }
    return item == l.query[j] || item == l.positive[j] || (first < end && l.known[first] == item);
}

static __device__ float item_bias(const ps_device_loss &l, uint32_t row)
{
    return l.beta ? l.tau * l.beta[row] : 0;
}

static __device__ float softplus(float x)
{
    return (x > 0 ? x : 0) + log1pf(expf(-fabsf(x)));
}

static __device__ float sigmoid(float x)
{
    float e = expf(-fabsf(x));
    return x > 0 ? 1 / (1 + e) : e / (1 + e);
}

static __device__ void make_sets(const ps_device_loss &l, uint32_t j, column_set set[SETS])
{
    set[0] = {l.negatives, l.negative, l.negative_row, l.sn + (size_t)j * l.negatives, l.log_np};
    set[1] = {l.hard, l.hard_item + (size_t)j * l.hard, l.hard_row + (size_t)j * l.hard, l.sh + (size_t)j * l.hard,
              NULL};
    set[2] = {l.sp ? l.pairs : 0, l.positive, l.positive_row, l.sp ? l.sp + (size_t)j * l.pairs : NULL, l.log_bq};
}

/* S(q,i), in every thread; scores of hard negatives, a warp each. */
static __device__ float own_scores(const ps_device_loss &l, uint32_t j, const column_set &hard)
{
    const float *q = l.q + (size_t)j * l.d, *p = l.p + (size_t)j * l.d;
    float own = 0;
    for (uint32_t i = threadIdx.x; i < l.d; i += blockDim.x)
        own += q[i] * p[i];
    for (uint32_t h = threadIdx.x / WARP; h < hard.n; h += blockDim.x / WARP) {
        const float *z = l.z + (size_t)hard.row[h] * l.d;
        float dot = 0;
        for (uint32_t i = threadIdx.x % WARP; i < l.d; i += WARP)
            dot += q[i] * z[i];
        for (int half = WARP / 2; half > 0; half /= 2)
            dot += __shfl_xor_sync(0xffffffffu, dot, half);
        if (threadIdx.x % WARP == 0)
            hard.s[h] = dot;
    }
    return block_sum(own) + item_bias(l, l.positive_row[j]); /* its barriers show the hard scores to all */
}

static __device__ float all_negatives(const ps_device_loss &l)
{
    uint32_t all = l.negatives + (l.sp ? l.pairs - 1 : 0);
    return (float)(all ? all : 1);
}

static __device__ void margin(const ps_device_loss &l, uint32_t j, const column_set *set, float own, float w)
{
    float scale = w / all_negatives(l), sum = 0, count = 0;
    for (int k = 0; k < SETS; k++)
        for (uint32_t i = threadIdx.x; i < set[k].n; i += blockDim.x) {
            float violation = set[k].s[i] + item_bias(l, set[k].row[i]) - own + l.margin;
            bool counts = !(violation <= 0) && !masked(l, j, set[k].item[i]);
            sum += counts ? violation : 0;
            count += counts ? 1 : 0;
            set[k].s[i] = counts ? scale : 0;
        }
    sum = block_sum(sum);
    count = block_sum(count);
    if (threadIdx.x == 0) {
        l.pair_loss[j] = scale * sum;
        l.down[j] = -scale * count;
    }
}

static __device__ void cross_entropy(const ps_device_loss &l, uint32_t j, const column_set *set, float own, float w)
{
    float scale = w / all_negatives(l), sum = 0;
    for (int k = 0; k < SETS; k++)
        for (uint32_t i = threadIdx.x; i < set[k].n; i += blockDim.x) {
            float s = set[k].s[i] + item_bias(l, set[k].row[i]);
            bool out = masked(l, j, set[k].item[i]);
            sum += out ? 0 : softplus(s);
            set[k].s[i] = out ? 0 : scale * sigmoid(s);
        }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        l.pair_loss[j] = scale * sum + w * softplus(-own);
        l.down[j] = -w * sigmoid(-own);
    }
}

/* A thread comes back to its own elements: between the passes only the sums are shared. */
static __device__ void softmax(const ps_device_loss &l, uint32_t j, const column_set *set, float own, float w)
{
    float top = own /= l.tau, sum = 0;
    for (int k = 0; k < SETS; k++)
        for (uint32_t i = threadIdx.x; i < set[k].n; i += blockDim.x) {
            float logit = -1e30f;
            if (!masked(l, j, set[k].item[i]))
                logit = (set[k].s[i] + item_bias(l, set[k].row[i])) / l.tau -
                        (set[k].log_expected ? set[k].log_expected[i] : 0);
            set[k].s[i] = logit;
            top = logit > top ? logit : top;
        }
    top = block_max(top);
    for (int k = 0; k < SETS; k++)
        for (uint32_t i = threadIdx.x; i < set[k].n; i += blockDim.x) {
            set[k].s[i] = expf(set[k].s[i] - top);
            sum += set[k].s[i];
        }
    float share = expf(own - top);
    sum = block_sum(sum) + share;
    float scale = w / (l.tau * sum);
    for (int k = 0; k < SETS; k++)
        for (uint32_t i = threadIdx.x; i < set[k].n; i += blockDim.x)
            set[k].s[i] *= scale;
    if (threadIdx.x == 0) {
        l.pair_loss[j] = w * ((float)log((double)sum) + top - own);
        l.down[j] = scale * share - w / l.tau;
    }
}

static __global__ void pairs_kernel(ps_device_loss l)
{
    uint32_t j = blockIdx.x;
    column_set set[SETS];
    make_sets(l, j, set);
    float w = (float)((double)l.weight[j] / l.weight_sum), own = own_scores(l, j, set[1]);
    if (l.kind == 1)
        margin(l, j, set, own, w);
    else if (l.kind == 2)
        cross_entropy(l, j, set, own, w);
    else
        softmax(l, j, set, own, w);
}

static void loss_pairs(ps_device *dev, const ps_device_loss *l)
{
    size_t most = l->negatives > l->pairs ? l->negatives : l->pairs;
    launch(dev, "loss_pairs", dim3(l->pairs), threads_for(most > l->d ? most : l->d, 1, THREADS_MAX), pairs_kernel, *l);
}

typedef struct {
    const uint32_t *off, *use;
    const float *dq, *dp, *dn, *sum_n, *sum_p;
    float *dz, *dbeta;
} collecting;

static __device__ float collect(const ps_device_loss &l, const collecting &c, uint32_t kind, uint32_t at, uint32_t i)
{
    size_t d = l.d;
    float sum;
    switch (kind) {
    case PS_USE_QUERY:
        sum = c.dq[at * d + i] + l.down[at] * l.p[at * d + i];
        for (size_t h = (size_t)at * l.hard; h < ((size_t)at + 1) * l.hard; h++)
            sum += l.sh[h] * l.z[l.hard_row[h] * d + i];
        return sum;
    case PS_USE_POSITIVE: return (c.dp ? c.dp[at * d + i] : 0) + l.down[at] * l.q[at * d + i];
    case PS_USE_NEGATIVE: return c.dn[at * d + i];
    default: return l.sh[at] * l.q[at / l.hard * d + i];
    }
}

static __device__ float collect_bias(const ps_device_loss &l, const collecting &c, uint32_t kind, uint32_t at)
{
    switch (kind) {
    case PS_USE_QUERY: return 0;
    case PS_USE_POSITIVE: return l.down[at] + (c.sum_p ? c.sum_p[at] : 0);
    case PS_USE_NEGATIVE: return c.sum_n[at];
    default: return l.sh[at];
    }
}

static __global__ void rows_kernel(ps_device_loss l, collecting c)
{
    const uint32_t low = (1u << PS_USE_SHIFT) - 1;
    uint32_t u = blockIdx.x, first = c.off[u], end = c.off[u + 1];
    for (uint32_t i = threadIdx.x; i < l.d; i += blockDim.x) {
        float sum = 0;
        for (uint32_t e = first; e < end; e++)
            sum += collect(l, c, c.use[e] >> PS_USE_SHIFT, c.use[e] & low, i);
        c.dz[(size_t)u * l.d + i] = sum;
    }
    if (threadIdx.x != 0 || !c.dbeta)
        return;
    float sum = 0;
    for (uint32_t e = first; e < end; e++)
        sum += l.tau * collect_bias(l, c, c.use[e] >> PS_USE_SHIFT, c.use[e] & low);
    c.dbeta[u] = sum;
}

static void loss_rows(ps_device *dev, const ps_device_loss *l, size_t rows, const uint32_t *use_off,
                      const uint32_t *use, const float *dq, const float *dp, const float *dn, const float *sum_n,
                      const float *sum_p, float *dz, float *dbeta)
{
    collecting c = {use_off, use, dq, dp, dn, sum_n, sum_p, dz, dbeta};
    launch(dev, "loss_rows", dim3((unsigned)rows), threads_for(l->d, 1, THREADS_MAX), rows_kernel, *l, c);
}

void ps_cuda_add_loss(ps_device_ops *ops)
{
    ops->loss_pairs = loss_pairs;
    ops->loss_rows = loss_rows;
}
