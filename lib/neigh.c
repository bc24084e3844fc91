#include "neigh.h"

#include <math.h>
#include <stdlib.h>

#include "mem.h"
#include "rng.h"

static const uint8_t *record_at(const ps_neighbours *t, uint64_t i)
{
    return t->table.records + i * t->head.size;
}

static uint64_t item_at(const ps_neighbours *t, uint64_t i)
{
    return ps_num(record_at(t, i), t->head.width);
}

static int broken(const ps_head *head, const uint8_t *record, const char *name, uint64_t i, const char *why)
{
    return ps_fail(PS_EDATA, "%s: record %llu (item %llu): %s", name, (unsigned long long)i,
                   (unsigned long long)ps_num(record, head->width), why);
}

static int bad(const ps_neighbours *t, uint64_t i, const char *why)
{
    return broken(&t->head, record_at(t, i), t->table.name, i, why);
}

/* Whether v is one of the first n neighbours. */
static int is_among(const uint8_t *p, size_t n, int w, uint64_t v)
{
    for (size_t j = 0; j < n; j++, p += w + 4)
        if (ps_num(p, w) == v)
            return 1;
    return 0;
}

int ps_neighbours_check(const ps_head *head, const uint8_t *record, const char *name, uint64_t i, uint64_t items)
{
    const int w = head->width;
    const uint8_t *p = record + w;
    uint64_t seen[4] = {0}; /* bits of the numbers so far: most are the first with theirs */
    double sum = 0;
    int ended = 0;
    for (uint32_t j = 0; j < head->dim; j++, p += w + 4) {
        uint64_t v = ps_num(p, w);
        float weight = ps_getf32(p + w);
        if (v == PS_NONE) {
            ended = 1;
            continue;
        }
        if (ended)
            return broken(head, record, name, i, "a neighbour after padding");
        if (v >= items)
            return ps_fail(PS_EDATA, "%s: record %llu: neighbour %llu, but there are only %llu items", name,
                           (unsigned long long)i, (unsigned long long)v, (unsigned long long)items);
        if (!(weight > 0) || !isfinite(weight))
            return broken(head, record, name, i, "a weight that is not positive and finite");
        sum += (double)weight;
        const uint64_t hash = v * 0x9e3779b97f4a7c15u >> 56, bit = (uint64_t)1 << hash % 64;
        if (seen[hash / 64] & bit && is_among(record + w, j, w, v))
            return ps_fail(PS_EDATA, "%s: record %llu (item %llu): neighbour %llu twice", name, (unsigned long long)i,
                           (unsigned long long)ps_num(record, w), (unsigned long long)v);
        seen[hash / 64] |= bit;
    }
    return sum == 0 || fabs(sum - 1) < 1e-3 ? 0 : broken(head, record, name, i, "the weights do not sum to 1");
}

static int check_record(const ps_neighbours *t, uint64_t i, uint64_t items)
{
    return item_at(t, i) < items ? ps_neighbours_check(&t->head, record_at(t, i), t->table.name, i, items)
                                 : bad(t, i, "the graph has no such item");
}

/* One pass over all records: are they whole, and does record i hold item i, as it does in most streams? */
static int look_at(ps_neighbours *t, uint64_t items)
{
    const uint64_t piece = ps_table_piece(&t->table);
    int rc = 0;
    t->in_order = 1;
    for (uint64_t i = 0; i < t->n && rc == 0; i++) {
        rc = check_record(t, i, items);
        t->in_order &= item_at(t, i) == i;
        if ((i + 1) % piece == 0)
            ps_neighbours_rest(t, i + 1 - piece, piece);
    }
    return rc;
}

/* Any other order gets a hash. */
static int index_items(ps_neighbours *t)
{
    uint64_t i;
    if (t->in_order)
        return 0;
    if (t->n >= UINT32_MAX)
        return ps_fail(PS_EDATA, "%s: more records than there can be items", t->table.name);
    for (t->slots = 16; t->slots < 2 * t->n; t->slots *= 2)
        ;
    t->slot = ps_zalloc(t->slots, sizeof *t->slot);
    if (!t->slot)
        return PS_EMEM;
    for (i = 0; i < t->n; i++) {
        uint64_t at = ps_mix64(item_at(t, i)) & (t->slots - 1);
        for (; t->slot[at]; at = (at + 1) & (t->slots - 1))
            if (item_at(t, t->slot[at] - 1) == item_at(t, i))
                return bad(t, i, "this item has a record already");
        t->slot[at] = (uint32_t)i + 1;
    }
    return 0;
}

int ps_neighbours_open(ps_neighbours *t, const char *path, uint64_t graph, uint64_t items)
{
    return ps_neighbours_open_within(t, path, graph, items, NULL);
}

int ps_neighbours_open_within(ps_neighbours *t, const char *path, uint64_t graph, uint64_t items, ps_spill *spill)
{
    memset(t, 0, sizeof *t);
    int rc = ps_table_open_within(&t->table, path, PS_NEIGHBOURS, spill);
    if (rc < 0)
        return rc;
    t->head = t->table.head;
    t->n = t->table.count;
    t->dim = t->head.dim;
    if (items == 0 || items > UINT32_MAX)
        items = UINT32_MAX;
    rc = ps_head_match(&t->head, t->table.name, graph);
    if (rc == 0)
        rc = look_at(t, items);
    if (rc == 0)
        rc = index_items(t);
    if (rc < 0)
        ps_neighbours_close(t);
    return rc;
}

void ps_neighbours_rest(const ps_neighbours *t, uint64_t first, uint64_t n)
{
    ps_table_rest(&t->table, first, n);
}

void ps_neighbours_close(ps_neighbours *t)
{
    ps_table_close(&t->table);
    free(t->slot);
    memset(t, 0, sizeof *t);
}

static uint64_t find(const ps_neighbours *t, uint64_t item)
{
    if (t->in_order)
        return item < t->n ? item : PS_NONE;
    for (uint64_t at = ps_mix64(item) & (t->slots - 1); t->slot[at]; at = (at + 1) & (t->slots - 1))
        if (item_at(t, t->slot[at] - 1) == item)
            return t->slot[at] - 1;
    return PS_NONE;
}

size_t ps_neighbours_get(const ps_neighbours *t, uint64_t item, uint32_t *items, float *weights)
{
    const int w = t->head.width;
    uint64_t i = find(t, item);
    if (i == PS_NONE)
        return 0;
    const uint8_t *p = record_at(t, i) + w;
    uint32_t n = 0;
    for (; n < t->dim && ps_num(p, w) != PS_NONE; n++, p += w + 4) {
        items[n] = (uint32_t)ps_num(p, w);
        weights[n] = ps_getf32(p + w);
    }
    return n;
}
