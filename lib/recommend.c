#include "recommend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "feat_names.h"
#include "mem.h"

enum { MMR_LEAST = 100, MMR_TIMES = 4 };

/* ---- what is asked ---- */

void ps_asks_clear(ps_asks *a)
{
    ps_knn_clear(&a->q);
    a->n = 0;
}

void ps_asks_free(ps_asks *a)
{
    ps_knn_queries_free(&a->q);
    free(a->first);
    free(a->weight);
    *a = (ps_asks){0};
}

static int begin(ps_asks *a, const ps_knn *knn, float weight)
{
    if (ps_grow(&a->weight, &a->cap[1], a->q.n + 1, sizeof *a->weight) < 0)
        return PS_EMEM;
    a->weight[a->q.n] = weight;
    return ps_knn_begin(&a->q, knn);
}

static int end(ps_asks *a, const ps_knn *knn, size_t skips, const uint64_t *skip)
{
    int rc = 0;
    for (size_t i = 0; i < skips && rc == 0; i++)
        rc = ps_knn_leave_out(&a->q, skip[i]);
    return rc < 0 ? rc : ps_knn_end(&a->q, knn);
}

int ps_asks_add(ps_asks *a, const ps_ask_options *o, const ps_knn *knn, const ps_knn *from, size_t n,
                const uint64_t *row, const float *weight, size_t skips, const uint64_t *skip)
{
    if (ps_grow(&a->first, &a->cap[0], a->n + 2, sizeof *a->first) < 0)
        return PS_EMEM;
    a->first[a->n++] = a->q.n;
    a->merged = o->merge;
    const int apart = o->merge && n > 0;
    int rc = apart ? 0 : begin(a, knn, 1);
    for (size_t i = o->recent > 0 && n > o->recent ? n - o->recent : 0; i < n && rc == 0; i++) {
        const double aged = (double)weight[i] * pow(o->decay, (double)(n - 1 - i));
        const float w = aged > 1e-30 ? (float)aged : 1e-30f; /* so old that it hardly counts */
        if (apart)
            rc = begin(a, knn, w);
        if (rc == 0)
            rc = ps_knn_add(&a->q, knn, from, row[i], w);
        if (rc == 0 && apart)
            rc = end(a, knn, skips, skip);
    }
    if (rc == 0 && !apart)
        rc = end(a, knn, skips, skip);
    a->first[a->n] = a->q.n;
    return rc;
}

/* ---- finding ---- */

typedef struct {
    const ps_find_options *o;
    const ps_knn *knn;
    const ps_asks *a;
    size_t k, depth; /* hits wanted; hits of each search */
    ps_hit *deep;    /* of each search */
    size_t *deep_n;
    ps_hit *hits;
    size_t *found;
    uint8_t *done; /* queries that no deeper search is made for: what others need must not show in their hits */
} finding;

static int by_item(const void *a, const void *b)
{
    const ps_hit *x = a, *y = b;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    return (x->score < y->score) - (x->score > y->score);
}

static int by_rank(const void *a, const void *b)
{
    const ps_hit *x = a, *y = b;
    return ps_hit_before(*x, *y) ? -1 : ps_hit_before(*y, *x);
}

/* The hits of a query's searches as one list, at `list`, which has room for all of them. */
static size_t merge(const finding *f, size_t query, ps_hit *list)
{
    const ps_asks *a = f->a;
    double weights = 0;
    size_t n = 0, kept = 0;
    for (size_t s = a->first[query]; s < a->first[query + 1]; s++) {
        weights += (double)a->weight[s];
        for (size_t j = 0; j < f->deep_n[s]; j++) {
            const ps_hit hit = f->deep[s * f->depth + j];
            if (hit.score > 0)
                list[n++] = (ps_hit){a->weight[s] * hit.score, hit.item};
        }
    }
    if (n > 1)
        qsort(list, n, sizeof *list, by_item);
    for (size_t i = 0, next; i < n; i = next) {
        double sum = 0;
        for (next = i; next < n && list[next].item == list[i].item; next++)
            sum += (double)list[next].score;
        list[kept++] = (ps_hit){(float)(sum / weights), list[i].item};
    }
    if (kept > 1)
        qsort(list, kept, sizeof *list, by_rank);
    return kept;
}

