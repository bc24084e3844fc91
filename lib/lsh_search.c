/* lsh_search.c - weak AND over signatures, in two levels.
 *
 * A row's score is the weight of the bits in which it differs from the query, each weighted by the query's distance
 * from its hyperplane; the best rows so far set a threshold.  At the first level an upper bound of what a row can still
 * be worth leaves out whatever cannot reach it: lists, by the weight of the bits in which their token differs; then
 * rows, by how many strong bits they differ in, the heavier half of all.  Only rows that pass get their full score, and
 * the best by that are scored exactly.  Both bounds are what holds for nearly all near rows, not for all: how much is
 * lost is in the recall that is measured for each effort. Many queries are taken together, list by list, so that a list
 * is read once for all that want it.  Each begins with the lists nearest to it, whose rows make the threshold what it
 * nearly stays. A query that would get fewer hits than it wants takes all rows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index_inner.h"
#include "mem.h"

enum {
    QUERIES = 64,             /* at once: bits of a mask */
    CHUNK = PS_BITS_WAIT / 2, /* blocks at once */
    FIRST = 32,               /* one part of so many is read first */
    LEAST = 10,               /* hits: what an effort finds was measured with no fewer */
    KEPT = 1 << 22,           /* rows in all that a thread's queries keep, about */
    APART_MAX = PS_BITS * PS_BITS_WEIGHT,
    COST = 65000, /* of a token with all bits the other way round, at most */
    COST_SHIFT = 6,
    COSTS = (COST >> COST_SHIFT) + 1
};

/* What a query has taken in so far. */
typedef struct {
    ps_bits_query q;
    size_t keep, limit;                /* as many are kept; when more than `limit` are there, the worst are dropped */
    uint32_t weight;                   /* of all bits */
    uint32_t near;                     /* lists whose tokens cost less were read first */
    uint32_t strong_first, most_first; /* the thresholds that these made; 0: none */
    size_t cap;
} sieve;

/* Of one thread. */
typedef struct {
    float *vector, *product; /* of QUERIES */
    uint16_t *cost;          /* of each list's token: weight of the bits in which the query's differs */
    uint64_t *which;         /* of each list, which queries read it */
    uint32_t count[APART_MAX + 2];
    uint64_t *equal; /* rows with the same full score */
    uint32_t *row;   /* to be scored exactly */
    size_t rows, row_cap, equal_cap;
    sieve sieve[QUERIES];
} scratch;

typedef struct {
    const ps_index *x;
    const ps_knn *knn;
    const ps_knn_queries *q;
    size_t k, keep, block;
    size_t first;            /* blocks to be read first */
    size_t strong_part;      /* of their best rows one of so many may differ in more strong bits */
    double slack;            /* how many times as much as a row at the threshold a list's token may differ */
    const uint32_t *posting; /* the index's, without rows that are denied */
    ps_hit *hits;
    size_t *found;
    scratch *of_thread;
    const ps_bits_kernels *bits;
} job;

static uint32_t apart_of(uint64_t taken)
{
    return (uint32_t)(taken >> 48);
}

/* ---- a query's bits ---- */

/* Half of the bits, as nearly as whole weights allow: those that weigh the most. */
static unsigned strong_from(const unsigned *with)
{
    unsigned least = PS_BITS_WEIGHT, n = with[least];
    while (least > 1 && n + with[least - 1] / 2 < PS_BITS / 2)
        n += with[--least];
    return least;
}

static uint32_t weigh_bits(const float *product, ps_bits_query *q)
{
    double most = 0;
    uint8_t weight[PS_BITS];
    unsigned with[PS_BITS_WEIGHT + 1] = {0};
    for (size_t j = 0; j < PS_BITS; j++)
        most = fmax(most, fabs((double)product[j]));
    const double times = most > 0 ? PS_BITS_WEIGHT / most : 0; /* the smallest floats have no reciprocal */
    memset(q->sign, 0, sizeof q->sign);
    memset(q->strong, 0, sizeof q->strong);
    memset(q->plane, 0, sizeof q->plane);
    for (size_t j = 0; j < PS_BITS; j++)
        with[weight[j] = (uint8_t)(fabs((double)product[j]) * times + 0.5)]++;
    const unsigned strong = strong_from(with);
    uint32_t all = 0;
    for (size_t j = 0; j < PS_BITS; j++) {
        q->sign[j / 64] |= (uint64_t)(product[j] > 0) << j % 64;
        q->strong[j / 64] |= (uint64_t)(weight[j] >= strong) << j % 64;
        for (unsigned p = 0; p < PS_BITS_PLANES; p++)
            q->plane[p][j / 64] |= (uint64_t)(weight[j] >> p & 1) << j % 64;
        all += weight[j];
    }
    return all;
}

