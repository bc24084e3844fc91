/* model_view.c - what psview tells about a model. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "view.h"

static double norm(const ps_model *model, const ps_tensor *t)
{
    double sum = 0;
    for (size_t i = 0; i < (size_t)t->rows * t->cols; i++)
        sum += (double)model->param[t->at + i] * (double)model->param[t->at + i];
    return sqrt(sum);
}

static void describe_shape(ps_fields *f, const ps_shape *s)
{
    ps_field_u64(f, "inputs", s->dx);
    ps_field_u64(f, "layers", s->layers);
    ps_field_u64(f, "hidden", s->m);
    ps_field_u64(f, "dim", s->d);
    ps_field_str(f, "pooling", (ps_str){ps_pooling_name(s->pooling), strlen(ps_pooling_name(s->pooling))});
    ps_field_u64(f, "bypass", (uint64_t)s->bypass);
    ps_field_u64(f, "bias", (uint64_t)s->bias);
    ps_field_u64(f, "normalize", (uint64_t)s->normalize);
    ps_field_real(f, "tau", s->tau);
}

static void describe_tensors(ps_fields *f, const ps_model *model)
{
    for (int t = 0; t < model->tensors; t++) {
        const ps_tensor *x = &model->tensor[t];
        char line[80];
        int n = snprintf(line, sizeof line, "%u x %u, norm %.6g", x->rows, x->cols, norm(model, x));
        ps_field_str(f, x->name, (ps_str){line, (size_t)n});
    }
}

int ps_model_describe(const char *path, ps_out *out, int json)
{
    static const char kind[] = "model";
    ps_model model;
    int rc = ps_model_read(&model, path);
    if (rc < 0)
        return rc;
    ps_fields f = {.out = out, .json = json};
    ps_field_str(&f, "kind", (ps_str){kind, sizeof kind - 1});
    describe_shape(&f, &model.shape);
    ps_field_u64(&f, "parameters", model.size);
    describe_tensors(&f, &model);
    ps_field_lines(&f, "options", (ps_str){model.options, strlen(model.options)});
    ps_field_lines(&f, "log", (ps_str){model.log, strlen(model.log)});
    ps_field_lines(&f, "history", (ps_str){model.history, strlen(model.history)});
    ps_model_free(&model);
    return ps_fields_end(&f);
}
