/* model_file.c - models to and from files: psmodel(5). */
#include "model_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "frame.h"
#include "mem.h"
#include "model.h"
#include "text.h"

static const ps_frame frame = {"a model file", 'M', 1, PS_MODEL_HEAD, 1};

int ps_model_magic(const uint8_t *p, size_t n)
{
    return ps_frame_is(&frame, p, n);
}

/* ---- writing ---- */

static void format_shape(char *buf, size_t cap, const ps_shape *s)
{
    int n = snprintf(
        buf, cap, "inputs=%u\nlayers=%u\nhidden=%u\ndim=%u\npooling=%s\nbypass=%d\nbias=%d\nnormalize=%d\ntau=%.9g\n",
        s->dx, s->layers, s->m, s->d, ps_pooling_name(s->pooling), s->bypass, s->bias, s->normalize, s->tau);
    if (s->tokens)
        snprintf(buf + n, cap - (size_t)n, "buckets=%u\ntokens=%u\ntoken-scale=%.9g\n", s->buckets, s->tokens,
                 s->token_scale);
}

static int put_head(ps_frame_writer *w, const ps_model *model, const char *shape, ps_out *out)
{
    uint8_t head[PS_MODEL_HEAD];
    ps_put32(head + 12, (uint32_t)model->tensors);
    ps_put32(head + 16, (uint32_t)(strlen(shape) + strlen(model->options)));
    ps_put32(head + 20, (uint32_t)strlen(model->log));
    ps_put32(head + 24, (uint32_t)strlen(model->history));
    int rc = ps_frame_begin(w, &frame, out, head);
    const char *texts[] = {shape, model->options, model->log, model->history};
    for (int i = 0; i < 4 && rc == 0; i++)
        rc = ps_frame_put(w, texts[i], strlen(texts[i]));
    return rc;
}

static int put_tensors(ps_frame_writer *w, const ps_model *model)
{
    int rc = 0;
    for (int t = 0; t < model->tensors && rc == 0; t++) {
        uint8_t entry[PS_MODEL_ENTRY] = {0};
        memcpy(entry, model->tensor[t].name, 8);
        ps_put32(entry + 8, model->tensor[t].rows);
        ps_put32(entry + 12, model->tensor[t].cols);
        rc = ps_frame_put(w, entry, sizeof entry);
    }
    return rc < 0 ? rc : ps_frame_put_reals(w, model->param, model->size);
}

static int put_vocabulary(ps_frame_writer *w, const ps_model *model)
{
    int rc = 0;
    for (uint32_t i = 0; i < model->shape.tokens && rc == 0; i++) {
        uint8_t bucket[4];
        ps_put32(bucket, model->vocabulary.bucket[i]);
        rc = ps_frame_put(w, bucket, sizeof bucket);
    }
    return rc;
}

int ps_model_write(const ps_model *model, ps_out *out)
{
    char shape[512];
    ps_frame_writer w;
    format_shape(shape, sizeof shape, &model->shape);
    int rc = put_head(&w, model, shape, out);
    if (rc == 0)
        rc = put_tensors(&w, model);
    if (rc == 0)
        rc = put_vocabulary(&w, model);
    return rc < 0 ? rc : ps_frame_end(&w);
}

/* ---- reading ---- */

/* Takes "key=..." off the start of *text; its value, or NULL if another key stands there. */
static const char *take(const char **text, const char *key)
{
    size_t n = strlen(key);
    if (strncmp(*text, key, n) != 0 || (*text)[n] != '=')
        return NULL;
    const char *value = *text + n + 1, *end = strchr(value, '\n');
    *text = end ? end + 1 : value + strlen(value);
    return value;
}

static int take_number(const char **text, const char *key, uint32_t max, uint32_t *to)
{
    const char *value = take(text, key);
    uint64_t v;
    if (!value || ps_text_u64((ps_str){value, strcspn(value, "\n")}, &v) < 0 || v > max)
        return PS_EDATA;
    *to = (uint32_t)v;
    return 0;
}

/* The shape's lines come first, in the order in which they are written. */
static int parse_shape(const char **text, ps_shape *s)
{
    uint32_t bypass, bias, normalize;
    if (take_number(text, "inputs", PS_DIM_MAX, &s->dx) < 0 ||
        take_number(text, "layers", PS_LAYERS_MAX, &s->layers) < 0 ||
        take_number(text, "hidden", PS_DIM_MAX, &s->m) < 0 || take_number(text, "dim", PS_DIM_MAX, &s->d) < 0 ||
        s->dx == 0 || s->m == 0 || s->d == 0)
        return PS_EDATA;
    const char *value = take(text, "pooling");
    int pooling = -1;
    for (int i = PS_POOL_IMPORTANCE; value && i <= PS_POOL_MAX; i++) {
        size_t n = strlen(ps_pooling_name(i));
        if (strncmp(value, ps_pooling_name(i), n) == 0 && value[n] == '\n')
            pooling = i;
    }
    if (pooling < 0 || take_number(text, "bypass", 1, &bypass) < 0 || take_number(text, "bias", 1, &bias) < 0 ||
        take_number(text, "normalize", 1, &normalize) < 0)
        return PS_EDATA;
    value = take(text, "tau");
    if (!value || ps_text_double((ps_str){value, strcspn(value, "\n")}, &s->tau) < 0 || !(s->tau > 0))
        return PS_EDATA;
    if (strncmp(*text, "buckets=", 8) == 0) {
        if (take_number(text, "buckets", PS_BUCKETS_MAX, &s->buckets) < 0 ||
            take_number(text, "tokens", s->buckets, &s->tokens) < 0)
            return PS_EDATA;
        value = take(text, "token-scale");
        if (!value || ps_text_double((ps_str){value, strcspn(value, "\n")}, &s->token_scale) < 0)
            return PS_EDATA;
    }
    s->pooling = (ps_pooling)pooling;
    s->bypass = (int)bypass;
    s->bias = (int)bias;
    s->normalize = (int)normalize;
    return 0;
}

