/* sgemm.c - the rate of matrix products on this machine, one thread: the best of some, by processor time. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gemm.h"

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(void)
{
    enum { M = 2048, N = 2048, K = 1024, TIMES = 8 };
    float *a = malloc(sizeof *a * M * K), *b = malloc(sizeof *b * N * K), *c = malloc(sizeof *c * M * N);
    double best = 0;
    if (!a || !b || !c)
        return 1;
    for (size_t i = 0; i < (size_t)M * K; i++)
        a[i] = b[i] = (float)(i % 17) - 8;
    for (int t = 0; t < TIMES; t++) {
        double start = seconds();
        ps_gemm_one(PS_N, PS_T, M, N, K, 1, a, K, b, K, 0, c, N);
        double rate = 2e-9 * M * N * K / (seconds() - start);
        best = rate > best ? rate : best;
    }
    printf("%.1f GFLOP/s: %s\n", best, ps_gemm_backend());
    free(a);
    free(b);
    free(c);
    return 0;
}
