/* lsh.c - signatures and posting lists: how they are made, and what they are when they are read.
 *
 * The highest products are made the smallest angles: rows get one more element that brings all to the same length
 * (Neyshabur and Srebro, 2015), queries get 0 there.  The bias element is taken less its mean, which changes no order,
 * and times a factor by which a query's 1 is divided, so that it spoils the angles least. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index_inner.h"
#include "mem.h"
#include "rng.h"

enum { BANDS = 40, ROWS = 64, HELD_OUT = 200, DEEP = 100, EFFORT_MOST = 64 };

/* ---- hyperplanes ---- */

/* Sums of four uniform numbers: nearly normal, and the same on every machine.  Variance 1. */
int lsh_planes(ps_index *x)
{
    const size_t n = (size_t)x->bands * LSH_BITS * (x->d + 1);
    x->planes = ps_aligned(n, sizeof *x->planes);
    for (size_t i = 0; i < n && x->planes; i++) {
        const uint64_t r = ps_rng(ps_rng_key(x->seed, 77), i);
        const int64_t sum = (int64_t)(r & 0xffff) + (int64_t)(r >> 16 & 0xffff) + (int64_t)(r >> 32 & 0xffff) +
                            (int64_t)(r >> 48) - 2 * 0xffff;
        x->planes[i] = (float)((double)sum / 65536 * 1.7320508);
    }
    return x->planes ? 0 : PS_EMEM;
}

static double squares(const float *x, uint32_t d)
{
    double sum = 0;
    for (uint32_t j = 0; j < d; j++)
        sum += (double)x[j] * (double)x[j];
    return sum;
}

/* The row's d + 1 elements. */
static void row_vector(const ps_index *x, const ps_knn *knn, size_t i, float *out)
{
    index_row(knn, i, out);
    if (x->has_bias)
        out[x->d - 1] = (out[x->d - 1] - x->bias_mean) * x->bias_times;
    const double rest = (double)x->length * (double)x->length - squares(out, x->d);
    out[x->d] = rest > 0 ? (float)sqrt(rest) : 0;
}

double lsh_query(const ps_index *x, const float *query, float times, float *out)
{
    for (uint32_t j = 0; j < x->d; j++)
        out[j] = query[j] * times;
    if (x->has_bias)
        out[x->d - 1] = 1 / x->bias_times;
    out[x->d] = 0;
    return sqrt(squares(out, x->d));
}

/* The factor of the bias and the length of all rows. */
static int measure(ps_index *x, const ps_knn *knn)
{
    float *row = ps_alloc(x->d, sizeof *row);
    if (!row)
        return PS_EMEM;
    double sum = 0, most = 0, longest = 0;
    for (uint64_t i = 0; i < knn->n && x->has_bias; i++)
        sum += (double)ps_vectors_row(&knn->dense, i)[x->d - 1];
    x->bias_mean = (float)(sum / (double)knn->n);
    x->bias_times = 1;
    for (uint64_t i = 0; i < knn->n && x->has_bias; i++) {
        const float *r = ps_vectors_row(&knn->dense, i);
        most = fmax(most, fabs((double)r[x->d - 1] - (double)x->bias_mean));
        longest = fmax(longest, squares(r, x->d - 1));
    }
    /* Least |query| x |row| for queries as long as the longest row. */
    if (most > 0 && longest > 0)
        x->bias_times = (float)fmin(fmax(1 / sqrt(most), 1e-3), 1e3);
    longest = 0;
    for (uint64_t i = 0; i < knn->n; i++) {
        index_row(knn, i, row);
        if (x->has_bias)
            row[x->d - 1] = (row[x->d - 1] - x->bias_mean) * x->bias_times;
        longest = fmax(longest, squares(row, x->d));
    }
    x->length = (float)sqrt(longest);
    free(row);
    return 0;
}

/* ---- building ---- */

typedef struct {
    const ps_knn *knn;
    ps_index *x;
    const ps_index *old; /* NULL, or what is updated */
    uint32_t *known;     /* the row of `old` with the same item and elements; UINT32_MAX: none */
    uint16_t *signature;
    uint32_t *token_off;
    uint16_t *posting;
    uint8_t *codes;
    float *scale, *offset;
    float *rows, *products; /* of each thread */
} lsh;

