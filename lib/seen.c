#include "seen.h"

#include <stdlib.h>

#include "mem.h"

typedef struct {
    uint64_t query, row;
} pair;

static int by_query(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    if (x->query != y->query)
        return x->query < y->query ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static int read_pairs(ps_reader *r, const ps_graph *g, const ps_knn *knn, pair **pairs, size_t *n)
{
    const int w = ps_reader_head(r)->width;
    const uint8_t *p;
    size_t cap = 0;
    long got = 0;
    int rc = ps_head_match(ps_reader_head(r), ps_reader_name(r), knn->head->graph);
    while (rc == 0 && (got = ps_reader_next(r, &p, 1)) > 0) {
        const uint64_t item = ps_num(p + w, w), row = ps_knn_find(knn, item);
        rc = g ? ps_graph_in_range(g, PS_ITEMS, item, ps_reader_name(r), ps_reader_count(r) - 1) : 0;
        if (rc == 0 && row != PS_NONE) {
            rc = ps_grow(pairs, &cap, *n + 1, sizeof **pairs);
            if (rc == 0)
                (*pairs)[(*n)++] = (pair){ps_num(p, w), row};
        }
    }
    return rc < 0 ? rc : (int)got;
}

int ps_seen_read(ps_seen *s, const char *path, const ps_graph *g, const ps_knn *knn)
{
    pair *pairs = NULL;
    size_t n = 0;
    ps_reader *r = ps_reader_open(path, PS_PAIRS);
    int rc = r ? read_pairs(r, g, knn, &pairs, &n) : PS_EDATA;
    ps_reader_close(r);
    if (rc == 0 && n > 0) {
        qsort(pairs, n, sizeof *pairs, by_query);
        s->query = ps_alloc(n, sizeof *s->query);
        s->row = ps_alloc(n, sizeof *s->row);
        rc = s->query && s->row ? 0 : PS_EMEM;
    }
    for (size_t i = 0; i < n && rc == 0; i++) {
        s->query[i] = pairs[i].query;
        s->row[i] = pairs[i].row;
    }
    s->n = rc == 0 ? n : 0;
    free(pairs);
    return rc;
}

/* The first pair whose query is not below `query`. */
static size_t first_of(const ps_seen *s, uint64_t query)
{
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (s->query[mid] < query)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

size_t ps_seen_of(const ps_seen *s, uint64_t query, const uint64_t **row)
{
    const size_t from = first_of(s, query);
    size_t end = from;
    while (end < s->n && s->query[end] == query)
        end++;
    *row = s->n > 0 ? s->row + from : NULL;
    return end - from;
}

void ps_seen_free(ps_seen *s)
{
    free(s->query);
    free(s->row);
    *s = (ps_seen){0};
}
