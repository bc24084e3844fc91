/* view_flow.c - from records to an output: slices, order, element types, forms; of view.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "rec_head.h"
#include "vectors.h"
#include "view.h"

static int is_export(const ps_flow *f)
{
    return f->o.form == PS_FORM_NPY || f->o.form == PS_FORM_NPZ || f->o.form == PS_FORM_WORD2VEC;
}

/* Nothing can be written before the last record is there. */
static int must_hold(const ps_flow *f)
{
    return f->o.sort || is_export(f) || (f->to.elem == PS_I8 && f->from.elem != PS_I8);
}

static int begin_output(ps_flow *f)
{
    f->printer = (ps_printer){
        .head = &f->to, .graph = f->o.graph, .json = f->o.form == PS_FORM_JSON, .wide = f->o.wide};
    if (f->o.form != PS_FORM_RECORDS)
        return 0;
    f->writer = ps_writer_new(f->out, &f->to);
    return f->writer ? 0 : PS_ESYS;
}

int ps_flow_head(ps_flow *f, const ps_head *h, const char *stream)
{
    if (f->from.kind)
        return ps_head_same(&f->from, h)
                   ? 0
                   : ps_fail(PS_EKIND, "%s: its kind, shape or graph is not that of the stream before", stream);
    if ((f->o.elem || is_export(f)) && h->kind != PS_VECTORS)
        return ps_fail(PS_EKIND, "%s: holds %s: only vectors %s", stream, ps_kind_name(h->kind),
                       f->o.elem ? "have an element type" : "can be had in this form");
    ps_elem elem = is_export(f) ? PS_F32 : f->o.elem ? f->o.elem : h->elem;
    f->from = f->to = *h;
    f->from.history = f->to.history = NULL;
    f->to.count = PS_COUNT_UNKNOWN;
    f->to.elem = elem;
    f->to.scale = elem == h->elem ? h->scale : 1;
    int rc = ps_head_inherit(&f->from, h);
    if (rc == 0)
        rc = ps_head_inherit(&f->to, h);
    if (rc == 0 && f->o.note)
        rc = ps_head_note(&f->to, "%s", f->o.note);
    if (rc == 0)
        rc = ps_head_size(&f->to);
    if (rc < 0)
        return rc;
    f->name = strdup(stream);
    f->line = ps_alloc(f->to.size, 1);
    if (!f->name || !f->line)
        return ps_fail(PS_EMEM, "out of memory");
    return must_hold(f) ? 0 : begin_output(f);
}

/* The record with elements of the type that was asked for. */
static int convert(ps_flow *f, const uint8_t **record, const char *stream, uint64_t number)
{
    const ps_head *from = &f->from, *to = &f->to;
    if (from->elem == to->elem)
        return 0;
    const size_t w = (size_t)from->width, a = ps_elem_size(from->elem), b = ps_elem_size(to->elem);
    memcpy(f->line, *record, w);
    for (uint32_t j = 0; j < to->dim; j++) {
        float v = ps_elem_get(*record + w + j * a, from->elem, from->scale);
        ps_elem_put(f->line + w + j * b, to->elem, to->scale, v);
        if (!isfinite(ps_elem_get(f->line + w + j * b, to->elem, to->scale)))
            return ps_fail(PS_EDATA, "%s: record %llu, element %u: %g is too large for %s", stream,
                           (unsigned long long)number, j, (double)v, ps_elem_name(to->elem));
    }
    *record = f->line;
    return 0;
}

static int emit(ps_flow *f, const uint8_t *record, const char *stream, uint64_t number)
{
    int rc = convert(f, &record, stream, number);
    if (rc < 0)
        return rc;
    if (f->o.form == PS_FORM_RECORDS)
        return ps_writer_put(f->writer, record, 1);
    if (is_export(f))
        return ps_export_put(f, record);
    return ps_print_record(&f->printer, f->out, record);
}

/* ---- the records that are held back, in order ---- */

static uint64_t second_number(const ps_head *h, const uint8_t *p)
{
    switch (h->kind) {
    case PS_EDGES:
    case PS_VISITS:
    case PS_PAIRS: return ps_num(p + h->width, h->width);
    case PS_SPARSE: return ps_get32(p + h->width);
    default: return 0;
    }
}

static void sort_key(const void *ctx, const uint8_t *record, uint64_t key[2])
{
    const ps_flow *f = ctx;
    key[0] = f->o.sort ? ps_num(record, f->from.width) : 0; /* else they stay as they are */
    key[1] = f->o.sort ? second_number(&f->from, record) : 0;
}

/* Behind it goes its number, for messages. */
static int hold(ps_flow *f, const uint8_t *record, uint64_t number)
{
    const ps_head *h = &f->from;
    const size_t w = (size_t)h->width, elem = ps_elem_size(h->elem);
    if (!f->held && !(f->held = ps_sort_new(h->size + sizeof number, sort_key, f, f->o.memory, f->o.dir)))
        return PS_EMEM;
    if (!f->holding && !(f->holding = ps_alloc(h->size + sizeof number, 1)))
        return PS_EMEM;
    for (uint32_t j = 0; f->to.elem == PS_I8 && h->elem != PS_I8 && j < h->dim; j++)
        f->largest = fmaxf(f->largest, fabsf(ps_elem_get(record + w + j * elem, h->elem, h->scale)));
    memcpy(f->holding, record, h->size);
    memcpy(f->holding + h->size, &number, sizeof number);
    return ps_sort_put(f->held, f->holding);
}

int ps_flow_put(ps_flow *f, const uint8_t *record, const char *stream, uint64_t number)
{
    int rc = ps_rules_record(&f->from, f->o.graph, record, stream, number);
    if (rc < 0)
        return rc;
    if (f->seen++ < f->o.skip || (f->o.take && f->taken >= f->o.take))
        return 0;
    f->taken++;
    if (f->o.form == PS_FORM_COUNT)
        return 0;
    if (!must_hold(f))
        return emit(f, record, stream, number);
    return hold(f, record, number);
}

static int release_held(ps_flow *f)
{
    const uint8_t *record;
    int rc = f->held ? ps_sort_end(f->held) : 0, more = f->held != NULL;
    if (f->to.elem == PS_I8 && f->from.elem != PS_I8)
        f->to.scale = ps_elem_scale(f->largest);
    if (rc == 0)
        rc = is_export(f) ? ps_export_begin(f) : begin_output(f);
    while (rc == 0 && more && (more = ps_sort_next(f->held, &record)) > 0) {
        uint64_t number;
        memcpy(&number, record + f->from.size, sizeof number);
        rc = emit(f, record, f->name, number);
    }
    if (rc == 0 && is_export(f))
        rc = more < 0 ? more : ps_export_end(f);
    return rc < 0 ? rc : more;
}

int ps_flow_end(ps_flow *f)
{
    int rc = f->from.kind && must_hold(f) ? release_held(f) : 0;
    if (rc == 0 && f->writer) {
        rc = ps_writer_close(f->writer);
        f->writer = NULL;
    }
    if (rc == 0 && f->o.form == PS_FORM_COUNT)
        rc = ps_out_printf(f->out, "%llu\n", (unsigned long long)f->taken);
    return rc;
}

void ps_flow_free(ps_flow *f)
{
    ps_writer_abort(f->writer);
    ps_head_free(&f->from);
    ps_head_free(&f->to);
    ps_sort_free(f->held);
    free(f->holding);
    free(f->line);
    free(f->name);
    free(f->id);
    *f = (ps_flow){0};
}
