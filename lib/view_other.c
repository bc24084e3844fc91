/* view_other.c - what models, indexes, states of psfeat and checkpoints say of themselves; of view.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint.h"
#include "feat_state.h"
#include "bits.h"
#include "index.h"
#include "model.h"
#include "view.h"

static void word(ps_fields *f, const char *name, const char *value)
{
    ps_field_str(f, name, (ps_str){value, strlen(value)});
}

/* ---- models ---- */

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
    word(f, "pooling", ps_pooling_name(s->pooling));
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

static int describe_model(const char *path, ps_fields *f)
{
    ps_model model;
    int rc = ps_model_read(&model, path);
    if (rc < 0)
        return rc;
    word(f, "kind", "model");
    describe_shape(f, &model.shape);
    ps_field_u64(f, "parameters", model.size);
    describe_tensors(f, &model);
    ps_field_lines(f, "options", (ps_str){model.options, strlen(model.options)});
    ps_field_lines(f, "log", (ps_str){model.log, strlen(model.log)});
    ps_field_lines(f, "history", (ps_str){model.history, strlen(model.history)});
    ps_model_free(&model);
    return 0;
}

/* ---- indexes ---- */

static int describe_index(const char *path, ps_fields *f)
{
    ps_index x;
    char vectors[20];
    int rc = ps_index_open(&x, path, NULL);
    if (rc < 0)
        return rc;
    snprintf(vectors, sizeof vectors, "%016llx", (unsigned long long)x.vectors);
    word(f, "kind", "index");
    word(f, "type", x.type == PS_INDEX_IVF ? "ivf" : "lsh");
    ps_field_u64(f, "version", (uint64_t)x.version);
    ps_field_u64(f, "rows", x.n);
    ps_field_u64(f, "dimension", x.d);
    word(f, "bias", x.has_bias ? "yes" : "no");
    word(f, "cosine", x.cosine ? "yes" : "no");
    word(f, "vectors", vectors);
    if (x.type == PS_INDEX_IVF) {
        ps_field_u64(f, "cells", x.cells);
    } else {
        ps_field_u64(f, "planes", PS_BITS);
        ps_field_u64(f, "seed", x.seed);
    }
    ps_field_u64(f, "bytes", x.blob.size);
    ps_field_lines(f, "history", x.history);
    ps_index_close(&x);
    return 0;
}

/* ---- psfeat --save ---- */

static int describe_features(const char *path, ps_fields *f)
{
    ps_feat_state s;
    int rc = ps_feat_state_read(&s, path);
    if (rc < 0)
        return rc;
    word(f, "kind", "state of psfeat");
    ps_field_u64(f, "text", s.text);
    word(f, "lsa", s.use_lsa ? "yes" : "no");
    word(f, "board terms", s.board_terms ? "yes" : "no");
    ps_field_u64(f, "sketch", s.sketch);
    word(f, "degree", s.degree ? "yes" : "no");
    ps_field_u64(f, "shortest n-gram", (uint64_t)s.terms.ngram_min);
    ps_field_u64(f, "longest n-gram", (uint64_t)s.terms.ngram_max);
    ps_field_u64(f, "seed", s.seed);
    ps_field_u64(f, "texts", s.idf.texts);
    ps_field_u64(f, "terms", ps_feat_state_terms(&s));
    ps_field_lines(f, "history", (ps_str){s.history, strlen(s.history)});
    ps_feat_state_free(&s);
    return 0;
}

/* ---- checkpoints ---- */

static int describe_checkpoint(const char *path, ps_fields *f)
{
    ps_checkpoint_head h;
    ps_blob b;
    int rc = ps_checkpoint_open(&h, &b, path);
    if (rc < 0)
        return rc;
    word(f, "kind", "checkpoint");
    ps_field_u64(f, "batches", h.at.step);
    ps_field_u64(f, "pairs of this epoch", (uint64_t)h.at.pairs_sum);
    if (h.at.pairs_sum > 0)
        ps_field_real(f, "loss of this epoch", h.at.loss_sum / h.at.pairs_sum);
    if (h.at.best_score >= 0)
        ps_field_real(f, "best score", h.at.best_score);
    ps_field_u64(f, "parameters", h.size);
    ps_field_lines(f, "run", h.run);
    ps_field_lines(f, "log", h.log);
    ps_field_lines(f, "history", h.history);
    ps_blob_close(&b);
    return 0;
}

int ps_view_fields(ps_file_type type, const char *path, ps_fields *f)
{
    int rc = type == PS_FILE_MODEL      ? describe_model(path, f)
             : type == PS_FILE_INDEX    ? describe_index(path, f)
             : type == PS_FILE_FEATURES ? describe_features(path, f)
                                        : describe_checkpoint(path, f);
    if (rc == 0)
        word(f, "whole", "yes");
    return rc < 0 ? rc : f->rc;
}
