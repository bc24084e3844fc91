/* t_cuda_group.c - sums over devices, a process each: the sum in the order of the ranks to the last bit, beside the
 * operations and behind those that it needs.  Over three emulated devices and over one; on a machine with GPUs over all
 * of them, even if that is one. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../cuda/emulator.h"
#include "check.h"
#include "device.h"
#include "rng.h"

extern __typeof__(emulator_seed) emulator_seed __attribute__((weak));
extern __typeof__(emulator_overruns) emulator_overruns __attribute__((weak));

enum { RANKS_MAX = 8, SUMS = 3, SECONDS = 300 };

/* What the processes tell each other. */
static struct {
    atomic_int opened[RANKS_MAX]; /* 1: has a device; -1: has none */
    atomic_int grouped;           /* 1: id is the group's; -1: there is no such thing */
    ps_group_id id;
} * shared;

static ps_device *dev;
static int rank, ranks;

static void need(const void *p)
{
    if (!p) {
        fprintf(stderr, "rank %d: %s\n", rank, ps_errmsg());
        exit(1);
    }
}

static float number(int of, size_t i)
{
    return (float)(2 * ps_unit(ps_rng((uint64_t)of + 1, i)) - 1);
}

/* From a copy on the device, so that an operation makes what is summed; then SUMS sums of parts of it, from its end;
 * then a copy, so that an operation reads the sum.  Is that the sum? */
static int sums_right(size_t n, int waiting)
{
    const ps_device_ops *ops = dev->ops;
    const size_t unit = ps_group_unit(ranks), part = (n / unit + SUMS - 1) / SUMS * unit, bytes = n * sizeof(float);
    float *x = malloc(bytes), *from = ops->alloc(dev, bytes), *made = ops->alloc(dev, bytes),
          *others = ops->alloc(dev, bytes), *out = ops->alloc(dev, bytes);
    int right = 1;
    need(x && from && made && others && out ? x : NULL);
    for (size_t i = 0; i < n; i++)
        x[i] = number(rank, i);
    CHECK_OK(ops->put(dev, from, x, bytes));
    ops->copy(dev, made, from, bytes);
    for (size_t end = n, begin; end > 0; end = begin) {
        begin = end > part ? end - part : 0;
        CHECK_OK(ops->group_sum(dev, end - begin, made + begin, others + begin));
    }
    if (waiting)
        ops->group_end(dev);
    ops->copy(dev, out, made, bytes);
    CHECK_OK(ops->get(dev, x, out, bytes));
    for (size_t i = 0; i < n; i++) {
        float sum = number(0, i);
        for (int r = 1; r < ranks; r++)
            sum += number(r, i);
        right = right && memcmp(&sum, &x[i], sizeof sum) == 0;
    }
    ops->group_end(dev);
    CHECK_OK(ops->finish(dev));
    free(x);
    float *const all[] = {from, made, others, out};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ops->release(dev, all[i], bytes);
    return right;
}

static void test_sums(void)
{
    const size_t unit = ps_group_unit(ranks), sizes[] = {unit, 2 * unit, 100 * unit, 9001 * unit};
    int late = 0, seeds = emulator_seed ? 10 : 1;
    for (int seed = 1; seed <= seeds; seed++) {
        if (emulator_seed)
            emulator_seed((uint64_t)(seed * RANKS_MAX + rank));
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            if (!sums_right(sizes[i], 1)) {
                fprintf(stderr, "rank %d of %d: not the sum of %zu elements\n", rank, ranks, sizes[i]);
                check_failures++;
            }
        late += emulator_seed && ranks > 1 && !sums_right(900 * unit, 0);
    }
    if (rank == 0)
        printf("%s: sums over %d\n", dev->name, ranks);
    /* They are beside the operations: these would not have to wait, else. */
    if (emulator_seed && ranks > 1)
        CHECK(late > seeds / 2);
}

static int device_of(int r)
{
    int state;
    while (!(state = atomic_load(&shared->opened[r])))
        usleep(100);
    return state;
}

/* 77 without a device. */
static int open_device(void)
{
    dev = ps_device_cuda(rank);
    if (rank == 0 && !dev)
        printf("%s\n", ps_errmsg());
    atomic_store(&shared->opened[rank], dev ? 1 : -1);
    for (ranks = 0; ranks < RANKS_MAX && device_of(ranks) > 0;)
        ranks++;
    return dev && rank < ranks ? 0 : 77;
}

static int join(void)
{
    int rc = dev->ops->group_open(dev, rank == 0 ? &shared->id : NULL), state;
    if (rank == 0) {
        if (rc < 0)
            printf("%s\n", ps_errmsg());
        atomic_store(&shared->grouped, rc < 0 ? -1 : 1);
    }
    while (!(state = atomic_load(&shared->grouped)))
        usleep(100);
    if (state < 0)
        return 0;
    rc = rc < 0 ? rc : dev->ops->group_join(dev, &shared->id, rank, ranks);
    while (rc >= 0 && (rc = dev->ops->group_joined(dev)) > 0)
        usleep(100);
    CHECK_OK(rc);
    return rc == 0 && dev->ranks == ranks;
}

static int run(void)
{
    alarm(SECONDS);
    int rc = open_device();
    if (rc == 0 && join())
        test_sums();
    if (dev && dev->ranks)
        dev->ops->group_leave(dev);
    if (dev) {
        CHECK(dev->ranks == 0 && (!emulator_overruns || emulator_overruns() == 0));
        dev->ops->close(dev);
    }
    return check_failures ? 1 : rc;
}

/* The status of the first process, or of another that failed. */
static int run_all(int processes)
{
    pid_t child[RANKS_MAX] = {0};
    int status, worst;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    for (int r = processes; r < RANKS_MAX; r++)
        atomic_store(&shared->opened[r], -1);
    fflush(stdout);
    for (rank = 1; rank < processes; rank++)
        if ((child[rank] = fork()) <= 0)
            _exit(child[rank] ? 1 : run());
    rank = 0;
    worst = run();
    for (int r = 1; r < processes; r++)
        if (waitpid(child[r], &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) % 77)
            worst = 1;
    munmap(shared, sizeof *shared);
    return worst;
}

/* Devices are opened by the processes alone: a driver does not outlive a fork. */
int main(void)
{
    if (emulator_seed)
        setenv("EMULATOR_GPUS", "3", 1);
    int rc = run_all(RANKS_MAX);
    if (rc == 0 && emulator_seed)
        rc = run_all(1);
    return rc;
}
