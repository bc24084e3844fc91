/* model_file.c - models to and from files: psmodel(5). */
#include "model_file.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "bytes.h"
#include "mem.h"
#include "model.h"
#include "text.h"

const uint8_t ps_model_magic_bytes[8] = {0x89, 'P', 'S', 'M', '\r', '\n', 0x1a, '\n'};
const uint8_t ps_model_end_bytes[8] = {'P', 'S', 'M', 'E', 'N', 'D', '\r', '\n'};

int ps_model_magic(const uint8_t *p, size_t n)
{
    return n >= 8 && memcmp(p, ps_model_magic_bytes, 8) == 0;
}

/* ---- writing ---- */

typedef struct {
    ps_out *out;
    uint64_t bytes;
    uint32_t crc;
} sink;

static int put(sink *s, const void *data, size_t n)
{
    s->bytes += n;
    s->crc = (uint32_t)crc32_z(s->crc, data, n);
    return ps_out_write(s->out, data, n);
}

static int format_shape(char *buf, size_t cap, const ps_shape *s)
{
    return snprintf(buf, cap,
                    "inputs=%u\nlayers=%u\nhidden=%u\ndim=%u\npooling=%s\nbypass=%d\nbias=%d\nnormalize=%d\ntau=%.9g\n",
                    s->dx, s->layers, s->m, s->d, ps_pooling_name(s->pooling), s->bypass, s->bias, s->normalize,
                    s->tau);
}

static int put_head(sink *s, const ps_model *model, const char *shape)
{
    uint8_t head[PS_MODEL_HEAD];
    memcpy(head, ps_model_magic_bytes, 8);
    ps_put32(head + 8, PS_MODEL_VERSION);
    ps_put32(head + 12, (uint32_t)model->tensors);
    ps_put32(head + 16, (uint32_t)(strlen(shape) + strlen(model->options)));
    ps_put32(head + 20, (uint32_t)strlen(model->log));
    ps_put32(head + 24, (uint32_t)strlen(model->history));
    ps_put32(head + 28, (uint32_t)crc32_z(0, head, 28));
    int rc = put(s, head, sizeof head);
    const char *texts[] = {shape, model->options, model->log, model->history};
    for (int i = 0; i < 4 && rc == 0; i++)
        rc = put(s, texts[i], strlen(texts[i]));
    return rc;
}

static int put_tensors(sink *s, const ps_model *model)
{
    int rc = 0;
    for (int t = 0; t < model->tensors && rc == 0; t++) {
        uint8_t entry[PS_MODEL_ENTRY] = {0};
        memcpy(entry, model->tensor[t].name, 8);
        ps_put32(entry + 8, model->tensor[t].rows);
        ps_put32(entry + 12, model->tensor[t].cols);
        rc = put(s, entry, sizeof entry);
    }
    uint8_t buf[4096];
    for (size_t i = 0; i < model->size && rc == 0;) {
        size_t n = 0;
        for (; n < sizeof buf / 4 && i < model->size; n++, i++)
            ps_putf32(buf + 4 * n, (float)model->param[i]);
        rc = put(s, buf, 4 * n);
    }
    return rc;
}

