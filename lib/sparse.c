#include "sparse.h"

#include <math.h>
#include <stdlib.h>

#include "mem.h"

void ps_sparse_free(ps_sparse *s)
{
    free(s->item);
    free(s->off);
    free(s->index);
    free(s->value);
    ps_head_free(&s->head);
    *s = (ps_sparse){0};
}

uint64_t ps_sparse_find(const ps_sparse *s, uint64_t item)
{
    if (!s->item)
        return item < s->n ? item : PS_NONE;
    uint64_t lo = 0, hi = s->n;
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (s->item[mid] == item)
            return mid;
        if (s->item[mid] < item)
            lo = mid + 1;
        else
            hi = mid;
    }
    return PS_NONE;
}

/* ---- from records ---- */

/* The records of one item: first .. first + count - 1. */
typedef struct {
    uint64_t item, first, count;
} group;

static const uint8_t *record(const ps_table *t, uint64_t i)
{
    return t->records + i * t->head.size;
}

static int find_groups(const ps_table *t, uint64_t items, group **groups, size_t *n)
{
    size_t cap = 0;
    for (uint64_t i = 0; i < t->count; i++) {
        uint64_t item = ps_num(record(t, i), t->head.width);
        if (*n > 0 && (*groups)[*n - 1].item == item) {
            (*groups)[*n - 1].count++;
            continue;
        }
        if (items > 0 && item >= items)
            return ps_fail(PS_EDATA, "%s: record %llu: item %llu is out of range: there are %llu", t->name,
                           (unsigned long long)i, (unsigned long long)item, (unsigned long long)items);
        if (ps_grow(groups, &cap, *n + 1, sizeof **groups) < 0)
            return PS_EMEM;
        (*groups)[(*n)++] = (group){item, i, 1};
    }
    return 0;
}