static int read_vocabulary(ps_model *model, const uint8_t *p, const char *path)
{
    ps_vocabulary v = {.n = model->shape.tokens, .bucket = ps_alloc(model->shape.tokens, sizeof *v.bucket)};
    if (!v.bucket)
        return PS_EMEM;
    ps_model_set_vocabulary(model, &v);
    uint32_t *bucket = model->vocabulary.bucket;
    for (uint32_t i = 0; i < model->shape.tokens; i++) {
        bucket[i] = ps_get32(p + 4 * i);
        if (bucket[i] >= model->shape.buckets || (i > 0 && bucket[i] <= bucket[i - 1]))
            return ps_fail(PS_EDATA, "%s: token row %u has bucket %u: not ascending or not below %u", path, i,
                           bucket[i], model->shape.buckets);
    }
    return 0;
}

/* The tensor table must be the one that the shape implies: then the data's length follows. */
static int read_tensors(ps_model *model, const uint8_t *p, size_t left, const char *path)
{
    size_t table = (size_t)model->tensors * PS_MODEL_ENTRY;
    size_t need = table + 4 * (model->size + model->shape.tokens);
    if (left != need)
        return ps_fail(PS_EDATA, "%s: %zu bytes of parameters where its shape needs %zu", path, left, need);
    for (int t = 0; t < model->tensors; t++, p += PS_MODEL_ENTRY) {
        const ps_tensor *x = &model->tensor[t];
        if (memcmp(p, x->name, 8) != 0 || ps_get32(p + 8) != x->rows || ps_get32(p + 12) != x->cols)
            return ps_fail(PS_EDATA, "%s: parameter %d is not the %s [%u x %u] that its shape needs", path, t, x->name,
                           x->rows, x->cols);
    }
    int rc = ps_frame_get_reals(model->param, p, model->size, path, "parameter element");
    return rc < 0 ? rc : read_vocabulary(model, p + 4 * model->size, path);
}

static int parse(ps_model *model, const ps_blob *b, const char *path)
{
    const uint8_t *p = b->data;
    size_t body = b->size - PS_MODEL_HEAD - PS_FRAME_END;
    static const uint8_t place[] = {16, 20, 24};
    ps_str text[3]; /* options, log, history */
    size_t texts;
    uint32_t tensors = ps_get32(p + 12);
    int rc = ps_frame_texts(b, &frame, place, 3, path, text, &texts);
    if (rc < 0)
        return rc;
    char *config = ps_str_copy(text[0]);
    if (!config)
        return PS_EMEM;
    const char *rest = config;
    ps_shape shape = {0};
    rc = parse_shape(&rest, &shape);
    if (rc < 0)
        rc = ps_fail(rc, "%s: the description of its shape makes no sense", path);
    /* Before anything as large as the shape says is allocated. */
    if (rc == 0 && ps_shape_size(&shape) > body / 4)
        rc = ps_fail(PS_EDATA, "%s: its shape needs more parameters than the file holds", path);
    if (rc == 0)
        rc = ps_model_make(model, &shape);
    if (rc == 0 && tensors != (uint32_t)model->tensors)
        rc = ps_fail(PS_EDATA, "%s: %u tensors where its shape needs %d", path, tensors, model->tensors);
    if (rc == 0)
        rc = read_tensors(model, p + PS_MODEL_HEAD + texts, body - texts, path);
    if (rc == 0) {
        model->crc = ps_get32(p + b->size - 8);
        free(model->options);
        free(model->log);
        free(model->history);
        model->options = ps_str_copy((ps_str){rest, strlen(rest)});
        model->log = ps_str_copy(text[1]);
        model->history = ps_str_copy(text[2]);
        rc = model->options && model->log && model->history ? 0 : PS_EMEM;
    }
    free(config);
    return rc;
}

int ps_model_read(ps_model *model, const char *path)
{
    ps_blob b;
    const char *name;
    memset(model, 0, sizeof *model);
    int rc = ps_frame_open(&b, &frame, path, &name);
    if (rc < 0)
        return rc;
    rc = parse(model, &b, name);
    if (rc < 0)
        ps_model_free(model);
    ps_blob_close(&b);
    return rc;
}

int ps_model_check(const char *path)
{
    ps_model model;
    int rc = ps_model_read(&model, path);
    ps_model_free(&model);
    return rc;
}
