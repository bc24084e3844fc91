#include "checkpoint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "frame.h"
#include "mem.h"

enum {
    HEAD = 96, /* magic, u32 version, u32 arrays, u64 elements, u32 run and log bytes, position, u32 history bytes, 0s,
                  u32 CRC */
    ARRAYS = 4 /* parameters, first and second moments, best parameters: bit i of `arrays` if it is there */
};
static const ps_frame frame = {"a psgraph checkpoint", 'C', 2, HEAD, 1};

static void arrays_of(const ps_checkpoint *c, ps_real *array[ARRAYS])
{
    array[0] = c->model->param;
    array[1] = c->optim->m;
    array[2] = c->optim->v;
    array[3] = c->best;
}

/* The moments are of the dense parameters; token embeddings carry their own sums. */
static size_t length_of(const ps_checkpoint *c, int i)
{
    return i == 1 || i == 2 ? c->model->dense : c->model->size;
}

static uint32_t present(ps_real *const array[ARRAYS])
{
    uint32_t bits = 0;
    for (int i = 0; i < ARRAYS; i++)
        bits |= array[i] ? 1u << i : 0;
    return bits;
}

static void put_real(uint8_t *p, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    ps_put64(p, bits);
}

static double get_real(const uint8_t *p)
{
    uint64_t bits = ps_get64(p);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* ---- writing ---- */

static int put_all(ps_out *out, const ps_checkpoint *c)
{
    ps_real *array[ARRAYS];
    uint8_t head[HEAD] = {0};
    ps_frame_writer w;
    arrays_of(c, array);
    ps_put32(head + 12, present(array));
    ps_put64(head + 16, c->model->size);
    ps_put32(head + 24, (uint32_t)strlen(c->run));
    ps_put32(head + 28, (uint32_t)strlen(c->model->log));
    ps_put64(head + 32, c->at.step);
    ps_put64(head + 40, c->optim->steps);
    put_real(head + 48, c->at.loss_sum);
    put_real(head + 56, c->at.pairs_sum);
    put_real(head + 64, c->at.best_score);
    ps_put32(head + 72, c->at.since_best);
    ps_put32(head + 76, (uint32_t)strlen(c->model->history));
    int rc = ps_frame_begin(&w, &frame, out, head);
    if (rc == 0)
        rc = ps_frame_put(&w, c->run, strlen(c->run));
    if (rc == 0)
        rc = ps_frame_put(&w, c->model->log, strlen(c->model->log));
    if (rc == 0)
        rc = ps_frame_put(&w, c->model->history, strlen(c->model->history));
    for (int i = 0; i < ARRAYS && rc == 0; i++)
        rc = array[i] ? ps_frame_put_reals(&w, array[i], length_of(c, i)) : 0;
    return rc < 0 ? rc : ps_frame_end(&w);
}

int ps_checkpoint_write(const ps_checkpoint *c, const char *path)
{
    for (size_t i = 0; i < c->model->size; i++)
        if (!isfinite(c->model->param[i]))
            return ps_fail(PS_EDATA,
                           "after batch %llu a parameter is %g: training has diverged; a lower learning rate may help",
                           (unsigned long long)c->at.step, (double)c->model->param[i]);
    ps_out *out = ps_out_open(path, 0);
    if (!out)
        return PS_ESYS;
    int rc = put_all(out, c);
    if (rc == 0)
        return ps_out_close(out);
    ps_out_abort(out);
    return rc;
}

/* ---- reading ---- */

static size_t line_length(const char *p, const char *end)
{
    const char *newline = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
    return newline ? (size_t)(newline - p) : (size_t)(end - p);
}

/* The first line that differs, for the message. */
static int check_run(const char *run, const char *there, size_t n, const char *path)
{
    const char *a = run, *a_end = run + strlen(run), *b = there, *b_end = there + n;
    while (a < a_end || b < b_end) {
        size_t la = line_length(a, a_end), lb = line_length(b, b_end);
        if (la != lb || memcmp(a, b, la) != 0)
            return ps_fail(PS_EMATCH, "%s: a checkpoint of another training: it says '%.*s', this one '%.*s'", path,
                           (int)(lb < 80 ? lb : 80), b, (int)(la < 80 ? la : 80), a);
        a += a + la < a_end ? la + 1 : la;
        b += b + lb < b_end ? lb + 1 : lb;
    }
    return 0;
}

static int parse_head(ps_checkpoint_head *h, const ps_blob *b, const char *name)
{
    const uint8_t *p = b->data;
    static const uint8_t place[] = {24, 28, 76}; /* the last is 0 in version 1 */
    ps_str text[3];
    size_t texts, body = b->size - HEAD - PS_FRAME_END;
    int rc = ps_frame_texts(b, &frame, place, 3, name, text, &texts);
    if (rc < 0)
        return rc;
    h->arrays = ps_get32(p + 12);
    h->size = ps_get64(p + 16);
    h->optimizer_steps = ps_get64(p + 40);
    h->at = (ps_position){ps_get64(p + 32), get_real(p + 48), get_real(p + 56), get_real(p + 64), ps_get32(p + 72)};
    h->run = text[0];
    h->log = text[1];
    h->history = text[2];
    h->values = p + HEAD + texts;
    h->n = (body - texts) / 4;
    if (!isfinite(h->at.loss_sum) || !(h->at.pairs_sum >= 0) || isnan(h->at.best_score))
        return ps_fail(PS_EDATA, "%s: its position makes no sense", name);
    if ((body - texts) % 4 != 0)
        return ps_fail(PS_EDATA, "%s: it ends inside a number", name);
    return 0;
}

static int take(ps_checkpoint *c, const ps_checkpoint_head *h, const char *path)
{
    ps_real *array[ARRAYS];
    arrays_of(c, array);
    int rc = check_run(c->run, h->run.s, h->run.len, path);
    if (rc < 0)
        return rc;
    size_t count = 0;
    for (int i = 0; i < ARRAYS; i++)
        count += array[i] ? length_of(c, i) : 0;
    if (h->arrays != present(array) || h->size != c->model->size || h->n != count)
        return ps_fail(PS_EDATA, "%s: its arrays are not those of this training", path);
    const uint8_t *at = h->values;
    for (int i = 0; i < ARRAYS && rc == 0; i++)
        if (array[i]) {
            rc = ps_frame_get_reals(array[i], at, length_of(c, i), path, "value");
            at += 4 * length_of(c, i);
        }
    char *text = rc == 0 ? ps_str_copy(h->log) : NULL;
    if (!text)
        return rc < 0 ? rc : PS_EMEM;
    free(c->model->log);
    c->model->log = text;
    c->optim->steps = h->optimizer_steps;
    c->at = h->at;
    return 0;
}

int ps_checkpoint_read(ps_checkpoint *c, const char *path)
{
    ps_blob b;
    ps_checkpoint_head h;
    const char *name;
    int rc = ps_frame_open(&b, &frame, path, &name);
    if (rc < 0)
        return rc;
    rc = parse_head(&h, &b, name);
    if (rc == 0)
        rc = take(c, &h, name);
    ps_blob_close(&b);
    return rc;
}

/* ---- looking at one ---- */

int ps_checkpoint_open(ps_checkpoint_head *h, ps_blob *b, const char *path)
{
    const char *name;
    int rc = ps_frame_open(b, &frame, path, &name);
    if (rc < 0)
        return rc;
    rc = parse_head(h, b, name);
    for (size_t i = 0; i < h->n && rc == 0; i++)
        if (!isfinite(ps_getf32(h->values + 4 * i)))
            rc = ps_fail(PS_EDATA, "%s: value %zu is not finite", name, i);
    if (rc < 0)
        ps_blob_close(b);
    return rc;
}