/* ---- which lists ---- */

/* Of all tokens, by doubling: those of the first b bits, then those with bit b, too. */
static void weigh_tokens(const ps_index *x, const float *product, uint16_t *cost)
{
    double sum = 0;
    for (uint32_t b = 0; b < x->token_bits; b++)
        sum += fabs((double)product[b]);
    const double times = sum > 0 ? COST / sum : 0;
    cost[0] = 0;
    for (uint32_t b = 0; b < x->token_bits; b++) {
        const size_t n = (size_t)1 << b;
        const uint16_t weight = (uint16_t)(fabs((double)product[b]) * times);
        const uint16_t set = product[b] > 0 ? 0 : weight, not_set = (uint16_t)(weight - set);
        for (size_t t = 0; t < n; t++)
            cost[n + t] = (uint16_t)(cost[t] + set);
        for (size_t t = 0; t < n; t++)
            cost[t] = (uint16_t)(cost[t] + not_set);
    }
}

/* Below it are the cheapest lists that have `blocks`. */
static uint32_t cost_of(const uint32_t *with, size_t blocks)
{
    uint32_t c = 0;
    for (size_t have = 0; c < COSTS && have < blocks; c++)
        have += with[c];
    return c << COST_SHIFT;
}

/* Marks the lists that query i of the block reads first: the cheapest. */
static void choose_first(const job *w, scratch *s, size_t i)
{
    const ps_index *x = w->x;
    const size_t lists = (size_t)1 << x->token_bits;
    uint32_t with[COSTS] = {0};
    weigh_tokens(x, s->product + i * PS_BITS, s->cost);
    for (size_t t = 0; t < lists; t++)
        with[s->cost[t] >> COST_SHIFT] += x->list_off[t + 1] - x->list_off[t];
    const uint32_t near = s->sieve[i].near = cost_of(with, w->first);
    for (size_t t = 0; t < lists; t++)
        s->which[t] |= (uint64_t)(s->cost[t] < near) << i;
}

/* And then: those whose tokens do not differ much more than rows at the threshold do. */
static void choose_more(const job *w, scratch *s, size_t i)
{
    const ps_index *x = w->x;
    const size_t lists = (size_t)1 << x->token_bits;
    const sieve *v = &s->sieve[i];
    const double share = v->most_first > 0 ? w->slack * v->most_first / v->weight : 1;
    const uint32_t near = v->near, far = share < 1 ? (uint32_t)(share * COST) : COST + 1;
    weigh_tokens(x, s->product + i * PS_BITS, s->cost);
    for (size_t t = 0; t < lists; t++)
        s->which[t] |= (uint64_t)(s->cost[t] >= near && s->cost[t] < far) << i;
}

/* ---- their rows ---- */

/* The full score of the last row that is to be kept, counting all; *better: how many have a better one. */
static uint32_t last_kept(scratch *s, const sieve *v, size_t *better)
{
    const ps_bits_query *q = &v->q;
    uint32_t last = 0;
    memset(s->count, 0, (q->most + 2) * sizeof *s->count); /* those kept before may be 1 above `most` */
    for (size_t i = 0; i < q->n; i++)
        s->count[apart_of(q->taken[i])]++;
    for (*better = 0; *better + s->count[last] <= v->keep; last++)
        *better += s->count[last];
    return last;
}

/* Drops all but the best by full score, of equals those that came first. */
static void tighten(scratch *s, sieve *v)
{
    ps_bits_query *q = &v->q;
    if (q->n <= v->keep)
        return;
    size_t better, n = 0, equals = 0;
    const uint32_t last = last_kept(s, v, &better);
    for (size_t i = 0; i < q->n; i++) {
        const uint64_t hit = q->taken[i];
        q->taken[n] = hit;
        s->equal[equals] = hit;
        n += apart_of(hit) < last;
        equals += apart_of(hit) == last;
    }
    memcpy(q->taken + n, s->equal, (v->keep - n) * sizeof *s->equal);
    q->n = v->keep;
    /* What comes must be better than the worst. */
    q->most = last > 0 ? last - 1 : 0;
    if (v->most_first > 0)
        q->strong_most = (v->strong_first * q->most + v->most_first - 1) / v->most_first;
}

/* The second level for the blocks that wait. */
static void look(const job *w, scratch *s, sieve *v)
{
    w->bits->take(&v->q, w->x->signature, w->posting);
    if (v->q.n > v->limit)
        tighten(s, v);
}

/* After the first lists, of which all rows have got their full score: in how many strong bits the best differ.  That
 * falls with the threshold from then on. */
