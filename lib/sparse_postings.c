/* sparse_postings.c - the inverted index of sparse.h. */
#include <stdlib.h>

#include "mem.h"
#include "sparse.h"

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Number of the index among those that occur, or `terms`. */
static uint64_t find_term(const ps_postings *p, uint32_t index)
{
    uint64_t lo = 0, hi = p->terms;
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (p->term[mid] < index)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < p->terms && p->term[lo] == index ? lo : p->terms;
}

/* Neither the header's dimension nor the largest index may size anything: the distinct indices do. */
static int collect_terms(ps_postings *p, const ps_sparse *s)
{
    uint64_t n = s->off[s->n];
    p->term = ps_alloc(n, sizeof *p->term);
    if (!p->term)
        return PS_EMEM;
    if (n == 0)
        return 0;
    memcpy(p->term, s->index, n * sizeof *p->term);
    qsort(p->term, n, sizeof *p->term, by_number);
    for (uint64_t i = 0; i < n; i++)
        if (i == 0 || p->term[i] != p->term[i - 1])
            p->term[p->terms++] = p->term[i];
    return 0;
}

int ps_postings_make(ps_postings *p, const ps_sparse *s)
{
    *p = (ps_postings){0};
    uint64_t n = s->off[s->n];
    if (s->n >= UINT32_MAX)
        return ps_fail(PS_EDATA, "%llu sparse rows: the most is 2^32 - 2", (unsigned long long)s->n);
    int rc = collect_terms(p, s);
    p->off = rc == 0 ? ps_zalloc(p->terms + 2, sizeof *p->off) : NULL;
    p->row = rc == 0 ? ps_alloc(n, sizeof *p->row) : NULL;
    p->value = rc == 0 ? ps_alloc(n, sizeof *p->value) : NULL;
    if (!p->off || !p->row || !p->value) {
        ps_postings_free(p);
        return PS_EMEM;
    }
    /* off[t + 2] counts, then off[t + 1] is where the next posting of t goes. */
    for (uint64_t i = 0; i < n; i++)
        p->off[find_term(p, s->index[i]) + 2]++;
    for (uint64_t t = 2; t <= p->terms; t++)
        p->off[t] += p->off[t - 1];
    for (uint64_t row = 0; row < s->n; row++)
        for (uint64_t i = s->off[row]; i < s->off[row + 1]; i++) {
            uint64_t at = p->off[find_term(p, s->index[i]) + 1]++;
            p->row[at] = (uint32_t)row;
            p->value[at] = s->value[i];
        }
    return 0;
}

void ps_postings_free(ps_postings *p)
{
    free(p->term);
    free(p->off);
    free(p->row);
    free(p->value);
    *p = (ps_postings){0};
}

void ps_postings_score(const ps_postings *p, size_t count, const uint32_t *index, const float *value, float *score)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t t = find_term(p, index[i]);
        if (t == p->terms)
            continue;
        for (uint64_t at = p->off[t]; at < p->off[t + 1]; at++)
            score[p->row[at]] += value[i] * p->value[at];
    }
}
