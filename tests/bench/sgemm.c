/* sgemm.c - the rate of matrix products on this machine, one thread: the best of some, by processor time.
 *
 *   sgemm            of a large square product: that of the products in use, and OpenBLAS's; the higher one first
 *   sgemm shapes     of the products that a training step is made of, in use and by OpenBLAS
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gemm.h"

enum { TIMES = 8, MOST = 12288 * 1024 };

typedef __typeof__(ps_gemm_one) product;

typedef struct {
    ps_trans ta, tb;
    size_t m, n, k;
} shape;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double rate(product *run, const shape *s, const float *a, const float *b, float *c)
{
    double best = 0;
    for (int t = 0; t < TIMES; t++) {
        double start = seconds();
        run(s->ta, s->tb, s->m, s->n, s->k, 1, a, s->ta == PS_N ? s->k : s->m, b, s->tb == PS_N ? s->n : s->k, 0, c,
            s->n);
        double r = 2e-9 * (double)s->m * (double)s->n * (double)s->k / (seconds() - start);
        best = r > best ? r : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    static const shape large = {PS_N, PS_T, 2048, 2048, 1024};
    static const shape step[] = {{PS_N, PS_T, 12288, 256, 256},   {PS_N, PS_N, 6144, 256, 256},
                                 {PS_T, PS_N, 256, 256, 6144},    {PS_N, PS_T, 12288, 256, 1024},
                                 {PS_N, PS_T, 12288, 1024, 1024}, {PS_N, PS_N, 6144, 1024, 1024},
                                 {PS_T, PS_N, 1024, 256, 6144},   {PS_T, PS_N, 1024, 1024, 6144}};
    float *a = malloc(sizeof *a * MOST), *b = malloc(sizeof *b * MOST), *c = calloc(MOST, sizeof *c);
    if (!a || !b || !c)
        return 1;
    for (size_t i = 0; i < MOST; i++)
        a[i] = b[i] = (float)(i % 17) - 8;
    if (argc < 2) {
        double used = rate(ps_gemm_one, &large, a, b, c), library = rate(ps_gemm_library, &large, a, b, c);
        printf("%.1f GFLOP/s: in use (%s) %.1f, OpenBLAS %.1f\n", used > library ? used : library, ps_gemm_backend(),
               used, library);
    }
    for (size_t i = 0; argc > 1 && argv[1][0] == 's' && i < sizeof step / sizeof *step; i++)
        printf("op(A) %5zu x %4zu%s op(B) x %4zu%s  %6.1f GFLOP/s, OpenBLAS %6.1f\n", step[i].m, step[i].k,
               step[i].ta == PS_T ? " turned," : ",       ", step[i].n, step[i].tb == PS_T ? " turned:" : ":       ",
               rate(ps_gemm_one, &step[i], a, b, c), rate(ps_gemm_library, &step[i], a, b, c));
    free(a);
    free(b);
    free(c);
    return 0;
}
