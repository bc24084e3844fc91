/* ivf_search.c - the best rows of the best cells.
 *
 * Many queries are taken together, cell by cell, so that a cell's codes are read once for all that look at it. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index_inner.h"
#include "mem.h"

enum { BLOCK = 1024, AT_ONCE = 64, FIRST_GROUPS = 8 };

/* From a third of the cells on, all rows in a row take less time than the cells one by one. */
enum { MOST_CELLS = 3 };

enum { TILE_BYTES = 128 << 10, QUERIES = 128 }; /* of all rows: a tile, and queries that it is read for */

typedef struct {
    uint32_t cell, query; /* query: of the block */
} visit;

/* Of one thread. */
typedef struct {
    ps_sieve sieve[BLOCK];
    ps_sieve coarse[AT_ONCE];
    int8_t *code;                /* BLOCK x 4 words */
    visit *best, *more, *sorted; /* each query's first cell, and the others */
    size_t best_n, more_n, more_cap, sorted_cap;
    uint32_t *off; /* cells + 2 */
    float *offset; /* of the groups of a cell */
    size_t offset_cap;
    ps_hit *order; /* cells of a query */
    size_t order_cap;
    size_t again[BLOCK]; /* queries that found too few */
} scratch;

typedef struct {
    const ps_index *x;
    const ps_knn *knn;
    const ps_knn_queries *q;
    uint32_t cells; /* to look at */
    size_t k, block;
    const float *offset; /* the index's, -infinity for rows denied */
    ps_hit *hits;
    size_t *found;
    scratch *of_thread;
    ps_codes_fn *codes;
} job;

/* How many the query can find at all. */
static size_t wanted(const job *w, size_t query)
{
    uint64_t left = w->knn->n - w->knn->n_denied;
    for (size_t i = w->q->skip_off[query]; i < w->q->skip_off[query + 1]; i++)
        left -= !w->knn->denied || !w->knn->denied[w->q->skip[i]];
    return w->k < left ? w->k : (size_t)left;
}

/* ---- which cells ---- */

/* The first cells of query i of the block, and more while they hold too few rows, to the lists of visits. */
static int add_visits(const job *w, scratch *s, ps_sieve *coarse, uint32_t i, uint32_t cells, size_t rows)
{
    if (ps_grow(&s->order, &s->order_cap, coarse->q.n, sizeof *s->order) < 0)
        return PS_EMEM;
    ps_topk top = {s->order, coarse->q.n, 0};
    for (size_t j = 0; j < coarse->q.n; j++)
        ps_topk_put(&top, (ps_hit){coarse->q.score[j], coarse->q.row[j]});
    ps_topk_sort(&top);
    size_t have = 0;
    for (size_t j = 0; j < top.n && (j < cells || have < rows); j++) {
        const uint32_t c = (uint32_t)s->order[j].item;
        have += w->x->cell_off[c + 1] - w->x->cell_off[c];
        if (j == 0) {
            s->best[s->best_n++] = (visit){c, i};
            continue;
        }
        if (ps_grow(&s->more, &s->more_cap, s->more_n + 1, sizeof *s->more) < 0)
            return PS_EMEM;
        s->more[s->more_n++] = (visit){c, i};
    }
    return 0;
}

/* Query i of the block as codes, and how many rows are to be kept of what its codes find: what they put in the wrong
 * order around the last place is put right by exact scores. */
static void code_query(const job *w, scratch *s, size_t i, size_t query)
{
    const ps_quant *c = &w->x->coarse;
    const size_t skips = w->q->skip_off[query + 1] - w->q->skip_off[query];
    ps_quant_query(c, knn_query(w->knn, w->q, query), w->q->scale[query], s->code + i * 4 * ps_codes_words(c->d),
                   &s->sieve[i].q);
    ps_sieve_start(&s->sieve[i], w->k + w->k / 8 + 16 + skips, 0);
}

/* The products of up to AT_ONCE queries with all centroids; floors rise as the part that has been seen doubles. */
static int rank_cells(const job *w, scratch *s, const size_t *query, size_t begin, size_t n, uint32_t cells)
{
    const ps_quant *c = &w->x->coarse;
    const size_t words = ps_codes_words(c->d);
    ps_codes_query *at[AT_ONCE];
    for (size_t i = 0; i < n; i++) {
        code_query(w, s, begin + i, query[i]);
        s->coarse[i].q.code = s->sieve[begin + i].q.code;
        s->coarse[i].q.sum = s->sieve[begin + i].q.sum;
        s->coarse[i].q.scale = s->sieve[begin + i].q.scale;
        /* Some more than asked for, should those hold too few rows. */
        ps_sieve_start(&s->coarse[i], cells + 4 + w->k / PS_CODES_LANES, 0);
        at[i] = &s->coarse[i].q;
    }
    for (size_t g = 0, groups; g < c->groups; g += groups) {
        groups = g == 0 ? FIRST_GROUPS : g;
        groups = groups < c->groups - g ? groups : c->groups - g;
        for (size_t i = 0; i < n; i++)
            if (ps_sieve_room(&s->coarse[i], groups * PS_CODES_LANES) < 0)
                return PS_EMEM;
        w->codes(n, at, words, groups, c->codes + g * ps_codes_group(c->d), c->scale + g * PS_CODES_LANES,
                 c->offset + g * PS_CODES_LANES, (uint32_t)(g * PS_CODES_LANES));
        for (size_t i = 0; i < n; i++)
            ps_sieve_end(&s->coarse[i]);
    }
    for (size_t i = 0; i < n; i++)
        if (add_visits(w, s, &s->coarse[i], (uint32_t)(begin + i), cells, wanted(w, query[i])) < 0)
            return PS_EMEM;
    return 0;
}