static void bound_strong(const job *w, scratch *s, sieve *v)
{
    ps_bits_query *q = &v->q;
    look(w, s, v);
    tighten(s, v);
    q->count_strong = 0;
    if (q->n < v->keep || q->most == 0)
        return;
    uint32_t with[PS_BITS + 1] = {0}, most = 0;
    for (size_t i = 0; i < q->n; i++)
        with[q->taken[i] >> 32 & 0xffff]++;
    for (size_t have = with[0]; have < q->n - q->n / w->strong_part; have += with[most])
        most++;
    v->strong_first = q->strong_most = most;
    v->most_first = q->most;
}

/* The lists with their queries. */
static void read_lists(const job *w, scratch *s)
{
    const ps_index *x = w->x;
    const size_t lists = (size_t)1 << x->token_bits;
    ps_bits_query *query[QUERIES];
    sieve *of[QUERIES];
    for (size_t t = 0; t < lists; t++) {
        size_t m = 0;
        for (uint64_t in = s->which[t]; in; in &= in - 1) {
            of[m] = &s->sieve[__builtin_ctzll(in)];
            query[m] = &of[m]->q;
            m++;
        }
        for (uint32_t b = x->list_off[t], end = x->list_off[t + 1], n; m > 0 && b < end; b += n) {
            n = end - b < CHUNK ? end - b : CHUNK;
            w->bits->scan(m, query, x->signature, b, b + n);
            for (size_t i = 0; i < m; i++)
                if (query[i]->waiting > PS_BITS_WAIT - CHUNK)
                    look(w, s, of[i]);
        }
    }
}

/* All rows that may be found. */
static int take_all(const job *w, scratch *s)
{
    if (ps_grow(&s->row, &s->row_cap, w->x->n, sizeof *s->row) < 0)
        return PS_EMEM;
    s->rows = 0;
    for (uint64_t row = 0; row < w->x->n; row++)
        if (!w->knn->denied || !w->knn->denied[row])
            s->row[s->rows++] = (uint32_t)row;
    return 0;
}

/* The rows that were taken in, the best first, so that few of the others are among the best so far. */
static int order(scratch *s, sieve *v)
{
    const ps_bits_query *q = &v->q;
    if (ps_grow(&s->row, &s->row_cap, q->n, sizeof *s->row) < 0)
        return PS_EMEM;
    memset(s->count, 0, (APART_MAX + 1) * sizeof *s->count);
    for (size_t i = 0; i < q->n; i++)
        s->count[apart_of(q->taken[i])]++;
    for (uint32_t a = 0, so_far = 0, size; so_far < q->n; a++, so_far += size) {
        size = s->count[a];
        s->count[a] = so_far;
    }
    for (size_t i = 0; i < q->n; i++)
        s->row[s->count[apart_of(q->taken[i])]++] = (uint32_t)q->taken[i];
    s->rows = q->n;
    return 0;
}

static int finish(const job *w, scratch *s, sieve *v, size_t query)
{
    ps_topk best = {w->hits + query * w->k, w->k, 0};
    int rc = order(s, v);
    if (rc == 0)
        knn_rerank(w->knn, w->q, query, s->rows, s->row, &best);
    if (rc == 0 && best.n < w->k && s->rows < w->x->n - w->knn->n_denied) {
        best.n = 0;
        rc = take_all(w, s);
        if (rc == 0)
            knn_rerank(w->knn, w->q, query, s->rows, s->row, &best);
    }
    ps_topk_sort(&best);
    w->found[query] = w->q->members[query] > 0 ? best.n : 0;
    return rc;
}

static int start(const job *w, scratch *s, sieve *v, size_t query)
{
    ps_bits_query *q = &v->q;
    v->keep = w->keep + (w->q->skip_off[query + 1] - w->q->skip_off[query]);
    v->limit = v->keep + v->keep / 2 + 64;
    v->most_first = 0;
    q->strong_most = PS_BITS;
    q->most = APART_MAX;
    q->n = q->waiting = 0;
    q->count_strong = 1;
    const size_t room = v->limit + (PS_BITS_WAIT + 1) * PS_BITS_LANES;
    return ps_grow(&q->taken, &v->cap, room, sizeof *q->taken) < 0 ||
                   ps_grow(&s->equal, &s->equal_cap, room, sizeof *s->equal) < 0
               ? PS_EMEM
               : 0;
}

