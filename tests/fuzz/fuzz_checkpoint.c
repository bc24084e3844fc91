/* Checkpoints: a good one with bytes changed and its end cut off, or any bytes.  What is read is finite and of the run
 * it was asked for. */
#include <math.h>

#include "checkpoint.h"
#include "frame.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { HEAD = 96, END = PS_FRAME_END, GOOD_MAX = 4096 };
static const char run[] = "seed=1\npairs=3\n";
static uint8_t good[GOOD_MAX];
static size_t good_size;

static ps_model model;
static ps_optim optim;
static ps_real best[64];

static ps_checkpoint contents(void)
{
    return (ps_checkpoint){.run = run, .model = &model, .optim = &optim, .best = best};
}

static void make_good(void)
{
    char path[] = "/tmp/fuzz-checkpoint.XXXXXX";
    int fd = mkstemp(path);
    const ps_shape shape = {.dx = 2, .m = 2, .d = 2, .tau = 1};
    MUST(fd >= 0 && ps_model_make(&model, &shape) == 0 && model.size <= 64);
    MUST(ps_optim_init(&optim, PS_ADAM, 0, &model, NULL) == 0);
    const ps_checkpoint c = contents();
    MUST(ps_checkpoint_write(&c, path) == 0);
    close(fd);
    FILE *f = fopen(path, "rb");
    MUST(f);
    good_size = fread(good, 1, sizeof good, f);
    MUST(good_size > HEAD + END && good_size < sizeof good);
    fclose(f);
    unlink(path);
}

/* Bit 1 of the first byte: the rest is changes of the good file, two bytes of place and one of value each. */
static size_t fill(uint8_t *file, const uint8_t *data, size_t n)
{
    if (!(data[0] & 2)) {
        memcpy(file, data + 1, n - 1);
        return n - 1;
    }
    memcpy(file, good, good_size);
    for (size_t i = 1; i + 3 <= n; i += 3)
        file[(data[i] | data[i + 1] << 8) % (int)good_size] = data[i + 2];
    return data[0] & 4 ? good_size - (data[0] >> 3) : good_size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (good_size == 0)
        make_good();
    if (n < 1)
        return 0;
    uint8_t *file = malloc(n + GOOD_MAX);
    size_t size = fill(file, data, n);
    if (data[0] & 1)
        fuzz_seal_frame(file, size, HEAD);
    fuzz_file f = fuzz_file_make(file, size);
    free(file);
    ps_checkpoint c = contents();
    if (ps_checkpoint_read(&c, f.path) == 0) {
        MUST(isfinite(c.at.loss_sum) && c.at.pairs_sum >= 0 && model.log);
        for (size_t i = 0; i < model.size; i++)
            MUST(isfinite(model.param[i]) && isfinite(optim.m[i]) && isfinite(optim.v[i]) && isfinite(best[i]));
    }
    fuzz_file_close(&f);
    return 0;
}
