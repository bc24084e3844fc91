/* lsh_search.c - weak AND over tokens, in two levels.
 *
 * A row's score at the first level is the sum of the weights of the query's tokens that it has; a token's weight is how
 * much its being there speaks for a near row.  What is among the best so far sets a threshold.  Rows are taken in
 * windows; in each, lists are read in the order of their weights until what is left could not lift a row that has not
 * been met to the threshold.  From there on lists are left unread: rows that can still reach it are scored from their
 * signatures.  The best of the first level are scored exactly. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index_inner.h"
#include "mem.h"

enum { WEAKEST = 3, TOKENS_MAX = 128, WEIGHT_MAX = 5, BLOCK = 64 };

typedef struct {
    uint32_t band;
    uint8_t value, weight;
    float chance; /* that a near row has it */
} token;

/* Of one thread. */
typedef struct {
    uint8_t sum[LSH_WINDOW];
    uint8_t *weight; /* bands x 256: of every token, 0 of those that are not asked for */
    float *vector, *product;
    token *token;   /* 5 of each band, then the best of them */
    uint32_t *rest; /* what tokens i, i + 1, ... can add at most */
    ps_sieve sieve;
} scratch;

typedef struct {
    const ps_index *x;
    const ps_knn *knn;
    const ps_knn_queries *q;
    uint32_t effort;
    size_t k;
    ps_hit *hits;
    size_t *found;
    scratch *of_thread;
} job;

/* ---- tokens ---- */

static int by_chance(const void *a, const void *b)
{
    const token *x = a, *y = b;
    if (x->chance != y->chance)
        return x->chance > y->chance ? -1 : 1;
    return x->band != y->band ? (x->band > y->band) - (x->band < y->band)
                              : (x->value > y->value) - (x->value < y->value);
}

/* Bits of information that a token gives, against one row of 256 by chance; scaled to WEIGHT_MAX. */
static uint8_t weight_of(double chance)
{
    const double bits = log2(chance * LSH_VALUES) * WEIGHT_MAX / 8;
    return bits >= WEIGHT_MAX ? WEIGHT_MAX : bits > 1 ? (uint8_t)(bits + 0.5) : 1;
}

/* The band's own value, and those with one or both of its weakest bits the other way round.  A row at 45 degrees has a
 * bit like the query's with the probability of a normal number below the query's distance from the plane. */
static size_t band_tokens(const float *product, double length, uint32_t band, token *out)
{
    double other[8], all = 1;
    unsigned value = 0, weak[WEAKEST] = {0};
    for (unsigned j = 0; j < 8; j++) {
        const double distance = length > 0 ? fabs((double)product[j]) / length : 0;
        const double p = erfc(-distance * 0.70710678) / 2;
        value |= (unsigned)(product[j] > 0) << j;
        all *= p;
        other[j] = (1 - p) / p;
    }
    for (unsigned w = 0; w < WEAKEST; w++) {
        unsigned best = 8;
        for (unsigned j = 0; j < 8; j++) {
            int taken = 0;
            for (unsigned v = 0; v < w; v++)
                taken |= weak[v] == j;
            if (!taken && (best == 8 || other[j] > other[best]))
                best = j;
        }
        weak[w] = best;
    }
    size_t n = 0;
    out[n++] = (token){band, (uint8_t)value, 0, (float)all};
    for (unsigned w = 0; w < WEAKEST; w++)
        out[n++] = (token){band, (uint8_t)(value ^ 1u << weak[w]), 0, (float)(all * other[weak[w]])};
    out[n++] = (token){band, (uint8_t)(value ^ 1u << weak[0] ^ 1u << weak[1]), 0,
                       (float)(all * other[weak[0]] * other[weak[1]])};
    return n;
}

/* The query's tokens, the most telling first; how many. */
static size_t make_tokens(const job *w, scratch *s, size_t query)
{
    const ps_index *x = w->x;
    const size_t width = x->d + 1, planes = (size_t)x->bands * 8;
    const double length = lsh_query(x, knn_query(w->knn, w->q, query), w->q->scale[query], s->vector);
    ps_dots()(1, planes, width, s->vector, width, x->planes, width, s->product, planes);
    size_t n = 0;
    for (uint32_t b = 0; b < x->bands; b++)
        n += band_tokens(s->product + (size_t)b * 8, length, b, s->token + n);
    qsort(s->token, n, sizeof *s->token, by_chance);
    n = n < TOKENS_MAX ? n : TOKENS_MAX;
    memset(s->weight, 0, (size_t)x->bands * LSH_VALUES);
    for (size_t i = 0; i < n; i++) {
        s->token[i].weight = weight_of((double)s->token[i].chance);
        s->weight[s->token[i].band * LSH_VALUES + s->token[i].value] = s->token[i].weight;
    }
    /* A row has one token of a band, and they come in the order of their weights: the first one left is the most. */
    uint8_t most[1024] = {0};
    uint32_t sum = 0;
    s->rest[n] = 0;
    for (size_t i = n; i-- > 0;) {
        uint8_t *m = &most[s->token[i].band];
        if (s->token[i].weight > *m) {
            sum += s->token[i].weight - *m;
            *m = s->token[i].weight;
        }
        s->rest[i] = sum;
    }
    return n;
}

/* ---- first level ---- */

static void read_list(const ps_index *x, size_t window, const token *t, uint8_t *sum)
{
    const uint32_t *off = x->token_off + (window * x->bands + t->band) * LSH_VALUES + t->value;
    const uint16_t *p = x->posting + off[0], *end = x->posting + off[1];
    const uint8_t weight = t->weight;
    for (; p < end; p++)
        sum[*p] = (uint8_t)(sum[*p] + weight);
}