/* ---- their rows ---- */

/* The offsets of the groups that hold a cell's rows; of other cells' rows in the first and the last one -infinity. */
static int cell_offsets(const job *w, scratch *s, uint32_t c, size_t group, size_t groups)
{
    const size_t first = group * PS_CODES_LANES, n = groups * PS_CODES_LANES, begin = w->x->cell_off[c] - first;
    if (ps_grow(&s->offset, &s->offset_cap, n, sizeof *s->offset) < 0)
        return PS_EMEM;
    memcpy(s->offset, w->offset + first, n * sizeof *s->offset);
    for (size_t i = 0; i < begin; i++)
        s->offset[i] = -INFINITY;
    for (size_t i = w->x->cell_off[c + 1] - first; i < n; i++)
        s->offset[i] = -INFINITY;
    return 0;
}

static int scan_cell(const job *w, scratch *s, uint32_t c, const visit *v, size_t n)
{
    const ps_index *x = w->x;
    const uint32_t d = x->d - (uint32_t)x->has_bias;
    const size_t group = x->cell_off[c] / PS_CODES_LANES;
    const size_t groups = (x->cell_off[c + 1] + PS_CODES_LANES - 1) / PS_CODES_LANES - group;
    ps_codes_query *at[AT_ONCE];
    if (x->cell_off[c] == x->cell_off[c + 1])
        return 0;
    if (cell_offsets(w, s, c, group, groups) < 0)
        return PS_EMEM;
    for (size_t from = 0, m; from < n; from += m) {
        m = n - from < AT_ONCE ? n - from : AT_ONCE;
        for (size_t i = 0; i < m; i++) {
            ps_sieve *sieve = &s->sieve[v[from + i].query];
            if (ps_sieve_room(sieve, groups * PS_CODES_LANES) < 0)
                return PS_EMEM;
            at[i] = &sieve->q;
        }
        w->codes(m, at, ps_codes_words(d), groups, x->codes + group * ps_codes_group(d),
                 x->scale + group * PS_CODES_LANES, s->offset, (uint32_t)(group * PS_CODES_LANES));
    }
    return 0;
}

/* All rows, for up to QUERIES queries from `begin` of the block on; floors rise as what has been seen doubles. */
static int scan_all(const job *w, scratch *s, const size_t *query, size_t begin, size_t n)
{
    const ps_index *x = w->x;
    const uint32_t d = x->d - (uint32_t)x->has_bias;
    const size_t all = ivf_groups(x), tile = TILE_BYTES / ps_codes_group(d) / 4 * 4;
    ps_codes_query *at[QUERIES];
    for (size_t i = 0; i < n; i++) {
        code_query(w, s, begin + i, query[begin + i]);
        at[i] = &s->sieve[begin + i].q;
    }
    for (size_t g = 0, groups; g < all; g += groups) {
        groups = g < FIRST_GROUPS ? FIRST_GROUPS : g;
        groups = groups < tile || tile == 0 ? groups : tile;
        groups = groups < all - g ? groups : all - g;
        for (size_t i = 0; i < n; i++)
            if (ps_sieve_room(&s->sieve[begin + i], groups * PS_CODES_LANES) < 0)
                return PS_EMEM;
        w->codes(n, at, ps_codes_words(d), groups, x->codes + g * ps_codes_group(d), x->scale + g * PS_CODES_LANES,
                 w->offset + g * PS_CODES_LANES, (uint32_t)(g * PS_CODES_LANES));
        for (size_t i = 0; i < n; i++)
            ps_sieve_often(&s->sieve[begin + i]);
    }
    return 0;
}

