/* dev_loss.c - device.h's losses, plainly: lib/loss.h has the formulas. */
#include <string.h>

#include "dev_host.h"

/* One set of candidates of a pair. */
typedef struct {
    uint32_t n;
    const uint32_t *item, *row;
    ps_real *s;
    const ps_real *log_expected;
} column_set;

enum { SETS = 3 };

static int masked(const ps_device_loss *l, uint32_t j, uint32_t item)
{
    for (uint32_t e = l->known_off[j]; e < l->known_off[j + 1]; e++)
        if (l->known[e] == item)
            return 1;
    return item == l->query[j] || item == l->positive[j];
}

static ps_real item_bias(const ps_device_loss *l, uint32_t row)
{
    return l->beta ? l->tau * l->beta[row] : 0;
}

static ps_real softplus(ps_real x)
{
    return (x > 0 ? x : 0) + PS_LOG1P(PS_EXP(-PS_FABS(x)));
}

static ps_real sigmoid(ps_real x)
{
    ps_real e = PS_EXP(-PS_FABS(x));
    return x > 0 ? 1 / (1 + e) : e / (1 + e);
}

static ps_real dot(size_t n, const ps_real *a, const ps_real *b)
{
    double sum = 0;
    for (size_t j = 0; j < n; j++)
        sum += (double)a[j] * (double)b[j];
    return (ps_real)sum;
}

/* Margin and cross-entropy. */
static void separate(const ps_device_loss *l, uint32_t j, const column_set *set, ps_real own, ps_real w)
{
    uint32_t all = l->negatives + (l->sp ? l->pairs - 1 : 0);
    ps_real scale = w / (ps_real)(all ? all : 1), sum = 0, down = 0;
    for (int k = 0; k < SETS; k++)
        for (uint32_t i = 0; i < set[k].n; i++) {
            ps_real s = set[k].s[i] + item_bias(l, set[k].row[i]), violation = s - own + l->margin;
            int out = masked(l, j, set[k].item[i]) || (l->kind == 1 && violation <= 0);
            set[k].s[i] = 0;
            if (out)
                continue;
            sum += l->kind == 1 ? violation : softplus(s);
            set[k].s[i] = l->kind == 1 ? scale : scale * sigmoid(s);
            down -= l->kind == 1 ? scale : 0;
        }
    l->pair_loss[j] = scale * sum + (l->kind == 1 ? 0 : w * softplus(-own));
    l->down[j] = l->kind == 1 ? down : -w * sigmoid(-own);
}

static void softmax(const ps_device_loss *l, uint32_t j, const column_set *set, ps_real own, ps_real w)
{
    ps_real top = own /= l->tau, sum;
    for (int k = 0; k < SETS; k++)
        for (uint32_t i = 0; i < set[k].n; i++) {
            ps_real logit = (ps_real)-1e30;
            if (!masked(l, j, set[k].item[i]))
                logit = (set[k].s[i] + item_bias(l, set[k].row[i])) / l->tau -
                        (set[k].log_expected ? set[k].log_expected[i] : 0);
            set[k].s[i] = logit;
            top = logit > top ? logit : top;
        }
    ps_real share = sum = PS_EXP(own - top);
    for (int k = 0; k < SETS; k++)
        for (uint32_t i = 0; i < set[k].n; i++)
            sum += set[k].s[i] = PS_EXP(set[k].s[i] - top);
    ps_real scale = w / (l->tau * sum);
    for (int k = 0; k < SETS; k++)
        for (uint32_t i = 0; i < set[k].n; i++)
            set[k].s[i] *= scale;
    l->down[j] = scale * share - w / l->tau;
    l->pair_loss[j] = w * ((ps_real)__builtin_log((double)sum) + top - own);
}

static void loss_pairs(ps_device *dev, const ps_device_loss *l)
{
    (void)dev;
    for (uint32_t j = 0; j < l->pairs; j++) {
        size_t first_hard = (size_t)j * l->hard;
        const column_set set[SETS] = {
            {l->negatives, l->negative, l->negative_row, l->sn + (size_t)j * l->negatives, l->log_np},
            {l->hard, l->hard_item + first_hard, l->hard_row + first_hard, l->sh + first_hard, NULL},
            {l->sp ? l->pairs : 0, l->positive, l->positive_row, l->sp ? l->sp + (size_t)j * l->pairs : NULL,
             l->log_bq}};
        const ps_real *q = l->q + (size_t)j * l->d;
        ps_real own = dot(l->d, q, l->p + (size_t)j * l->d) + item_bias(l, l->positive_row[j]);
        ps_real w = (ps_real)((double)l->weight[j] / l->weight_sum);
        for (uint32_t h = 0; h < l->hard; h++)
            set[1].s[h] = dot(l->d, q, l->z + (size_t)set[1].row[h] * l->d);
        if (l->kind == 0)
            softmax(l, j, set, own, w);
        else
            separate(l, j, set, own, w);
    }
}

/* y += alpha x; nothing without x */
static void add(size_t n, ps_real alpha, const ps_real *x, ps_real *y)
{
    for (size_t j = 0; x && j < n; j++)
        y[j] += alpha * x[j];
}

static void loss_rows(ps_device *dev, const ps_device_loss *l, size_t rows, const uint32_t *use_off,
                      const uint32_t *use, const ps_real *dq, const ps_real *dp, const ps_real *dn,
                      const ps_real *sum_n, const ps_real *sum_p, ps_real *dz, ps_real *dbeta)
{
    size_t d = l->d;
    (void)dev;
    memset(dz, 0, rows * d * sizeof *dz);
    for (size_t u = 0; u < rows; u++) {
        ps_real *to = dz + u * d, bias = 0;
        for (uint32_t e = use_off[u]; e < use_off[u + 1]; e++) {
            size_t at = use[e] & ((1u << PS_USE_SHIFT) - 1);
            switch (use[e] >> PS_USE_SHIFT) {
            case PS_USE_QUERY:
                add(d, 1, dq + at * d, to);
                add(d, l->down[at], l->p + at * d, to);
                for (size_t h = at * l->hard; h < (at + 1) * l->hard; h++)
                    add(d, l->sh[h], l->z + l->hard_row[h] * d, to);
                break;
            case PS_USE_POSITIVE:
                add(d, 1, dp ? dp + at * d : NULL, to);
                add(d, l->down[at], l->q + at * d, to);
                bias += l->tau * (l->down[at] + (sum_p ? sum_p[at] : 0));
                break;
            case PS_USE_NEGATIVE:
                add(d, 1, dn + at * d, to);
                bias += l->tau * (dbeta ? sum_n[at] : 0);
                break;
            default: add(d, l->sh[at], l->q + at / l->hard * d, to); bias += l->tau * l->sh[at];
            }
        }
        if (dbeta)
            dbeta[u] = bias;
    }
}

void ps_host_add_loss(ps_device_ops *ops)
{
    ops->loss_pairs = loss_pairs;
    ops->loss_rows = loss_rows;
}
