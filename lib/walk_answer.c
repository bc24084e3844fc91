#include "walk_answer.h"

#include "mem.h"

uint8_t *ps_answer_more(ps_answer *a, const ps_head *head, size_t n)
{
    if (n > SIZE_MAX / PS_REC_SIZE_MAX - a->n) {
        ps_fail(PS_EMEM, "out of memory: %zu records", n);
        return NULL;
    }
    if (ps_grow(&a->records, &a->cap, (a->n + n) * head->size, 1) < 0)
        return NULL;
    a->n += n;
    return a->records + (a->n - n) * head->size;
}

static void put_entry(uint8_t **p, int width, uint64_t item, float score)
{
    ps_put_num(*p, width, item);
    ps_putf32(*p + width, score);
    *p += width + 4;
}

static void put_visit(uint8_t *p, int width, uint64_t query, uint64_t item, uint32_t count)
{
    ps_put_num(p, width, query);
    ps_put_num(p + width, width, item);
    ps_put32(p + 2 * width, count);
}

/* Fills up the record whose next entry would stand at p. */
static void pad_entries(uint8_t *p, const ps_head *head, uint32_t used)
{
    for (; used < head->dim; used++)
        put_entry(&p, head->width, PS_NONE, 0);
}

int ps_answer_visits(ps_answer *a, const ps_head *head, uint64_t query, const ps_visit *v, size_t n)
{
    uint8_t *p = ps_answer_more(a, head, n > 0 ? n : 1);
    if (!p)
        return PS_EMEM;
    if (n == 0)
        put_visit(p, head->width, query, query, 0);
    for (size_t i = 0; i < n; i++, p += head->size)
        put_visit(p, head->width, query, v[i].item, v[i].count);
    return 0;
}

int ps_answer_hits(ps_answer *a, const ps_head *head, uint64_t query, const ps_visit *v, size_t n, uint64_t steps)
{
    uint8_t *p = ps_answer_more(a, head, 1);
    uint32_t i = 0;
    if (!p)
        return PS_EMEM;
    ps_put_num(p, head->width, query);
    p += head->width;
    for (; i < n && i < head->dim; i++)
        put_entry(&p, head->width, v[i].item, (float)((double)v[i].count / (double)steps));
    pad_entries(p, head, i);
    return 0;
}

int ps_answer_paths(ps_answer *a, const ps_head *head, uint64_t query, ps_walker *walker)
{
    const uint32_t *path;
    long n = ps_walker_paths(walker, query, head->dim, &path);
    if (n < 0)
        return (int)n;
    a->steps += ps_walker_steps(walker);
    uint8_t *p = ps_answer_more(a, head, n > 0 ? (size_t)n : 1);
    if (!p)
        return PS_EMEM;
    for (long row = 0; row < n || row == 0; row++) {
        ps_put32(p, (uint32_t)query);
        for (uint32_t i = 0; i < head->dim; i++)
            ps_put32(p + 4 + 4 * (size_t)i, n > 0 ? *path++ : UINT32_MAX);
        p += head->size;
    }
    return 0;
}

int ps_answer_set_visits(ps_answer *a, const ps_head *head, uint64_t set, const ps_scored *s, size_t n)
{
    uint8_t *p = n > 0 ? ps_answer_more(a, head, n) : NULL;
    if (n > 0 && !p)
        return PS_EMEM;
    for (size_t i = 0; i < n; i++, p += head->size)
        put_visit(p, head->width, set, s[i].item, (uint32_t)s[i].score);
    return 0;
}

int ps_answer_set_hits(ps_answer *a, const ps_head *head, uint64_t set, const ps_scored *s, size_t n, uint64_t steps)
{
    uint8_t *p = ps_answer_more(a, head, 1);
    uint32_t i = 0;
    if (!p)
        return PS_EMEM;
    ps_put_num(p, head->width, set);
    p += head->width;
    for (; i < n && i < head->dim; i++)
        put_entry(&p, head->width, s[i].item, (float)((double)s[i].score / (double)steps));
    pad_entries(p, head, i);
    return 0;
}
