/* t_cuda_queues.c - batches reach the device through slots whole; and the emulation shows what is wrong: missing
 * barriers (tests/cuda/planted.cu), missing waits. */
#include "cuda_twins.h"

extern int planted_run(int which, int with_barrier) __attribute__((weak));

/* Batches one after the other through two slots, as training has them: with the waiting each is read as it was sent. */
static int batches_arrive(int waiting)
{
    enum { N = 1000, BATCHES = 6 };
    const ps_device_ops *ops = device->ops;
    float *pinned[PS_SLOTS], *there[PS_SLOTS];
    double *sums = ops->alloc(device, (BATCHES + PS_SUM_BLOCKS) * sizeof *sums), got[BATCHES];
    int right = 1;
    need(sums);
    for (int s = 0; s < PS_SLOTS; s++) {
        need(pinned[s] = ops->alloc_pinned(device, N * sizeof **pinned));
        need(there[s] = ops->alloc(device, N * sizeof **there));
    }
    for (int b = 0; b < BATCHES; b++) {
        int s = b % PS_SLOTS;
        if (waiting)
            ops->stage_begin(device, s);
        for (int i = 0; i < N; i++)
            pinned[s][i] = (float)(b + 1);
        ops->upload(device, there[s], pinned[s], N * sizeof **pinned);
        ops->stage_end(device, s);
        if (waiting)
            ops->use_begin(device, s);
        ops->sum(device, N, there[s], sums + b, sums + BATCHES);
        ops->use_end(device, s);
    }
    CHECK_OK(ops->get(device, got, sums, sizeof got));
    for (int b = 0; b < BATCHES; b++)
        right = right && got[b] == N * (b + 1);
    for (int s = 0; s < PS_SLOTS; s++) {
        ops->release_pinned(device, pinned[s]);
        ops->release(device, there[s], N * sizeof **there);
    }
    ops->release(device, sums, (BATCHES + PS_SUM_BLOCKS) * sizeof *sums);
    return right;
}

/* Pinned memory that is freed at once has been copied. */
static void test_freed(void)
{
    enum { N = 1000 };
    const ps_device_ops *ops = device->ops;
    float *there = ops->alloc(device, N * sizeof *there), got[N];
    need(there);
    for (uint64_t seed = 1; seed <= (emulator_seed ? 10 : 1); seed++) {
        float *pinned = ops->alloc_pinned(device, N * sizeof *pinned);
        int right = 1;
        need(pinned);
        if (emulator_seed)
            emulator_seed(seed);
        for (int i = 0; i < N; i++)
            pinned[i] = (float)i + (float)seed;
        ops->upload(device, there, pinned, N * sizeof *pinned);
        ops->release_pinned(device, pinned);
        CHECK_OK(ops->get(device, got, there, sizeof got));
        for (int i = 0; i < N; i++)
            right = right && got[i] == (float)i + (float)seed;
        CHECK(right);
    }
    ops->release(device, there, N * sizeof *there);
}

/* Does the emulation show what is wrong? */
static void test_emulation(void)
{
    enum { SEEDS = 20 };
    int wrong[2] = {0}, late = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        emulator_seed(seed);
        for (int which = 0; which < 2; which++) {
            CHECK(planted_run(which, 1) == 1);
            wrong[which] += planted_run(which, 0) == 0;
        }
        CHECK(batches_arrive(1));
        late += !batches_arrive(0);
    }
    printf("planted: missing barriers show with %d and %d of %d seeds, missing waits with %d\n", wrong[0], wrong[1],
           SEEDS, late);
    fflush(stdout);
    CHECK(wrong[0] == SEEDS && wrong[1] == SEEDS && late > SEEDS / 2);
    emulator_seed(1);
}

int main(void)
{
    int rc = begin();
    if (rc)
        return rc;
    if (planted_run)
        test_emulation();
    else
        CHECK(batches_arrive(1));
    test_freed();
    end();
    CHECK_END();
}
