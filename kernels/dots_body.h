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

/* Upper half onto lower half, down to 4 lanes, then in pairs. */
static inline float sum(lanes v)
{
    typedef float quad __attribute__((vector_size(16)));
    quad q[W / 4];
    memcpy(q, &v, sizeof q);
    for (size_t half = W / 8; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            q[l] += q[l + half];
    return (q[0][0] + q[0][2]) + (q[0][1] + q[0][3]);
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
    if (p < d) {
        lanes y[NR];
        for (int j = 0; j < NR; j++)
            y[j] = load_end(b[j], d, d - p);
        for (int i = 0; i < MR; i++) {
            lanes x = load_end(a[i], d, d - p);
            for (int j = 0; j < NR; j++)
                acc[i][j] += x * y[j];
        }
    }
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
