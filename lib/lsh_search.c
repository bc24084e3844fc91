/* lsh_search.c - weak AND over tokens, in two levels.
 *
 * A row's score at the first level is the sum of the weights of the query's tokens that it has; a token's weight is how
 * much its being there speaks for a near row.  What is among the best so far sets a threshold.  Rows are taken in
 * windows; in each, lists are read in the order of their weights until what is left could not lift a row that has not
 * been met to the threshold.  From there on lists are left unread: rows that can still reach it are scored from their
 * signatures.  The best of the first level are scored by their 8-bit codes, the best of these exactly. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index_inner.h"
#include "mem.h"

enum { WEAKEST = 5, FLIPS = 1 << WEAKEST, TOKENS_MAX = 640, WEIGHT_MAX = 24, SUM_MAX = 255, BLOCK = 16, AHEAD = 12 };

#define ONES 0x0101010101010101ull

/* Of a distance from a plane, in parts of a standard deviation: STEPS of each. */
enum { STEPS = 64, DISTANCES = 8 * STEPS };

typedef struct {
    uint32_t band;
    uint16_t value;
    uint8_t weight;
} token;

/* Of one thread. */
typedef struct {
    uint8_t sum[LSH_WINDOW];
    uint8_t *weight; /* bands x 4096: of every token, 0 of those that are not asked for */
    float *vector, *product;
    token *token, *chosen; /* FLIPS of each band; the best of them, the most telling first */
    float *chance;         /* of each token: log2 of the share of near rows that have it */
    int32_t *keys;
    int8_t *code;
    uint32_t rest[TOKENS_MAX + 1]; /* what tokens i, i + 1, ... can add at most */
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
    float same[DISTANCES], other[DISTANCES];
} job;

/* ---- tokens ---- */

/* Bits of information that a token gives, against one row of 4096 by chance; scaled to WEIGHT_MAX. */
static uint8_t weight_of(float chance)
{
    const float bits = (chance + LSH_BITS) * WEIGHT_MAX / LSH_BITS;
    return bits >= WEIGHT_MAX ? WEIGHT_MAX : bits > 1 ? (uint8_t)(bits + 0.5f) : 1;
}

/* log2 of the probability that a row at 45 degrees has a bit like the query's, which is that of a normal number below
 * the query's distance from the plane; and of how many times less it is that it has the other. */
static void make_odds(float same[DISTANCES], float other[DISTANCES])
{
    for (size_t i = 0; i < DISTANCES; i++) {
        const double p = erfc(-((double)i + 0.5) / STEPS * 0.70710678) / 2;
        same[i] = (float)log2(p);
        other[i] = (float)log2(fmax(1 - p, 1e-15) / p);
    }
}

/* The band's own value, and those with some of its weakest bits the other way round. */
static void band_tokens(const job *w, const float *product, double length, uint32_t band, token *out, float *chance)
{
    float odds[WEAKEST], all = 0;
    unsigned value = 0, weak[WEAKEST], n = 0;
    for (unsigned j = 0; j < LSH_BITS; j++) {
        const double distance = length > 0 ? fabs((double)product[j]) / length * STEPS : 0;
        const size_t at = distance < DISTANCES - 1 ? (size_t)distance : DISTANCES - 1;
        value |= (unsigned)(product[j] > 0) << j;
        all += w->same[at];
        unsigned i = n < WEAKEST ? n++ : WEAKEST; /* sorted in */
        for (; i > 0 && w->other[at] > odds[i - 1]; i--)
            if (i < WEAKEST) {
                odds[i] = odds[i - 1];
                weak[i] = weak[i - 1];
            }
        if (i < WEAKEST) {
            odds[i] = w->other[at];
            weak[i] = j;
        }
    }
    out[0] = (token){band, (uint16_t)value, 0};
    chance[0] = all;
    for (unsigned f = 1; f < FLIPS; f++) {
        const unsigned last = (unsigned)__builtin_ctz(f), before = f & (f - 1);
        out[f] = (token){band, (uint16_t)(out[before].value ^ 1u << weak[last]), 0};
        chance[f] = chance[before] + odds[last];
    }
}

