#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "rng.h"

uint32_t ps_layer_inputs(const ps_shape *shape, uint32_t k)
{
    return k == 0 ? shape->dx : shape->m;
}

uint32_t ps_embedding_dim(const ps_shape *shape)
{
    return shape->d + (shape->bias ? 1 : 0);
}

const char *ps_pooling_name(ps_pooling pooling)
{
    static const char *const name[] = {"importance", "mean", "max"};
    return name[pooling];
}

/* rows 0: a vector. */
static size_t place(ps_model *model, const char *letter, uint32_t layer, uint32_t rows, uint32_t cols)
{
    ps_tensor *t = &model->tensor[model->tensors++];
    if (layer)
        snprintf(t->name, sizeof t->name, "%s%u", letter, layer % 100);
    else
        snprintf(t->name, sizeof t->name, "%s", letter);
    t->vector = rows == 0;
    t->rows = rows ? rows : 1;
    t->cols = cols;
    t->at = model->size;
    model->size += (size_t)t->rows * cols;
    return t->at;
}

static void lay_out(ps_model *model)
{
    const ps_shape *s = &model->shape;
    ps_places *at = &model->at;
    for (uint32_t k = 0; k < s->layers; k++) {
        uint32_t c = ps_layer_inputs(s, k);
        at->Q[k] = place(model, "Q", k + 1, s->m, c);
        at->q[k] = place(model, "q", k + 1, 0, s->m);
        at->W[k] = place(model, "W", k + 1, s->m, c + s->m);
        at->w[k] = place(model, "w", k + 1, 0, s->m);
    }
    at->G1 = place(model, "G1", 0, s->m, s->layers ? s->m : s->dx);
    at->g = place(model, "g", 0, 0, s->m);
    at->G2 = place(model, "G2", 0, s->d, s->m);
    at->G3 = s->bypass ? place(model, "G3", 0, s->d, s->dx) : PS_ABSENT;
    at->b = s->bias ? place(model, "b", 0, 0, s->m) : PS_ABSENT;
    model->dense = model->size;
    at->E = s->tokens ? place(model, "E", 0, s->tokens, s->d) : PS_ABSENT;
    at->s = s->tokens ? place(model, "s", 0, 0, s->tokens) : PS_ABSENT;
}

size_t ps_shape_size(const ps_shape *shape)
{
    ps_model model = {.shape = *shape};
    lay_out(&model);
    return model.size;
}

int ps_model_make(ps_model *model, const ps_shape *shape)
{
    memset(model, 0, sizeof *model);
    if (shape->layers > PS_LAYERS_MAX || shape->dx == 0 || shape->m == 0 || shape->d == 0 || shape->dx > PS_DIM_MAX ||
        shape->m > PS_DIM_MAX || shape->d > PS_DIM_MAX || !(shape->tau > 0))
        return ps_fail(PS_EUSAGE, "a model of %u layers, dimensions %u, %u, %u and temperature %g cannot be",
                       shape->layers, shape->dx, shape->m, shape->d, shape->tau);
    model->shape = *shape;
    lay_out(model);
    model->param = ps_aligned(model->size, sizeof *model->param);
    model->options = ps_zalloc(1, 1);
    model->log = ps_zalloc(1, 1);
    model->history = ps_zalloc(1, 1);
    if (model->param && model->options && model->log && model->history)
        return 0;
    ps_model_free(model);
    return PS_EMEM;
}

void ps_model_free(ps_model *model)
{
    ps_vocabulary_free(&model->vocabulary);
    free(model->param);
    free(model->options);
    free(model->log);
    free(model->history);
    memset(model, 0, sizeof *model);
}

void ps_model_init(ps_model *model, uint64_t seed)
{
    for (int t = 0; t < model->tensors; t++) {
        const ps_tensor *x = &model->tensor[t];
        if (x->vector || x->at >= model->dense)
            continue;
        uint64_t key = ps_rng_key(seed, (uint64_t)t);
        double bound = __builtin_sqrt(6. / (x->rows + x->cols));
        for (size_t e = 0; e < (size_t)x->rows * x->cols; e++)
            model->param[x->at + e] = (ps_real)((2 * ps_unit(ps_rng(key, e)) - 1) * bound);
    }
    for (uint32_t i = 0; i < model->shape.tokens; i++)
        ps_token_start(model->vocabulary.bucket[i], model->shape.d, model->param + model->at.E + (size_t)i * model->shape.d);
}

void ps_model_set_vocabulary(ps_model *model, ps_vocabulary *vocabulary)
{
    ps_vocabulary_free(&model->vocabulary);
    model->vocabulary = *vocabulary;
    *vocabulary = (ps_vocabulary){0};
}

/* The rows of E that both have are copied, the others get their starting values. */
static void copy_parameters(const ps_model *from, ps_model *to)
{
    uint32_t d = to->shape.d;
    memcpy(to->param, from->param, from->dense * sizeof *to->param);
    for (uint32_t i = 0; i < to->shape.tokens; i++) {
        uint32_t row = ps_vocabulary_find(&from->vocabulary, to->vocabulary.bucket[i]);
        ps_real *E = to->param + to->at.E + (size_t)i * d;
        if (row == UINT32_MAX) {
            ps_token_start(to->vocabulary.bucket[i], d, E);
            continue;
        }
        memcpy(E, from->param + from->at.E + (size_t)row * d, d * sizeof *E);
        to->param[to->at.s + i] = from->param[from->at.s + row];
    }
}

/* Parameters and what describes them change places; the texts stay. */
static void swap_parameters(ps_model *a, ps_model *b)
{
    ps_model keep = *a;
    char *options = b->options, *log = b->log, *history = b->history;
    *a = *b;
    a->options = keep.options;
    a->log = keep.log;
    a->history = keep.history;
    a->crc = keep.crc;
    *b = keep;
    b->options = options;
    b->log = log;
    b->history = history;
}

int ps_model_widen(ps_model *model, const ps_sparse *texts)
{
    ps_vocabulary all;
    ps_model wide;
    if (texts->dim != model->shape.buckets)
        return ps_fail(PS_EMATCH, "texts hashed to %u buckets, the model's to %u", texts->dim, model->shape.buckets);
    int rc = ps_vocabulary_union(&all, &model->vocabulary, texts);
    if (rc < 0)
        return rc;
    ps_shape shape = model->shape;
    shape.tokens = all.n;
    rc = ps_model_make(&wide, &shape);
    if (rc < 0) {
        ps_vocabulary_free(&all);
        return rc;
    }
    ps_model_set_vocabulary(&wide, &all);
    copy_parameters(model, &wide);
    swap_parameters(model, &wide);
    ps_model_free(&wide);
    return 0;
}
