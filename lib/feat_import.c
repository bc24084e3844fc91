#include "feat_import.h"

#include <stdlib.h>
#include <string.h>

#include "feat_names.h"
#include "mem.h"

/* ---- .npy ---- */

typedef struct {
    ps_feat_npy *m;
    const char *path;
    uint64_t taken;
} name_list;

static int name_line(void *ctx, uint64_t item, uint64_t line, ps_str rest)
{
    name_list *l = ctx;
    const ps_npy *npy = &l->m->npy;
    (void)rest;
    if (line >= npy->rows)
        return ps_fail(PS_EMATCH, "%s: line %llu: %s has only %llu rows", l->path, (unsigned long long)line + 1,
                       npy->name, (unsigned long long)npy->rows);
    l->m->row[item] = line;
    l->taken++;
    return 0;
}

int ps_feat_npy_names(ps_feat_npy *m, const char *path, const ps_graph *g, uint64_t *skipped)
{
    const uint64_t items = g->items.nodes, before = skipped ? *skipped : 0;
    m->row = ps_alloc(items, sizeof *m->row);
    if (!m->row)
        return PS_EMEM;
    memset(m->row, 0xff, items * sizeof *m->row);
    name_list l = {.m = m, .path = path};
    int rc = ps_feat_lines(path, g, skipped, NULL, name_line, &l);
    uint64_t lines = l.taken + (skipped ? *skipped - before : 0);
    if (rc == 0 && lines != m->npy.rows)
        rc = ps_fail(PS_EMATCH, "%s: %llu names for the %llu rows of %s", path, (unsigned long long)lines,
                     (unsigned long long)m->npy.rows, m->npy.name);
    return rc;
}

/* The row's item, PS_NONE if the graph has none of that name or number. */
static uint64_t own_item(const ps_npy *a, const ps_graph *g, uint64_t row)
{
    if (a->text && g->item_names.n > 0) {
        const char *name = a->text + row * a->name_size;
        return ps_graph_find(g, PS_ITEMS, (ps_str){name, strlen(name)});
    }
    return a->ids && a->ids[row] < g->items.nodes ? a->ids[row] : PS_NONE;
}

int ps_feat_npy_own(ps_feat_npy *m, const ps_graph *g, uint64_t *skipped)
{
    const ps_npy *a = &m->npy;
    for (uint64_t i = 0; !g && i < a->rows; i++)
        if (a->ids && a->ids[i] != i)
            return ps_fail(PS_EMATCH, "%s: row %llu is item %llu: -g GRAPH is needed to know the others", a->name,
                           (unsigned long long)i, (unsigned long long)a->ids[i]);
    if (!g)
        return 0;
    m->row = ps_alloc(g->items.nodes, sizeof *m->row);
    if (!m->row)
        return PS_EMEM;
    memset(m->row, 0xff, g->items.nodes * sizeof *m->row);
    for (uint64_t i = 0; i < a->rows; i++) {
        const uint64_t item = own_item(a, g, i);
        if (item == PS_NONE && skipped) {
            ++*skipped;
            continue;
        }
        if (item == PS_NONE)
            return ps_fail(PS_EMATCH, "%s: row %llu: %s has no such item (-u skips such rows)", a->name,
                           (unsigned long long)i, g->name);
        if (m->row[item] != PS_NONE)
            return ps_fail(PS_EDATA, "%s: rows %llu and %llu are the same item", a->name,
                           (unsigned long long)m->row[item], (unsigned long long)i);
        m->row[item] = i;
    }
    return 0;
}

void ps_feat_npy_close(ps_feat_npy *m)
{
    ps_npy_close(&m->npy);
    free(m->row);
    m->row = NULL;
}

void ps_feat_npy_fill(const void *ctx, uint64_t item, float *out)
{
    const ps_feat_npy *m = ctx;
    uint64_t at = m->row ? m->row[item] : item;
    if (at == PS_NONE)
        memset(out, 0, m->npy.cols * sizeof *out);
    else
        ps_npy_row(&m->npy, at, out);
}

/* ---- vectors ---- */

static int check_items(const ps_feat_join *j, uint64_t n)
{
    const char *name = j->v.table.name;
    if (j->v.head.qspace == PS_BOARDS)
        return ps_fail(PS_EKIND, "%s: vectors of boards, not of items", name);
    if (j->v.n != n)
        return ps_fail(PS_EMATCH, "%s: vectors of %llu items where there are %llu: the item sets must be equal", name,
                       (unsigned long long)j->v.n, (unsigned long long)n);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t item = j->order ? ps_vectors_item(j->order, i) : i;
        if (ps_vectors_find(&j->v, item) == PS_NONE)
            return ps_fail(PS_EMATCH, "%s: no vector of item %llu: the item sets must be equal", name,
                           (unsigned long long)item);
    }
    return 0;
}

int ps_feat_join_open(ps_feat_join *j, const char *path, uint64_t fingerprint, const ps_vectors *order, uint64_t n)
{
    j->order = order;
    int rc = ps_vectors_open(&j->v, path, fingerprint);
    if (rc == 0)
        rc = check_items(j, order == &j->v ? j->v.n : n);
    return rc;
}

void ps_feat_join_close(ps_feat_join *j)
{
    ps_vectors_close(&j->v);
}

void ps_feat_join_fill(const void *ctx, uint64_t row, float *out)
{
    const ps_feat_join *j = ctx;
    uint64_t at = ps_vectors_find(&j->v, j->order ? ps_vectors_item(j->order, row) : row);
    memcpy(out, ps_vectors_row(&j->v, at), j->v.d * sizeof *out);
}
