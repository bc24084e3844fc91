/* cuda_twins.h - operations of device.h on the device (emulated, or a GPU: make gpu-check) against their twins on the
 * host: what t_cuda_*.c share.
 *
 * Outputs stand between guard words and start as NaN where they are only written.  A value that is not finite fails
 * unless its twin's is not finite either.  Next to each operation: how far it may be off, as a share of the largest
 * magnitude of the array or of 1.
 */
#ifndef CUDA_TWINS_H
#define CUDA_TWINS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../cuda/emulator.h"
#include "check.h"
#include "device.h"
#include "rng.h"

/* What the emulation adds: not there on a GPU. */
extern __typeof__(emulator_seed) emulator_seed __attribute__((weak));
extern __typeof__(emulator_overruns) emulator_overruns __attribute__((weak));
extern __typeof__(emulator_blocks) emulator_blocks __attribute__((weak));

enum { GUARD = 64, ARRAYS = 40, INFINITE = 2 }; /* with_nan: infinity instead */

/* The same array twice: for the host's operation and for the device's. */
typedef struct {
    size_t n, size; /* elements; bytes of one */
    char *host, *device, *block;
} array;

static ps_device *host, *device;
static array arrays[ARRAYS];
static int used;
static uint64_t draws;
static int with_nan, shift; /* of this trial: a NaN among the inputs; elements that rows are away from alignment */
static char trial[160];
static double worst;
static const char *worst_of;

static inline void need(const void *p)
{
    if (!p) {
        fprintf(stderr, "%s\n", ps_errmsg());
        exit(1);
    }
}

static inline uint32_t draw(uint32_t below)
{
    return (uint32_t)(ps_rng(7, draws++) % below);
}

static inline float draw_real(void)
{
    return (float)(2 * ps_unit(ps_rng(8, draws++)) - 1);
}

/* Guard, the elements from `from` (NULL: all bits set), guard: on both sides. */
static inline array *make(size_t n, size_t size, const void *from)
{
    array *a = &arrays[used++];
    size_t before = (GUARD + (size_t)shift) * size, bytes = before + n * size + GUARD * size;
    if (used > ARRAYS)
        exit(1);
    *a = (array){.n = n, .size = size, .block = malloc(bytes), .device = device->ops->alloc(device, bytes)};
    need(a->block);
    need(a->device);
    memset(a->block, 0x5a, bytes);
    memset(a->block + before, 0xff, n * size);
    if (from && n)
        memcpy(a->block + before, from, n * size);
    CHECK_OK(device->ops->put(device, a->device, a->block, bytes));
    a->host = a->block + before;
    a->device += before;
    return a;
}

static inline const char *among_inputs(void)
{
    return with_nan == INFINITE ? ", an infinity" : with_nan ? ", a NaN" : "";
}

static inline array *reals(size_t n)
{
    float *x = malloc((n + 1) * sizeof *x);
    need(x);
    for (size_t i = 0; i < n; i++)
        x[i] = draw_real();
    if (with_nan && n)
        x[draw((uint32_t)n)] = with_nan == INFINITE ? INFINITY : NAN;
    array *a = make(n, sizeof *x, x);
    free(x);
    return a;
}

/* ReLU's outputs: a third of them 0. */
static inline array *positives(size_t n)
{
    float *x = malloc((n + 1) * sizeof *x);
    need(x);
    for (size_t i = 0; i < n; i++)
        x[i] = i % 3 ? fabsf(draw_real()) : 0;
    array *a = make(n, sizeof *x, x);
    free(x);
    return a;
}

static inline array *empty(size_t n)
{
    return make(n, sizeof(float), NULL);
}

static inline array *words(size_t n, uint32_t below)
{
    uint32_t *x = malloc((n + 1) * sizeof *x);
    need(x);
    for (size_t i = 0; i < n; i++)
        x[i] = draw(below);
    array *a = make(n, sizeof *x, x);
    free(x);
    return a;
}

