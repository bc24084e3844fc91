/* emulator.cc - CUDA on the CPU: coroutines for threads, queues for streams, a guarded arena for device memory. */
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <random>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include <cuda_runtime.h>

#include "emulator.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define POISON(p, n) __asan_poison_memory_region(p, n)
#define UNPOISON(p, n) __asan_unpoison_memory_region(p, n)
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

[[noreturn]] static void die(const char *why)
{
    fprintf(stderr, "CUDA emulation: %s (block %u, %u; thread %u)\n", why, blockIdx.x, blockIdx.y, threadIdx.x);
    abort();
}

static std::mt19937_64 &dice()
{
    static std::mt19937_64 engine(getenv("EMULATOR_SEED") ? strtoull(getenv("EMULATOR_SEED"), NULL, 10) : 1);
    return engine;
}

void emulator_seed(uint64_t seed)
{
    dice().seed(seed);
}

static bool dead;

void emulated_die()
{
    dead = true;
}

/* ---- coroutines ---- */

enum { STACK = 128 << 10, WARP = 32, THREADS_MAX = 1024 };

#ifdef __x86_64__
typedef void *context;
/* Saves what a function must keep, changes stacks, restores. */
extern "C" void emulated_switch(context *from, context to);
asm(".text\n"
    ".type emulated_switch,@function\n"
    "emulated_switch:\n"
    "    pushq %rbp\n    pushq %rbx\n    pushq %r12\n    pushq %r13\n    pushq %r14\n    pushq %r15\n"
    "    movq %rsp, (%rdi)\n    movq %rsi, %rsp\n"
    "    popq %r15\n    popq %r14\n    popq %r13\n    popq %r12\n    popq %rbx\n    popq %rbp\n"
    "    ret\n"
    ".size emulated_switch,.-emulated_switch\n");

static void make_context(context *c, char *stack, size_t bytes, void (*entry)())
{
    void **top = (void **)(stack + bytes) - 1; /* as after a call: 8 bytes off a multiple of 16 */
    *--top = (void *)entry;
    top -= 6;
    std::fill(top, top + 6, nullptr);
    *c = top;
}

static void change(context *from, context *to)
{
    emulated_switch(from, *to);
}
#else
#include <ucontext.h>
typedef ucontext_t context;

static void make_context(context *c, char *stack, size_t bytes, void (*entry)())
{
    getcontext(c);
    c->uc_stack.ss_sp = stack;
    c->uc_stack.ss_size = bytes;
    makecontext(c, entry, 0);
}

static void change(context *from, context *to)
{
    swapcontext(from, to);
}
#endif

enum state { READY, AT_BARRIER, AT_EXCHANGE, DONE };

struct coroutine {
    context at;
    char *stack;
    state now;
    unsigned mask, exchanges;
    uint64_t value[2]; /* of this exchange and the one before: a lane may be one ahead of its warp */
};

static coroutine threads[THREADS_MAX];
static context scheduler;
static unsigned running, block_threads;
static const std::function<void()> *body;
static uint64_t blocks_run;
uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

#ifdef __SANITIZE_ADDRESS__
static const void *main_stack;
static size_t main_stack_bytes;
#endif

/* To the scheduler; `last`: and never back. */
static void yield_as(state now, bool last)
{
    threads[running].now = now;
#ifdef __SANITIZE_ADDRESS__
    void *fake = NULL;
    __sanitizer_start_switch_fiber(last ? NULL : &fake, main_stack, main_stack_bytes);
#endif
    unsigned self = running;
    change(&threads[self].at, &scheduler);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(fake, &main_stack, &main_stack_bytes);
#endif
    (void)last;
}

static void thread_main()
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(NULL, &main_stack, &main_stack_bytes);
#endif
    (*body)();
    yield_as(DONE, true);
}

