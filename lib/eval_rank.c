/* eval_rank.c - the rank of every held-out positive, from hits or from vectors. */
#include <math.h>
#include <stdlib.h>

#include "eval.h"
#include "mem.h"

typedef struct {
    uint32_t query;
    size_t pair;
} keyed;

static int by_query(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    if (x->query != y->query)
        return x->query < y->query ? -1 : 1;
    return (x->pair > y->pair) - (x->pair < y->pair);
}

static int sort_pairs(ps_ranks *r)
{
    const ps_pairs *p = r->pairs;
    keyed *k = ps_alloc(p->n, sizeof *k);
    if (!k)
        return PS_EMEM;
    for (size_t i = 0; i < p->n; i++)
        k[i] = (keyed){p->query[i], i};
    if (p->n > 1)
        qsort(k, p->n, sizeof *k, by_query);
    for (size_t i = 0; i < p->n; i++) {
        r->order[i] = k[i].pair;
        r->queries += i == 0 || k[i].query != k[i - 1].query;
    }
    free(k);
    return 0;
}

int ps_ranks_make(ps_ranks *r, const ps_pairs *pairs, const ps_graph *g, uint64_t rows)
{
    const uint64_t catalogue = g ? g->items.nodes : rows;
    *r = (ps_ranks){.pairs = pairs, .catalogue = catalogue, .by_row = !g};
    r->rank = ps_alloc(pairs->n, sizeof *r->rank);
    r->order = ps_alloc(pairs->n, sizeof *r->order);
    r->best = ps_alloc(catalogue, sizeof *r->best);
    int rc = r->rank && r->order && r->best ? sort_pairs(r) : PS_EMEM;
    for (size_t i = 0; i < pairs->n && rc == 0; i++)
        r->rank[i] = INFINITY;
    for (uint64_t i = 0; i < catalogue && rc == 0; i++)
        r->best[i] = UINT32_MAX;
    if (rc < 0)
        ps_ranks_free(r);
    return rc;
}

void ps_ranks_free(ps_ranks *r)
{
    free(r->rank);
    free(r->best);
    free(r->order);
    free(r->answered);
    free(r->listed);
    free(r->times);
    *r = (ps_ranks){0};
}

int ps_ranks_count(ps_ranks *r, const ps_cutoffs *c)
{
    r->times = ps_zalloc(r->catalogue * c->n, sizeof *r->times);
    if (!r->times)
        return PS_EMEM;
    r->counted = c;
    return 0;
}

/* Names that the graph does not know have numbers above its own. */
static int is_known(const ps_ranks *r, uint32_t item)
{
    return r->by_row || item < r->catalogue;
}

static void list_item(ps_ranks *r, uint64_t item, uint32_t place)
{
    if (place < r->best[item])
        r->best[item] = place;
    for (size_t k = r->counted ? r->counted->n : 0; k-- > 0 && place <= r->counted->k[k];)
        r->times[k * r->catalogue + item]++;
}

/* ---- hits ---- */