int ps_model_write(const ps_model *model, ps_out *out)
{
    char shape[512];
    sink s = {.out = out};
    format_shape(shape, sizeof shape, &model->shape);
    int rc = put_head(&s, model, shape);
    if (rc == 0)
        rc = put_tensors(&s, model);
    if (rc < 0)
        return rc;
    uint8_t end[PS_MODEL_END];
    memcpy(end, ps_model_end_bytes, 8);
    ps_put64(end + 8, s.bytes);
    ps_put32(end + 16, s.crc);
    ps_put32(end + 20, (uint32_t)crc32_z(0, end, 20));
    return ps_out_write(out, end, sizeof end);
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
    if (take_number(text, "inputs", PS_DIM_MAX, &s->dx) < 0 || take_number(text, "layers", PS_LAYERS_MAX, &s->layers) < 0 ||
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
    s->pooling = (ps_pooling)pooling;
    s->bypass = (int)bypass;
    s->bias = (int)bias;
    s->normalize = (int)normalize;
    return 0;
}

static char *copy(const uint8_t *p, size_t n)
{
    char *s = ps_alloc(n + 1, 1);
    if (s) {
        memcpy(s, p, n);
        s[n] = 0;
    }
    return s;
}

/* Head and end mark: what every later step relies on. */
static int check_frame(const ps_blob *b, const char *path)
{
    const uint8_t *p = b->data;
    if (!ps_model_magic(p, b->size))
        return ps_fail(b->size < 8 ? PS_EDATA : PS_EKIND, "%s: %s", path,
                       b->size == 0  ? "empty; a model was expected"
                       : b->size < 8 ? "truncated: it ends inside the magic of a model file"
                                     : "not a model file");
    if (b->size < PS_MODEL_HEAD)
        return ps_fail(PS_EDATA, "%s: truncated: it ends inside the header, at byte %zu", path, b->size);
    if (ps_get32(p + 28) != crc32_z(0, p, 28))
        return ps_fail(PS_EDATA, "%s: the header is damaged (its CRC does not match)", path);
    if (ps_get32(p + 8) != PS_MODEL_VERSION)
        return ps_fail(PS_EKIND, "%s: model format version %u, this program reads %d", path, ps_get32(p + 8),
                       PS_MODEL_VERSION);
    if (b->size < PS_MODEL_HEAD + PS_MODEL_END || memcmp(p + b->size - PS_MODEL_END, ps_model_end_bytes, 8) != 0)
        return ps_fail(PS_EDATA, "%s: truncated or followed by other bytes: no end mark at byte %zu", path,
                       b->size < PS_MODEL_END ? b->size : b->size - PS_MODEL_END);
    const uint8_t *end = p + b->size - PS_MODEL_END;
    if (ps_get32(end + 20) != crc32_z(0, end, 20) || ps_get64(end + 8) != b->size - PS_MODEL_END)
        return ps_fail(PS_EDATA, "%s: the end mark at byte %zu is damaged", path, b->size - PS_MODEL_END);
    if (ps_get32(end + 16) != crc32_z(0, p, b->size - PS_MODEL_END))
        return ps_fail(PS_EDATA, "%s: damaged: the CRC of its %zu bytes does not match", path,
                       b->size - PS_MODEL_END);
    return 0;
}

/* The tensor table must be the one that the shape implies: then the data's length follows. */
static int read_tensors(ps_model *model, const uint8_t *p, size_t left, const char *path)
{
    size_t table = (size_t)model->tensors * PS_MODEL_ENTRY;
    if (left != table + 4 * model->size)
        return ps_fail(PS_EDATA, "%s: %zu bytes of parameters where its shape needs %zu", path, left,
                       table + 4 * model->size);
    for (int t = 0; t < model->tensors; t++, p += PS_MODEL_ENTRY) {
        const ps_tensor *x = &model->tensor[t];
        if (memcmp(p, x->name, 8) != 0 || ps_get32(p + 8) != x->rows || ps_get32(p + 12) != x->cols)
            return ps_fail(PS_EDATA, "%s: parameter %d is not the %s [%u x %u] that its shape needs", path, t, x->name,
                           x->rows, x->cols);
    }
    for (size_t i = 0; i < model->size; i++) {
        float v = ps_getf32(p + 4 * i);
        if (!isfinite(v))
            return ps_fail(PS_EDATA, "%s: parameter element %zu is %s", path, i, isnan(v) ? "NaN" : "infinite");
        model->param[i] = (ps_real)v;
    }
    return 0;
}

static int parse(ps_model *model, const ps_blob *b, const char *path)
{
    const uint8_t *p = b->data;
    size_t body = b->size - PS_MODEL_HEAD - PS_MODEL_END;
    size_t options = ps_get32(p + 16), log = ps_get32(p + 20), history = ps_get32(p + 24);
    uint32_t tensors = ps_get32(p + 12);
    if (options > PS_MODEL_TEXT_MAX || log > PS_MODEL_TEXT_MAX || history > PS_MODEL_TEXT_MAX ||
        options + log + history > body)
        return ps_fail(PS_EDATA, "%s: its texts are longer than the file", path);
    char *config = copy(p + PS_MODEL_HEAD, options);
    if (!config)
        return PS_EMEM;
    const char *rest = config;
    ps_shape shape = {0};
    int rc = parse_shape(&rest, &shape);
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
        rc = read_tensors(model, p + PS_MODEL_HEAD + options + log + history, body - options - log - history, path);
    if (rc == 0) {
        model->crc = ps_get32(p + b->size - 8);
        free(model->options);
        free(model->log);
        free(model->history);
        model->options = copy((const uint8_t *)rest, strlen(rest));
        model->log = copy(p + PS_MODEL_HEAD + options, log);
        model->history = copy(p + PS_MODEL_HEAD + options + log, history);
        rc = model->options && model->log && model->history ? 0 : PS_EMEM;
    }
    free(config);
    return rc;
}

int ps_model_read(ps_model *model, const char *path)
{
    ps_blob b;
    memset(model, 0, sizeof *model);
    int rc = ps_blob_open(&b, path);
    if (rc < 0)
        return rc;
    const char *name = !path || strcmp(path, "-") == 0 ? "<stdin>" : path;
    rc = check_frame(&b, name);
    if (rc == 0)
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