/* Visits by cell, then each cell with its queries. */
static int scan_cells(const job *w, scratch *s, const visit *v, size_t n)
{
    const uint32_t cells = w->x->cells;
    if (ps_grow(&s->sorted, &s->sorted_cap, n, sizeof *s->sorted) < 0)
        return PS_EMEM;
    memset(s->off, 0, ((size_t)cells + 2) * sizeof *s->off);
    for (size_t i = 0; i < n; i++)
        s->off[v[i].cell + 2]++;
    for (uint32_t c = 0; c < cells; c++)
        s->off[c + 2] += s->off[c + 1];
    for (size_t i = 0; i < n; i++)
        s->sorted[s->off[v[i].cell + 1]++] = v[i];
    for (size_t at = 0, end; at < n; at = end) {
        const uint32_t c = s->sorted[at].cell;
        end = s->off[c + 1];
        int rc = scan_cell(w, s, c, s->sorted + at, end - at);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Exact scores of what is left. */
static void finish(const job *w, ps_sieve *sieve, size_t query)
{
    ps_topk best = {w->hits + query * w->k, w->k, 0};
    ps_sieve_end(sieve);
    for (size_t i = 0; i < sieve->q.n; i++)
        sieve->q.row[i] = w->x->row[sieve->q.row[i]];
    knn_rerank(w->knn, w->q, query, sieve->q.n, sieve->q.row, &best);
    ps_topk_sort(&best);
    w->found[query] = w->q->members[query] > 0 ? best.n : 0;
}

static int search(const job *w, scratch *s, const size_t *query, size_t n, uint32_t cells)
{
    int rc = 0;
    if (cells >= w->x->cells) {
        for (size_t from = 0; from < n && rc == 0; from += QUERIES)
            rc = scan_all(w, s, query, from, n - from < QUERIES ? n - from : QUERIES);
        for (size_t i = 0; i < n && rc == 0; i++)
            finish(w, &s->sieve[i], query[i]);
        return rc;
    }
    s->best_n = s->more_n = 0;
    for (size_t from = 0; from < n; from += AT_ONCE) {
        rc = rank_cells(w, s, query + from, from, n - from < AT_ONCE ? n - from : AT_ONCE, cells);
        if (rc < 0)
            return rc;
    }
    /* The nearest cell first: it raises the floors for the others. */
    rc = scan_cells(w, s, s->best, s->best_n);
    for (size_t i = 0; i < n && rc == 0; i++)
        ps_sieve_end(&s->sieve[i]);
    if (rc == 0)
        rc = scan_cells(w, s, s->more, s->more_n);
    for (size_t i = 0; i < n && rc == 0; i++)
        finish(w, &s->sieve[i], query[i]);
    return rc;
}

static int search_block(void *ctx, size_t task, int thread)
{
    const job *w = ctx;
    scratch *s = &w->of_thread[thread];
    const size_t begin = task * w->block;
    size_t n = w->q->n - begin < w->block ? w->q->n - begin : w->block;
    for (size_t i = 0; i < n; i++)
        s->again[i] = begin + i;
    /* Those that find fewer than there are look at more cells. */
    for (uint32_t cells = w->cells; n > 0; cells *= 4) {
        cells = cells < w->x->cells / MOST_CELLS ? cells : w->x->cells;
        int rc = search(w, s, s->again, n, cells);
        if (rc < 0)
            return rc;
        size_t left = 0;
        for (size_t i = 0; i < n && cells < w->x->cells; i++)
            if (w->q->members[s->again[i]] > 0 && w->found[s->again[i]] < wanted(w, s->again[i]))
                s->again[left++] = s->again[i];
        n = left;
    }
    return 0;
}

static void free_scratch(scratch *s)
{
    for (size_t i = 0; i < BLOCK; i++)
        ps_sieve_free(&s->sieve[i]);
    for (size_t i = 0; i < AT_ONCE; i++)
        ps_sieve_free(&s->coarse[i]);
    free(s->code);
    free(s->best);
    free(s->more);
    free(s->sorted);
    free(s->off);
    free(s->offset);
    free(s->order);
}

static int make_scratch(const job *w, scratch *s)
{
    s->code = ps_alloc(w->block * ps_codes_words(w->x->coarse.d), 4);
    s->best = ps_alloc(w->block, sizeof *s->best);
    s->off = ps_alloc((size_t)w->x->cells + 2, sizeof *s->off);
    return s->code && s->best && s->off ? 0 : PS_EMEM;
}

/* The offsets with rows denied left out of the question. */
static float *deny(const ps_index *x, const ps_knn *knn)
{
    const size_t slots = ivf_groups(x) * PS_CODES_LANES;
    float *offset = ps_alloc(slots, sizeof *offset);
    for (size_t s = 0; s < slots && offset; s++)
        offset[s] = x->row[s] != UINT32_MAX && knn->denied[x->row[s]] ? -INFINITY : x->offset[s];
    return offset;
}

int ivf_search(const ps_index *x, const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool, uint32_t cells, size_t k,
               ps_hit *hits, size_t *found)
{
    const size_t threads = (size_t)ps_pool_threads(pool), each = (q->n + threads - 1) / threads;
    job w = {.x = x, .knn = knn, .q = q, .cells = cells, .k = k, .offset = x->offset, .hits = hits, .found = found};
    w.block = each < 1 ? 1 : each < BLOCK ? each : BLOCK;
    w.codes = ps_codes();
    w.of_thread = ps_zalloc(threads, sizeof *w.of_thread);
    float *own = knn->denied ? deny(x, knn) : NULL;
    int rc = w.of_thread && (own || !knn->denied) ? 0 : PS_EMEM;
    /* Where only a part may be found, the nearest of it are farther off. */
    if (own) {
        const uint64_t left = knn->n - knn->n_denied, more = left > 0 ? (uint64_t)cells * knn->n / left : cells;
        w.cells = more < x->cells ? (uint32_t)more : x->cells;
        w.offset = own;
    }
    w.cells = w.cells < x->cells ? w.cells : x->cells;
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
