/* knn_query.c - the vectors that knn.h asks with. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "knn.h"
#include "mem.h"

void ps_knn_clear(ps_knn_queries *q)
{
    q->n = 0;
}

void ps_knn_queries_free(ps_knn_queries *q)
{
    free(q->dense);
    free(q->off);
    free(q->index);
    free(q->value);
    free(q->skip_off);
    free(q->skip);
    free(q->scale);
    free(q->members);
    *q = (ps_knn_queries){0};
}

int ps_knn_suits(const ps_knn *knn, const ps_knn *from)
{
    if (knn->is_sparse != from->is_sparse)
        return ps_fail(PS_EMATCH, "%s: holds %s, but the candidates of %s are %s", from->name,
                       ps_kind_name(from->head->kind), knn->name, ps_kind_name(knn->head->kind));
    if (!knn->is_sparse) {
        uint32_t have = from->dense.d - (from->dense.has_bias ? 1 : 0);
        uint32_t want = knn->dense.d - (knn->dense.has_bias ? 1 : 0);
        if (have != want)
            return ps_fail(PS_EMATCH, "%s: vectors of %u elements, but those of %s have %u (item bias not counted)",
                           from->name, have, knn->name, want);
    } else if (knn->sparse.dim != from->sparse.dim) {
        return ps_fail(PS_EMATCH, "%s: %u indices, but %s has %u", from->name, from->sparse.dim, knn->name,
                       knn->sparse.dim);
    }
    return ps_head_match(from->head, from->name, knn->head->graph);
}

int ps_knn_begin(ps_knn_queries *q, const ps_knn *knn)
{
    q->weight = 0;
    if (ps_grow(&q->skip_off, &q->cap[0], q->n + 2, sizeof *q->skip_off) < 0 ||
        ps_grow(&q->scale, &q->cap[6], q->n + 1, sizeof *q->scale) < 0 ||
        ps_grow(&q->members, &q->cap[7], q->n + 1, sizeof *q->members) < 0)
        return PS_EMEM;
    q->members[q->n] = 0;
    if (knn->is_sparse) {
        if (ps_grow(&q->off, &q->cap[1], q->n + 2, sizeof *q->off) < 0)
            return PS_EMEM;
        if (q->n == 0)
            q->off[0] = 0;
        q->off[q->n + 1] = q->off[q->n];
    } else {
        if (ps_grow(&q->dense, &q->cap[2], (q->n + 1) * knn->d, sizeof *q->dense) < 0)
            return PS_EMEM;
        memset(q->dense + q->n * knn->d, 0, knn->d * sizeof *q->dense);
    }
    if (q->n == 0)
        q->skip_off[0] = 0;
    q->skip_off[q->n + 1] = q->skip_off[q->n];
    q->n++;
    return 0;
}

static int add_sparse(ps_knn_queries *q, const ps_sparse *s, uint64_t row, float weight)
{
    size_t at = q->off[q->n], n = s->off[row + 1] - s->off[row];
    if (ps_grow(&q->index, &q->cap[3], at + n, sizeof *q->index) < 0 ||
        ps_grow(&q->value, &q->cap[4], at + n, sizeof *q->value) < 0)
        return PS_EMEM;
    for (size_t i = 0; i < n; i++) {
        q->index[at + i] = s->index[s->off[row] + i];
        q->value[at + i] = weight * s->value[s->off[row] + i];
    }
    q->off[q->n] = at + n;
    return 0;
}

int ps_knn_add(ps_knn_queries *q, const ps_knn *knn, const ps_knn *from, uint64_t row, float weight)
{
    if (!(weight > 0 && isfinite(weight)))
        return ps_fail(PS_EDATA, "a query's member with weight %g: it must be a positive number", (double)weight);
    q->weight += weight;
    q->members[q->n - 1]++;
    if (knn->is_sparse)
        return add_sparse(q, &from->sparse, row, weight);
    uint32_t d = knn->d < from->dense.d ? knn->d : from->dense.d;
    const float *x = ps_vectors_row(&from->dense, row);
    float *to = q->dense + (q->n - 1) * knn->d;
    for (uint32_t i = 0; i < d; i++)
        to[i] += weight * x[i];
    return 0;
}

int ps_knn_leave_out(ps_knn_queries *q, uint64_t row)
{
    size_t at = q->skip_off[q->n];
    if (ps_grow(&q->skip, &q->cap[5], at + 1, sizeof *q->skip) < 0)
        return PS_EMEM;
    q->skip[at] = row;
    q->skip_off[q->n] = at + 1;
    return 0;
}

typedef struct {
    uint32_t index;
    float value;
    size_t order;
} entry;

static int by_index(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* The rows of a sparse query's members follow one another: sorts by index and adds up equal ones. */
static int merge(ps_knn_queries *q)
{
    size_t begin = q->off[q->n - 1], n = q->off[q->n] - begin, kept = 0;
    uint32_t *index = q->index + begin;
    float *value = q->value + begin;
    size_t i = 1;
    while (i < n && index[i - 1] < index[i])
        i++;
    if (i >= n)
        return 0;
    entry *e = ps_alloc(n, sizeof *e);
    if (!e)
        return PS_EMEM;
    for (i = 0; i < n; i++)
        e[i] = (entry){index[i], value[i], i};
    qsort(e, n, sizeof *e, by_index);
    for (i = 0; i < n; i++)
        if (i > 0 && e[i].index == e[i - 1].index) {
            value[kept - 1] += e[i].value;
        } else {
            index[kept] = e[i].index;
            value[kept++] = e[i].value;
        }
    free(e);
    q->off[q->n] = begin + kept;
    return 0;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int ps_knn_leaves_out(const ps_knn_queries *q, size_t query, uint64_t row)
{
    const size_t n = q->skip_off[query + 1] - q->skip_off[query];
    return n > 0 && bsearch(&row, q->skip + q->skip_off[query], n, sizeof *q->skip, by_number) != NULL;
}

/* The rows left out, ascending, each once. */
static void sort_skips(ps_knn_queries *q)
{
    const size_t n = q->skip_off[q->n] - q->skip_off[q->n - 1];
    size_t kept = 1;
    if (n < 2)
        return;
    uint64_t *skip = q->skip + q->skip_off[q->n - 1];
    qsort(skip, n, sizeof *skip, by_number);
    for (size_t i = 1; i < n; i++)
        if (skip[i] != skip[kept - 1])
            skip[kept++] = skip[i];
    q->skip_off[q->n] = q->skip_off[q->n - 1] + kept;
}

int ps_knn_end(ps_knn_queries *q, const ps_knn *knn)
{
    int rc = knn->is_sparse ? merge(q) : 0;
    sort_skips(q);
    if (rc < 0)
        return rc;
    float *x = knn->is_sparse ? q->value + q->off[q->n - 1] : q->dense + (q->n - 1) * knn->d;
    size_t n = knn->is_sparse ? q->off[q->n] - q->off[q->n - 1] : knn->d;
    double squares = 0;
    for (size_t i = 0; i < n && q->weight > 0; i++)
        x[i] = (float)(x[i] / q->weight);
    if (!knn->is_sparse && !knn->cosine && knn->dense.has_bias)
        x[n - 1] = 1;
    for (size_t i = 0; i < n; i++)
        squares += (double)x[i] * x[i];
    double norm = sqrt(squares);
    if (!(norm * knn->longest < FLT_MAX))
        return ps_fail(PS_EDATA, "a query so long (%g) that products with %s overflow", norm, knn->name);
    q->scale[q->n - 1] = !knn->cosine ? 1 : norm > FLT_MIN ? (float)(1 / norm) : 0;
    return 0;
}