static size_t gather(const finding *f, size_t query, ps_hit *list)
{
    const size_t first = f->a->first[query];
    if (f->a->first[query + 1] - first > 1)
        return merge(f, query, list);
    memcpy(list, f->deep + first * f->depth, f->deep_n[first] * sizeof *list);
    return f->deep_n[first];
}

static uint32_t group_of(const finding *f, uint64_t item)
{
    return f->o->groups ? f->o->groups->of[ps_knn_find(f->knn, item)] : UINT32_MAX;
}

/* Has the list room for another hit of that group?  Items of no group are not counted. */
static int has_room(const finding *f, const ps_hit *chosen, size_t n, uint32_t group)
{
    uint32_t of_group = 0;
    if (f->o->per_group == 0 || group == UINT32_MAX)
        return 1;
    for (size_t i = 0; i < n; i++)
        of_group += group_of(f, chosen[i].item) == group;
    return of_group < f->o->per_group;
}

/* From a list, the best first, those that go well together. */
static size_t choose(const finding *f, ps_hit *list, size_t n, ps_hit *chosen)
{
    const double mmr = f->o->mmr;
    size_t found = 0;
    if (mmr >= 1) {
        for (size_t i = 0; i < n && found < f->k; i++)
            if (has_room(f, chosen, found, group_of(f, list[i].item)))
                chosen[found++] = list[i];
        return found;
    }
    /* The largest cosine with one that is chosen, 0 at least: no hit has a higher score for those before it. */
    double *like = ps_zalloc(n, sizeof *like);
    if (!like)
        return SIZE_MAX;
    while (found < f->k) {
        size_t best = n;
        float value = 0;
        for (size_t i = 0; i < n; i++) {
            if (list[i].item == PS_NONE || !has_room(f, chosen, found, group_of(f, list[i].item)))
                continue;
            const float v = (float)(mmr * (double)list[i].score - (1 - mmr) * like[i]);
            if (best == n || v > value) {
                best = i;
                value = v;
            }
        }
        if (best == n)
            break;
        const uint64_t row = ps_knn_find(f->knn, list[best].item);
        chosen[found++] = (ps_hit){value, list[best].item};
        list[best].item = PS_NONE;
        for (size_t i = 0; i < n; i++)
            if (list[i].item != PS_NONE)
                like[i] = fmax(like[i], ps_knn_cosine(f->knn, ps_knn_find(f->knn, list[i].item), row));
    }
    free(like);
    return found;
}

/* 1: all queries have k hits or all that there are. */
static int choose_all(const finding *f, ps_hit *list)
{
    int all = 1;
    for (size_t i = 0; i < f->a->n; i++) {
        if (f->done[i])
            continue;
        int whole = 1; /* no search has more to give */
        for (size_t s = f->a->first[i]; s < f->a->first[i + 1]; s++)
            whole &= f->deep_n[s] < f->depth;
        f->found[i] = choose(f, list, gather(f, i, list), f->hits + i * f->k);
        if (f->found[i] == SIZE_MAX)
            return PS_EMEM;
        f->done[i] = f->found[i] == f->k || whole;
        all &= f->done[i];
    }
    return all;
}

static int search(const finding *f, ps_pool *pool)
{
    const ps_find_options *o = f->o;
    return o->index ? ps_index_search(o->index, f->knn, &f->a->q, pool, o->effort, f->depth, f->deep, f->deep_n)
                    : ps_knn_search(f->knn, &f->a->q, pool, f->depth, f->deep, f->deep_n);
}

/* What a search of this depth gives; 1: it was deep enough. */
static int find_at(finding *f, ps_pool *pool)
{
    size_t most = 1;
    for (size_t i = 0; i < f->a->n; i++)
        most = f->a->first[i + 1] - f->a->first[i] > most ? f->a->first[i + 1] - f->a->first[i] : most;
    f->deep = ps_alloc(f->a->q.n * f->depth, sizeof *f->deep);
    f->deep_n = ps_zalloc(f->a->q.n, sizeof *f->deep_n);
    ps_hit *list = ps_alloc(most * f->depth, sizeof *list);
    int rc = f->deep && f->deep_n && list ? search(f, pool) : PS_EMEM;
    if (rc == 0)
        rc = choose_all(f, list);
    free(f->deep);
    free(f->deep_n);
    free(list);
    return rc;
}

