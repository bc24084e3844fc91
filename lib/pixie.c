#include "pixie.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

struct ps_pixie {
    const ps_graph *g;
    ps_walker *walker;
    uint64_t steps, most, walked;
    ps_member *member;
    uint64_t *keys, *spare;
    ps_scored *scored, *ranked;
    size_t member_cap, keys_cap, spare_cap, scored_cap, ranked_cap;
};

uint64_t ps_pixie_most(const ps_graph *g)
{
    uint64_t most = 0;
    for (uint64_t u = 0; u < g->items.nodes; u++)
        if (ps_degree(&g->items, u) > most && ps_degree(&g->items, u) <= g->edges)
            most = ps_degree(&g->items, u);
    return most;
}

static double scaled(const ps_member *m, uint64_t most)
{
    return m->degree ? m->weight * (double)m->degree * ((double)most - log((double)m->degree)) : 0;
}

void ps_pixie_share(ps_member *m, size_t n, uint64_t steps, uint64_t most, uint64_t *spare)
{
    double sum = 0;
    uint64_t left = steps;
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        sum += scaled(&m[i], most);
        m[i].steps = 0;
    }
    if (!(sum > 0))
        return;
    for (size_t i = 0; i < n; i++) {
        double s = scaled(&m[i], most), exact = (double)steps * (s / sum), whole = floor(exact);
        if (!(s > 0))
            continue;
        m[i].steps = (uint64_t)whole;
        left -= m[i].steps;
        spare[k++] = (uint64_t) ~(uint32_t)((exact - whole) * 0x1p32) << 32 | i;
    }
    const uint64_t *order = ps_radix_sort(spare, spare + n, k, 0);
    for (size_t i = 0; k > 0 && left > 0; i = (i + 1) % k, left--)
        m[order[i] & UINT32_MAX].steps++;
}

size_t ps_pixie_boost(uint64_t *keys, uint64_t *spare, size_t n, ps_scored *out)
{
    const uint64_t *sorted = ps_radix_sort(keys, spare, n, 32);
    size_t items = 0;
    for (size_t i = 0; i < n; items++) {
        const uint32_t item = (uint32_t)(sorted[i] >> 32);
        size_t first = i;
        double roots = 0;
        for (; i < n && sorted[i] >> 32 == item; i++)
            roots += sqrt((double)(uint32_t)sorted[i]);
        /* The square of one square root would not always be the count again. */
        double score = i - first == 1 ? (double)(uint32_t)sorted[first] : roots * roots;
        out[items] = (ps_scored){item, (float)score};
    }
    return items;
}

ps_pixie *ps_pixie_new(const ps_graph *g, ps_walker *walker, const ps_walk_options *o, uint64_t most)
{
    ps_pixie *p = ps_zalloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->g = g;
    p->walker = walker;
    p->steps = o->steps;
    p->most = most;
    return p;
}

void ps_pixie_free(ps_pixie *p)
{
    if (!p)
        return;
    free(p->member);
    free(p->keys);
    free(p->spare);
    free(p->scored);
    free(p->ranked);
    free(p);
}

uint64_t ps_pixie_steps(const ps_pixie *p)
{
    return p->walked;
}

/* Equal items by weight, so that their sum does not depend on the order they came in. */
static int by_item(const void *a, const void *b)
{
    const ps_member *x = a, *y = b;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    return (x->weight > y->weight) - (x->weight < y->weight);
}

/* The members by item, each once.  Their number. */
static long make_members(ps_pixie *p, const uint64_t *items, const float *weights, size_t n)
{
    size_t kept = 0;
    if (ps_grow(&p->member, &p->member_cap, n, sizeof *p->member) < 0)
        return PS_EMEM;
    for (size_t i = 0; i < n; i++) {
        if (items[i] >= p->g->items.nodes)
            return ps_fail(PS_EDATA, "%s: no item %llu: it has only %llu", p->g->name, (unsigned long long)items[i],
                           (unsigned long long)p->g->items.nodes);
        if (!(weights[i] >= 0) || !isfinite(weights[i]))
            return ps_fail(PS_EDATA, "item %llu of a set has weight %g: it must be finite and not negative",
                           (unsigned long long)items[i], (double)weights[i]);
        p->member[i] = (ps_member){items[i], (double)weights[i], ps_degree(&p->g->items, items[i]), 0};
    }
    if (n > 0)
        qsort(p->member, n, sizeof *p->member, by_item);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && p->member[kept - 1].item == p->member[i].item)
            p->member[kept - 1].weight += p->member[i].weight;
        else
            p->member[kept++] = p->member[i];
    }
    return (long)kept;
}

/* Best score first, then by item; scored items and members both come by item. */
static long rank(ps_pixie *p, size_t scored, size_t members, int flags, size_t top, const ps_scored **list)
{
    const float most = 0x1.fffffep31f; /* the largest below 2^32 */
    size_t m = 0, n = 0;
    for (size_t i = 0; i < scored; i++) {
        const ps_scored *s = &p->scored[i];
        float score = s->score;
        uint32_t bits;
        while (m < members && p->member[m].item < s->item)
            m++;
        if ((flags & PS_PIXIE_LEAVE_OUT) && m < members && p->member[m].item == s->item)
            continue;
        if (flags & PS_PIXIE_WHOLE)
            score = score < most ? rintf(score) : most;
        memcpy(&bits, &score, sizeof bits); /* positive floats order as their bits do */
        p->keys[n++] = (uint64_t)~bits << 32 | s->item;
    }
    if (top && top < n) {
        ps_select_smallest(p->keys, p->spare, n, top);
        n = top;
    }
    const uint64_t *sorted = ps_radix_sort(p->keys, p->spare, n, 0);
    if (ps_grow(&p->ranked, &p->ranked_cap, n, sizeof *p->ranked) < 0)
        return PS_EMEM;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = ~(uint32_t)(sorted[i] >> 32);
        p->ranked[i].item = (uint32_t)sorted[i];
        memcpy(&p->ranked[i].score, &bits, sizeof bits);
    }
    *list = p->ranked;
    return (long)n;
}

long ps_pixie_rank(ps_pixie *p, const uint64_t *items, const float *weights, size_t n, int flags, size_t top,
                   const ps_scored **list)
{
    size_t keys = 0;
    p->walked = 0;
    long members = make_members(p, items, weights, n);
    if (members < 0)
        return members;
    if (ps_grow(&p->spare, &p->spare_cap, 2 * (size_t)members, sizeof *p->spare) < 0)
        return PS_EMEM;
    ps_pixie_share(p->member, (size_t)members, p->steps, p->most, p->spare);
    for (long i = 0; i < members; i++) {
        int rc = ps_walker_collect(p->walker, p->member[i].item, p->member[i].steps, &p->keys, &p->keys_cap, &keys);
        if (rc < 0)
            return rc;
        p->walked += ps_walker_steps(p->walker);
    }
    if (ps_grow(&p->spare, &p->spare_cap, keys, sizeof *p->spare) < 0 ||
        ps_grow(&p->scored, &p->scored_cap, keys, sizeof *p->scored) < 0)
        return PS_EMEM;
    size_t scored = ps_pixie_boost(p->keys, p->spare, keys, p->scored);
    return rank(p, scored, (size_t)members, flags, top, list);
}
