#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "knn_inner.h"
#include "mem.h"

void ps_knn_close(ps_knn *knn)
{
    ps_vectors_close(&knn->dense);
    ps_sparse_free(&knn->sparse);
    ps_postings_free(&knn->postings);
    ps_quant_free(&knn->quant);
    free(knn->denied);
    free(knn->inverse);
    free(knn->name_own);
    *knn = (ps_knn){0};
}

uint64_t ps_knn_item(const ps_knn *knn, uint64_t row)
{
    if (!knn->is_sparse)
        return ps_vectors_item(&knn->dense, row);
    return knn->sparse.item ? knn->sparse.item[row] : row;
}

uint64_t ps_knn_find(const ps_knn *knn, uint64_t item)
{
    return knn->is_sparse ? ps_sparse_find(&knn->sparse, item) : ps_vectors_find(&knn->dense, item);
}

static double squares(size_t n, const float *x)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

static double row_norm(const ps_knn *knn, uint64_t row)
{
    if (!knn->is_sparse)
        return sqrt(squares(knn->d, ps_vectors_row(&knn->dense, row)));
    const ps_sparse *s = &knn->sparse;
    return sqrt(squares(s->off[row + 1] - s->off[row], s->value + s->off[row]));
}

/* Norms, for cosines and so that no product can overflow (|a.b| <= |a||b|, also of parts of the sum). */
static int measure(ps_knn *knn)
{
    if (knn->cosine && !(knn->inverse = ps_alloc(knn->n, sizeof *knn->inverse)))
        return PS_EMEM;
    for (uint64_t i = 0; i < knn->n; i++) {
        double norm = row_norm(knn, i);
        if (!(norm < sqrt(FLT_MAX)))
            return ps_fail(PS_EDATA, "%s: the vector of item %llu is so long (%g) that products with it overflow",
                           knn->name, (unsigned long long)ps_knn_item(knn, i), norm);
        if (norm > knn->longest)
            knn->longest = norm;
        if (knn->cosine)
            knn->inverse[i] = norm > FLT_MIN ? (float)(1 / norm) : 0;
    }
    return 0;
}

static int take_dense(ps_knn *knn, ps_table *table, const ps_graph *g)
{
    int rc = ps_vectors_take(&knn->dense, table, g ? g->fingerprint : 0);
    if (rc < 0)
        return rc;
    knn->head = &knn->dense.head;
    knn->n = knn->dense.n;
    knn->d = knn->dense.d;
    if (knn->cosine && knn->dense.has_bias)
        knn->d--;
    if (knn->d == 0)
        return ps_fail(PS_EDATA, "%s: vectors of no elements", knn->name);
    for (uint64_t i = 0; i < knn->n && g && rc == 0; i++)
        rc = ps_graph_in_range(g, PS_ITEMS, ps_vectors_item(&knn->dense, i), knn->name, i);
    return rc;
}

static int take_sparse(ps_knn *knn, ps_table *table, const ps_graph *g)
{
    int rc = ps_head_match(&table->head, knn->name, g ? g->fingerprint : 0);
    if (rc == 0)
        rc = ps_sparse_take(&knn->sparse, table, g ? g->items.nodes : 0);
    ps_table_close(table);
    if (rc == 0)
        rc = ps_postings_make(&knn->postings, &knn->sparse);
    knn->is_sparse = 1;
    knn->head = &knn->sparse.head;
    knn->n = knn->sparse.n;
    return rc;
}

int ps_knn_take(ps_knn *knn, ps_table *table, const ps_graph *g, int cosine)
{
    *knn = (ps_knn){.cosine = cosine, .name_own = strdup(table->name)};
    knn->name = knn->name_own;
    int rc;
    if (!knn->name)
        rc = ps_fail(PS_EMEM, "out of memory");
    else if (table->head.kind == PS_VECTORS)
        rc = take_dense(knn, table, g);
    else if (table->head.kind == PS_SPARSE)
        rc = take_sparse(knn, table, g);
    else
        rc = ps_fail(PS_EKIND, "%s: holds %s, but vectors or sparse vectors are needed here", table->name,
                     ps_kind_title(table->head.kind));
    ps_table_close(table);
    if (rc == 0)
        rc = measure(knn);
    if (rc < 0)
        ps_knn_close(knn);
    return rc;
}

int ps_knn_open(ps_knn *knn, const char *path, const ps_graph *g, int cosine)
{
    ps_table table;
    int rc = ps_table_open(&table, path, 0);
    return rc < 0 ? rc : ps_knn_take(knn, &table, g, cosine);
}

int ps_knn_boards(ps_knn *knn, const ps_graph *g)
{
    *knn = (ps_knn){.is_sparse = 1, .name = g->name};
    int rc = ps_sparse_boards(&knn->sparse, g);
    if (rc == 0)
        rc = ps_postings_make(&knn->postings, &knn->sparse);
    knn->head = &knn->sparse.head;
    knn->n = knn->sparse.n;
    if (rc == 0)
        rc = measure(knn);
    if (rc < 0)
        ps_knn_close(knn);
    return rc;
}

int ps_knn_code(ps_knn *knn, ps_pool *pool)
{
    if (knn->is_sparse || knn->quant.codes || knn->n > UINT32_MAX - PS_CODES_LANES || knn->n == 0)
        return 0;
    const int has_bias = !knn->cosine && knn->dense.has_bias;
    int rc = ps_quant_make(&knn->quant, knn->n, knn->d - (uint32_t)has_bias, has_bias, ps_vectors_row(&knn->dense, 0),
                           knn_stride(knn), knn->inverse, pool);
    for (uint64_t i = 0; i < knn->n && rc == 0 && knn->denied; i++)
        if (knn->denied[i])
            ps_quant_offsets(&knn->quant)[i] = -INFINITY;
    return rc;
}

int ps_knn_deny(ps_knn *knn, uint64_t row)
{
    if (!knn->denied && !(knn->denied = ps_zalloc(knn->n, 1)))
        return PS_EMEM;
    knn->n_denied += !knn->denied[row];
    knn->denied[row] = 1;
    if (knn->quant.codes)
        ps_quant_offsets(&knn->quant)[row] = -INFINITY;
    return 0;
}

static double sparse_dot(const ps_sparse *s, uint64_t a, uint64_t b)
{
    uint64_t i = s->off[a], j = s->off[b];
    double sum = 0;
    while (i < s->off[a + 1] && j < s->off[b + 1]) {
        if (s->index[i] == s->index[j])
            sum += (double)s->value[i] * s->value[j];
        uint32_t x = s->index[i], y = s->index[j];
        i += x <= y;
        j += y <= x;
    }
    return sum;
}

double ps_knn_cosine(const ps_knn *knn, uint64_t a, uint64_t b)
{
    double dot = 0, aa = 0, bb = 0;
    if (knn->is_sparse) {
        dot = sparse_dot(&knn->sparse, a, b);
        aa = sparse_dot(&knn->sparse, a, a);
        bb = sparse_dot(&knn->sparse, b, b);
    } else {
        const float *x = ps_vectors_row(&knn->dense, a), *y = ps_vectors_row(&knn->dense, b);
        const uint32_t d = knn->dense.d - (knn->dense.has_bias ? 1 : 0);
        for (uint32_t i = 0; i < d; i++) {
            dot += (double)x[i] * y[i];
            aa += (double)x[i] * x[i];
            bb += (double)y[i] * y[i];
        }
    }
    if (!(aa > 0 && bb > 0))
        return 0;
    double c = dot / sqrt(aa * bb);
    return c > 1 ? 1 : c < -1 ? -1 : c;
}
