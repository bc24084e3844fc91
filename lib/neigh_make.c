/* neigh_make.c - neighbourhoods from visits or walks: the first half of neigh.h. */
#include <stdlib.h>

#include "mem.h"
#include "neigh.h"
#include "once.h"
#include "tool.h"

typedef struct {
    ps_reader *r;
    ps_writer *w;
    const ps_head *head;
    ps_visits visits;
    uint64_t query; /* whose visits are being counted, PS_NONE: none yet */
    ps_once queries;
    uint8_t *record;
} maker;

void ps_neighbours_put(uint8_t *record, const ps_head *head, uint64_t node, const ps_visit *visits, size_t n)
{
    const int w = head->width;
    uint64_t sum = 0;
    uint32_t used = 0;
    uint8_t *p = record + w;
    for (size_t i = 0; i < n && used < head->dim; i++)
        if (visits[i].item != node) {
            sum += visits[i].count;
            used++;
        }
    ps_put_num(record, w, node);
    for (uint32_t i = 0; i < used; visits++)
        if (visits->item != node) {
            ps_put_num(p, w, visits->item);
            ps_putf32(p + w, (float)((double)visits->count / (double)sum));
            p += w + 4;
            i++;
        }
    for (uint32_t i = used; i < head->dim; i++, p += w + 4) {
        ps_put_num(p, w, PS_NONE);
        ps_putf32(p + w, 0);
    }
}

int ps_neighbours_note(ps_head *head)
{
    return ps_head_note(head, "psneigh %s T=%u", PS_VERSION, head->dim);
}

int ps_neighbours_head(ps_head *head, const ps_reader *r, uint32_t neighbours)
{
    const ps_head *from = ps_reader_head(r);
    *head = ps_head_make(PS_NEIGHBOURS, neighbours);
    if (from->kind != PS_VISITS && from->kind != PS_WALKS)
        return ps_fail(PS_EKIND, "%s: holds %s, but visits or walks are needed here", ps_reader_name(r),
                       ps_kind_title(from->kind));
    if (from->qspace != from->nspace)
        return ps_fail(PS_EKIND, "%s: its queries are not items (visits of sets?): only an item has neighbours",
                       ps_reader_name(r));
    head->width = from->width;
    head->qspace = from->qspace;
    head->nspace = from->nspace;
    head->graph = from->graph;
    int rc = ps_head_size(head);
    if (rc == 0)
        rc = ps_head_inherit(head, from);
    return rc < 0 ? rc : ps_neighbours_note(head);
}

static int finish_query(maker *m)
{
    const ps_visit *list;
    if (m->query == PS_NONE)
        return 0;
    const uint32_t self = m->query < UINT32_MAX ? (uint32_t)m->query : UINT32_MAX;
    long n = ps_visits_top(&m->visits, self, m->head->dim, &list);
    if (n < 0)
        return (int)n;
    ps_neighbours_put(m->record, m->head, m->query, list, (size_t)n);
    ps_visits_clear(&m->visits);
    return ps_writer_put(m->w, m->record, 1);
}

static int bad(const maker *m, const uint8_t *p, const char *why)
{
    return ps_fail(PS_EDATA, "%s: query %llu: %s", ps_reader_name(m->r),
                   (unsigned long long)ps_num(p, ps_reader_head(m->r)->width), why);
}

static int count(maker *m, const uint8_t *p, uint64_t item, uint32_t times)
{
    uint32_t total;
    if (item >= UINT32_MAX)
        return bad(m, p, item == PS_NONE ? "a visit of no item" : "an item number of more than 32 bits");
    int rc = ps_visits_add(&m->visits, (uint32_t)item, times, &total);
    return rc < 0 ? ps_fail_in(rc, ps_reader_name(m->r)) : 0;
}

static int add_walk(maker *m, const uint8_t *p)
{
    const ps_head *h = ps_reader_head(m->r);
    const int w = h->width;
    int ended = 0, rc = 0;
    for (uint32_t i = 1; i <= h->dim && rc == 0; i++) {
        uint64_t item = ps_num(p + (size_t)i * (size_t)w, w);
        if (item == PS_NONE)
            ended = 1;
        else
            rc = ended ? bad(m, p, "a step after the padding") : count(m, p, item, 1);
    }
    return rc;
}

static int add_record(maker *m, const uint8_t *p)
{
    const ps_head *h = ps_reader_head(m->r);
    const int w = h->width;
    uint64_t query = ps_num(p, w);
    if (query != m->query) {
        int rc = finish_query(m);
        if (rc < 0)
            return rc;
        m->query = query;
        rc = ps_once_add(&m->queries, query);
        if (rc < 0)
            return rc;
    }
    if (h->kind == PS_WALKS)
        return add_walk(m, p);
    uint32_t times = ps_get32(p + 2 * w);
    return times > 0 ? count(m, p, ps_num(p + w, w), times) : 0;
}

/* An item has one record. */
static int check_once(ps_once *queries, const char *stream)
{
    uint64_t twice;
    if (!ps_once_twice(queries, &twice))
        return 0;
    return ps_fail(PS_EDATA,
                   "%s: query %llu comes again after others: an item has one neighbourhood (psview --raw -S sorts)",
                   stream, (unsigned long long)twice);
}

int ps_neighbours_make(ps_reader *r, ps_writer *w, const ps_head *head, void (*progress)(uint64_t))
{
    maker m = {.r = r, .w = w, .head = head, .query = PS_NONE, .record = ps_alloc(head->size, 1)};
    int rc = m.record ? 0 : PS_EMEM;
    while (rc == 0) {
        const uint8_t *p;
        long n = ps_reader_next(r, &p, 4096);
        if (n <= 0) {
            rc = (int)n;
            break;
        }
        for (long i = 0; i < n && rc == 0; i++, p += ps_reader_head(r)->size)
            rc = add_record(&m, p);
        if (progress)
            progress(ps_reader_count(r));
    }
    if (rc == 0)
        rc = finish_query(&m);
    if (rc == 0)
        rc = check_once(&m.queries, ps_reader_name(r));
    ps_once_free(&m.queries);
    ps_visits_free(&m.visits);
    free(m.record);
    return rc;
}