void lsh_signs(const float *product, uint32_t bands, uint16_t *signature)
{
    for (uint32_t b = 0; b < bands; b++) {
        unsigned bits = 0;
        for (unsigned j = 0; j < LSH_BITS; j++)
            bits |= (unsigned)(product[b * LSH_BITS + j] > 0) << j;
        signature[b] = (uint16_t)bits;
    }
}

static void code_row(const lsh *w, size_t i, float *row)
{
    const ps_index *x = w->x;
    const uint32_t d = x->d - (uint32_t)x->has_bias;
    index_row(w->knn, i, row);
    w->scale[i] = ps_quant_row(d, row, w->codes + i * 4 * ps_codes_words(d), 4, NULL, NULL);
    if (x->has_bias)
        w->offset[i] = row[d];
}

/* Where the old index has the same item with the same elements. */
static void find_known(const lsh *w)
{
    memset(w->known, 0xff, w->x->n * sizeof *w->known);
    for (uint64_t i = 0; w->old && i < w->old->n; i++) {
        const uint64_t row = ps_knn_find(w->knn, w->old->item[i]);
        if (row != PS_NONE && w->x->hash[row] == w->old->hash[i])
            w->known[row] = (uint32_t)i;
    }
}

static void copy_known(const lsh *w, size_t i)
{
    const ps_index *x = w->x, *old = w->old;
    const size_t from = w->known[i], bytes = 4 * ps_codes_words(x->d - (uint32_t)x->has_bias);
    memcpy(w->signature + i * x->bands, old->signature + from * x->bands, x->bands * sizeof *w->signature);
    memcpy(w->codes + i * bytes, old->codes + from * bytes, bytes);
    w->scale[i] = old->scale[from];
    if (x->has_bias)
        w->offset[i] = old->offset[from];
}

static int sign_rows(void *ctx, size_t task, int thread)
{
    const lsh *w = ctx;
    const ps_index *x = w->x;
    const size_t width = x->d + 1, planes = (size_t)x->bands * LSH_BITS;
    const size_t begin = task * ROWS, end = x->n - begin < ROWS ? x->n : begin + ROWS;
    float *rows = w->rows + (size_t)thread * ROWS * width, *products = w->products + (size_t)thread * ROWS * planes;
    size_t fresh[ROWS], n = 0;
    for (size_t i = begin; i < end; i++) {
        if (w->known[i] != UINT32_MAX) {
            copy_known(w, i);
            continue;
        }
        code_row(w, i, rows + n * width);
        row_vector(x, w->knn, i, rows + n * width);
        fresh[n++] = i;
    }
    if (n > 0)
        ps_dots()(n, planes, width, rows, width, x->planes, width, products, planes);
    for (size_t i = 0; i < n; i++)
        lsh_signs(products + i * planes, x->bands, w->signature + fresh[i] * x->bands);
    return 0;
}

static size_t window_rows(const ps_index *x, size_t window)
{
    const uint64_t begin = (uint64_t)window * LSH_WINDOW;
    return x->n - begin < LSH_WINDOW ? (size_t)(x->n - begin) : LSH_WINDOW;
}

/* The lists of one band in one window, by counting. */
static int list_rows(void *ctx, size_t task, int thread)
{
    const lsh *w = ctx;
    const uint32_t bands = w->x->bands;
    const size_t window = task / bands, band = task % bands, n = window_rows(w->x, window);
    const uint16_t *signature = w->signature + window * LSH_WINDOW * bands + band;
    uint32_t *off = w->token_off + task * LSH_VALUES, at[LSH_VALUES + 1] = {0};
    (void)thread;
    for (size_t i = 0; i < n; i++)
        at[signature[i * bands] + 1]++;
    at[0] = (uint32_t)(window * LSH_WINDOW * bands + band * n);
    for (size_t v = 0; v < LSH_VALUES; v++) {
        at[v + 1] += at[v];
        off[v] = at[v];
    }
    for (size_t i = 0; i < n; i++)
        w->posting[at[signature[i * bands]]++] = (uint16_t)i;
    return 0;
}

