/* Model files: what is written is what is read; no flipped bit and no lost byte goes unnoticed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "mem.h"
#include "model.h"

static const char path[] = "model.psm", broken[] = "broken.psm";

static void write_file(const char *name, const uint8_t *p, size_t n)
{
    FILE *f = fopen(name, "wb");
    CHECK(f && fwrite(p, 1, n, f) == n);
    if (f)
        fclose(f);
}

static size_t read_file(const char *name, uint8_t *p, size_t max)
{
    FILE *f = fopen(name, "rb");
    size_t n = f ? fread(p, 1, max, f) : 0;
    if (f)
        fclose(f);
    return n;
}

static void write_model(const ps_model *m)
{
    ps_out *out = ps_out_open(path, 0);
    CHECK(out != NULL);
    if (out) {
        CHECK_OK(ps_model_write(m, out));
        CHECK_OK(ps_out_close(out));
    }
}

static void round_trip(const ps_shape *shape)
{
    ps_model a, b;
    CHECK_OK(ps_model_make(&a, shape));
    ps_model_init(&a, 7);
    strcpy(a.options = realloc(a.options, 32), "loss=softmax\nfuture=1\n");
    strcpy(a.log = realloc(a.log, 32), "epoch=1 loss=2\n");
    write_model(&a);
    CHECK_OK(ps_model_read(&b, path));
    CHECK(memcmp(&a.shape, &b.shape, sizeof a.shape) == 0);
    CHECK(a.size == b.size && a.size == ps_shape_size(shape));
    for (size_t i = 0; i < a.size; i++)
        CHECK((float)a.param[i] == (float)b.param[i]);
    CHECK(strcmp(a.options, b.options) == 0 && strcmp(a.log, b.log) == 0 && strcmp(a.history, b.history) == 0);
    CHECK(b.crc != 0);
    ps_model_free(&a);
    ps_model_free(&b);
}

static void damage(void)
{
    static uint8_t good[1 << 14], bad[1 << 14];
    size_t n = read_file(path, good, sizeof good);
    CHECK(n > 100 && n < sizeof good);
    for (size_t i = 0; i < n; i++) {
        memcpy(bad, good, n);
        bad[i] ^= (uint8_t)(1 << i % 8);
        write_file(broken, bad, n);
        CHECK(ps_model_check(broken) < 0);
        write_file(broken, good, i);
        CHECK(ps_model_check(broken) < 0);
    }
    memcpy(bad, good, n);
    bad[n] = 0;
    write_file(broken, bad, n + 1);
    CHECK(ps_model_check(broken) < 0);
    CHECK(ps_model_check("nowhere.psm") < 0);
}

static void initial_values(void)
{
    ps_shape shape = {.dx = 5, .layers = 2, .m = 64, .d = 64, .bypass = 1, .bias = 1, .tau = 1};
    ps_model m;
    CHECK_OK(ps_model_make(&m, &shape));
    ps_model_init(&m, 1);
    for (int t = 0; t < m.tensors; t++) {
        const ps_tensor *x = &m.tensor[t];
        double bound = __builtin_sqrt(6. / (x->rows + x->cols)), top = 0;
        for (size_t i = 0; i < (size_t)x->rows * x->cols; i++)
            top = PS_FABS(m.param[x->at + i]) > top ? PS_FABS(m.param[x->at + i]) : top;
        CHECK(x->vector ? top == 0 : top <= bound && top > .8 * bound);
    }
    CHECK(m.at.b != PS_ABSENT && m.at.G3 != PS_ABSENT);
    ps_model_free(&m);
}

int main(void)
{
    char folder[] = "/tmp/t_model.XXXXXX";
    if (!mkdtemp(folder) || chdir(folder) != 0)
        return perror(folder), 1;
    round_trip(&(ps_shape){.dx = 9, .layers = 3, .m = 5, .d = 4, .pooling = PS_POOL_MAX, .bypass = 1, .bias = 1,
                           .normalize = 1, .tau = .07});
    round_trip(&(ps_shape){.dx = 3, .layers = 0, .m = 2, .d = 1, .pooling = PS_POOL_MEAN, .tau = 1});
    damage();
    initial_values();
    CHECK(ps_model_make(&(ps_model){0}, &(ps_shape){.dx = 0, .m = 1, .d = 1, .tau = 1}) == PS_EUSAGE);
    CHECK(ps_model_make(&(ps_model){0}, &(ps_shape){.dx = 1, .m = 1, .d = 1, .layers = 99, .tau = 1}) == PS_EUSAGE);
    unlink(path);
    unlink(broken);
    CHECK(chdir("/") == 0 && rmdir(folder) == 0);
    CHECK_END();
}
