/* dots_body.h - the loops of dots.h; included once for each instruction set, with PS_DOTS_NAME defined. */
#include <string.h>

#include "dots.h"

/* W lanes of a register; MR x NR sums in registers, NR rows of b beside them. */
#if defined __AVX512F__
enum { W = 16, MR = 4, NR = 6 };
#elif defined __AVX2__
enum { W = 8, MR = 4, NR = 3 };
#else
enum { W = 4, MR = 3, NR = 4 };
#endif

typedef float lanes __attribute__((vector_size(4 * W)));

static inline lanes load(const float *p)
{
    lanes v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* The last n < W elements, then zeros. */
static inline lanes load_some(const float *p, size_t n)
{
    float v[W] = {0};
    memcpy(v, p, n * sizeof *v);
    return load(v);
}

static inline float sum(lanes v)
{
    float x[W];
    memcpy(x, &v, sizeof x);
    for (size_t half = W / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            x[l] += x[l + half];
    return x[0];
}

/* The only place where products are summed: blocks at the edges repeat a row instead of taking another way. */
static void block(size_t d, const float *const a[MR], const float *const b[NR], float out[MR][NR])
{
    lanes acc[MR][NR] = {{{0}}};
    size_t p = 0;
    for (; p + W <= d; p += W) {
        lanes y[NR];
        for (int j = 0; j < NR; j++)
            y[j] = load(b[j] + p);
        for (int i = 0; i < MR; i++) {
            lanes x = load(a[i] + p);
            for (int j = 0; j < NR; j++)
                acc[i][j] += x * y[j];
        }
    }
    if (p < d)
        for (int i = 0; i < MR; i++)
            for (int j = 0; j < NR; j++)
                acc[i][j] += load_some(a[i] + p, d - p) * load_some(b[j] + p, d - p);
    for (int i = 0; i < MR; i++)
        for (int j = 0; j < NR; j++)
            out[i][j] = sum(acc[i][j]);
}

void PS_DOTS_NAME(size_t m, size_t n, size_t d, const float *a, size_t lda, const float *b, size_t ldb, float *c,
                  size_t ldc)
{
    for (size_t j = 0; j < n; j += NR)
        for (size_t i = 0; i < m; i += MR) {
            const float *x[MR], *y[NR];
            float out[MR][NR];
            for (size_t k = 0; k < MR; k++)
                x[k] = a + (i + k < m ? i + k : m - 1) * lda;
            for (size_t k = 0; k < NR; k++)
                y[k] = b + (j + k < n ? j + k : n - 1) * ldb;
            block(d, x, y, out);
            for (size_t k = 0; k < MR && i + k < m; k++)
                for (size_t l = 0; l < NR && j + l < n; l++)
                    c[(i + k) * ldc + j + l] = out[k][l];
        }
}
