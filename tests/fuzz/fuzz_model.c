/* Model files: what is read has a shape that its parameters fill. */
#include "frame.h"
#include "fuzz.h"
#include "model.h"
#include "model_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void seal(uint8_t *p, size_t n)
{
    fuzz_seal_frame(p, n, PS_MODEL_HEAD);
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
        ps_model_free(&m);
    }
    fuzz_file_close(&f);
    return 0;
}