static unsigned full_sum(const scratch *s, const ps_index *x, size_t row)
{
    const uint8_t *signature = x->signature + row * x->bands;
    unsigned sum = 0;
    for (uint32_t b = 0; b < x->bands; b++)
        sum += s->weight[b * LSH_VALUES + signature[b]];
    return sum;
}

static int any_from(const uint8_t *sum, size_t n, uint8_t floor)
{
    int any = 0;
    for (size_t i = 0; i < n; i++)
        any |= sum[i] >= floor;
    return any;
}

/* Rows whose sum so far is at least `least`: in, if all of their sum reaches the threshold. */
static int collect(const job *w, scratch *s, size_t window, unsigned least, int whole)
{
    const size_t begin = window * LSH_WINDOW, rows = w->x->n - begin < LSH_WINDOW ? w->x->n - begin : LSH_WINDOW;
    ps_codes_query *in = &s->sieve.q;
    for (size_t i = 0, end; i < rows; i = end) {
        end = i + BLOCK < rows ? i + BLOCK : rows;
        if (!any_from(s->sum + i, end - i, (uint8_t)least))
            continue;
        if (ps_sieve_room(&s->sieve, BLOCK) < 0)
            return PS_EMEM;
        for (size_t r = i; r < end; r++) {
            if (s->sum[r] < least || (w->knn->denied && w->knn->denied[begin + r]))
                continue;
            const float score = (float)(whole ? s->sum[r] : full_sum(s, w->x, begin + r));
            if (score >= in->floor) {
                in->row[in->n] = (uint32_t)(begin + r);
                in->score[in->n++] = score;
            }
        }
    }
    return 0;
}

/* One window: the lists that must be read, then the rows that can reach the threshold. */
static int search_window(const job *w, scratch *s, size_t window, size_t tokens)
{
    const unsigned threshold = s->sieve.q.floor > 0 ? (unsigned)s->sieve.q.floor : 1;
    if (s->rest[0] < threshold)
        return 0;
    memset(s->sum, 0, sizeof s->sum);
    /* From where on the rest is less than an eighth of the threshold: few rows have the others by then. */
    size_t read = 0;
    while (read < tokens && 8 * s->rest[read] >= threshold)
        read_list(w->x, window, &s->token[read++], s->sum);
    const unsigned least = threshold > s->rest[read] ? threshold - s->rest[read] : 1;
    int rc = collect(w, s, window, least, read == tokens);
    ps_sieve_end(&s->sieve);
    return rc;
}

/* ---- second level ---- */

/* Of equals at the threshold, the first rows, so that there are not many more than asked for. */
static void cut(ps_sieve *s, size_t keep)
{
    size_t above = 0, n = 0;
    for (size_t i = 0; i < s->q.n; i++)
        above += s->q.score[i] > s->q.floor;
    size_t equal = keep > above ? keep - above : 0;
    for (size_t i = 0; i < s->q.n && s->q.n > keep; i++)
        if (s->q.score[i] > s->q.floor || equal > 0) {
            equal -= s->q.score[i] <= s->q.floor;
            s->q.row[n++] = s->q.row[i];
        }
    s->q.n = s->q.n > keep ? n : s->q.n;
}

static int search(void *ctx, size_t query, int thread)
{
    const job *w = ctx;
    scratch *s = &w->of_thread[thread];
    const size_t skips = w->q->skip_off[query + 1] - w->q->skip_off[query];
    const uint64_t asked = (uint64_t)w->effort * w->k + 32 + skips;
    const size_t keep = asked < w->x->n ? (size_t)asked : w->x->n, tokens = make_tokens(w, s, query);
    ps_sieve_start(&s->sieve, keep, 0);
    int rc = 0;
    for (size_t window = 0; window < w->x->windows && rc == 0; window++)
        rc = search_window(w, s, window, tokens);
    if (rc < 0)
        return rc;
    cut(&s->sieve, keep);
    ps_topk best = {w->hits + query * w->k, w->k, 0};
    knn_rerank(w->knn, w->q, query, s->sieve.q.n, s->sieve.q.row, &best);
    ps_topk_sort(&best);
    w->found[query] = w->q->members[query] > 0 ? best.n : 0;
    return 0;
}

static int make_scratch(const ps_index *x, scratch *s)
{
    s->weight = ps_alloc(x->bands, LSH_VALUES);
    s->vector = ps_alloc(x->d + 1, sizeof *s->vector);
    s->product = ps_alloc((size_t)x->bands * 8, sizeof *s->product);
    s->token = ps_alloc((size_t)x->bands * (WEAKEST + 2), sizeof *s->token);
    s->rest = ps_alloc((size_t)x->bands * (WEAKEST + 2) + 1, sizeof *s->rest);
    return s->weight && s->vector && s->product && s->token && s->rest ? 0 : PS_EMEM;
}

static void free_scratch(scratch *s)
{
    free(s->weight);
    free(s->vector);
    free(s->product);
    free(s->token);
    free(s->rest);
    ps_sieve_free(&s->sieve);
}

int lsh_search(const ps_index *x, const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool, uint32_t effort, size_t k,
               ps_hit *hits, size_t *found)
{
    const size_t threads = (size_t)ps_pool_threads(pool);
    job w = {x, knn, q, effort, k, hits, found, ps_zalloc(threads, sizeof *w.of_thread)};
    int rc = w.of_thread ? 0 : PS_EMEM;
    for (size_t t = 0; t < threads && rc == 0; t++)
        rc = make_scratch(x, &w.of_thread[t]);
    if (rc == 0)
        rc = ps_pool_run(pool, q->n, search, &w);
    for (size_t t = 0; t < threads && w.of_thread; t++)
        free_scratch(&w.of_thread[t]);
    free(w.of_thread);
    return rc;
}
