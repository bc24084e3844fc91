#include "embed_stream.h"

#include <math.h>
#include <string.h>

#include "tool.h"

enum { MANY = 256 }; /* records read at a time */

ps_cursor ps_cursor_on(ps_reader *r, int ascends)
{
    return (ps_cursor){.r = r, .head = ps_reader_head(r), .ascends = ascends};
}

/* 1; 0 at the end. */
int ps_cursor_next(ps_cursor *c)
{
    const uint64_t last = c->item;
    if (c->left > 0)
        c->p += c->head->size;
    else if ((c->left = ps_reader_next(c->r, &c->p, MANY)) <= 0)
        return c->ended = 1, (int)c->left;
    c->left--;
    c->item = ps_num(c->p, c->head->width);
    c->number += (uint64_t)c->begun;
    if (c->begun && c->ascends && (c->item < last || (c->item == last && c->ascends == 2)))
        return ps_fail(PS_EDATA, "%s: record %llu: item %llu after %llu: not in order (psview --raw -S sorts)",
                       ps_reader_name(c->r), (unsigned long long)c->number, (unsigned long long)c->item,
                       (unsigned long long)last);
    c->begun = 1;
    return 1;
}

int ps_cursor_vector(const ps_cursor *c, ps_real *to)
{
    const ps_head *h = c->head;
    const size_t elem = ps_elem_size(h->elem);
    for (uint32_t j = 0; j < h->dim; j++) {
        float v = ps_elem_get(c->p + h->width + j * elem, h->elem, h->scale);
        if (!isfinite(v))
            return ps_fail(PS_EDATA, "%s: record %llu, element %u is not finite", ps_reader_name(c->r),
                           (unsigned long long)c->number, j);
        to[j] = (ps_real)v;
    }
    return 0;
}

int ps_flow_check(const ps_reader *r, uint32_t dim, int flags)
{
    const ps_head *h = ps_reader_head(r);
    if ((h->flags & PS_FLAG_SUMS) != flags)
        return ps_fail(PS_EKIND, "%s: %s", ps_reader_name(r),
                       flags ? "sums (of --scatter) are needed here" : "holds sums, but vectors are needed here");
    return h->dim == dim ? 0
                         : ps_fail(PS_EMATCH, "%s: vectors of %u elements, but %u are needed here", ps_reader_name(r),
                                   h->dim, dim);
}

int ps_cursor_drain(ps_cursor *c)
{
    int rc = 0;
    while (!c->ended && rc >= 0)
        rc = ps_cursor_next(c);
    return rc < 0 ? rc : 0;
}

int ps_flow_head_of(ps_head *head, const ps_embedding *e, const ps_head *from, const char *what, uint32_t k)
{
    *head = ps_head_make(PS_VECTORS, e->model->shape.m);
    head->width = from->width;
    head->qspace = from->qspace;
    head->graph = from->graph;
    int rc = ps_head_size(head);
    if (rc == 0)
        rc = ps_head_inherit(head, from);
    return rc < 0 ? rc
                  : ps_head_note(head, "psembed %s %s=%u model=%08x%s", PS_VERSION, what, k, e->model->crc,
                                 e->bf16 ? " bf16" : "");
}

/* ---- sums ---- */

void ps_sum_add(double *to, const double *from, size_t m, int max)
{
    to[PS_SUM_PRESENT] += from[PS_SUM_PRESENT];
    to[PS_SUM_MISSING] += from[PS_SUM_MISSING];
    for (size_t j = PS_SUM_FIRST; j < PS_SUM_FIRST + m; j++)
        to[j] = !max ? to[j] + from[j] : from[j] > to[j] ? from[j] : to[j];
}

void ps_sum_read(const ps_cursor *c, double *numbers)
{
    const uint8_t *p = c->p + c->head->width;
    for (uint32_t j = 0; j < c->head->dim / 2; j++, p += 8)
        numbers[j] = (double)ps_getf32(p) + (double)ps_getf32(p + 4);
}

int ps_sum_write(const ps_head *head, ps_writer *w, uint8_t *record, uint64_t item, const double *numbers)
{
    uint8_t *p = record + head->width;
    ps_put_num(record, head->width, item);
    for (uint32_t j = 0; j < head->dim / 2; j++, p += 8) {
        if (!(numbers[j] < PS_SUM_LIMIT))
            return ps_fail(PS_EDATA,
                           "item %llu: a sum of projections is %g, and must be below %g: scale the features down",
                           (unsigned long long)item, numbers[j], PS_SUM_LIMIT);
        float high = (float)numbers[j];
        ps_putf32(p, high);
        ps_putf32(p + 4, (float)(numbers[j] - (double)high));
    }
    return ps_writer_put(w, record, 1);
}
