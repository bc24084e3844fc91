/* lsh.c - signatures and lists: how they are made, and what they are when they are read.
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
    uint32_t *known;     /* the lane of `old` with the same item and elements; UINT32_MAX: none */
    float *mean, *planes;
    uint64_t *sign; /* of each row: PS_BITS_WORDS */
    uint32_t *list_off;
    uint64_t *signature;
    uint32_t *posting;
    float *rows, *products; /* of each thread */
} lsh;

uint32_t lsh_token_bits(uint64_t n)
{
    uint32_t bits = 0;
    while (bits < LSH_BITS_MAX && n >> (bits + 1) >= LSH_LIST)
        bits++;
    return bits;
}

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
    const ps_index *old = w->old;
    memset(w->known, 0xff, w->x->n * sizeof *w->known);
    for (size_t lane = 0; old && lane < lsh_lanes(old); lane++) {
        const uint32_t was = old->posting[lane];
        const uint64_t row = was == UINT32_MAX ? PS_NONE : ps_knn_find(w->knn, old->item[was]);
        if (row != PS_NONE && w->x->hash[row] == old->hash[was])
            w->known[row] = (uint32_t)lane;
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
            for (size_t j = 0; j < PS_BITS_WORDS; j++)
                w->sign[i * PS_BITS_WORDS + j] = w->old->signature[lsh_word(w->known[i], j)];
            continue;
        }
        row_vector(x, w->knn, i, rows + n * width);
        fresh[n++] = i;
    }
    if (n > 0)
        ps_dots()(n, PS_BITS, width, rows, width, x->planes, width, products, PS_BITS);
    for (size_t i = 0; i < n; i++)
        signs(products + i * PS_BITS, w->sign + fresh[i] * PS_BITS_WORDS);
    return 0;
}

