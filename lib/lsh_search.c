/* lsh_search.c - weak AND over tokens, in two levels.
 *
 * A row's score at the first level is the sum of the weights of the query's tokens that it has; a token's weight is how
 * much its being there speaks for a near row.  The best so far set a threshold.  Rows are taken in windows; in each,
 * lists are read in the order of their weights until what is left could not lift a row that has not been met to the
 * threshold.  From there on lists are left unread: rows that can still reach it get their sum from their signatures.
 * When no sum at all can reach it, the other windows are left unread.
 * At the second level the best rows of the first are scored by all bits of their signatures, each weighted by the
 * query's distance from its hyperplane; the best of these are scored exactly.  A query that would get fewer hits than
 * it wants, since few rows have its tokens, takes all rows to the second level. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index_inner.h"
#include "mem.h"

enum {
    QUERIES = 16, /* at once */
    WEAKEST = 5,
    FLIPS = 1 << WEAKEST,
    TOKENS_MAX = LSH_BANDS * FLIPS,
    WEIGHT_MAX = 6, /* LSH_BANDS of it are a byte at most */
    SUM_MAX = LSH_BANDS * WEIGHT_MAX,
    APART_MAX = PS_BITS * PS_BITS_WEIGHT,
    TOKENS = 320, /* that are asked for at least, and how many more for each degree of effort */
    TOKENS_MORE = 40,
    AHEAD = 12
};

/* Of a distance from a plane, in parts of a standard deviation: STEPS of each. */
enum { STEPS = 64, DISTANCES = 8 * STEPS };

typedef struct {
    uint8_t band, weight;
    uint16_t value;
} token;

/* Of one thread. */
typedef struct {
    uint8_t sum[LSH_WINDOW];
    uint16_t at[LSH_WINDOW];
    uint8_t weight[LSH_BANDS][LSH_VALUES];       /* of every token, 0 of those that are not asked for */
    float *vector, *product;                     /* of QUERIES */
    token token[TOKENS_MAX], chosen[TOKENS_MAX]; /* chosen: the most telling first */
    float chance[TOKENS_MAX];                    /* log2 of the share of near rows that have it */
    uint32_t rest[TOKENS_MAX + 1];               /* what tokens i, i + 1, ... can add at most */
    /* rows that were taken in, in order */
    uint32_t *row;
    uint16_t *score;
    size_t n, row_cap, score_cap;
    uint32_t with[SUM_MAX + 2]; /* how many have that sum */
    unsigned least, first;      /* the sum that a row still needs; needed at first */
    uint32_t apart[APART_MAX + 1];
} scratch;

typedef struct {
    const ps_index *x;
    const ps_knn *knn;
    const ps_knn_queries *q;
    uint32_t effort;
    size_t k, tokens;
    ps_hit *hits;
    size_t *found;
    scratch *of_thread;
    const ps_bits_kernels *bits;
    float same[DISTANCES], other[DISTANCES];
} job;

/* ---- tokens ---- */

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

/* The band's own value, and those with some of its weakest bits the other way round.  times: what makes products
 * distances. */