int ps_find(const ps_find_options *o, const ps_knn *knn, const ps_asks *a, ps_pool *pool, size_t k, ps_hit *hits,
            size_t *found)
{
    const int plain = !a->merged && o->mmr >= 1 && o->per_group == 0;
    finding f = {o, knn, a, k, k, plain ? hits : NULL, plain ? found : NULL, hits, found, NULL};
    if (plain)
        return search(&f, pool);
    if (o->mmr < 1)
        f.depth = MMR_TIMES * k;
    if (f.depth < MMR_LEAST && (o->mmr < 1 || a->merged))
        f.depth = MMR_LEAST;
    f.depth = f.depth < knn->n ? f.depth : knn->n;
    f.done = ps_zalloc(a->n, sizeof *f.done);
    int rc = f.done ? find_at(&f, pool) : PS_EMEM;
    /* Groups that are full may hide others. */
    while (rc == 0 && o->per_group > 0 && f.depth < knn->n) {
        f.depth = f.depth < knn->n / 4 ? 4 * f.depth : knn->n;
        rc = find_at(&f, pool);
    }
    free(f.done);
    return rc < 0 ? rc : 0;
}

/* ---- kinds of items, and lists of them ---- */

void ps_groups_free(ps_groups *g)
{
    free(g->of);
    ps_dict_free(&g->names);
    *g = (ps_groups){0};
}

typedef struct {
    ps_groups *g;
    const ps_knn *knn;
    uint8_t *listed;
} lines;

static int group_line(void *ctx, uint64_t item, uint64_t line, ps_str rest)
{
    const lines *l = ctx;
    uint64_t number;
    if (rest.s == NULL || rest.len == 0)
        return ps_fail(PS_EDATA, "line %llu: an item, a tab and its group belong on it", (unsigned long long)line + 1);
    int rc = ps_dict_add(&l->g->names, rest, &number);
    const uint64_t row = ps_knn_find(l->knn, item);
    if (rc == 0 && row != PS_NONE)
        l->g->of[row] = (uint32_t)number;
    return rc < 0 ? rc : 0;
}

int ps_groups_read(ps_groups *g, const char *path, const ps_graph *graph, const ps_knn *knn, uint64_t *skipped)
{
    *g = (ps_groups){.of = ps_alloc(knn->n, sizeof *g->of)};
    if (!g->of)
        return PS_EMEM;
    memset(g->of, 0xff, knn->n * sizeof *g->of);
    lines l = {g, knn, NULL};
    int rc = ps_feat_lines(path, graph, skipped, NULL, group_line, &l);
    return rc < 0 ? ps_fail_in(rc, path) : 0;
}

static int list_line(void *ctx, uint64_t item, uint64_t line, ps_str rest)
{
    const lines *l = ctx;
    const uint64_t row = ps_knn_find(l->knn, item);
    (void)line;
    (void)rest;
    if (row != PS_NONE)
        l->listed[row] = 1;
    return 0;
}

static int list_ids(const lines *l, ps_reader *r, const ps_graph *graph)
{
    const int width = ps_reader_head(r)->width;
    const uint8_t *p;
    long n;
    int rc = ps_head_match(ps_reader_head(r), ps_reader_name(r), l->knn->head->graph);
    while (rc == 0 && (n = ps_reader_next(r, &p, 1)) != 0) {
        const uint64_t item = n > 0 ? ps_num(p, width) : 0;
        rc = n < 0 ? (int)n : 0;
        if (rc == 0 && graph)
            rc = ps_graph_in_range(graph, PS_ITEMS, item, ps_reader_name(r), ps_reader_count(r) - 1);
        if (rc == 0)
            rc = list_line((void *)(uintptr_t)l, item, 0, (ps_str){0});
    }
    return rc;
}

int ps_list_read(uint8_t *listed, const char *path, const ps_graph *graph, const ps_knn *knn, int text,
                 uint64_t *skipped)
{
    lines l = {NULL, knn, listed};
    if (text)
        return ps_feat_lines(path, graph, skipped, NULL, list_line, &l);
    ps_reader *r = ps_reader_open(path, PS_IDS);
    int rc = r ? list_ids(&l, r, graph) : PS_EDATA;
    ps_reader_close(r);
    return rc;
}
