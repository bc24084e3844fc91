#include "once.h"

#include <stdlib.h>

#include "mem.h"

int ps_once_add(ps_once *o, uint64_t number)
{
    ps_span *last = o->n > 0 ? &o->span[o->n - 1] : NULL;
    if (last && last->last < UINT64_MAX && number == last->last + 1) {
        last->last = number;
        return 0;
    }
    if (ps_grow(&o->span, &o->cap, o->n + 1, sizeof *o->span) < 0)
        return PS_EMEM;
    o->span[o->n++] = (ps_span){number, number};
    return 0;
}

static int by_first(const void *a, const void *b)
{
    const ps_span *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

int ps_once_twice(ps_once *o, uint64_t *twice)
{
    size_t i = 1;
    while (i < o->n && o->span[i - 1].last < o->span[i].first)
        i++;
    if (i >= o->n)
        return 0;
    qsort(o->span, o->n, sizeof *o->span, by_first);
    for (i = 1; i < o->n; i++)
        if (o->span[i].first <= o->span[i - 1].last) {
            *twice = o->span[i].first;
            return 1;
        }
    return 0;
}

void ps_once_free(ps_once *o)
{
    free(o->span);
    *o = (ps_once){0};
}