static int by_item(const void *a, const void *b)
{
    const group *x = a, *y = b;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

typedef struct {
    uint32_t index;
    float value;
} entry;

static int by_index(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

/* Appends the group's entries, sorted, to the row that ends at `at`. */
static int take_group(ps_sparse *s, const ps_table *t, const group *g, uint64_t at, entry *scratch)
{
    for (uint64_t i = 0; i < g->count; i++) {
        const uint8_t *p = record(t, g->first + i) + t->head.width;
        scratch[i] = (entry){ps_get32(p), ps_getf32(p + 4)};
        if (!isfinite(scratch[i].value))
            return ps_fail(PS_EDATA, "%s: record %llu: the value is not finite", t->name,
                           (unsigned long long)(g->first + i));
        if (scratch[i].index >= s->dim)
            return ps_fail(PS_EDATA, "%s: record %llu: index %u, but the header says there are %u", t->name,
                           (unsigned long long)(g->first + i), scratch[i].index, s->dim);
    }
    qsort(scratch, g->count, sizeof *scratch, by_index);
    for (uint64_t i = 0; i < g->count; i++) {
        if (i > 0 && scratch[i].index == scratch[i - 1].index)
            return ps_fail(PS_EDATA, "%s: item %llu has index %u twice", t->name, (unsigned long long)g->item,
                           scratch[i].index);
        s->index[at + i] = scratch[i].index;
        s->value[at + i] = scratch[i].value;
    }
    return 0;
}

static int take_rows(ps_sparse *s, const ps_table *t, uint64_t items, const group *groups, size_t n)
{
    uint64_t longest = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        longest = groups[i].count > longest ? groups[i].count : longest;
    s->n = items > 0 ? items : n;
    s->off = ps_zalloc(s->n + 1, sizeof *s->off);
    s->index = ps_alloc(t->count, sizeof *s->index);
    s->value = ps_alloc(t->count, sizeof *s->value);
    s->item = items > 0 ? NULL : ps_alloc(n, sizeof *s->item);
    entry *scratch = ps_alloc(longest, sizeof *scratch);
    int rc = s->off && s->index && s->value && (s->item || items > 0) && scratch ? 0 : PS_EMEM;
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (i > 0 && groups[i].item == groups[i - 1].item) {
            rc = ps_fail(PS_EDATA, "%s: record %llu: item %llu again: each item's records must stand together",
                         t->name, (unsigned long long)groups[i].first, (unsigned long long)groups[i].item);
            break;
        }
        uint64_t row = items > 0 ? groups[i].item : i;
        if (s->item)
            s->item[row] = groups[i].item;
        rc = take_group(s, t, &groups[i], at, scratch);
        at += groups[i].count;
        s->off[row + 1] = groups[i].count;
    }
    for (uint64_t row = 0; row < s->n && rc == 0; row++)
        s->off[row + 1] += s->off[row];
    free(scratch);
    return rc;
}

int ps_sparse_take(ps_sparse *s, const ps_table *t, uint64_t items)
{
    *s = (ps_sparse){.dim = t->head.dim};
    group *groups = NULL;
    size_t n = 0;
    int rc = find_groups(t, items, &groups, &n);
    if (rc == 0) {
        if (n > 1)
            qsort(groups, n, sizeof *groups, by_item);
        rc = take_rows(s, t, items, groups, n);
    }
    free(groups);
    if (rc == 0) {
        s->head = t->head;
        s->head.history = NULL;
        rc = ps_head_inherit(&s->head, &t->head);
    }
    if (rc < 0)
        ps_sparse_free(s);
    return rc;
}

/* ---- from a graph's boards ---- */

/* log(items / items on the board); parallel edges are one item. */
static float *inverse_frequency(const ps_graph *g)
{
    float *idf = ps_alloc(g->boards.nodes, sizeof *idf);
    if (!idf)
        return NULL;
    for (uint64_t b = 0; b < g->boards.nodes; b++) {
        const uint32_t *adj = g->boards.adj + g->boards.off[b];
        uint64_t degree = ps_degree(&g->boards, b), distinct = 0;
        for (uint64_t i = 0; i < degree; i++)
            distinct += i == 0 || adj[i] != adj[i - 1];
        idf[b] = distinct ? (float)log((double)g->items.nodes / (double)distinct) : 0;
    }
    return idf;
}

/* Row of item u at `at`: its number of entries. */
static uint64_t board_row(ps_sparse *s, const ps_graph *g, const float *idf, uint64_t u, uint64_t at)
{
    uint64_t n = 0;
    double squares = 0;
    for (uint64_t e = g->items.off[u]; e < g->items.off[u + 1]; e++) {
        uint32_t board = g->items.adj[e];
        float value = idf[board] * (g->items.weight ? g->items.weight[e] : 1);
        if (n > 0 && s->index[at + n - 1] == board) {
            s->value[at + n - 1] += value;
            continue;
        }
        s->index[at + n] = board;
        s->value[at + n++] = value;
    }
    for (uint64_t i = 0; i < n; i++)
        squares += (double)s->value[at + i] * s->value[at + i];
    for (uint64_t i = 0; i < n && squares > 0; i++)
        s->value[at + i] = (float)(s->value[at + i] / sqrt(squares));
    return n;
}

static int board_head(ps_sparse *s, const ps_graph *g)
{
    s->head = ps_head_make(PS_SPARSE, s->dim);
    s->head.qspace = PS_ITEMS;
    s->head.nspace = PS_BOARDS;
    s->head.graph = g->fingerprint;
    return ps_head_lines(&s->head, (ps_str){g->history, g->history_len});
}

int ps_sparse_boards(ps_sparse *s, const ps_graph *g)
{
    *s = (ps_sparse){0};
    int rc = ps_graph_check(g); /* all of it is about to be read */
    if (rc < 0)
        return rc;
    s->n = g->items.nodes;
    s->dim = (uint32_t)g->boards.nodes;
    float *idf = inverse_frequency(g);
    s->off = ps_zalloc(s->n + 1, sizeof *s->off);
    s->index = ps_alloc(g->edges, sizeof *s->index);
    s->value = ps_alloc(g->edges, sizeof *s->value);
    rc = idf && s->off && s->index && s->value ? board_head(s, g) : PS_EMEM;
    for (uint64_t u = 0; u < s->n && rc == 0; u++)
        s->off[u + 1] = s->off[u] + board_row(s, g, idf, u, s->off[u]);
    free(idf);
    if (rc < 0)
        ps_sparse_free(s);
    return rc;
}

int ps_sparse_open(ps_sparse *s, const char *path, uint64_t graph, uint64_t items)
{
    ps_table table;
    memset(s, 0, sizeof *s);
    int rc = ps_table_open(&table, path, PS_SPARSE);
    if (rc < 0)
        return rc;
    rc = ps_head_match(&table.head, table.name, graph);
    if (rc == 0)
        rc = ps_sparse_take(s, &table, items);
    ps_table_close(&table);
    return rc;
}
