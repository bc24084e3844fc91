/* dev_pool.c - device.h's pooling, plainly. */
#include <string.h>

#include "dev_host.h"
#include "vec.h"

static void pool_sum(ps_device *dev, size_t rows, size_t n, const uint32_t *off, const uint32_t *index,
                     const ps_real *weight, const ps_real *base, int add, ps_real *out)
{
    (void)dev;
    for (size_t u = 0; u < rows; u++) {
        if (!add)
            memset(out + u * n, 0, n * sizeof *out);
        for (uint32_t e = off[u]; e < off[u + 1]; e++)
            ps_vec()->axpy(n, weight[e], base + index[e] * n, out + u * n);
    }
}

static void pool_max(ps_device *dev, size_t rows, size_t n, const uint32_t *off, const uint32_t *index,
                     const ps_real *base, ps_real *out, uint32_t *arg)
{
    (void)dev;
    for (size_t u = 0; u < rows; u++)
        if (off[u + 1] > off[u])
            ps_vec()->pool_max(n, off[u + 1] - off[u], index + off[u], base, n, out + u * n, arg + u * n);
        else
            memset(out + u * n, 0, n * sizeof *out);
}

/* What one column of one neighbour gets back: by weights, or of the largest, if arg is given. */
static ps_real back(size_t n, size_t j, uint32_t e, uint32_t end, const uint32_t *user, const ps_real *weight,
                    const uint32_t *slot, uint32_t users, const ps_real *d, const uint32_t *arg)
{
    ps_real sum = 0;
    for (; e < end && user[e] < users; e++) {
        size_t at = user[e] * n + j;
        if (!arg)
            sum += weight[e] * d[at]; /* NOLINT(clang-analyzer-core.NullDereference): one of both is given */
        else if (arg[at] == slot[e])
            sum += d[at];
    }
    return sum;
}

static void pool_sum_back(ps_device *dev, size_t rows, size_t n, const uint32_t *off, const uint32_t *user,
                          const ps_real *weight, uint32_t users, const ps_real *d, ps_real *p)
{
    (void)dev;
    for (size_t v = 0; v < rows; v++)
        for (size_t j = 0; j < n; j++)
            p[v * n + j] = p[v * n + j] > 0 ? back(n, j, off[v], off[v + 1], user, weight, NULL, users, d, NULL) : 0;
}

static void pool_max_back(ps_device *dev, size_t rows, size_t n, const uint32_t *off, const uint32_t *user,
                          const uint32_t *slot, uint32_t users, const ps_real *d, const uint32_t *arg, ps_real *p)
{
    (void)dev;
    for (size_t v = 0; v < rows; v++)
        for (size_t j = 0; j < n; j++)
            p[v * n + j] = p[v * n + j] > 0 ? back(n, j, off[v], off[v + 1], user, NULL, slot, users, d, arg) : 0;
}

void ps_host_add_pool(ps_device_ops *ops)
{
    ops->pool_sum = pool_sum;
    ops->pool_max = pool_max;
    ops->pool_sum_back = pool_sum_back;
    ops->pool_max_back = pool_max_back;
}
