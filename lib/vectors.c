#include "vectors.h"

#include <math.h>
#include <stdlib.h>

#include "mem.h"
#include "rng.h"
#include "temp.h"

static const uint8_t *raw_row(const ps_vectors *v, uint64_t i)
{
    return v->table.records + i * v->head.size + (size_t)v->head.width;
}

/* ---- rows of another type, or not aligned, as floats ---- */

static void convert_rows(const ps_vectors *v, uint64_t first, uint64_t n, float *to)
{
    const size_t elem = ps_elem_size(v->head.elem);
    for (uint64_t i = first; i < first + n; i++, to += v->d)
        for (uint32_t j = 0; j < v->d; j++)
            to[j] = ps_elem_get(raw_row(v, i) + j * elem, v->head.elem, v->head.scale);
    ps_table_rest(&v->table, first, n);
}

static int convert_to_file(ps_vectors *v, const char *dir)
{
    const uint64_t piece = ps_table_piece(&v->table), bytes = v->d * sizeof *v->own;
    float *rows = ps_alloc(piece * v->d, sizeof *rows);
    ps_temp file = {.fd = -1};
    int rc = rows ? ps_temp_open(&file, dir) : PS_EMEM;
    for (uint64_t i = 0; i < v->n && rc == 0; i += piece) {
        uint64_t n = v->n - i < piece ? v->n - i : piece;
        convert_rows(v, i, n, rows);
        rc = ps_temp_write(&file, i * bytes, rows, n * bytes);
    }
    if (rc == 0)
        rc = ps_blob_map_open(&v->converted, file.fd, v->n * bytes, dir);
    v->own = (float *)(uintptr_t)v->converted.data;
    ps_temp_close(&file);
    free(rows);
    return rc;
}

static int convert(ps_vectors *v, ps_spill *spill)
{
    const uint64_t bytes = v->n * v->d * sizeof *v->own;
    if (spill && bytes > spill->memory / 2)
        return convert_to_file(v, spill->dir);
    v->own = ps_alloc(v->n * v->d, sizeof *v->own);
    if (!v->own)
        return PS_EMEM;
    convert_rows(v, 0, v->n, v->own);
    if (spill)
        spill->memory -= bytes;
    return 0;
}

/* ---- what the rows are ---- */

static int check_finite(const ps_vectors *v, uint64_t i)
{
    const float *row = ps_vectors_row(v, i);
    if (ps_all_finite(row, v->d))
        return 0;
    for (uint32_t j = 0; j < v->d; j++)
        if (!isfinite(row[j]))
            return ps_fail(PS_EDATA, "%s: record %llu, element %u: %s", v->table.name, (unsigned long long)i, j,
                           isnan(row[j]) ? "NaN" : "infinity");
    return 0;
}

/* One pass over all rows: are they finite, and does row i hold item i, as it does in most streams? */
static int look_at(ps_vectors *v)
{
    const uint64_t piece = ps_table_piece(&v->table);
    int rc = 0;
    v->in_order = 1;
    for (uint64_t i = 0; i < v->n && rc == 0; i++) {
        rc = check_finite(v, i);
        v->in_order &= ps_vectors_item(v, i) == i;
        if ((i + 1) % piece == 0)
            ps_vectors_rest(v, i + 1 - piece, piece);
    }
    return rc;
}

/* Any other order gets a hash. */
static int index_items(ps_vectors *v)
{
    uint64_t i;
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

static int take(ps_vectors *v, ps_table *table, uint64_t graph, ps_spill *spill)
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
        rc = ps_fail(PS_EKIND, "%s: holds partial sums (of psembed --scatter), but vectors are needed here",
                     v->table.name);
    /* In place only where the rows are aligned floats. */
    if (rc == 0 && (v->head.elem != PS_F32 || (uintptr_t)v->table.records % 4 != 0))
        rc = convert(v, spill);
    if (rc == 0)
        rc = look_at(v);
    if (rc == 0)
        rc = index_items(v);
    if (rc < 0)
        ps_vectors_close(v);
    return rc;
}

int ps_vectors_open(ps_vectors *v, const char *path, uint64_t graph)
{
    return ps_vectors_open_within(v, path, graph, NULL);
}

int ps_vectors_open_within(ps_vectors *v, const char *path, uint64_t graph, ps_spill *spill)
{
    ps_table table;
    memset(v, 0, sizeof *v);
    int rc = ps_table_open_within(&table, path, PS_VECTORS, spill);
    return rc < 0 ? rc : take(v, &table, graph, spill);
}

int ps_vectors_take(ps_vectors *v, ps_table *table, uint64_t graph)
{
    return take(v, table, graph, NULL);
}

void ps_vectors_close(ps_vectors *v)
{
    ps_table_close(&v->table);
    if (v->converted.data)
        ps_blob_close(&v->converted);
    else
        free(v->own);
    free(v->slot_id);
    free(v->slot_row);
    memset(v, 0, sizeof *v);
}

void ps_vectors_rest(const ps_vectors *v, uint64_t first, uint64_t n)
{
    const uint64_t last = n < v->n - first ? first + n : v->n, bytes = v->d * sizeof *v->own;
    ps_table_rest(&v->table, first, n);
    ps_blob_rest(&v->converted, first * bytes, last * bytes);
}

const float *ps_vectors_row(const ps_vectors *v, uint64_t i)
{
    return v->own ? v->own + i * v->d : (const float *)(const void *)raw_row(v, i);
}

int ps_vectors_stride(const ps_vectors *v, size_t *ld)
{
    *ld = v->own ? v->d : v->head.size / sizeof *v->own;
    return v->own || v->head.size % sizeof *v->own == 0;
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
