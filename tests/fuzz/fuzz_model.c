/* Model files: what is read has a shape that its parameters fill. */
#include "frame.h"
#include "fuzz.h"
#include "model.h"
#include "model_file.h"
#include "rec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void seal(uint8_t *p, size_t n)
{
    fuzz_seal_frame(p, n, PS_MODEL_HEAD);
}

/* Which features are others than the model's: never those that end as its history does. */
static void compare(const ps_model *m)
{
    static const char some[] = "psfeat 0.1.0 text=4 seed=1 loaded\npsknn 0.1.0 index=ivf\n";
    ps_head head = ps_head_make(PS_VECTORS, 2);
    MUST(ps_head_lines(&head, (ps_str){some, sizeof some - 1}) == 0);
    const char *line = ps_head_differs(&head, m->history, "psfeat");
    MUST(!line || strncmp(line, "psfeat ", 7) == 0);
    MUST(!ps_head_differs(&head, some, "psfeat"));
    ps_head_free(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    fuzz_file f = fuzz_file_sealed(data, n, seal);
    ps_model m;
    if (ps_model_read(&m, f.path) == 0) {
        MUST(m.size == ps_shape_size(&m.shape) && m.size * 4 <= n && m.options && m.log && m.history);
        volatile ps_real last = m.size ? m.param[m.size - 1] : 0;
        (void)last;
        compare(&m);
        ps_model_free(&m);
    }
    fuzz_file_close(&f);
    return 0;
}