/* What a search of each effort finds for queries that are rows. */
static int calibrate(const lsh *w, ps_knn *knn, ps_pool *pool, const uint32_t *effort,
                     float recall[PS_INDEX_CURVES][PS_INDEX_EFFORTS])
{
    static const size_t depth[PS_INDEX_CURVES] = {10, DEEP};
    index_sample s;
    int rc = index_sample_make(&s, knn, HELD_OUT, DEEP, pool);
    ps_hit *hits = ps_alloc(s.n * DEEP, sizeof *hits);
    size_t *found = ps_zalloc(s.n + 1, sizeof *found);
    if (rc == 0 && (!hits || !found))
        rc = PS_EMEM;
    for (size_t c = 0; c < PS_INDEX_CURVES && rc == 0; c++)
        for (size_t e = 0; e < PS_INDEX_EFFORTS && rc == 0; e++) {
            recall[c][e] = e > 0 ? recall[c][e - 1] : 0;
            /* As good as all: the rest is not worth the time. */
            if (e > 0 && (recall[c][e] >= 0.9999f || effort[e] == effort[e - 1]))
                continue;
            rc = lsh_search(w->x, knn, &s.q, pool, effort[e], depth[c], hits, found);
            if (rc == 0)
                recall[c][e] = (float)index_sample_recall(&s, hits, found, depth[c]);
        }
    free(hits);
    free(found);
    index_sample_free(&s);
    return rc;
}

static int write_lsh(const lsh *w, const uint32_t *effort, float recall[PS_INDEX_CURVES][PS_INDEX_EFFORTS], ps_out *out)
{
    const ps_index *x = w->x;
    const uint64_t lists = (uint64_t)x->windows * x->bands * LSH_VALUES;
    const float form[4] = {x->length, x->bias_mean, x->bias_times, 0};
    const index_part parts[] = {
        {SEC_ITEM, x->item, x->n * 8},
        {SEC_HASH, x->hash, x->n * 4},
        {SEC_EFFORT, effort, PS_INDEX_EFFORTS * 4},
        {SEC_RECALL, recall, PS_INDEX_CURVES * PS_INDEX_EFFORTS * 4},
        {SEC_FORM, form, sizeof form},
        {SEC_SIGNATURE, w->signature, x->n * x->bands * 2},
        {SEC_TOKEN_OFF, w->token_off, (lists + 1) * 4},
        {SEC_POSTING, w->posting, x->n * x->bands * 2},
        {SEC_CODES, w->codes, x->n * 4 * ps_codes_words(x->d - (uint32_t)x->has_bias)},
        {SEC_SCALE, w->scale, x->n * 4},
        {SEC_OFFSET, w->offset, x->n * 4}, /* with bias only */
    };
    return index_write(x, parts, sizeof parts / sizeof *parts - !x->has_bias, out);
}

/* Planes, length and factors, efforts and what they find stay those of the old index. */
static int begin(const lsh *w, uint32_t *effort)
{
    ps_index *x = w->x;
    const ps_index *old = w->old;
    if (!old) {
        index_efforts(effort, EFFORT_MOST);
        return measure(x, w->knn);
    }
    x->seed = old->seed;
    x->length = old->length;
    x->bias_mean = old->bias_mean;
    x->bias_times = old->bias_times;
    memcpy(effort, old->effort, PS_INDEX_EFFORTS * sizeof *effort);
    return 0;
}

static int make(lsh *w, ps_knn *knn, ps_pool *pool, uint32_t *effort, float recall[PS_INDEX_CURVES][PS_INDEX_EFFORTS])
{
    ps_index *x = w->x;
    int rc = begin(w, effort);
    if (rc == 0)
        rc = lsh_planes(x);
    find_known(w);
    if (rc == 0)
        rc = ps_pool_run(pool, (x->n + ROWS - 1) / ROWS, sign_rows, w);
    w->token_off[(size_t)x->windows * x->bands * LSH_VALUES] = (uint32_t)(x->n * x->bands);
    if (rc == 0)
        rc = ps_pool_run(pool, (size_t)x->windows * x->bands, list_rows, w);
    x->signature = w->signature;
    x->token_off = w->token_off;
    x->posting = w->posting;
    x->codes = w->codes;
    x->scale = w->scale;
    x->offset = w->offset;
    x->coarse.d = x->d - (uint32_t)x->has_bias;
    x->coarse.has_bias = x->has_bias;
    for (size_t c = 0; c < PS_INDEX_CURVES && w->old; c++)
        memcpy(recall[c], w->old->recall[c], sizeof recall[c]);
    return rc < 0 || w->old ? rc : calibrate(w, knn, pool, effort, recall);
}

