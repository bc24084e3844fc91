/* lsh.c - signatures and posting lists: how they are made, and what they are when they are read.
 *
 * The highest products are made the smallest angles: rows are taken less their mean, which changes no order, and get
 * one more element that brings all to the same length (Neyshabur and Srebro, 2015); queries get 0 there.  The bias
 * element is taken times a factor by which a query's 1 is divided, so that it spoils the angles least.  Hyperplanes are
 * orthogonal to each other as far as the elements allow, which tells angles better than independent ones. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index_inner.h"
#include "mem.h"
#include "rng.h"

enum { ROWS = 64, HELD_OUT = 200, DEEP = 100, EFFORT_MOST = 256 };

/* ---- hyperplanes ---- */

/* Sums of four uniform numbers: nearly normal, and the same on every machine. */
static double normal(uint64_t random)
{
    const int64_t sum = (int64_t)(random & 0xffff) + (int64_t)(random >> 16 & 0xffff) +
                        (int64_t)(random >> 32 & 0xffff) + (int64_t)(random >> 48) - 2 * 0xffff;
    return (double)sum / 65536;
}

/* Of length 1, at right angles to those before it back to `first`. */
static void straighten(double *v, size_t first, size_t at, size_t width)
{
    double *x = v + at * width, squares = 0;
    for (size_t o = first; o < at; o++) {
        double product = 0;
        for (size_t j = 0; j < width; j++)
            product += v[o * width + j] * x[j];
        for (size_t j = 0; j < width; j++)
            x[j] -= product * v[o * width + j];
    }
    for (size_t j = 0; j < width; j++)
        squares += x[j] * x[j];
    for (size_t j = 0; j < width; j++)
        x[j] /= sqrt(squares);
}

static int make_planes(uint64_t seed, size_t width, float *planes)
{
    double *v = ps_alloc(PS_BITS * width, sizeof *v);
    if (!v)
        return PS_EMEM;
    for (size_t i = 0; i < PS_BITS * width; i++)
        v[i] = normal(ps_rng(ps_rng_key(seed, 77), i));
    for (size_t i = 0; i < PS_BITS; i++)
        straighten(v, i / width * width, i, width);
    for (size_t i = 0; i < PS_BITS * width; i++)
        planes[i] = (float)v[i];
    free(v);
    return 0;
}

static double squares(const float *x, uint32_t d)
{
    double sum = 0;
    for (uint32_t j = 0; j < d; j++)
        sum += (double)x[j] * (double)x[j];
    return sum;
}

/* The row's d elements. */
static void centred(const ps_index *x, const ps_knn *knn, size_t i, float *out)
{
    index_row(knn, i, out);
    for (uint32_t j = 0; j < x->d; j++)
        out[j] -= x->mean[j];
    if (x->has_bias)
        out[x->d - 1] *= x->bias_times;
}

