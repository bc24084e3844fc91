#include "embed_filter.h"

#include "tool.h"

int ps_embed_steps(const ps_embed_step *s)
{
    return s->invert + (s->project > 0) + (s->scatter != NULL) + (s->gather > 0);
}

static int scatter(const ps_embed_step *s, const ps_embedding *e, ps_reader *in, ps_out *out)
{
    ps_reader *pairs = ps_reader_open(s->scatter, PS_PAIRS);
    int rc = pairs ? ps_embed_scatter(e, in, pairs, out) : PS_EDATA;
    ps_reader_close(pairs);
    return rc;
}

static int check_gather(const ps_embed_step *s, const ps_shape *shape)
{
    const int needs = shape->bypass && s->gather == shape->layers && s->gather > 1;
    if (!s->own)
        return ps_usage_error("--gather needs -x VECTORS, those of the layer below");
    if (needs && !s->features)
        return ps_usage_error("--gather needs --features VECTORS: the model has a bypass");
    if (!needs && s->features)
        return ps_usage_error("--features is for the last of several convolutions of a model with a bypass");
    return 0;
}

static int gather(const ps_embed_step *s, const ps_embedding *e, const ps_embed_form *form, ps_reader *in, ps_out *out)
{
    int rc = check_gather(s, &e->model->shape);
    if (rc < 0)
        return rc;
    ps_reader *own = ps_reader_open(s->own, PS_VECTORS),
              *x = s->features ? ps_reader_open(s->features, PS_VECTORS) : NULL;
    ps_embed_out to = {.held = {.fd = -1}};
    ps_head head = {0};
    rc = own && (x || !s->features) ? ps_embed_gather_head(&head, e, ps_reader_head(own), s->gather, form) : PS_EDATA;
    if (rc == 0)
        rc = ps_embed_out_open(&to, out, &head, e->dir);
    if (rc == 0)
        rc = ps_embed_gather(e, in, own, x, s->gather, &to);
    if (rc == 0)
        rc = ps_embed_out_end(&to);
    ps_embed_out_free(&to);
    ps_head_free(&head);
    ps_reader_close(own);
    ps_reader_close(x);
    return rc;
}

int ps_embed_filter(const ps_embed_step *s, const ps_embedding *e, const ps_embed_form *form, ps_reader *in,
                    ps_out *out)
{
    if (s->invert)
        return ps_embed_invert(in, out);
    const uint32_t layers = e->model->shape.layers;
    if (s->project > layers || s->gather > layers)
        return ps_usage_error("%s: the model has %u convolutions", s->project ? "--project" : "--gather", layers);
    return s->project   ? ps_embed_project_flow(e, in, s->project, out)
           : s->scatter ? scatter(s, e, in, out)
                        : gather(s, e, form, in, out);
}
