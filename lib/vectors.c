#include "vectors.h"

#include <math.h>
#include <stdlib.h>

#include "mem.h"
#include "rng.h"

static const uint8_t *raw_row(const ps_vectors *v, uint64_t i)
{
    return v->table.records + i * v->head.size + (size_t)v->head.width;
}

static int convert(ps_vectors *v)
{
    size_t elem = ps_elem_size(v->head.elem);
    v->own = ps_alloc(v->n * v->d, sizeof *v->own);
    if (!v->own)
        return PS_EMEM;
    for (uint64_t i = 0; i < v->n; i++)
        for (uint32_t j = 0; j < v->d; j++)
            v->own[i * v->d + j] = ps_elem_get(raw_row(v, i) + j * elem, v->head.elem, v->head.scale);
    return 0;
}

static int check_finite(const ps_vectors *v)
{
    for (uint64_t i = 0; i < v->n; i++) {
        const float *row = ps_vectors_row(v, i);
        float sum = 0; /* NaN and infinity survive a product with 0 */
        for (uint32_t j = 0; j < v->d; j++)
            sum += row[j] * 0.0f;
        if (sum == 0)
            continue;
        for (uint32_t j = 0; j < v->d; j++)
            if (!isfinite(row[j]))
                return ps_fail(PS_EDATA, "%s: record %llu, element %u: %s", v->table.name, (unsigned long long)i, j,
                               isnan(row[j]) ? "NaN" : "infinity");
    }
    return 0;
}

/* Most streams hold item i in row i; any other order gets a hash. */
static int index_items(ps_vectors *v)
{
    uint64_t i = 0;
    while (i < v->n && ps_vectors_item(v, i) == i)
        i++;
    v->in_order = i == v->n;
    if (v->in_order)
        return 0;
    for (v->slots = 16; v->slots < 2 * v->n; v->slots *= 2)
        ;
    v->slot_id = ps_alloc(v->slots, sizeof *v->slot_id);
    v->slot_row = ps_alloc(v->slots, sizeof *v->slot_row);
    if (!v->slot_id || !v->slot_row)
        return PS_EMEM;
    memset(v->slot_id, 0xff, v->slots * sizeof *v->slot_id);
    for (i = 0; i < v->n; i++) {
        uint64_t id = ps_vectors_item(v, i), at = ps_mix64(id) & (v->slots - 1);
        for (; v->slot_id[at] != PS_NONE; at = (at + 1) & (v->slots - 1))
            if (v->slot_id[at] == id)
                return ps_fail(PS_EDATA, "%s: record %llu: item %llu again (first in record %llu)", v->table.name,
                               (unsigned long long)i, (unsigned long long)id, (unsigned long long)v->slot_row[at]);
        v->slot_id[at] = id;
        v->slot_row[at] = i;
    }
    return 0;
}

int ps_vectors_open(ps_vectors *v, const char *path, uint64_t graph)
{
    ps_table table;
    memset(v, 0, sizeof *v);
    int rc = ps_table_open(&table, path, PS_VECTORS);
    return rc < 0 ? rc : ps_vectors_take(v, &table, graph);
}

int ps_vectors_take(ps_vectors *v, ps_table *table, uint64_t graph)
{
    memset(v, 0, sizeof *v);
    v->table = *table;
    memset(table, 0, sizeof *table);
    v->head = v->table.head;
    v->n = v->table.count;
    v->d = v->head.dim;
    v->has_bias = v->head.flags & PS_FLAG_BIAS;
    int rc = ps_head_match(&v->head, v->table.name, graph);
    if (rc == 0 && v->head.flags & PS_FLAG_SUMS)
        rc = ps_fail(PS_EKIND, "%s: holds partial sums (of psembed --scatter), but vectors are needed here", v->table.name);
    /* In place only where the rows are aligned floats. */
    if (rc == 0 && (v->head.elem != PS_F32 || (uintptr_t)v->table.records % 4 != 0))
        rc = convert(v);
    if (rc == 0)
        rc = check_finite(v);
    if (rc == 0)
        rc = index_items(v);
    if (rc < 0)
        ps_vectors_close(v);
    return rc;
}

void ps_vectors_close(ps_vectors *v)
{
    ps_table_close(&v->table);
    free(v->own);
    free(v->slot_id);
    free(v->slot_row);
    memset(v, 0, sizeof *v);
}

const float *ps_vectors_row(const ps_vectors *v, uint64_t i)
{
    return v->own ? v->own + i * v->d : (const float *)(const void *)raw_row(v, i);
}

uint64_t ps_vectors_item(const ps_vectors *v, uint64_t i)
{
    return ps_num(v->table.records + i * v->head.size, v->head.width);
}

uint64_t ps_vectors_find(const ps_vectors *v, uint64_t item)
{
    if (v->in_order)
        return item < v->n ? item : PS_NONE;
    for (uint64_t at = ps_mix64(item) & (v->slots - 1); v->slot_id[at] != PS_NONE; at = (at + 1) & (v->slots - 1))
        if (v->slot_id[at] == item)
            return v->slot_row[at];
    return PS_NONE;
}
