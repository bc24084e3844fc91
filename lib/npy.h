/* npy.h - matrices in NumPy's .npy files (NEP 1, format versions 1 to 3), and in .npz archives with the rows' ids. */
#ifndef PS_NPY_H
#define PS_NPY_H

#include "io.h"
#include "text.h"

typedef struct {
    uint64_t rows, cols;
    int bytes;           /* of an element: 2, 4 or 8, a little-endian float */
    const uint8_t *data; /* row by row */
    char *name;
    ps_blob blob;
    uint64_t *ids; /* of an archive: each row's number; NULL: none */
    char *text;    /* of an archive: the rows' names, name i at text + i * name_size, UTF-8, ended by NUL; NULL: none */
    size_t name_size;
} ps_npy;

/* Maps or reads a 2-D array of float16, float32 or float64 in C order, with at least one column; its
 * size must be exactly what the header says.  Anything else, and an element that is NaN, infinite or beyond
 * a float, is PS_EDATA naming the byte, or the row and column (from 0).  NULL or "-" is standard input.
 * An .npz archive (zip.h) has the matrix as "vectors"; "ids", whole numbers, and "names", strings, say what its rows
 * are. */
PS_MUST_USE int ps_npy_open(ps_npy *a, const char *path);
void ps_npy_close(ps_npy *a);

/* out[0..cols-1] = row i, which must be below rows. */
void ps_npy_row(const ps_npy *a, uint64_t i, float *out);

#endif
