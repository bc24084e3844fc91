/* npy.h - matrices in NumPy's .npy files (NEP 1, format versions 1 to 3). */
#ifndef PS_NPY_H
#define PS_NPY_H

#include "io.h"

typedef struct {
    uint64_t rows, cols;
    int bytes;           /* of an element: 2, 4 or 8, a little-endian float */
    const uint8_t *data; /* row by row */
    char *name;
    ps_blob blob;
} ps_npy;

/* Maps or reads a 2-D array of float16, float32 or float64 in C order, with at least one column; its
 * size must be exactly what the header says.  Anything else, and an element that is NaN, infinite or beyond
 * a float, is PS_EDATA naming the byte, or the row and column (from 0).  NULL or "-" is standard input. */
PS_MUST_USE int ps_npy_open(ps_npy *a, const char *path);
void ps_npy_close(ps_npy *a);

/* out[0..cols-1] = row i, which must be below rows. */
void ps_npy_row(const ps_npy *a, uint64_t i, float *out);

#endif