/* And the one more. */
static void row_vector(const ps_index *x, const ps_knn *knn, size_t i, float *out)
{
    centred(x, knn, i, out);
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

/* The mean of the rows. */
static int average(const ps_knn *knn, uint32_t d, float *mean)
{
    double *sum = ps_zalloc(d, sizeof *sum);
    float *row = ps_alloc(d, sizeof *row);
    for (uint64_t i = 0; i < knn->n && sum && row; i++) {
        index_row(knn, i, row);
        for (uint32_t j = 0; j < d; j++)
            sum[j] += (double)row[j];
    }
    for (uint32_t j = 0; j < d && sum && row; j++)
        mean[j] = (float)(sum[j] / (double)knn->n);
    const int rc = sum && row ? 0 : PS_EMEM;
    free(sum);
    free(row);
    return rc;
}

/* The mean, the factor of the bias and the length of all rows. */
static int measure(ps_index *x, const ps_knn *knn, float *mean)
{
    double most = 0, longest = 0;
    float *row = ps_alloc(x->d, sizeof *row);
    int rc = row ? average(knn, x->d, mean) : PS_EMEM;
    x->mean = mean;
    x->bias_times = 1;
    for (uint64_t i = 0; i < knn->n && x->has_bias && rc == 0; i++) {
        index_row(knn, i, row);
        most = fmax(most, fabs((double)row[x->d - 1] - (double)mean[x->d - 1]));
        longest = fmax(longest, squares(row, x->d - 1));
    }
    /* Least |query| x |row| for queries as long as the longest row. */
    if (most > 0 && longest > 0)
        x->bias_times = (float)fmin(fmax(1 / sqrt(most), 1e-3), 1e3);
    longest = 0;
    for (uint64_t i = 0; i < knn->n && rc == 0; i++) {
        centred(x, knn, i, row);
        longest = fmax(longest, squares(row, x->d));
    }
    x->length = (float)sqrt(longest);
    free(row);
    return rc;
}

/* ---- building ---- */

typedef struct {
    const ps_knn *knn;
    ps_index *x;
    const ps_index *old; /* NULL, or what is updated */
    uint32_t *known;     /* the row of `old` with the same item and elements; UINT32_MAX: none */
    float *mean, *planes;
    uint64_t *signature;
    uint32_t *token_off;
    uint16_t *posting;
    float *rows, *products; /* of each thread */
} lsh;

/* A bit for each product above 0. */
static void signs(const float *product, uint64_t *signature)
{
    for (size_t w = 0; w < PS_BITS_WORDS; w++) {
        signature[w] = 0;
        for (size_t j = 0; j < 64; j++)
            signature[w] |= (uint64_t)(product[w * 64 + j] > 0) << j;
    }
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

static int sign_rows(void *ctx, size_t task, int thread)
{
    const lsh *w = ctx;
    const ps_index *x = w->x;
    const size_t width = x->d + 1, begin = task * ROWS, end = x->n - begin < ROWS ? x->n : begin + ROWS;
    float *rows = w->rows + (size_t)thread * ROWS * width, *products = w->products + (size_t)thread * ROWS * PS_BITS;
    size_t fresh[ROWS], n = 0;
    for (size_t i = begin; i < end; i++) {
        if (w->known[i] != UINT32_MAX) {
            memcpy(w->signature + i * PS_BITS_WORDS, w->old->signature + (size_t)w->known[i] * PS_BITS_WORDS,
                   PS_BITS / 8);
            continue;
        }
        row_vector(x, w->knn, i, rows + n * width);
        fresh[n++] = i;
    }
    if (n > 0)
        ps_dots()(n, PS_BITS, width, rows, width, x->planes, width, products, PS_BITS);
    for (size_t i = 0; i < n; i++)
        signs(products + i * PS_BITS, w->signature + fresh[i] * PS_BITS_WORDS);
    return 0;
}

/* The lists of one band, by counting; each window's part of a list is a list of its own. */
static int list_rows(void *ctx, size_t task, int thread)
{
    const lsh *w = ctx;
    const uint64_t n = w->x->n;
    const uint32_t windows = w->x->windows, band = (uint32_t)task;
    const size_t lists = (size_t)LSH_VALUES * windows;
    uint32_t *off = w->token_off + band * lists, at = (uint32_t)(band * n);
    (void)thread;
    memset(off, 0, lists * sizeof *off);
    for (uint64_t i = 0; i < n; i++)
        off[lsh_band(w->signature + i * PS_BITS_WORDS, band) * windows + i / LSH_WINDOW]++;
    for (size_t l = 0; l < lists; l++) { /* where it begins */
        const uint32_t size = off[l];
        off[l] = at;
        at += size;
    }
    for (uint64_t i = 0; i < n; i++)
        w->posting[off[lsh_band(w->signature + i * PS_BITS_WORDS, band) * windows + i / LSH_WINDOW]++] = (uint16_t)i;
    for (size_t l = lists; l-- > 1;) /* now each is where the next one begins */
        off[l] = off[l - 1];
    off[0] = (uint32_t)(band * n);
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
    const uint64_t lists = (uint64_t)LSH_BANDS * LSH_VALUES * x->windows;
    const float form[4] = {x->length, x->bias_times, 0, 0};
    const index_part parts[] = {
        {SEC_ITEM, x->item, x->n * 8},
        {SEC_HASH, x->hash, x->n * 4},
        {SEC_EFFORT, effort, PS_INDEX_EFFORTS * 4},
        {SEC_RECALL, recall, PS_INDEX_CURVES * PS_INDEX_EFFORTS * 4},
        {SEC_FORM, form, sizeof form},
        {SEC_MEAN, w->mean, (uint64_t)x->d * 4},
        {SEC_PLANES, w->planes, (uint64_t)PS_BITS * (x->d + 1) * 4},
        {SEC_SIGNATURE, w->signature, x->n * (PS_BITS / 8)},
        {SEC_TOKEN_OFF, w->token_off, (lists + 1) * 4},
        {SEC_POSTING, w->posting, x->n * LSH_BANDS * 2},
    };
    return index_write(x, parts, sizeof parts / sizeof *parts, out);
}

/* Planes, mean, length and factor, efforts and what they find stay those of the old index. */
static int begin(const lsh *w, uint32_t *effort)
{
    ps_index *x = w->x;
    const ps_index *old = w->old;
    x->mean = w->mean;
    x->planes = w->planes;
    if (!old) {
        index_efforts(effort, EFFORT_MOST);
        int rc = measure(x, w->knn, w->mean);
        return rc < 0 ? rc : make_planes(x->seed, x->d + 1, w->planes);
    }
    x->seed = old->seed;
    x->length = old->length;
    x->bias_times = old->bias_times;
    memcpy(w->mean, old->mean, x->d * sizeof *w->mean);
    memcpy(w->planes, old->planes, PS_BITS * ((size_t)x->d + 1) * sizeof *w->planes);
    memcpy(effort, old->effort, PS_INDEX_EFFORTS * sizeof *effort);
    return 0;
}

static int make(lsh *w, ps_knn *knn, ps_pool *pool, uint32_t *effort, float recall[PS_INDEX_CURVES][PS_INDEX_EFFORTS])
{
    ps_index *x = w->x;
    int rc = begin(w, effort);
    find_known(w);
    if (rc == 0)
        rc = ps_pool_run(pool, (x->n + ROWS - 1) / ROWS, sign_rows, w);
    w->token_off[(size_t)LSH_BANDS * LSH_VALUES * x->windows] = (uint32_t)(x->n * LSH_BANDS);
    if (rc == 0)
        rc = ps_pool_run(pool, LSH_BANDS, list_rows, w);
    x->signature = w->signature;
    x->token_off = w->token_off;
    x->posting = w->posting;
    for (size_t c = 0; c < PS_INDEX_CURVES && w->old; c++)
        memcpy(recall[c], w->old->recall[c], sizeof recall[c]);
    return rc < 0 || w->old ? rc : calibrate(w, knn, pool, effort, recall);
}

int lsh_build(ps_knn *knn, const ps_index *old, ps_index *x, ps_pool *pool, ps_out *out)
{
    const size_t threads = (size_t)ps_pool_threads(pool), width = (size_t)x->d + 1;
    uint32_t effort[PS_INDEX_EFFORTS];
    float recall[PS_INDEX_CURVES][PS_INDEX_EFFORTS];
    x->windows = (uint32_t)((x->n + LSH_WINDOW - 1) / LSH_WINDOW);
    if (x->n > UINT32_MAX / LSH_BANDS)
        return ps_fail(PS_EDATA, "%s: more than %u vectors, the most that an index of type lsh has", knn->name,
                       UINT32_MAX / LSH_BANDS);
    lsh w = {.knn = knn, .x = x, .old = old};
    w.known = ps_alloc(x->n, sizeof *w.known);
    w.mean = ps_alloc(x->d, sizeof *w.mean);
    w.planes = ps_alloc(PS_BITS * width, sizeof *w.planes);
    w.signature = ps_aligned(x->n, PS_BITS / 8);
    w.token_off = ps_alloc((size_t)LSH_BANDS * LSH_VALUES * x->windows + 1, sizeof *w.token_off);
    w.posting = ps_alloc(x->n * LSH_BANDS, sizeof *w.posting);
    w.rows = ps_alloc(threads * ROWS * width, sizeof *w.rows);
    w.products = ps_alloc(threads * ROWS * PS_BITS, sizeof *w.products);
    int rc = w.known && w.mean && w.planes && w.signature && w.token_off && w.posting && w.rows && w.products
                 ? make(&w, knn, pool, effort, recall)
                 : PS_EMEM;
    if (rc == 0)
        rc = write_lsh(&w, effort, recall, out);
    free(w.known);
    free(w.mean);
    free(w.planes);
    free(w.signature);
    free(w.token_off);
    free(w.posting);
    free(w.rows);
    free(w.products);
    return rc;
}

/* ---- reading ---- */

static int bad(const ps_index *x, const char *why)
{
    return ps_fail(PS_EDATA, "%s: damaged: %s", x->name, why);
}

static int check_lists(const ps_index *x)
{
    const size_t lists = (size_t)LSH_BANDS * LSH_VALUES * x->windows;
    for (size_t l = 0; l < lists; l++) {
        const uint64_t begin = l % x->windows * (uint64_t)LSH_WINDOW;
        const uint64_t rows = x->n - begin < LSH_WINDOW ? x->n - begin : LSH_WINDOW;
        const uint32_t from = x->token_off[l], end = x->token_off[l + 1];
        if (end < from || end > x->n * LSH_BANDS)
            return bad(x, "posting lists out of order");
        for (uint32_t at = from; at < end; at++)
            if (x->posting[at] >= rows || (at > from && x->posting[at] <= x->posting[at - 1]))
                return bad(x, "a row of a posting list out of range or order");
    }
    return x->token_off[0] == 0 && x->token_off[lists] == x->n * LSH_BANDS ? 0 : bad(x, "posting lists are missing");
}

int lsh_open(ps_index *x)
{
    if (!(x->length >= 0 && x->length < 1e19f && x->bias_times >= 1e-3f && x->bias_times <= 1e3f))
        return bad(x, "a length or a factor beyond all measure");
    for (uint32_t j = 0; j < x->d; j++)
        if (!(fabsf(x->mean[j]) < 1e19f))
            return bad(x, "a mean beyond all measure");
    for (size_t i = 0; i < PS_BITS * ((size_t)x->d + 1); i++)
        if (!(fabsf(x->planes[i]) <= 1.001f))
            return bad(x, "a hyperplane beyond all measure");
    for (size_t e = 0; e < PS_INDEX_EFFORTS; e++)
        if (x->effort[e] == 0 || (e > 0 && x->effort[e] < x->effort[e - 1]))
            return bad(x, "efforts out of range or order");
    return check_lists(x);
}