/* The rows of each token, ascending; each list begins with a block. */
static int list_rows(lsh *w)
{
    ps_index *x = w->x;
    const size_t lists = (size_t)1 << x->token_bits;
    uint64_t *at = ps_zalloc(lists, sizeof *at);
    if (!at)
        return PS_EMEM;
    for (uint64_t i = 0; i < x->n; i++)
        at[lsh_token(x, w->sign[i * PS_BITS_WORDS])]++;
    w->list_off[0] = 0;
    for (size_t t = 0; t < lists; t++) {
        w->list_off[t + 1] = w->list_off[t] + (uint32_t)((at[t] + PS_BITS_LANES - 1) / PS_BITS_LANES);
        at[t] = (uint64_t)w->list_off[t] * PS_BITS_LANES;
    }
    x->list_off = w->list_off;
    x->signature = w->signature = ps_aligned(w->list_off[lists], PS_BITS_BLOCK * sizeof *w->signature);
    x->posting = w->posting = ps_alloc(lsh_lanes(x), sizeof *w->posting);
    if (w->signature && w->posting) {
        memset(w->signature, 0, w->list_off[lists] * PS_BITS_BLOCK * sizeof *w->signature);
        memset(w->posting, 0xff, lsh_lanes(x) * sizeof *w->posting);
        for (uint64_t i = 0; i < x->n; i++) {
            const uint64_t *sign = w->sign + i * PS_BITS_WORDS, lane = at[lsh_token(x, sign[0])]++;
            w->posting[lane] = (uint32_t)i;
            for (size_t j = 0; j < PS_BITS_WORDS; j++)
                w->signature[lsh_word(lane, j)] = sign[j];
        }
    }
    free(at);
    return w->signature && w->posting ? 0 : PS_EMEM;
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
    const float form[4] = {x->length, x->bias_times, 0, 0};
    const index_part parts[] = {
        {SEC_ITEM, x->item, x->n * 8},
        {SEC_HASH, x->hash, x->n * 4},
        {SEC_EFFORT, effort, PS_INDEX_EFFORTS * 4},
        {SEC_RECALL, recall, PS_INDEX_CURVES * PS_INDEX_EFFORTS * 4},
        {SEC_FORM, form, sizeof form},
        {SEC_MEAN, w->mean, (uint64_t)x->d * 4},
        {SEC_PLANES, w->planes, (uint64_t)PS_BITS * (x->d + 1) * 4},
        {SEC_LIST_OFF, w->list_off, (((uint64_t)1 << x->token_bits) + 1) * 4},
        {SEC_SIGNATURE, w->signature, lsh_lanes(x) * (PS_BITS / 8)},
        {SEC_POSTING, w->posting, lsh_lanes(x) * 4},
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
        index_efforts(effort, EFFORT_MOST, 8);
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
    int rc = begin(w, effort);
    find_known(w);
    if (rc == 0)
        rc = ps_pool_run(pool, (w->x->n + ROWS - 1) / ROWS, sign_rows, w);
    if (rc == 0)
        rc = list_rows(w);
    for (size_t c = 0; c < PS_INDEX_CURVES && w->old; c++)
        memcpy(recall[c], w->old->recall[c], sizeof recall[c]);
    return rc < 0 || w->old ? rc : calibrate(w, knn, pool, effort, recall);
}

int lsh_build(ps_knn *knn, const ps_index *old, ps_index *x, ps_pool *pool, ps_out *out)
{
    const size_t threads = (size_t)ps_pool_threads(pool), width = (size_t)x->d + 1;
    uint32_t effort[PS_INDEX_EFFORTS];
    float recall[PS_INDEX_CURVES][PS_INDEX_EFFORTS];
    if (x->n > LSH_ROWS_MAX)
        return ps_fail(PS_EDATA, "%s: more than %llu vectors, the most that an index of type lsh has", knn->name,
                       (unsigned long long)LSH_ROWS_MAX);
    x->token_bits = lsh_token_bits(x->n);
    lsh w = {.knn = knn, .x = x, .old = old};
    w.known = ps_alloc(x->n, sizeof *w.known);
    w.mean = ps_alloc(x->d, sizeof *w.mean);
    w.planes = ps_alloc(PS_BITS * width, sizeof *w.planes);
    w.sign = ps_alloc(x->n, PS_BITS / 8);
    w.list_off = ps_alloc(((size_t)1 << x->token_bits) + 1, sizeof *w.list_off);
    w.rows = ps_alloc(threads * ROWS * width, sizeof *w.rows);
    w.products = ps_alloc(threads * ROWS * PS_BITS, sizeof *w.products);
    int rc = w.known && w.mean && w.planes && w.sign && w.list_off && w.rows && w.products
                 ? make(&w, knn, pool, effort, recall)
                 : PS_EMEM;
    if (rc == 0)
        rc = write_lsh(&w, effort, recall, out);
    free(w.known);
    free(w.mean);
    free(w.planes);
    free(w.sign);
    free(w.list_off);
    free(w.signature);
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

/* One list: rows ascending, then less than a block of lanes without one. */
static int check_list(const ps_index *x, size_t token, uint8_t *seen)
{
    const size_t begin = (size_t)x->list_off[token] * PS_BITS_LANES;
    const size_t end = (size_t)x->list_off[token + 1] * PS_BITS_LANES;
    for (size_t lane = begin; lane < end; lane++) {
        const uint32_t row = x->posting[lane];
        if (row == UINT32_MAX) {
            if (lane % PS_BITS_LANES == 0)
                return bad(x, "a block of a list without rows");
        } else if (row >= x->n || seen[row]++) {
            return bad(x, "a row out of range, or there twice");
        } else if (lsh_token(x, x->signature[lsh_word(lane, 0)]) != token) {
            return bad(x, "a signature in another token's list");
        } else if (lane > begin && row <= x->posting[lane - 1]) { /* after a lane without one, too */
            return bad(x, "rows of a list out of order");
        }
    }
    return 0;
}

static int check_lists(const ps_index *x)
{
    const size_t lists = (size_t)1 << x->token_bits;
    if (x->list_off[0] != 0)
        return bad(x, "lists that do not begin at 0");
    for (size_t t = 0; t < lists; t++)
        if (x->list_off[t + 1] < x->list_off[t])
            return bad(x, "lists out of order");
    uint8_t *seen = ps_zalloc(x->n, 1);
    int rc = seen ? 0 : PS_EMEM;
    for (size_t t = 0; t < lists && rc == 0; t++)
        rc = check_list(x, t, seen);
    if (rc == 0 && memchr(seen, 0, x->n))
        rc = bad(x, "rows are missing");
    free(seen);
    return rc;
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