static void band_tokens(const job *w, const float *product, float times, uint32_t band, token *out, float *chance)
{
    float odds[WEAKEST], all = 0;
    unsigned value = 0, weak[WEAKEST], n = 0;
    for (unsigned j = 0; j < LSH_BITS; j++) {
        const float p = product[lsh_bit(band, j)], distance = fabsf(p) * times;
        const size_t at = distance < DISTANCES - 1 ? (size_t)distance : DISTANCES - 1;
        value |= (unsigned)(p > 0) << j;
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
    out[0] = (token){(uint8_t)band, 0, (uint16_t)value};
    chance[0] = all;
    for (unsigned f = 1; f < FLIPS; f++) {
        const unsigned last = (unsigned)__builtin_ctz(f), before = f & (f - 1);
        out[f] = (token){(uint8_t)band, 0, (uint16_t)(out[before].value ^ 1u << weak[last])};
        chance[f] = chance[before] + odds[last];
    }
}

/* The most likely tokens, in the order of their weights, which are the bits of information that they give, against one
 * row of 4096 by chance; how many. */
static size_t choose_tokens(const job *w, scratch *s)
{
    enum { PARTS = 32, MOST = LSH_BITS * PARTS, STEP = MOST / WEIGHT_MAX }; /* of a bit */
    uint32_t with[MOST + 1] = {0}, at[WEIGHT_MAX + 1] = {0};
    uint16_t bits[TOKENS_MAX];
    for (size_t i = 0; i < TOKENS_MAX; i++) {
        const float b = (s->chance[i] + LSH_BITS) * PARTS;
        bits[i] = b >= MOST ? MOST : b > 0 ? (uint16_t)b : 0;
        with[bits[i]]++;
    }
    size_t n = 0;
    unsigned least = MOST;
    for (; least > 0 && n + with[least] <= w->tokens; least--)
        n += with[least];
    for (size_t i = 0; i < TOKENS_MAX; i++) {
        const unsigned weight = bits[i] > least ? (bits[i] + STEP / 2) / STEP : 0;
        s->token[i].weight = (uint8_t)(bits[i] > least && weight == 0 ? 1 : weight);
        at[WEIGHT_MAX - s->token[i].weight] += s->token[i].weight > 0;
    }
    for (uint32_t i = 0, so_far = 0, size; i <= WEIGHT_MAX; i++, so_far += size) {
        size = at[i];
        at[i] = so_far;
    }
    for (size_t i = 0; i < TOKENS_MAX; i++)
        if (s->token[i].weight > 0)
            s->chosen[at[WEIGHT_MAX - s->token[i].weight]++] = s->token[i];
    return n;
}

/* What is left after each token at most: a row has one token of a band, and they come in the order of their weights. */
static void make_rest(scratch *s, size_t n)
{
    uint8_t most[LSH_BANDS] = {0};
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
}

/* The query's tokens; how many. */
static size_t make_tokens(const job *w, scratch *s, const float *product, double length)
{
    const float times = length > 0 ? (float)(sqrt((double)w->x->d + 1) * STEPS / length) : 0;
    for (uint32_t b = 0; b < LSH_BANDS; b++)
        band_tokens(w, product, times, b, s->token + (size_t)b * FLIPS, s->chance + (size_t)b * FLIPS);
    const size_t n = choose_tokens(w, s);
    for (size_t i = 0; i < n; i++)
        s->weight[s->chosen[i].band][s->chosen[i].value] = s->chosen[i].weight;
    make_rest(s, n);
    return n;
}

/* ---- first level ---- */

static const uint32_t *list_of(const ps_index *x, size_t window, const token *t)
{
    return x->token_off + ((size_t)t->band * LSH_VALUES + t->value) * x->windows + window;
}

/* Lists are short and lie anywhere: where they are is asked for first, then what is in them. */
static void read_lists(const ps_index *x, size_t window, const token *t, size_t n, uint8_t *restrict sum)
{
    for (size_t i = 0; i < n; i++) {
        if (i + 2 * AHEAD < n)
            __builtin_prefetch(list_of(x, window, t + i + 2 * AHEAD));
        if (i + AHEAD < n) {
            const uint16_t *soon = x->posting + *list_of(x, window, t + i + AHEAD);
            __builtin_prefetch(soon);
            __builtin_prefetch(soon + 24);
        }
        const uint32_t *off = list_of(x, window, t + i);
        const uint16_t *restrict p = x->posting + off[0], *end = x->posting + off[1];
        const uint8_t weight = t[i].weight;
        for (; p < end; p++)
            sum[*p] = (uint8_t)(sum[*p] + weight);
    }
}

static unsigned full_sum(const scratch *s, const ps_index *x, size_t row)
{
    const uint64_t *signature = x->signature + row * PS_BITS_WORDS;
    unsigned sum = 0;
    for (uint32_t b = 0; b < LSH_BANDS; b++)
        sum += s->weight[b][lsh_band(signature, b)];
    return sum;
}

/* The highest sum that `keep` rows of this window reach, 1 at least. */
static unsigned reached(const job *w, const scratch *s, size_t keep)
{
    unsigned low = 1, high = SUM_MAX;
    while (low < high) {
        const unsigned middle = (low + high + 1) / 2;
        if (w->bits->count(s->sum, LSH_WINDOW, (uint8_t)middle) >= keep)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Takes in the rows whose sum so far is at least `from`, if all of their sum is what a row needs. */
static int collect(const job *w, scratch *s, size_t window, unsigned from, int whole)
{
    const size_t begin = window * LSH_WINDOW, n = w->bits->from(s->sum, LSH_WINDOW, (uint8_t)from, s->at);
    if (ps_grow(&s->row, &s->row_cap, s->n + n, sizeof *s->row) < 0 ||
        ps_grow(&s->score, &s->score_cap, s->n + n, sizeof *s->score) < 0)
        return PS_EMEM;
    for (size_t i = 0; i < n; i++) {
        const size_t row = begin + s->at[i];
        const unsigned sum = whole ? s->sum[s->at[i]] : full_sum(s, w->x, row);
        if (sum < s->least || (w->knn->denied && w->knn->denied[row]))
            continue;
        s->row[s->n] = (uint32_t)row;
        s->score[s->n++] = (uint16_t)sum;
        s->with[sum]++;
    }
    return 0;
}

/* One window: the lists that must be read, then the rows that can reach what is needed. */
static int search_window(const job *w, scratch *s, size_t window, size_t tokens, size_t keep)
{
    memset(s->sum, 0, sizeof s->sum);
    /* From where on the rest is less than an eighth of what is needed: few rows have the others by then. */
    size_t read = 0;
    while (read < tokens && 8 * s->rest[read] >= s->least)
        read++;
    read_lists(w->x, window, s->chosen, read, s->sum);
    if (s->least == 0)
        s->least = s->first = reached(w, s, keep / w->x->windows + keep / w->x->windows / 4 + 16);
    int rc = collect(w, s, window, s->least > s->rest[read] ? s->least - s->rest[read] : 1, read == tokens);
    /* A later row must be better than the last that is kept. */
    size_t better = 0;
    unsigned sum = SUM_MAX;
    for (; sum >= s->least && better + s->with[sum] < keep; sum--)
        better += s->with[sum];
    s->least = sum + 1;
    return rc;
}

/* The rows with the `keep` best sums, and some more.  least: what they need to begin with; 0: to be guessed. */
static int search_windows(const job *w, scratch *s, size_t tokens, size_t keep, unsigned least)
{
    s->n = 0;
    s->least = s->first = least;
    memset(s->with, 0, sizeof s->with);
    int rc = 0;
    for (size_t window = 0; window < w->x->windows && s->rest[0] >= s->least && rc == 0; window++)
        rc = search_window(w, s, window, tokens, keep);
    return rc;
}

/* Keeps the rows whose score is `last` or on the better side of it, of equals the first `equal`. */
static void keep_rows(scratch *s, int high, unsigned last, size_t equal)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        const unsigned score = s->score[i];
        const int is_equal = score == last && equal > 0;
        s->row[n] = s->row[i];
        equal -= (size_t)is_equal;
        n += (high ? score > last : score < last) || is_equal;
    }
    s->n = n;
}

/* Of the rows taken in the `keep` best. */
static void cut(scratch *s, size_t keep)
{
    size_t above = 0;
    unsigned sum = SUM_MAX;
    for (; sum > 0 && above + s->with[sum] <= keep; sum--)
        above += s->with[sum];
    keep_rows(s, 1, sum, keep - above);
}

/* The rows with the `keep` best sums.  What a row needs is guessed from the first window; too high a guess shows in
 * that too few are taken in. */
static int first_level(const job *w, scratch *s, size_t tokens, size_t keep)
{
    int rc = search_windows(w, s, tokens, keep, w->knn->denied ? 1 : 0);
    if (rc == 0 && s->n < keep && s->first > 1)
        rc = search_windows(w, s, tokens, keep, 1);
    if (rc == 0)
        cut(s, keep);
    return rc;
}

/* ---- second level ---- */

static void weigh_bits(const float *product, ps_bits_query *q)
{
    float most = 0;
    for (size_t j = 0; j < PS_BITS; j++)
        most = fmaxf(most, fabsf(product[j]));
    const float times = most > 0 ? PS_BITS_WEIGHT / most : 0;
    memset(q, 0, sizeof *q);
    for (size_t j = 0; j < PS_BITS; j++) {
        const unsigned weight = (unsigned)(fabsf(product[j]) * times + 0.5f);
        q->sign[j / 64] |= (uint64_t)(product[j] > 0) << j % 64;
        for (unsigned p = 0; p < PS_BITS_PLANES; p++)
            q->plane[p][j / 64] |= (uint64_t)(weight >> p & 1) << j % 64;
    }
}

/* Of the rows that the tokens speak for those that are the least apart, of equals the first ones. */
static void pick(const job *w, scratch *s, const float *product, size_t keep)
{
    ps_bits_query q;
    if (s->n <= keep)
        return;
    weigh_bits(product, &q);
    w->bits->apart(&q, s->n, s->row, w->x->signature, s->score);
    memset(s->apart, 0, sizeof s->apart);
    for (size_t i = 0; i < s->n; i++)
        s->apart[s->score[i]]++;
    size_t nearer = 0;
    unsigned last = 0;
    for (; nearer + s->apart[last] <= keep; last++)
        nearer += s->apart[last];
    keep_rows(s, 0, last, keep - nearer);
}

/* Exact scores of the `nearest` that are the least apart. */
static ps_topk rank(const job *w, scratch *s, size_t query, const float *product, size_t nearest)
{
    ps_topk best = {w->hits + query * w->k, w->k, 0};
    pick(w, s, product, nearest);
    knn_rerank(w->knn, w->q, query, s->n, s->row, &best);
    return best;
}

/* All rows that may be found, for a query whose tokens too few rows have. */
static int take_all(const job *w, scratch *s)
{
    if (ps_grow(&s->row, &s->row_cap, w->x->n, sizeof *s->row) < 0 ||
        ps_grow(&s->score, &s->score_cap, w->x->n, sizeof *s->score) < 0)
        return PS_EMEM;
    s->n = 0;
    for (uint64_t row = 0; row < w->x->n; row++)
        if (!w->knn->denied || !w->knn->denied[row])
            s->row[s->n++] = (uint32_t)row;
    return 0;
}

static int search(const job *w, scratch *s, size_t query, const float *product, double length)
{
    if (w->q->members[query] == 0) {
        w->found[query] = 0;
        return 0;
    }
    const size_t skips = w->q->skip_off[query + 1] - w->q->skip_off[query];
    const uint64_t asked = (uint64_t)w->effort * w->k + 32 + skips;
    const size_t keep = asked < w->x->n ? (size_t)asked : w->x->n, tokens = make_tokens(w, s, product, length);
    int rc = first_level(w, s, tokens, keep);
    for (size_t i = 0; i < tokens; i++)
        s->weight[s->chosen[i].band][s->chosen[i].value] = 0;
    if (rc < 0)
        return rc;
    const size_t taken = s->n, nearest = w->k + w->effort * w->k / 3 + 16 + skips;
    ps_topk best = rank(w, s, query, product, nearest);
    if (best.n < w->k && taken < w->x->n - w->knn->n_denied) {
        rc = take_all(w, s);
        if (rc < 0)
            return rc;
        best = rank(w, s, query, product, nearest);
    }
    ps_topk_sort(&best);
    w->found[query] = best.n;
    return 0;
}

static int search_block(void *ctx, size_t task, int thread)
{
    const job *w = ctx;
    const ps_index *x = w->x;
    scratch *s = &w->of_thread[thread];
    const size_t width = x->d + 1, begin = task * QUERIES, n = w->q->n - begin < QUERIES ? w->q->n - begin : QUERIES;
    double length[QUERIES];
    for (size_t i = 0; i < n; i++)
        length[i] = lsh_query(x, knn_query(w->knn, w->q, begin + i), w->q->scale[begin + i], s->vector + i * width);
    ps_dots()(n, PS_BITS, width, s->vector, width, x->planes, width, s->product, PS_BITS);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = search(w, s, begin + i, s->product + i * PS_BITS, length[i]);
    return rc;
}

static int make_scratch(const ps_index *x, scratch *s)
{
    s->vector = ps_alloc(QUERIES * ((size_t)x->d + 1), sizeof *s->vector);
    s->product = ps_alloc((size_t)QUERIES * PS_BITS, sizeof *s->product);
    return s->vector && s->product ? 0 : PS_EMEM;
}

static void free_scratch(scratch *s)
{
    free(s->vector);
    free(s->product);
    free(s->row);
    free(s->score);
}

int lsh_search(const ps_index *x, const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool, uint32_t effort, size_t k,
               ps_hit *hits, size_t *found)
{
    const size_t threads = (size_t)ps_pool_threads(pool);
    job w = {.x = x, .knn = knn, .q = q, .effort = effort, .k = k, .hits = hits, .found = found, .bits = ps_bits()};
    w.tokens = TOKENS + (size_t)effort * TOKENS_MORE < TOKENS_MAX ? TOKENS + effort * TOKENS_MORE : TOKENS_MAX;
    w.of_thread = ps_zalloc(threads, sizeof *w.of_thread);
    make_odds(w.same, w.other);
    int rc = w.of_thread ? 0 : PS_EMEM;
    for (size_t t = 0; t < threads && rc == 0; t++)
        rc = make_scratch(x, &w.of_thread[t]);
    if (rc == 0)
        rc = ps_pool_run(pool, (q->n + QUERIES - 1) / QUERIES, search_block, &w);
    for (size_t t = 0; t < threads && w.of_thread; t++)
        free_scratch(&w.of_thread[t]);
    free(w.of_thread);
    return rc;
}