int lsh_build(ps_knn *knn, const ps_index *old, ps_index *x, ps_pool *pool, ps_out *out)
{
    const size_t threads = (size_t)ps_pool_threads(pool);
    uint32_t effort[PS_INDEX_EFFORTS];
    float recall[PS_INDEX_CURVES][PS_INDEX_EFFORTS];
    x->bands = old ? old->bands : BANDS;
    x->windows = (uint32_t)((x->n + LSH_WINDOW - 1) / LSH_WINDOW);
    if (x->n > UINT32_MAX / x->bands)
        return ps_fail(PS_EDATA, "%s: more than %u vectors, the most that an index of type lsh has", knn->name,
                       UINT32_MAX / x->bands);
    lsh w = {.knn = knn, .x = x, .old = old};
    w.known = ps_alloc(x->n, sizeof *w.known);
    w.signature = ps_alloc(x->n * x->bands, sizeof *w.signature);
    w.token_off = ps_alloc((size_t)x->windows * x->bands * LSH_VALUES + 1, sizeof *w.token_off);
    w.posting = ps_alloc(x->n * x->bands, sizeof *w.posting);
    w.codes = ps_alloc(x->n, 4 * ps_codes_words(x->d));
    w.scale = ps_alloc(x->n, sizeof *w.scale);
    w.offset = x->has_bias ? ps_alloc(x->n, sizeof *w.offset) : NULL;
    w.rows = ps_alloc(threads * ROWS * (x->d + 1), sizeof *w.rows);
    w.products = ps_alloc(threads * ROWS * x->bands * LSH_BITS, sizeof *w.products);
    int rc = w.known && w.signature && w.token_off && w.posting && w.codes && w.scale && (w.offset || !x->has_bias) &&
                     w.rows && w.products
                 ? make(&w, knn, pool, effort, recall)
                 : PS_EMEM;
    if (rc == 0)
        rc = write_lsh(&w, effort, recall, out);
    free(x->planes);
    x->planes = NULL;
    free(w.known);
    free(w.signature);
    free(w.token_off);
    free(w.posting);
    free(w.codes);
    free(w.scale);
    free(w.offset);
    free(w.rows);
    free(w.products);
    return rc;
}

/* ---- reading ---- */

static int bad(const ps_index *x, const char *why)
{
    return ps_fail(PS_EDATA, "%s: damaged: %s", x->name, why);
}

int lsh_open(ps_index *x)
{
    if (!(x->length >= 0 && x->length < 1e19f && fabsf(x->bias_mean) < 1e19f && x->bias_times >= 1e-3f &&
          x->bias_times <= 1e3f))
        return bad(x, "a length or a factor beyond all measure");
    for (size_t i = 0; i < x->n * x->bands; i++)
        if (x->signature[i] >= LSH_VALUES)
            return bad(x, "a band of a signature with more bits than it has");
    for (size_t window = 0, at = 0; window < x->windows; window++)
        for (size_t band = 0; band < x->bands; band++) {
            const size_t n = window_rows(x, window), end = at + n;
            const uint32_t *off = x->token_off + (window * x->bands + band) * LSH_VALUES;
            for (size_t v = 0; v <= LSH_VALUES; v++)
                if ((v == 0 && off[v] != at) || (v > 0 && off[v] < off[v - 1]) || off[v] > end)
                    return bad(x, "posting lists out of order");
            for (; at < end; at++)
                if (x->posting[at] >= n)
                    return bad(x, "a row out of range");
        }
    if (x->token_off[(size_t)x->windows * x->bands * LSH_VALUES] != x->n * x->bands)
        return bad(x, "posting lists are missing");
    for (size_t e = 0; e < PS_INDEX_EFFORTS; e++)
        if (x->effort[e] == 0 || (e > 0 && x->effort[e] < x->effort[e - 1]))
            return bad(x, "efforts out of range or order");
    for (uint64_t i = 0; i < x->n; i++)
        if (!isfinite(x->scale[i]) || (x->has_bias && !isfinite(x->offset[i])))
            return bad(x, "a scale or an offset that is not finite");
    x->coarse.d = x->d - (uint32_t)x->has_bias;
    x->coarse.has_bias = x->has_bias;
    return lsh_planes(x);
}