static void resume(unsigned t)
{
    running = t;
    threadIdx = {t % blockDim.x, t / blockDim.x, 0};
#ifdef __SANITIZE_ADDRESS__
    void *fake = NULL;
    __sanitizer_start_switch_fiber(&fake, threads[t].stack, STACK);
#endif
    change(&scheduler, &threads[t].at);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

void __syncthreads()
{
    yield_as(AT_BARRIER, false);
}

int emulated_lane()
{
    return (int)(running % WARP);
}

uint64_t emulated_exchange(unsigned mask, uint64_t v, int from)
{
    unsigned self = running, warp = self - self % WARP;
    coroutine *t = &threads[self];
    if (!(mask >> self % WARP & 1) || from < 0 || from >= WARP || !(mask >> from & 1))
        die("a lane exchanges outside its mask");
    unsigned parity = ++t->exchanges & 1;
    t->mask = mask;
    t->value[parity] = v;
    yield_as(AT_EXCHANGE, false);
    return threads[warp + (unsigned)from].value[parity];
}

/* Have all lanes of its mask come to the same exchange? */
static bool exchange_complete(unsigned t)
{
    unsigned warp = t - t % WARP;
    for (unsigned lane = 0; lane < WARP; lane++) {
        if (!(threads[t].mask >> lane & 1))
            continue;
        const coroutine *other = &threads[warp + lane];
        if (warp + lane >= block_threads || other->now == DONE)
            die("a lane of an exchange's mask has ended");
        if (other->now != AT_EXCHANGE || other->exchanges != threads[t].exchanges)
            return false;
        if (other->mask != threads[t].mask)
            die("lanes come to one exchange with different masks");
    }
    return true;
}

/* Those that may go on; a barrier opens when all that have not ended wait at it. */
static void find_ready(std::vector<unsigned> *ready)
{
    unsigned waiting = 0, ended = 0;
    ready->clear();
    for (unsigned t = 0; t < block_threads; t++) {
        waiting += threads[t].now == AT_BARRIER;
        ended += threads[t].now == DONE;
        if (threads[t].now == AT_EXCHANGE && exchange_complete(t))
            ready->push_back(t);
    }
    if (ready->empty() && waiting + ended < block_threads)
        die("some threads wait at a barrier, others at an exchange");
    if (ready->empty() && waiting > 0)
        for (unsigned t = 0; t < block_threads; t++)
            if (threads[t].now == AT_BARRIER)
                ready->push_back(t);
}

extern char __start_cuda_shared[], __stop_cuda_shared[];
__attribute__((section("cuda_shared"), used)) static char at_least_this[8];

static void run_block()
{
    static std::vector<unsigned> ready;
    memset(__start_cuda_shared, 0xff, (size_t)(__stop_cuda_shared - __start_cuda_shared));
    ready.clear();
    for (unsigned t = 0; t < block_threads; t++) {
        if (!threads[t].stack)
            threads[t].stack = (char *)mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        UNPOISON(threads[t].stack, STACK); /* the last coroutine on it never returned */
        make_context(&threads[t].at, threads[t].stack, STACK, thread_main);
        threads[t].now = READY;
        threads[t].exchanges = 0;
        ready.push_back(t);
    }
    for (; !ready.empty(); find_ready(&ready)) {
        std::shuffle(ready.begin(), ready.end(), dice());
        for (unsigned t : ready)
            resume(t);
    }
    blocks_run++;
}

/* Blocks in a random order too: nothing may depend on it. */
static void run_grid(const cudaLaunchConfig_t &config, const std::function<void()> &thread)
{
    std::vector<uint3> block;
    for (unsigned y = 0; y < config.gridDim.y; y++)
        for (unsigned x = 0; x < config.gridDim.x; x++)
            block.push_back({x, y, 0});
    std::shuffle(block.begin(), block.end(), dice());
    blockDim = config.blockDim;
    gridDim = config.gridDim;
    block_threads = config.blockDim.x * config.blockDim.y;
    body = &thread;
    for (const uint3 &b : block) {
        blockIdx = b;
        run_block();
    }
}

/* ---- device memory: an arena that only kernels and copies may touch; guard bytes round each buffer ---- */

static const size_t ARENA = (size_t)64 << 30, GUARD = 256, PAGE = 4096, LARGE = 16 << 20;
static char *arena, *arena_end;
static std::map<char *, size_t> buffers, pinned;
static size_t in_use;

static size_t device_memory()
{
    const char *s = getenv("EMULATOR_MEMORY");
    return s ? strtoull(s, NULL, 10) : (size_t)4 << 30;
}

static void open_arena(bool open)
{
    size_t bytes = ((size_t)(arena_end - arena) + PAGE - 1) / PAGE * PAGE;
    if (bytes && mprotect(arena, bytes, open ? PROT_READ | PROT_WRITE : PROT_NONE) != 0)
        die("mprotect");
}

static bool inside(const std::map<char *, size_t> &ranges, const void *p, size_t bytes)
{
    auto at = ranges.upper_bound((char *)p);
    return at != ranges.begin() && (--at, (char *)p + bytes <= at->first + at->second);
}

static bool guard_broken(const char *p)
{
    bool broken = false;
    UNPOISON(p, GUARD);
    for (size_t i = 0; i < GUARD; i++)
        broken = broken || (unsigned char)p[i] != 0xc5;
    POISON(p, GUARD);
    return broken;
}

static int overruns(char *p, size_t bytes)
{
    if (!guard_broken(p - GUARD) && !guard_broken(p + bytes))
        return 0;
    fprintf(stderr, "CUDA emulation: written beside a buffer of %zu bytes\n", bytes);
    return 1;
}

bool emulated_is_device(const void *p, size_t bytes)
{
    return inside(buffers, p, bytes);
}

int emulator_overruns(void)
{
    int found = 0;
    open_arena(true);
    for (auto &b : buffers)
        found += overruns(b.first, b.second);
    open_arena(false);
    return found;
}

uint64_t emulator_memory(void)
{
    return in_use;
}

uint64_t emulator_blocks(void)
{
    return blocks_run;
}

cudaError_t cudaMalloc(void **p, size_t bytes)
{
    if (in_use + bytes > device_memory())
        return cudaErrorMemoryAllocation;
    if (!arena)
        arena = arena_end = (char *)mmap(NULL, ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    char *at = arena_end + GUARD;
    arena_end = at + bytes + GUARD;
    arena_end += (256 - (uintptr_t)arena_end % 256) % 256;
    if ((size_t)(arena_end - arena) > ARENA)
        die("the arena is used up");
    open_arena(true);
    UNPOISON(at - GUARD, bytes + 2 * GUARD);
    memset(at - GUARD, 0xc5, GUARD);
    if (bytes < LARGE)
        memset(at, 0xff, bytes); /* NaN */
    memset(at + bytes, 0xc5, GUARD);
    POISON(at - GUARD, GUARD);
    POISON(at + bytes, (size_t)(arena_end - at) - bytes);
    open_arena(false);
    buffers[at] = bytes;
    in_use += bytes;
    *p = at;
    return cudaSuccess;
}

static void run_all();

/* The arena shrinks to what is in use: opening it takes time. */
cudaError_t cudaFree(void *p)
{
    auto at = buffers.find((char *)p);
    if (at == buffers.end())
        return cudaErrorInvalidValue;
    run_all();
    open_arena(true);
    if (overruns(at->first, at->second))
        abort();
    if (at->second < LARGE)
        memset(p, 0xff, at->second); /* for who still reads it; and the address sanitizer sees that */
    POISON(p, at->second);
    open_arena(false);
    in_use -= at->second;
    buffers.erase(at);
    arena_end = buffers.empty() ? arena : buffers.rbegin()->first + buffers.rbegin()->second + GUARD;
    arena_end += (256 - (uintptr_t)arena_end % 256) % 256;
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **p, size_t bytes)
{
    *p = malloc(bytes);
    memset(*p, 0xff, bytes);
    pinned[(char *)*p] = bytes;
    return cudaSuccess;
}

static std::map<const char *, int> copies; /* that are queued, by pinned buffer */

/* It does not wait. */
cudaError_t cudaFreeHost(void *p)
{
    if (copies[(char *)p] > 0 && !dead)
        die("pinned memory is freed before it has been copied");
    copies.erase((char *)p);
    if (pinned.erase((char *)p) == 0)
        return cudaErrorInvalidValue;
    free(p);
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *all)
{
    *all = device_memory();
    *left = *all - in_use;
    return cudaSuccess;
}

/* ---- streams: work is put off, and done in a random order that the events allow ---- */

struct emulated_event {
    uint64_t asked, done; /* records asked for, and reached */
};

struct task {
    emulated_event *event; /* not before it has been reached `ticket` times; NULL: at any time */
    uint64_t ticket;
    std::function<void()> work;
    std::function<bool()> ready; /* and what other processes must have done; none: nothing */
};

struct emulated_stream {
    std::deque<task> queue;
};

static std::vector<emulated_stream *> streams;

static cudaError_t health()
{
    return dead ? cudaErrorLaunchFailure : cudaSuccess;
}

static bool is_ready(const task &t)
{
    return (!t.event || t.event->done >= t.ticket) && (!t.ready || t.ready());
}

/* The head of some stream whose turn it is; false if there is none. */
static bool run_one()
{
    std::vector<emulated_stream *> ready;
    for (emulated_stream *s : streams)
        if (!dead && !s->queue.empty() && is_ready(s->queue.front()))
            ready.push_back(s);
    if (ready.empty())
        return false;
    emulated_stream *s = ready[dice()() % ready.size()];
    task t = std::move(s->queue.front());
    s->queue.pop_front();
    if (t.work) {
        open_arena(true);
        t.work();
        open_arena(false);
    }
    return true;
}

static bool others_awaited()
{
    return std::any_of(streams.begin(), streams.end(),
                       [](emulated_stream *s) { return !s->queue.empty() && s->queue.front().ready; });
}

static void run_until(const std::function<bool()> &reached)
{
    while (!dead && !reached())
        if (!run_one()) {
            if (!others_awaited())
                die("a stream waits for an event that nothing will record");
            usleep(50);
        }
}

static void run_all()
{
    run_until([] {
        return std::all_of(streams.begin(), streams.end(), [](emulated_stream *s) { return s->queue.empty(); });
    });
}

void emulated_queue_when(cudaStream_t stream, std::function<bool()> ready, std::function<void()> work)
{
    stream->queue.push_back({NULL, 0, std::move(work), std::move(ready)});
}

void emulated_queue(cudaStream_t stream, std::function<void()> work)
{
    emulated_queue_when(stream, {}, std::move(work));
    /* Now and then something is done at once, as a device does that is not busy. */
    while (dice()() % 3 == 0 && run_one())
        ;
}

cudaError_t emulated_launch(const cudaLaunchConfig_t *config, std::function<void()> thread)
{
    unsigned threads_wanted = config->blockDim.x * config->blockDim.y * config->blockDim.z;
    if (threads_wanted == 0 || threads_wanted > THREADS_MAX || config->blockDim.z != 1 || config->gridDim.z != 1 ||
        config->gridDim.x == 0 || config->gridDim.x > 0x7fffffff || config->gridDim.y == 0 || config->gridDim.y > 65535)
        return cudaErrorInvalidConfiguration;
    cudaLaunchConfig_t copy = *config;
    emulated_queue(config->stream, [copy, thread] { run_grid(copy, thread); });
    return cudaSuccess;
}

/* From pageable memory the bytes are taken at once, to it they are there on return: as the CUDA manual has it. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream)
{
    if (kind == cudaMemcpyDeviceToDevice) {
        if (!inside(buffers, to, bytes) || !inside(buffers, from, bytes))
            return cudaErrorInvalidValue;
        emulated_queue(stream, [=] { memcpy(to, from, bytes); });
        return cudaSuccess;
    }
    const void *host = kind == cudaMemcpyHostToDevice ? from : to, *device = kind == cudaMemcpyHostToDevice ? to : from;
    bool is_pinned = inside(pinned, host, bytes);
    if (!inside(buffers, device, bytes))
        return cudaErrorInvalidValue;
    if (kind == cudaMemcpyHostToDevice && !is_pinned) {
        std::vector<char> copy((const char *)from, (const char *)from + bytes);
        emulated_queue(stream, [=] { memcpy(to, copy.data(), bytes); });
        return cudaSuccess;
    }
    if (!is_pinned) {
        emulated_queue(stream, [=] { memcpy(to, from, bytes); });
        return cudaStreamSynchronize(stream);
    }
    const char *buffer = std::prev(pinned.upper_bound((char *)host))->first;
    copies[buffer]++;
    emulated_queue(stream, [=] {
        memcpy(to, from, bytes);
        copies[buffer]--;
    });
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t stream)
{
    if (!inside(buffers, p, bytes))
        return cudaErrorInvalidValue;
    emulated_queue(stream, [=] { memset(p, value, bytes); });
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    (void)flags;
    streams.push_back(*stream = new emulated_stream);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    cudaError_t rc = cudaStreamSynchronize(stream);
    streams.erase(std::find(streams.begin(), streams.end(), stream));
    delete stream;
    return rc;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    run_until([=] { return stream->queue.empty(); });
    return health();
}

cudaError_t cudaStreamQuery(cudaStream_t stream)
{
    if (!run_one())
        usleep(50); /* another process has to come first */
    if (dead)
        return health();
    return stream->queue.empty() ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags)
{
    (void)flags;
    stream->queue.push_back({event, event->asked, {}, {}});
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags)
{
    (void)flags;
    *event = new emulated_event{0, 0};
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    run_all();
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    uint64_t ticket = ++event->asked;
    emulated_queue(stream, [=] { event->done = ticket; });
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    uint64_t ticket = event->asked;
    run_until([=] { return event->done >= ticket; });
    return health();
}

/* ---- the machine ---- */

static bool fault(const char *name)
{
    const char *s = getenv("EMULATOR_FAULT");
    return s && strcmp(s, name) == 0;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = fault("no-driver") ? 0 : fault("old-driver") ? 12020 : 13000;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = 13000;
    return cudaSuccess;
}

static int gpus()
{
    const char *s = getenv("EMULATOR_GPUS");
    return s ? atoi(s) : 1;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = gpus();
    return fault("old-driver") ? cudaErrorInsufficientDriver : fault("no-device") ? cudaErrorNoDevice : cudaSuccess;
}

cudaError_t cudaSetDevice(int n)
{
    return n >= 0 && n < gpus() ? cudaSuccess : cudaErrorInvalidDevice;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *about, int n)
{
    snprintf(about->name, sizeof about->name, "emulated on the CPU");
    about->totalGlobalMem = device_memory();
    about->major = 7;
    about->minor = 5;
    return cudaSetDevice(n);
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *about, const void *)
{
    about->binaryVersion = 80;
    return fault("old-gpu") ? cudaErrorNoKernelImageForDevice : cudaSuccess;
}

cudaError_t cudaGetLastError()
{
    return cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t rc)
{
    static const std::map<int, const char *> text = {{cudaSuccess, "no error"},
                                                     {cudaErrorInvalidValue, "invalid argument"},
                                                     {cudaErrorMemoryAllocation, "out of memory"},
                                                     {cudaErrorInvalidConfiguration, "invalid configuration argument"},
                                                     {cudaErrorInvalidDevice, "invalid device ordinal"},
                                                     {cudaErrorLaunchFailure, "unspecified launch failure"}};
    auto at = text.find(rc);
    return at == text.end() ? "unknown error" : at->second;
}
