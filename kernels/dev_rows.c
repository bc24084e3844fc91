/* dev_rows.c - device.h's operations on rows, plainly. */
#include <string.h>

#include "dev_host.h"

static void gather_rows(ps_device *dev, size_t rows, size_t n, const ps_real *from, const uint32_t *row, ps_real *to)
{
    (void)dev;
    for (size_t u = 0; u < rows; u++)
        memcpy(to + u * n, from + row[u] * n, n * sizeof *to);
}

static void bias_relu(ps_device *dev, size_t rows, size_t n, ps_real *y, const ps_real *bias)
{
    (void)dev;
    for (size_t u = 0; u < rows; u++)
        for (size_t j = 0; j < n; j++) {
            ps_real v = y[u * n + j] + bias[j];
            y[u * n + j] = v > 0 ? v : 0;
        }
}

static ps_real dot(size_t n, const ps_real *a, const ps_real *b)
{
    double sum = 0;
    for (size_t j = 0; j < n; j++)
        sum += (double)a[j] * (double)b[j];
    return (ps_real)sum;
}

static void normalize(ps_device *dev, size_t rows, size_t n, ps_real *y, const ps_real *bias, ps_real *norm)
{
    if (bias)
        bias_relu(dev, rows, n, y, bias);
    for (size_t u = 0; u < rows; u++) {
        norm[u] = PS_SQRT(dot(n, y + u * n, y + u * n));
        for (size_t j = 0; j < n; j++)
            y[u * n + j] *= 1 / (norm[u] > PS_NORM_MIN ? norm[u] : PS_NORM_MIN);
    }
}

static void normalize_back(ps_device *dev, size_t rows, size_t n, const ps_real *dz, const ps_real *z,
                           const ps_real *norm, ps_real *dy)
{
    (void)dev;
    for (size_t u = 0; u < rows; u++) {
        ps_real along = norm[u] > PS_NORM_MIN ? dot(n, z + u * n, dz + u * n) : 0;
        ps_real scale = 1 / (norm[u] > PS_NORM_MIN ? norm[u] : PS_NORM_MIN);
        for (size_t j = u * n; j < (u + 1) * n; j++)
            dy[j] = scale * (dz[j] - along * z[j]);
    }
}

static void unit_relu_back(ps_device *dev, size_t rows, size_t n, ps_real *dh, const ps_real *h, const ps_real *norm)
{
    normalize_back(dev, rows, n, dh, h, norm, dh);
    for (size_t i = 0; i < rows * n; i++)
        dh[i] = h[i] > 0 ? dh[i] : 0;
}

static void column_sums(ps_device *dev, size_t rows, size_t n, const ps_real *weight, const ps_real *x, ps_real *sum,
                        ps_real *part)
{
    (void)dev;
    (void)part;
    for (size_t j = 0; j < n; j++) {
        double total = 0;
        for (size_t u = 0; u < rows; u++)
            total += (weight ? (double)weight[u] : 1) * (double)x[u * n + j];
        sum[j] = (ps_real)total;
    }
}

static void relu_back(ps_device *dev, size_t rows, size_t n, ps_real *dy, const ps_real *y, ps_real *sum, ps_real *part)
{
    for (size_t i = 0; i < rows * n; i++)
        dy[i] = y[i] > 0 ? dy[i] : 0;
    column_sums(dev, rows, n, NULL, dy, sum, part);
}

static void row_dots(ps_device *dev, size_t rows, size_t n, const ps_real *x, const ps_real *b, ps_real *out)
{
    (void)dev;
    for (size_t u = 0; u < rows; u++)
        out[u] = dot(n, x + u * n, b);
}

static void outer_add(ps_device *dev, size_t rows, size_t n, const ps_real *weight, const ps_real *b, ps_real *y)
{
    (void)dev;
    for (size_t u = 0; u < rows; u++)
        for (size_t j = 0; j < n; j++)
            y[u * n + j] += weight[u] * b[j];
}

void ps_host_add_rows(ps_device_ops *ops)
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
