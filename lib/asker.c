#include "asker.h"

#include <stdlib.h>

#include "mem.h"

static int open_vectors(ps_asker *a)
{
    int rc = ps_knn_open(&a->from, a->o.vectors, a->o.in.graph, 0);
    if (rc < 0)
        return rc;
    a->head = a->from.head;
    a->space = a->from.head->qspace;
    a->total = a->from.n;
    return ps_knn_suits(a->knn, &a->from);
}

static int open_queries(ps_asker *a)
{
    a->in = ps_queries_open(&a->o.in);
    if (!a->in)
        return PS_EDATA;
    a->head = ps_queries_head(a->in);
    a->space = ps_queries_space(a->in);
    a->total = a->o.in.all ? a->o.in.graph->items.nodes : 0;
    return a->head ? ps_head_match(a->head, "<stdin>", a->knn->head->graph) : 0;
}

int ps_asker_open(ps_asker *a, const ps_asker_options *o, const ps_knn *knn)
{
    *a = (ps_asker){.o = *o, .knn = knn};
    int rc = o->vectors ? open_vectors(a) : open_queries(a);
    return rc < 0 || !o->seen ? rc : ps_seen_read(&a->seen, o->seen, o->in.graph, knn);
}

void ps_asker_close(ps_asker *a)
{
    ps_queries_close(a->in);
    ps_knn_close(&a->from);
    ps_query_batch_free(&a->batch);
    ps_asks_free(&a->asks);
    ps_seen_free(&a->seen);
    free(a->id);
    free(a->row);
    free(a->weight);
    *a = (ps_asker){0};
}

uint64_t ps_asker_unknown(const ps_asker *a)
{
    return a->in ? ps_queries_skipped(a->in) : 0;
}

/* A member without a vector: an error, or skipped. */
static int no_vector(ps_asker *a, uint64_t item)
{
    char buf[32];
    if (a->o.in.skip_unknown) {
        a->skipped++;
        return 0;
    }
    if (!a->o.in.graph)
        return ps_fail(PS_EMATCH, "%s: item %llu has no vector there (-u skips such queries)", a->knn->name,
                       (unsigned long long)item);
    const ps_str name = ps_graph_name(a->o.in.graph, PS_ITEMS, item, buf);
    return ps_fail(PS_EMATCH, "%s: item '%.*s' has no vector there (-u skips such queries)", a->knn->name,
                   (int)name.len, name.s);
}

static int add_row(ps_asker *a, size_t n, uint64_t row, float weight)
{
    if (ps_grow(&a->row, &a->row_cap, n + 1, sizeof *a->row) < 0 ||
        ps_grow(&a->weight, &a->weight_cap, n + 1, sizeof *a->weight) < 0)
        return PS_EMEM;
    a->row[n] = row;
    a->weight[n] = weight;
    return 0;
}

/* A query of the first n rows.  Those from `left_out` to `end`, and what it has seen besides, are not to be found. */
static int ask(ps_asker *a, uint64_t id, const ps_knn *from, size_t n, size_t left_out, size_t end)
{
    const uint64_t *seen;
    const size_t more = ps_seen_of(&a->seen, id, &seen);
    int rc = 0;
    for (size_t i = 0; i < more && rc == 0; i++)
        rc = add_row(a, end++, seen[i], 0);
    if (rc < 0 || ps_grow(&a->id, &a->id_cap, a->asks.n + 1, sizeof *a->id) < 0)
        return PS_EMEM;
    a->id[a->asks.n] = id;
    return ps_asks_add(&a->asks, &a->o.how, a->knn, from, n, a->row, a->weight, end - left_out, a->row + left_out);
}

/* Query i of the batch that was read: the members first, then what is but seen. */
static int item_query(ps_asker *a, size_t i)
{
    const ps_query_batch *b = &a->batch;
    size_t n = 0, seen = 0;
    int rc = 0;
    for (size_t m = b->off[i]; m < b->off[i + 1] && rc == 0; m++) {
        const uint64_t row = b->weight[m] > 0 ? ps_knn_find(a->knn, b->item[m]) : PS_NONE;
        if (row != PS_NONE)
            rc = add_row(a, n++, row, b->weight[m]);
        else if (b->weight[m] > 0)
            rc = no_vector(a, b->item[m]);
    }
    for (size_t m = b->off[i]; m < b->off[i + 1] && rc == 0; m++) {
        const uint64_t row = b->weight[m] > 0 ? PS_NONE : ps_knn_find(a->knn, b->item[m]);
        if (row != PS_NONE)
            rc = add_row(a, n + seen++, row, 0);
    }
    if (rc < 0 || (a->space != PS_PLAIN && n == 0))
        return rc;
    return ask(a, b->id[i], a->knn, n, 0, n + seen);
}

static int vector_query(ps_asker *a, uint64_t row)
{
    const uint64_t item = ps_knn_item(&a->from, row);
    /* The same number is the same item only if both number items. */
    const int items = a->space == PS_ITEMS && a->knn->head->qspace == PS_ITEMS;
    const uint64_t self = items ? ps_knn_find(a->knn, item) : PS_NONE;
    int rc = add_row(a, 0, row, 1);
    if (rc == 0 && self != PS_NONE)
        rc = add_row(a, 1, self, 0);
    return rc < 0 ? rc : ask(a, item, &a->from, 1, 1, self != PS_NONE ? 2 : 1);
}

int ps_asker_next(ps_asker *a, size_t max)
{
    int rc = 0;
    ps_asks_clear(&a->asks);
    if (!a->in) {
        for (; a->asks.n < max && a->done < a->from.n && rc == 0; a->done++)
            rc = vector_query(a, a->done);
        return rc < 0 ? rc : a->asks.n > 0;
    }
    /* Where each member of a set makes a search, no more sets at once than make so many. */
    const size_t part = a->o.how.merge ? 1 : max, searches = PS_ASKER_MEMBERS * max;
    size_t all = 0;
    for (long n = (long)part; n == (long)part && all < max && a->asks.q.n < searches && rc == 0; all += (size_t)n) {
        n = ps_queries_next(a->in, &a->batch, part);
        if (n < 0)
            return (int)n;
        for (long i = 0; i < n && rc == 0; i++)
            rc = item_query(a, (size_t)i);
        a->done += (uint64_t)n;
    }
    return rc < 0 ? rc : all > 0;
}