/* The query's pairs: order[] from here on. */
static size_t pairs_of(const ps_ranks *r, uint64_t query)
{
    size_t lo = 0, hi = r->pairs->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (r->pairs->query[r->order[mid]] < query)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int check_item(const ps_ranks *r, uint64_t item, const char *name, uint64_t record)
{
    if (item < r->catalogue)
        return 0;
    return ps_fail(PS_EDATA, "%s: record %llu: item %llu is out of range: there are %llu", name,
                   (unsigned long long)record, (unsigned long long)item, (unsigned long long)r->catalogue);
}

/* begin .. end - 1 of order[] are the query's pairs. */
static int rank_record(ps_ranks *r, const ps_head *head, const uint8_t *p, size_t begin, size_t end, const char *name,
                       uint64_t record)
{
    const ps_pairs *pairs = r->pairs;
    const uint64_t query = pairs->query[r->order[begin]];
    uint32_t place = 0;
    p += head->width;
    for (uint32_t i = 0; i < head->dim; i++, p += head->width + 4) {
        uint64_t item = ps_num(p, head->width);
        if (item == PS_NONE)
            break;
        int rc = check_item(r, item, name, record);
        if (rc == 0 && !isfinite(ps_getf32(p + head->width)))
            rc = ps_fail(PS_EDATA, "%s: record %llu: a score that is not finite", name, (unsigned long long)record);
        if (rc < 0)
            return rc;
        if (r->listed[item] == r->records)
            return ps_fail(PS_EDATA, "%s: record %llu: item %llu twice", name, (unsigned long long)record,
                           (unsigned long long)item);
        r->listed[item] = r->records;
        if (item == query && !pairs->sets)
            continue;
        list_item(r, item, ++place);
        for (size_t k = begin; k < end; k++)
            if (pairs->positive[r->order[k]] == item && !(r->rank[r->order[k]] < place))
                r->rank[r->order[k]] = place;
    }
    /* The places place + 1 .. catalogue - 1 are left to the unlisted, unless it is an item nobody knows. */
    for (size_t k = begin; k < end; k++)
        if (isinf(r->rank[r->order[k]]) && is_known(r, pairs->positive[r->order[k]]))
            r->rank[r->order[k]] = ((double)place + (double)r->catalogue) / 2;
    return 0;
}

/* Queries have one record each. */
static int check_query(ps_ranks *r, uint64_t query, const char *name, uint64_t record)
{
    const uint64_t sets = r->pairs->sets;
    if (sets > 0 && query >= sets)
        return ps_fail(PS_EDATA, "%s: record %llu: set %llu, but the held-out items are of %llu sets", name,
                       (unsigned long long)record, (unsigned long long)query, (unsigned long long)sets);
    int rc = sets > 0 ? 0 : check_item(r, query, name, record);
    if (rc == 0 && r->answered[query]++)
        rc = ps_fail(PS_EDATA, "%s: record %llu: query %llu again", name, (unsigned long long)record,
                     (unsigned long long)query);
    return rc;
}

static int make_marks(ps_ranks *r)
{
    if (r->answered)
        return 0;
    r->answered = ps_zalloc(r->pairs->sets > 0 ? r->pairs->sets : r->catalogue, 1);
    r->listed = ps_zalloc(r->catalogue, sizeof *r->listed);
    return r->answered && r->listed ? 0 : PS_EMEM;
}

int ps_ranks_hits(ps_ranks *r, const ps_head *head, const uint8_t *records, size_t n, const char *name, uint64_t first)
{
    int rc = make_marks(r);
    for (size_t i = 0; i < n && rc == 0; i++) {
        const uint8_t *p = records + i * head->size;
        const uint64_t query = ps_num(p, head->width);
        rc = check_query(r, query, name, first + i);
        if (rc < 0)
            break;
        size_t begin = pairs_of(r, query), end = begin;
        while (end < r->pairs->n && r->pairs->query[r->order[end]] == query)
            end++;
        r->records++;
        if (begin < end)
            rc = rank_record(r, head, p, begin, end, name, first + i);
    }
    return rc;
}

void ps_ranks_hits_end(ps_ranks *r)
{
    for (size_t i = 0; i < r->pairs->n; i++)
        r->no_query += isinf(r->rank[i]) && (r->pairs->sets > 0 || is_known(r, r->pairs->query[i])) &&
                       is_known(r, r->pairs->positive[i]);
}

/* ---- vectors ---- */

typedef struct {
    uint64_t above, equal;
} tally;

/* One batch of queries and the pairs that belong to them. */
typedef struct {
    const ps_knn *knn;
    ps_knn_queries q;
    size_t parts, depth;
    size_t n, cap[3]; /* pairs */
    size_t *query;    /* of each pair: its query's place in q, ascending */
    uint64_t *row;    /* its positive's */
    size_t *pair;     /* its number */
    float *score;     /* of the positive */
    tally *tallies;   /* pair x part */
    size_t *first;    /* the first pair of each query, and one more */
    ps_topk *top;     /* query x part, with depth > 0 */
    ps_hit *hits;
    size_t queries_max;
} batch;

static void count(const float *scores, size_t n, float threshold, tally *t)
{
    uint32_t above = 0, equal = 0;
    for (size_t i = 0; i < n; i++) {
        above += scores[i] > threshold;
        equal += scores[i] == threshold;
    }
    t->above += above;
    t->equal += equal;
}

/* The query's row scores -infinity and so is never counted; the positive itself is taken out again. */
static void visit(void *ctx, size_t query, size_t part, uint64_t first, size_t n, const float *scores)
{
    const batch *b = ctx;
    for (size_t k = b->first[query]; k < b->first[query + 1]; k++) {
        tally *t = &b->tallies[k * b->parts + part];
        count(scores, n, b->score[k], t);
        if (b->row[k] - first < n) {
            float self = scores[b->row[k] - first];
            t->above -= self > b->score[k];
            t->equal -= self == b->score[k];
        }
    }
    if (b->depth == 0)
        return;
    ps_topk *top = &b->top[query * b->parts + part];
    const float floor = b->knn->is_sparse ? 0 : -INFINITY;
    for (size_t i = 0; i < n; i++)
        if (ps_topk_wants(top, scores[i]) && scores[i] > floor)
            ps_topk_put(top, (ps_hit){scores[i], first + i});
}

static void batch_free(batch *b)
{
    ps_knn_queries_free(&b->q);
    free(b->query);
    free(b->row);
    free(b->pair);
    free(b->score);
    free(b->tallies);
    free(b->first);
    free(b->top);
    free(b->hits);
}

/* Adds the query whose pairs are order[begin .. end - 1]. */
static int add_query(ps_ranks *r, batch *b, size_t begin, size_t end)
{
    const ps_pairs *p = r->pairs;
    uint64_t row = ps_knn_find(b->knn, p->query[r->order[begin]]);
    if (row == PS_NONE) {
        for (size_t k = begin; k < end; k++)
            r->no_query += is_known(r, p->query[r->order[k]]) && is_known(r, p->positive[r->order[k]]);
        return 0;
    }
    int rc = ps_knn_begin(&b->q, b->knn);
    if (rc == 0)
        rc = ps_knn_add(&b->q, b->knn, b->knn, row, 1);
    if (rc == 0)
        rc = ps_knn_leave_out(&b->q, row);
    if (rc == 0)
        rc = ps_knn_end(&b->q, b->knn);
    if (rc < 0)
        return rc;
    b->first[b->q.n - 1] = b->n;
    for (size_t k = begin; k < end; k++) {
        uint64_t positive = ps_knn_find(b->knn, p->positive[r->order[k]]);
        if (positive == PS_NONE) {
            r->no_positive += is_known(r, p->positive[r->order[k]]);
            continue;
        }
        if (ps_grow(&b->query, &b->cap[0], b->n + 1, sizeof *b->query) < 0 ||
            ps_grow(&b->row, &b->cap[1], b->n + 1, sizeof *b->row) < 0 ||
            ps_grow(&b->pair, &b->cap[2], b->n + 1, sizeof *b->pair) < 0)
            return PS_EMEM;
        b->query[b->n] = b->q.n - 1;
        b->row[b->n] = positive;
        b->pair[b->n++] = r->order[k];
    }
    b->first[b->q.n] = b->n;
    return 0;
}

/* Tallies and lists of this batch's size. */
static int make_room(batch *b, int threads)
{
    b->parts = ps_knn_parts(b->knn, b->q.n, b->depth, threads);
    free(b->score);
    free(b->tallies);
    b->score = ps_alloc(b->n, sizeof *b->score);
    b->tallies = ps_zalloc(b->n * b->parts, sizeof *b->tallies);
    if (!b->score || !b->tallies)
        return PS_EMEM;
    if (b->depth == 0)
        return 0;
    free(b->top);
    free(b->hits);
    b->top = ps_alloc(b->q.n * b->parts, sizeof *b->top);
    b->hits = ps_alloc(b->q.n * b->parts * b->depth, sizeof *b->hits);
    if (!b->top || !b->hits)
        return PS_EMEM;
    for (size_t i = 0; i < b->q.n * b->parts; i++)
        b->top[i] = (ps_topk){b->hits + i * b->depth, b->depth, 0};
    return 0;
}

/* The best places of what the parts listed for one query. */
static void list_query(ps_ranks *r, const batch *b, size_t query, ps_hit *room)
{
    ps_topk all = {room, b->depth, 0};
    for (size_t part = 0; part < b->parts; part++) {
        const ps_topk *t = &b->top[query * b->parts + part];
        for (size_t i = 0; i < t->n; i++)
            ps_topk_put(&all, t->hit[i]);
    }
    ps_topk_sort(&all);
    for (size_t i = 0; i < all.n; i++)
        list_item(r, r->by_row ? all.hit[i].item : ps_knn_item(b->knn, all.hit[i].item), (uint32_t)i + 1);
}

static int rank_batch(ps_ranks *r, batch *b, ps_pool *pool, ps_hit *room)
{
    int rc = make_room(b, ps_pool_threads(pool));
    if (rc == 0)
        rc = ps_knn_score(b->knn, &b->q, pool, b->n, b->query, b->row, b->score);
    if (rc == 0)
        rc = ps_knn_scan(b->knn, &b->q, pool, b->parts, visit, b);
    for (size_t k = 0; k < b->n && rc == 0; k++) {
        tally t = {0, 0};
        for (size_t part = 0; part < b->parts; part++) {
            t.above += b->tallies[k * b->parts + part].above;
            t.equal += b->tallies[k * b->parts + part].equal;
        }
        r->rank[b->pair[k]] = 1 + (double)t.above + (double)t.equal / 2;
    }
    for (size_t i = 0; i < b->q.n && rc == 0 && b->depth > 0; i++)
        list_query(r, b, i, room);
    ps_knn_clear(&b->q);
    b->n = 0;
    return rc;
}

int ps_ranks_vectors(ps_ranks *r, const ps_knn *knn, size_t depth, ps_pool *pool)
{
    const ps_pairs *p = r->pairs;
    batch b = {.knn = knn, .depth = depth < knn->n ? depth : knn->n, .queries_max = ps_knn_batch(depth)};
    ps_hit *room = ps_alloc(b.depth, sizeof *room);
    b.first = ps_zalloc(b.queries_max + 1, sizeof *b.first);
    int rc = room && b.first ? 0 : PS_EMEM;
    for (size_t at = 0, end; at < p->n && rc == 0; at = end) {
        for (end = at; end < p->n && p->query[r->order[end]] == p->query[r->order[at]];)
            end++;
        rc = add_query(r, &b, at, end);
        if (rc == 0 && (b.q.n == b.queries_max || end == p->n))
            rc = rank_batch(r, &b, pool, room);
    }
    free(room);
    batch_free(&b);
    return rc;
}
