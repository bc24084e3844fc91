#include "embed_out.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "tool.h"
#include "vectors.h"

/* Embeddings of length 1 are within this scale; of others only their largest element tells. */
static int range_known(const ps_model *model)
{
    return model->shape.normalize && !model->shape.bias;
}

int ps_embed_head_make(ps_head *head, const ps_model *model, const ps_head *from, const ps_embed_form *form)
{
    char favour[32] = "";
    *head = ps_head_make(PS_VECTORS, ps_embedding_dim(&model->shape));
    if (form->favour != 0 && !model->shape.bias)
        return ps_fail(PS_EMATCH, "--favour adds to the item bias, and the model has none");
    if (form->favour != 0)
        (void)snprintf(favour, sizeof favour, " favour=%g", form->favour);
    head->elem = form->elem;
    head->width = from->width;
    head->qspace = from->qspace;
    head->graph = from->graph;
    head->flags = model->shape.bias ? PS_FLAG_BIAS : 0;
    if (form->elem == PS_I8)
        head->scale = range_known(model) ? ps_elem_scale(1) : 0; /* 0: not yet known */
    int rc = ps_head_size(head);
    if (rc == 0)
        rc = ps_head_inherit(head, from);
    return rc < 0 ? rc
                  : ps_head_note(head, "psembed %s model=%08x%s%s%s", PS_VERSION, model->crc, form->bf16 ? " bf16" : "",
                                 form->skip_missing ? " skip" : "", favour);
}

static int begin(ps_embed_out *o)
{
    o->writer = ps_writer_new(o->out, &o->head);
    return o->writer ? 0 : PS_ESYS;
}

int ps_embed_out_open(ps_embed_out *o, ps_out *out, ps_head *head, const char *dir)
{
    *o = (ps_embed_out){.out = out, .head = *head, .held = {.fd = -1}};
    *head = (ps_head){0};
    o->record = ps_alloc(o->head.size, 1);
    o->row = ps_alloc(o->head.dim, sizeof *o->row);
    if (!o->record || !o->row)
        return PS_EMEM;
    return o->head.scale > 0 ? begin(o) : ps_temp_open(&o->held, dir);
}

static int write_row(ps_embed_out *o, uint64_t item)
{
    const ps_head *h = &o->head;
    const size_t elem = ps_elem_size(h->elem);
    uint8_t *p = o->record + h->width;
    ps_put_num(o->record, h->width, item);
    for (uint32_t j = 0; j < h->dim && h->elem == PS_F32; j++)
        ps_putf32(p + 4 * j, o->row[j]);
    for (uint32_t j = 0; j < h->dim && h->elem != PS_F32; j++, p += elem) {
        ps_elem_put(p, h->elem, h->scale, o->row[j]);
        double off = fabs((double)ps_elem_get(p, h->elem, h->scale) - (double)o->row[j]);
        o->error = off > o->error ? off : o->error;
    }
    return ps_writer_put(o->writer, o->record, 1);
}

int ps_embed_out_put(ps_embed_out *o, uint64_t item, const ps_real *z)
{
    const uint32_t d = o->head.dim;
    for (uint32_t j = 0; j < d; j++)
        o->row[j] = (float)z[j];
    if (o->favour != 0)
        o->row[d - 1] += o->favour;
    if (!ps_all_finite(o->row, d))
        return ps_fail(PS_EDATA,
                       "the embedding of item %llu is not finite: the model's parameters or the features are "
                       "too large",
                       (unsigned long long)item);
    if (o->held.fd < 0)
        return write_row(o, item);
    for (uint32_t j = 0; j < d; j++)
        o->largest = fmaxf(o->largest, fabsf(o->row[j]));
    const uint64_t size = sizeof item + d * sizeof *o->row, at = o->held_n++ * size;
    int rc = ps_temp_write(&o->held, at, &item, sizeof item);
    return rc < 0 ? rc : ps_temp_write(&o->held, at + sizeof item, o->row, d * sizeof *o->row);
}

int ps_embed_out_copy(ps_embed_out *o, const uint8_t *records, size_t n)
{
    return ps_writer_put(o->writer, records, n);
}

static int write_held(ps_embed_out *o)
{
    const size_t d = o->head.dim, size = sizeof(uint64_t) + d * sizeof *o->row;
    o->head.scale = ps_elem_scale(o->largest);
    int rc = begin(o);
    for (uint64_t i = 0; i < o->held_n && rc == 0; i++) {
        uint64_t item;
        rc = ps_temp_read(&o->held, i * size, &item, sizeof item);
        if (rc == 0)
            rc = ps_temp_read(&o->held, i * size + sizeof item, o->row, d * sizeof *o->row);
        if (rc == 0)
            rc = write_row(o, item);
    }
    return rc;
}

int ps_embed_out_end(ps_embed_out *o)
{
    int rc = o->held.fd >= 0 ? write_held(o) : 0;
    if (rc < 0)
        return rc;
    ps_writer *w = o->writer;
    o->writer = NULL;
    return ps_writer_close(w);
}

void ps_embed_out_free(ps_embed_out *o)
{
    if (o->writer)
        ps_writer_abort(o->writer);
    if (o->record)
        ps_temp_close(&o->held);
    ps_head_free(&o->head);
    free(o->record);
    free(o->row);
    *o = (ps_embed_out){.held = {.fd = -1}};
}