/* Both levels for up to QUERIES queries from `begin` on: leaves in their sieves the rows to be scored exactly. */
static int weak_and(const job *w, scratch *s, size_t begin, size_t n)
{
    const ps_index *x = w->x;
    const size_t width = x->d + 1, lists = (size_t)1 << x->token_bits;
    for (size_t i = 0; i < n; i++)
        lsh_query(x, knn_query(w->knn, w->q, begin + i), w->q->scale[begin + i], s->vector + i * width);
    ps_dots()(n, PS_BITS, width, s->vector, width, x->planes, width, s->product, PS_BITS);
    memset(s->which, 0, lists * sizeof *s->which);
    for (size_t i = 0; i < n; i++) {
        if (start(w, s, &s->sieve[i], begin + i) < 0)
            return PS_EMEM;
        s->sieve[i].weight = weigh_bits(s->product + i * PS_BITS, &s->sieve[i].q);
        choose_first(w, s, i);
    }
    read_lists(w, s);
    memset(s->which, 0, lists * sizeof *s->which);
    for (size_t i = 0; i < n; i++) {
        bound_strong(w, s, &s->sieve[i]);
        choose_more(w, s, i);
    }
    read_lists(w, s);
    for (size_t i = 0; i < n; i++) {
        look(w, s, &s->sieve[i]);
        tighten(s, &s->sieve[i]);
    }
    return 0;
}

static int search_block(void *ctx, size_t task, int thread)
{
    const job *w = ctx;
    scratch *s = &w->of_thread[thread];
    const size_t begin = task * w->block, n = w->q->n - begin < w->block ? w->q->n - begin : w->block;
    int rc = weak_and(w, s, begin, n);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = finish(w, s, &s->sieve[i], begin + i);
    return rc;
}

static int make_scratch(const job *w, scratch *s)
{
    const size_t lists = (size_t)1 << w->x->token_bits;
    s->vector = ps_alloc(w->block * ((size_t)w->x->d + 1), sizeof *s->vector);
    s->product = ps_alloc(w->block * PS_BITS, sizeof *s->product);
    s->cost = ps_alloc(lists, sizeof *s->cost);
    s->which = ps_alloc(lists, sizeof *s->which);
    return s->vector && s->product && s->cost && s->which ? 0 : PS_EMEM;
}

static void free_scratch(scratch *s)
{
    for (size_t i = 0; i < QUERIES; i++)
        free(s->sieve[i].q.taken);
    free(s->vector);
    free(s->product);
    free(s->cost);
    free(s->which);
    free(s->equal);
    free(s->row);
}

/* The lists without the rows that are denied. */
static uint32_t *deny(const ps_index *x, const ps_knn *knn)
{
    const size_t lanes = lsh_lanes(x);
    uint32_t *posting = ps_alloc(lanes, sizeof *posting);
    for (size_t l = 0; l < lanes && posting; l++)
        posting[l] = x->posting[l] != UINT32_MAX && knn->denied[x->posting[l]] ? UINT32_MAX : x->posting[l];
    return posting;
}

/* How many rows are kept at that effort, and how strict the bounds are: what goes together best, as measured. */
static void plan(job *w, uint32_t effort)
{
    const size_t blocks = lsh_lanes(w->x) / PS_BITS_LANES;
    const uint64_t left = w->knn->n - w->knn->n_denied;
    const uint64_t k = w->k < LEAST ? LEAST : w->k, keep = k + (uint64_t)effort * k / 8 + 16;
    w->keep = keep < left ? (size_t)keep : (size_t)left;
    /* Where only a part may be found, the nearest of it are farther off. */
    const double of_left = (double)w->x->n / (left > 0 ? (double)left : 1);
    const double enough = 2 * of_left * (double)w->keep / PS_BITS_LANES;
    const double first = fmax((double)blocks / FIRST, enough);
    w->first = first < (double)blocks ? (size_t)first + 1 : blocks;
    w->slack = 1.15 + (double)effort / 90;
    w->strong_part = 8 + effort / 4;
}

int lsh_search(const ps_index *x, const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool, uint32_t effort, size_t k,
               ps_hit *hits, size_t *found)
{
    const size_t threads = (size_t)ps_pool_threads(pool), each = (q->n + threads - 1) / threads;
    job w = {
        .x = x, .knn = knn, .q = q, .k = k, .posting = x->posting, .hits = hits, .found = found, .bits = ps_bits()};
    uint32_t *own = knn->denied ? deny(x, knn) : NULL;
    w.block = each < 1 ? 1 : each < QUERIES ? each : QUERIES;
    w.of_thread = ps_zalloc(threads, sizeof *w.of_thread);
    int rc = w.of_thread && (own || !knn->denied) ? 0 : PS_EMEM;
    w.posting = own ? own : x->posting;
    plan(&w, effort);
    w.block = w.block * w.keep <= KEPT ? w.block : w.keep < KEPT ? KEPT / w.keep : 1;
    for (size_t t = 0; t < threads && rc == 0; t++)
        rc = make_scratch(&w, &w.of_thread[t]);
    if (rc == 0)
        rc = ps_pool_run(pool, (q->n + w.block - 1) / w.block, search_block, &w);
    for (size_t t = 0; t < threads && w.of_thread; t++)
        free_scratch(&w.of_thread[t]);
    free(w.of_thread);
    free(own);
    return rc;
}