/* The most likely tokens, in the order of their weights; how many. */
static size_t choose_tokens(scratch *s, size_t n)
{
    const size_t most = n < TOKENS_MAX ? n : TOKENS_MAX;
    const float least = ps_highest(s->chance, n, most, s->keys);
    size_t above = 0, at[WEIGHT_MAX + 2] = {0};
    for (size_t i = 0; i < n; i++)
        above += s->chance[i] > least;
    size_t equal = most - above; /* of those on the edge the first ones */
    for (size_t i = 0; i < n; i++) {
        const int in = s->chance[i] > least || (s->chance[i] == least && equal > 0);
        equal -= in && s->chance[i] == least;
        s->token[i].weight = in ? weight_of(s->chance[i]) : 0;
        at[WEIGHT_MAX - s->token[i].weight + 1] += in;
    }
    for (size_t i = 1; i <= WEIGHT_MAX; i++)
        at[i] += at[i - 1];
    for (size_t i = 0; i < n; i++)
        if (s->token[i].weight > 0)
            s->chosen[at[WEIGHT_MAX - s->token[i].weight]++] = s->token[i];
    return most;
}

/* The query's tokens; how many. */
static size_t make_tokens(const job *w, scratch *s, size_t query)
{
    const ps_index *x = w->x;
    const size_t width = x->d + 1, planes = (size_t)x->bands * LSH_BITS;
    const double length = lsh_query(x, knn_query(w->knn, w->q, query), w->q->scale[query], s->vector);
    ps_dots()(1, planes, width, s->vector, width, x->planes, width, s->product, planes);
    for (uint32_t b = 0; b < x->bands; b++)
        band_tokens(w, s->product + (size_t)b * LSH_BITS, length, b, s->token + (size_t)b * FLIPS,
                    s->chance + (size_t)b * FLIPS);
    const size_t n = choose_tokens(s, (size_t)x->bands * FLIPS);
    for (size_t i = 0; i < n; i++)
        s->weight[s->chosen[i].band * LSH_VALUES + s->chosen[i].value] = s->chosen[i].weight;
    /* A row has one token of a band, and they come in the order of their weights: the first one left is the most. */
    uint8_t most[LSH_BANDS_MAX] = {0};
    uint32_t sum = 0;
    s->rest[n] = 0;
    for (size_t i = n; i-- > 0;) {
        uint8_t *m = &most[s->chosen[i].band];
        if (s->chosen[i].weight > *m) {
            sum += s->chosen[i].weight - *m;
            *m = s->chosen[i].weight;
        }
        s->rest[i] = sum;
    }
    return n;
}

/* ---- first level ---- */

static const uint32_t *list_of(const ps_index *x, size_t window, const token *t)
{
    return x->token_off + (window * x->bands + t->band) * LSH_VALUES + t->value;
}

/* Rows with so high a sum are in beyond doubt. */
static inline uint8_t capped(unsigned sum)
{
    return (uint8_t)(sum < SUM_MAX ? sum : SUM_MAX);
}

/* Lists are short and lie anywhere: where they are is asked for first, then what is in them. */
static void read_list(const ps_index *x, size_t window, const token *t, size_t left, uint8_t *sum)
{
    if (left > 2 * AHEAD)
        __builtin_prefetch(list_of(x, window, t + 2 * AHEAD));
    if (left > AHEAD)
        __builtin_prefetch(x->posting + *list_of(x, window, t + AHEAD));
    const uint32_t *off = list_of(x, window, t);
    const uint16_t *p = x->posting + off[0], *end = x->posting + off[1];
    for (; p < end; p++)
        sum[*p] = capped(sum[*p] + t->weight);
}

static unsigned full_sum(const scratch *s, const ps_index *x, size_t row)
{
    const uint16_t *signature = x->signature + row * x->bands;
    unsigned sum = 0;
    for (uint32_t b = 0; b < x->bands; b++)
        sum += s->weight[b * LSH_VALUES + signature[b]];
    return capped(sum);
}

/* Rows whose sum so far is at least `least`: in, if all of their sum reaches the threshold. */
static int collect(const job *w, scratch *s, size_t window, unsigned least, int whole)
{
    typedef uint8_t bytes __attribute__((vector_size(BLOCK)));
    const size_t begin = window * LSH_WINDOW, rows = w->x->n - begin < LSH_WINDOW ? w->x->n - begin : LSH_WINDOW;
    const bytes floor = (uint8_t)least - (bytes){0};
    ps_codes_query *in = &s->sieve.q;
    for (size_t i = 0; i < rows; i += BLOCK) { /* sums beyond the last row are 0 */
        uint64_t high[BLOCK / 8];
        bytes sum;
        memcpy(&sum, s->sum + i, sizeof sum);
        const bytes any = (bytes)(sum >= floor);
        memcpy(high, &any, sizeof high);
        if (!(high[0] | high[1]))
            continue;
        if (ps_sieve_room(&s->sieve, BLOCK) < 0)
            return PS_EMEM;
        for (size_t part = 0; part < BLOCK / 8; part++)
            for (uint64_t bits = high[part] & ONES; bits; bits &= bits - 1) {
                const size_t r = i + part * 8 + (size_t)__builtin_ctzll(bits) / 8;
                if (w->knn->denied && w->knn->denied[begin + r])
                    continue;
                const float score = (float)(whole ? s->sum[r] : full_sum(s, w->x, begin + r));
                if (score < in->floor)
                    continue;
                in->row[in->n] = (uint32_t)(begin + r);
                in->score[in->n++] = score;
            }
    }
    return 0;
}