static inline void free_arrays(void)
{
    for (; used > 0; used--) {
        array *a = &arrays[used - 1];
        size_t before = (GUARD + (size_t)shift) * a->size;
        device->ops->release(device, a->device - before, before + a->n * a->size + GUARD * a->size);
        free(a->block);
    }
}

static inline void differ(const char *what, size_t i, double got, double want)
{
    if (check_failures++ < 20)
        fprintf(stderr, "%s: %s[%zu] is %.9g, should be %.9g\n", trial, what, i, got, want);
}

/* What the device has, with its guards. */
static inline char *fetched(const array *a)
{
    size_t before = (GUARD + (size_t)shift) * a->size, bytes = before + a->n * a->size + GUARD * a->size;
    char *all = malloc(bytes);
    need(all);
    CHECK_OK(device->ops->get(device, all, a->device - before, bytes));
    for (size_t i = 0; i < bytes; i++)
        if ((i < before || i >= before + a->n * a->size) && all[i] != 0x5a) {
            fprintf(stderr, "%s: written beside an array of %zu elements\n", trial, a->n);
            check_failures++;
            break;
        }
    memmove(all, all + before, a->n * a->size);
    return all;
}

static inline void compare(const char *what, const array *a, double bound)
{
    float *got = (float *)fetched(a), *want = (float *)a->host;
    double most = 1;
    for (size_t i = 0; i < a->n; i++)
        most = isfinite(want[i]) && fabs((double)want[i]) > most ? fabs((double)want[i]) : most;
    for (size_t i = 0; i < a->n; i++) {
        double off = fabs((double)got[i] - (double)want[i]) / most;
        if (!isfinite(want[i]) || !isfinite(got[i])) {
            if (isnan(want[i]) != isnan(got[i]) || isinf(want[i]) != isinf(got[i]))
                differ(what, i, (double)got[i], (double)want[i]);
        } else if (!(off <= bound)) {
            differ(what, i, (double)got[i], (double)want[i]);
        } else if (bound > 0 && off / bound > worst) {
            worst = off / bound;
            worst_of = what;
        }
    }
    free(got);
}

static inline void same_words(const char *what, const array *a)
{
    uint32_t *got = (uint32_t *)fetched(a), *want = (uint32_t *)a->host;
    for (size_t i = 0; i < a->n; i++)
        if (got[i] != want[i])
            differ(what, i, got[i], want[i]);
    free(got);
}

/* Lists of 0 to `most` entries, some empty; *edges: their entries.  The last: longer than a block reads at once. */
static inline array *offsets(size_t rows, uint32_t most, uint32_t *edges)
{
    uint32_t *off = calloc(rows + 1, sizeof *off);
    need(off);
    for (size_t u = 0; u < rows; u++)
        off[u + 1] = off[u] + (u + 1 == rows ? 150 : u % 4 == 2 ? 0 : draw(most + 1));
    *edges = off[rows];
    array *a = make(rows + 1, sizeof *off, off);
    free(off);
    return a;
}

static inline int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* A call on the host's arrays, then on the device's. */
#define A(array) ((void *)(side ? (array)->device : (array)->host))
#define ON_BOTH(call)                          \
    for (int side = 0; side < 2; side++) {     \
        ps_device *dev = side ? device : host; \
        dev->ops->call;                        \
    }                                          \
    CHECK_OK(device->ops->finish(device))

/* Opens both; 77, after a line that says why, without a device. */
static inline int begin(void)
{
    host = ps_device_host();
    device = ps_device_cuda(0);
    need(host);
    if (device)
        return 0;
    printf("%s\n", ps_errmsg());
    return 77;
}

static inline void end(void)
{
    CHECK(!emulator_overruns || emulator_overruns() == 0);
    if (worst_of)
        printf("%s: nearest to its bound: %s, %.2f of it\n", device->name, worst_of, worst);
    device->ops->close(device);
    host->ops->close(host);
}

#endif
