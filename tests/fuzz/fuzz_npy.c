/* .npy files: every row of a matrix that is taken can be read and is finite. */
#include <math.h>

#include "fuzz.h"
#include "npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_file f = fuzz_file_make(data, n);
    ps_npy a;
    if (ps_npy_open(&a, f.path) == 0) {
        MUST(a.cols > 0 && (a.rows == 0 || a.cols <= n / a.rows));
        float *row = malloc(a.cols * sizeof *row);
        for (uint64_t i = 0; i < a.rows; i++) {
            ps_npy_row(&a, i, row);
            for (uint64_t k = 0; k < a.cols; k++)
                MUST(isfinite(row[k]));
        }
        free(row);
        ps_npy_close(&a);
    }
    fuzz_file_close(&f);
    return 0;
}