/* The highest sum that `keep` rows of the first window reach: what is less will not be among the best. */
static unsigned first_threshold(const scratch *s, size_t keep)
{
    unsigned low = 1, high = SUM_MAX;
    while (low < high) {
        const unsigned middle = (low + high + 1) / 2;
        uint32_t n = 0;
        for (size_t i = 0; i < LSH_WINDOW; i++)
            n += s->sum[i] >= (uint8_t)middle;
        if (n >= keep)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* One window: the lists that must be read, then the rows that can reach the threshold. */
static int search_window(const job *w, scratch *s, size_t window, size_t tokens)
{
    unsigned threshold = s->sieve.q.floor > 0 ? (unsigned)s->sieve.q.floor : 1;
    if (s->rest[0] < threshold)
        return 0;
    memset(s->sum, 0, sizeof s->sum);
    /* From where on the rest is less than an eighth of the threshold: few rows have the others by then. */
    size_t read = 0;
    for (; read < tokens && 8 * s->rest[read] >= threshold; read++)
        read_list(w->x, window, &s->chosen[read], tokens - read, s->sum);
    if (s->sieve.q.n == 0 && read == tokens && !w->knn->denied)
        threshold = first_threshold(s, s->sieve.keep);
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

/* Of the rows that the tokens speak for, those that are best by their codes; what these put in the wrong order around
 * the last place is put right by exact scores. */
static void pick(const job *w, scratch *s, size_t query, size_t keep)
{
    const ps_index *x = w->x;
    ps_codes_query *in = &s->sieve.q, q = {0};
    if (in->n <= keep)
        return;
    ps_quant_query(&x->coarse, knn_query(w->knn, w->q, query), w->q->scale[query], s->code, &q);
    ps_codes_rows()(&q, ps_codes_words(x->coarse.d), in->n, in->row, x->codes, x->scale, x->offset, in->score);
    const float least = ps_highest(in->score, in->n, keep, s->sieve.scratch);
    size_t n = 0;
    for (size_t i = 0; i < in->n; i++) {
        in->row[n] = in->row[i];
        n += in->score[i] >= least;
    }
    in->n = n;
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
    pick(w, s, query, w->k + w->k / 8 + 16 + skips);
    ps_topk best = {w->hits + query * w->k, w->k, 0};
    knn_rerank(w->knn, w->q, query, s->sieve.q.n, s->sieve.q.row, &best);
    ps_topk_sort(&best);
    w->found[query] = w->q->members[query] > 0 ? best.n : 0;
    for (size_t i = 0; i < tokens; i++)
        s->weight[s->chosen[i].band * LSH_VALUES + s->chosen[i].value] = 0;
    return 0;
}

static int make_scratch(const ps_index *x, scratch *s)
{
    const size_t tokens = (size_t)x->bands * FLIPS;
    s->weight = ps_zalloc(x->bands, LSH_VALUES);
    s->vector = ps_alloc(x->d + 1, sizeof *s->vector);
    s->product = ps_alloc((size_t)x->bands * LSH_BITS, sizeof *s->product);
    s->token = ps_alloc(tokens, sizeof *s->token);
    s->chosen = ps_alloc(TOKENS_MAX, sizeof *s->chosen);
    s->chance = ps_alloc(tokens, sizeof *s->chance);
    s->keys = ps_alloc(tokens, sizeof *s->keys);
    s->code = ps_alloc(ps_codes_words(x->coarse.d), 4);
    return s->code && s->weight && s->vector && s->product && s->token && s->chosen && s->chance && s->keys ? 0
                                                                                                            : PS_EMEM;
}

static void free_scratch(scratch *s)
{
    free(s->weight);
    free(s->vector);
    free(s->product);
    free(s->token);
    free(s->chosen);
    free(s->chance);
    free(s->keys);
    free(s->code);
    ps_sieve_free(&s->sieve);
}

int lsh_search(const ps_index *x, const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool, uint32_t effort, size_t k,
               ps_hit *hits, size_t *found)
{
    const size_t threads = (size_t)ps_pool_threads(pool);
    job w = {x, knn, q, effort, k, hits, found, ps_zalloc(threads, sizeof *w.of_thread), {0}, {0}};
    make_odds(w.same, w.other);
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
