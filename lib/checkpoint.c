#include "checkpoint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "bytes.h"
#include "mem.h"

enum {
    VERSION = 1,
    HEAD = 96, /* magic, u32 version, u32 arrays, u64 elements, u32 run and log bytes, position, 0s, u32 CRC */
    END = 24,
    TEXT_MAX = 16 << 20,
    ARRAYS = 4 /* parameters, first and second moments, best parameters: bit i of `arrays` if it is there */
};
static const uint8_t magic[8] = {0x89, 'P', 'S', 'C', '\r', '\n', 0x1a, '\n'};
static const uint8_t end_mark[8] = {'P', 'S', 'C', 'E', 'N', 'D', '\r', '\n'};

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

static int put_array(sink *s, const ps_real *array, size_t n)
{
    uint8_t buf[4096];
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0;) {
        size_t k = 0;
        for (; k < sizeof buf / 4 && i < n; k++, i++)
            ps_putf32(buf + 4 * k, (float)array[i]);
        rc = put(s, buf, 4 * k);
    }
    return rc;
}

static int put_all(sink *s, const ps_checkpoint *c)
{
    ps_real *array[ARRAYS];
    uint8_t head[HEAD] = {0}, end[END];
    arrays_of(c, array);
    memcpy(head, magic, 8);
    ps_put32(head + 8, VERSION);
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
    ps_put32(head + HEAD - 4, (uint32_t)crc32_z(0, head, HEAD - 4));
    int rc = put(s, head, HEAD);
    if (rc == 0)
        rc = put(s, c->run, strlen(c->run));
    if (rc == 0)
        rc = put(s, c->model->log, strlen(c->model->log));
    for (int i = 0; i < ARRAYS && rc == 0; i++)
        rc = array[i] ? put_array(s, array[i], length_of(c, i)) : 0;
    memcpy(end, end_mark, 8);
    ps_put64(end + 8, s->bytes);
    ps_put32(end + 16, s->crc);
    ps_put32(end + 20, (uint32_t)crc32_z(0, end, 20));
    return rc < 0 ? rc : ps_out_write(s->out, end, END);
}

int ps_checkpoint_write(const ps_checkpoint *c, const char *path)
{
    for (size_t i = 0; i < c->model->size; i++)
        if (!isfinite(c->model->param[i]))
            return ps_fail(PS_EDATA, "after batch %llu a parameter is %g: training has diverged; a lower learning rate may help",
                           (unsigned long long)c->at.step, (double)c->model->param[i]);
    sink s = {.out = ps_out_open(path, 0)};
    if (!s.out)
        return PS_ESYS;
    int rc = put_all(&s, c);
    if (rc == 0)
        return ps_out_close(s.out);
    ps_out_abort(s.out);
    return rc;
}

/* ---- reading ---- */

static int check_frame(const ps_blob *b, const char *path)
{
    const uint8_t *p = b->data;
    if (b->size < 8 || memcmp(p, magic, 8) != 0)
        return ps_fail(PS_EKIND, "%s: not a psgraph checkpoint", path);
    if (b->size < HEAD + END)
        return ps_fail(PS_EDATA, "%s: truncated: only %zu bytes", path, b->size);
    if (ps_get32(p + HEAD - 4) != crc32_z(0, p, HEAD - 4))
        return ps_fail(PS_EDATA, "%s: the header is damaged (its CRC does not match)", path);
    if (ps_get32(p + 8) != VERSION)
        return ps_fail(PS_EKIND, "%s: checkpoint format version %u, this program reads %d", path, ps_get32(p + 8), VERSION);
    const uint8_t *end = p + b->size - END;
    if (memcmp(end, end_mark, 8) != 0)
        return ps_fail(PS_EDATA, "%s: truncated or followed by other bytes: no end mark at byte %zu", path, b->size - END);
    if (ps_get32(end + 20) != crc32_z(0, end, 20) || ps_get64(end + 8) != b->size - END)
        return ps_fail(PS_EDATA, "%s: the end mark at byte %zu is damaged", path, b->size - END);
    if (ps_get32(end + 16) != crc32_z(0, p, b->size - END))
        return ps_fail(PS_EDATA, "%s: damaged: the CRC of its %zu bytes does not match", path, b->size - END);
    return 0;
}

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

static int read_array(const uint8_t *p, ps_real *array, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++) {
        array[i] = (ps_real)ps_getf32(p + 4 * i);
        if (!isfinite(array[i]))
            return ps_fail(PS_EDATA, "%s: a value is %s", path, isnan(array[i]) ? "NaN" : "infinite");
    }
    return 0;
}

static int parse(ps_checkpoint *c, const ps_blob *b, const char *path)
{
    const uint8_t *p = b->data;
    size_t run = ps_get32(p + 24), log = ps_get32(p + 28), n = c->model->size, body = b->size - HEAD - END;
    ps_real *array[ARRAYS];
    arrays_of(c, array);
    if (run > TEXT_MAX || log > TEXT_MAX || run + log > body)
        return ps_fail(PS_EDATA, "%s: its texts are longer than the file", path);
    int rc = check_run(c->run, (const char *)p + HEAD, run, path);
    if (rc < 0)
        return rc;
    size_t count = 0;
    for (int i = 0; i < ARRAYS; i++)
        count += array[i] ? length_of(c, i) : 0;
    if (ps_get32(p + 12) != present(array) || ps_get64(p + 16) != n || body - run - log != 4 * count)
        return ps_fail(PS_EDATA, "%s: its arrays are not those of this training", path);
    const uint8_t *at = p + HEAD + run + log;
    for (int i = 0; i < ARRAYS && rc == 0; i++)
        if (array[i]) {
            rc = read_array(at, array[i], length_of(c, i), path);
            at += 4 * length_of(c, i);
        }
    char *text = rc == 0 ? ps_alloc(log + 1, 1) : NULL;
    if (!text)
        return rc < 0 ? rc : PS_EMEM;
    memcpy(text, p + HEAD + run, log);
    text[log] = 0;
    free(c->model->log);
    c->model->log = text;
    c->optim->steps = ps_get64(p + 40);
    c->at = (ps_position){ps_get64(p + 32), get_real(p + 48), get_real(p + 56), get_real(p + 64), ps_get32(p + 72)};
    if (!isfinite(c->at.loss_sum) || !(c->at.pairs_sum >= 0) || isnan(c->at.best_score))
        return ps_fail(PS_EDATA, "%s: its position makes no sense", path);
    return 0;
}

int ps_checkpoint_read(ps_checkpoint *c, const char *path)
{
    ps_blob b;
    int rc = ps_blob_open(&b, path);
    if (rc < 0)
        return rc;
    rc = check_frame(&b, path);
    if (rc == 0)
        rc = parse(c, &b, path);
    ps_blob_close(&b);
    return rc;
}
