/* bench.h - what bench*.c share. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

#include "device.h"

typedef struct {
    uint32_t dx, m, d, T, batch, negatives, items;
    size_t rows, square;
} sizes;

extern ps_device *dev;

double now(void);  /* seconds */
void need(int rc); /* ends the program, saying why, if it is negative */

/* Memory of the device, given back together: floats between -.5 and .5; words, i x step, or (0) at random below. */
void *room(size_t bytes);
float *random_reals(size_t n);
uint32_t *words(size_t n, uint32_t step, uint32_t below);
void free_rooms(void);

/* A line for each operation. */
void operations(const sizes *s);

#endif
