/* dots_body.h - the loops of dots.h; included once for each instruction set, with PS_DOTS_NAME and PS_DOTS_ROWS_NAME
 * defined. */
#include <string.h>

#include "dots.h"

/* W lanes of a register; MR x NR sums in registers, a multiple of W. */
#if defined __AVX512F__
enum { W = 16, MR = 4, NR = 4 };
#elif defined __AVX2__
enum { W = 8, MR = 4, NR = 2 };
#else
enum { W = 4, MR = 4, NR = 2 };
#endif

typedef float lanes __attribute__((vector_size(4 * W)));

static inline lanes load(const float *p)
{
    lanes v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* The last n < W elements of a row of d, and zeros.  Where the row is long enough they come with what stands
 * before them. */
static inline lanes load_end(const float *row, size_t d, size_t n)
{
    typedef int words __attribute__((vector_size(4 * W)));
    if (d >= W) {
        words keep;
        for (int l = 0; l < W; l++)
            keep[l] = l + (int)n >= W ? -1 : 0;
        return (lanes)((words)load(row + d - W) & keep);
    }
    float v[W];
    for (size_t l = 0; l < W; l++)
        v[l] = l < n ? row[l] : 0;
    return load(v);
}

/* Lane l of the result: the two elements of a and b (one after the other) that stand `h` apart, in the l-th place of
 * those that begin a pair; so W sums go from 2h lanes each to h. */
#define PAIR(h, l, o) ((l) / (h)*2 * (h) + (l) % (h) + (o))
#if defined __AVX512F__
#define SHUFFLE(a, b, h, o)                                                                                            \
    __builtin_shufflevector(a, b, PAIR(h, 0, o), PAIR(h, 1, o), PAIR(h, 2, o), PAIR(h, 3, o), PAIR(h, 4, o),           \
                            PAIR(h, 5, o), PAIR(h, 6, o), PAIR(h, 7, o), PAIR(h, 8, o), PAIR(h, 9, o), PAIR(h, 10, o), \
                            PAIR(h, 11, o), PAIR(h, 12, o), PAIR(h, 13, o), PAIR(h, 14, o), PAIR(h, 15, o))
#elif defined __AVX2__
#define SHUFFLE(a, b, h, o)                                                                                  \
    __builtin_shufflevector(a, b, PAIR(h, 0, o), PAIR(h, 1, o), PAIR(h, 2, o), PAIR(h, 3, o), PAIR(h, 4, o), \
                            PAIR(h, 5, o), PAIR(h, 6, o), PAIR(h, 7, o))
#else
#define SHUFFLE(a, b, h, o) __builtin_shufflevector(a, b, PAIR(h, 0, o), PAIR(h, 1, o), PAIR(h, 2, o), PAIR(h, 3, o))
#endif
#define FOLD(v, h)                \
    for (int i = 0; i < (h); i++) \
    v[i] = SHUFFLE(v[2 * i], v[2 * i + 1], h, 0) + SHUFFLE(v[2 * i], v[2 * i + 1], h, h)

/* Lane l: the sum over the lanes of v[l]: upper half onto lower half until one is left. */
static inline lanes sums(lanes v[W])
{
#if defined __AVX512F__
    FOLD(v, 8);
#endif
#if defined __AVX2__
    FOLD(v, 4);
#endif
    FOLD(v, 2);
    FOLD(v, 1);
    return v[0];
}

/* Products are summed here and in `one` only, in the same order: blocks at the edges repeat a row instead of
 * taking another way.  out[i * n
 * + j] for m x n rows, a multiple of W. */
__attribute__((always_inline)) static inline void block(const int m, const int n, size_t d, const float *const *a,
                                                        const float *const *b, float *out)
{
    lanes acc[MR * NR];
    for (int k = 0; k < m * n; k++)
        acc[k] = (lanes){0};
    size_t p = 0;
    for (; p + W <= d; p += W) {
        lanes y[W];
        for (int j = 0; j < n; j++)
            y[j] = load(b[j] + p);
        for (int i = 0; i < m; i++) {
            lanes x = load(a[i] + p);
            for (int j = 0; j < n; j++)
                acc[i * n + j] += x * y[j];
        }
    }
    if (p < d) {
        lanes y[W];
        for (int j = 0; j < n; j++)
            y[j] = load_end(b[j], d, d - p);
        for (int i = 0; i < m; i++) {
            lanes x = load_end(a[i], d, d - p);
            for (int j = 0; j < n; j++)
                acc[i * n + j] += x * y[j];
        }
    }
    for (int k = 0; k < m * n; k += W) {
        lanes s = sums(acc + k);
        memcpy(out + k, &s, sizeof s);
    }
}

/* Lanes from `h` on come to the front. */
#if defined __AVX512F__
#define UPPER(v, h)                                                                                                 \
    __builtin_shufflevector(v, v, h, h + 1, h + 2, h + 3, h + 4, h + 5, h + 6, h + 7, h + 8, h + 9, h + 10, h + 11, \
                            h + 12, h + 13, h + 14, h + 15)
#elif defined __AVX2__
#define UPPER(v, h) __builtin_shufflevector(v, v, h, h + 1, h + 2, h + 3, h + 4, h + 5, h + 6, h + 7)
#else
#define UPPER(v, h) __builtin_shufflevector(v, v, h, h + 1, h + 2, h + 3)
#endif

/* The very number that `block` and `sums` make of two rows.  All in registers: with an array of sums between, memory
 * was read at less than half the rate. */
static inline float one(size_t d, const float *a, const float *b)
{
    lanes v = {0};
    size_t p = 0;
    for (; p + W <= d; p += W)
        v += load(a + p) * load(b + p);
    if (p < d)
        v += load_end(a, d, d - p) * load_end(b, d, d - p);
#if defined __AVX512F__
    v += UPPER(v, 8);
#endif
#if defined __AVX2__
    v += UPPER(v, 4);
#endif
    v += UPPER(v, 2);
    v += UPPER(v, 1);
    return v[0];
}

void PS_DOTS_ROWS_NAME(size_t n, size_t d, const float *a, const float *const *b, float *c)
{
    for (size_t j = 0; j < n; j++)
        c[j] = one(d, a, b[j]);
}

void PS_DOTS_NAME(size_t m, size_t n, size_t d, const float *a, size_t lda, const float *b, size_t ldb, float *c,
                  size_t ldc)
{
    if (m == 1) {
        for (size_t j = 0; j < n; j++)
            c[j] = one(d, a, b + j * ldb);
        return;
    }
    for (size_t j = 0; j < n; j += NR)
        for (size_t i = 0; i < m; i += MR) {
            const float *x[MR], *y[NR];
            float out[MR * NR];
            for (size_t k = 0; k < MR; k++)
                x[k] = a + (i + k < m ? i + k : m - 1) * lda;
            for (size_t k = 0; k < NR; k++)
                y[k] = b + (j + k < n ? j + k : n - 1) * ldb;
            block(MR, NR, d, x, y, out);
            for (size_t k = 0; k < MR && i + k < m; k++)
                for (size_t l = 0; l < NR && j + l < n; l++)
                    c[(i + k) * ldc + j + l] = out[k * NR + l];
        }
}
