/* nccl.cc - NCCL for ranks of one machine: a file that all have mapped, with a mailbox from each rank to each.  An
 * exchange is queued like everything else, and waits for the other ranks there.  Nothing here waits: what is asked for
 * is in progress until the caller has asked once more how it goes, and until then nothing else may be asked for. */
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <list>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include <nccl.h>

enum { RANKS_MAX = 8, MAIL = 1 << 14 };

struct mailbox {
    std::atomic<uint64_t> posted, taken;
    float mail[MAIL];
};

struct shared {
    std::atomic<int> arrived;
    mailbox box[RANKS_MAX][RANKS_MAX]; /* from, to */
};

struct emulated_group {
    shared *all;
    int rank, ranks;
    bool joined;
    ncclUniqueId id;
};

static std::list<emulated_group> groups; /* all there have been: what is queued may still look at one */

/* One half of an exchange, in a group of calls. */
struct half {
    emulated_group *g;
    cudaStream_t stream;
    const float *out; /* NULL: it receives */
    float *in;
    size_t count;
    int other;
};

static std::vector<half> halves;
static int depth;
static bool in_progress, summing;

static bool fault(const char *name)
{
    const char *s = getenv("EMULATOR_FAULT");
    return s && strcmp(s, name) == 0;
}

static bool lost()
{
    return summing && fault("lost-rank");
}

ncclResult_t ncclGetUniqueId(ncclUniqueId *id)
{
    const char *dir = getenv("TMPDIR");
    snprintf(id->internal, sizeof id->internal, "%s/emulated-nccl-XXXXXX", dir && *dir ? dir : "/tmp");
    int fd = mkstemp(id->internal);
    int rc = fd < 0 ? -1 : ftruncate(fd, sizeof(shared));
    if (fd >= 0)
        close(fd);
    return rc == 0 ? ncclSuccess : ncclSystemError;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int ranks, ncclUniqueId id, int rank, ncclConfig_t *config)
{
    int fd = open(id.internal, O_RDWR);
    void *all = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (all == MAP_FAILED || ranks > RANKS_MAX || rank >= ranks || config->blocking)
        return ncclInvalidArgument;
    groups.push_back({(shared *)all, rank, ranks, false, id});
    *comm = &groups.back();
    if (!fault("cannot-join"))
        (*comm)->all->arrived++;
    return ncclInProgress;
}

/* Tasks that are still queued look at it, and pass. */
ncclResult_t ncclCommAbort(ncclComm_t comm)
{
    if (!comm->joined && comm->rank == 0)
        unlink(comm->id.internal);
    munmap(comm->all, sizeof(shared));
    comm->all = NULL;
    halves.clear();
    in_progress = false;
    return ncclSuccess;
}

static void queue_all();

static ncclResult_t state_of_joining(ncclComm_t comm)
{
    if (fault("cannot-join"))
        return ncclSystemError;
    comm->joined = comm->all->arrived == comm->ranks;
    if (comm->joined && comm->rank == 0)
        unlink(comm->id.internal);
    return comm->joined ? ncclSuccess : ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *status)
{
    *status = !comm->joined ? state_of_joining(comm) : lost() ? ncclRemoteError : ncclSuccess;
    if (in_progress)
        queue_all();
    in_progress = false;
    return ncclSuccess;
}

const char *ncclGetErrorString(ncclResult_t status)
{
    return status == ncclRemoteError   ? "remote process exited or there was a network error"
           : status == ncclSystemError ? "unhandled system error"
                                       : "NCCL failed";
}

static size_t piece(const half &h, size_t i)
{
    return h.count - i < MAIL ? h.count - i : (size_t)MAIL;
}

/* What is sent goes into the mailbox when the other has taken what was in it. */
static void post(const half &h, size_t i)
{
    auto free = [=] {
        const mailbox *b = h.g->all ? &h.g->all->box[h.g->rank][h.other] : NULL;
        return !b || (b->taken == b->posted && !lost());
    };
    emulated_queue_when(h.stream, free, [=] {
        if (!h.g->all)
            return;
        mailbox *b = &h.g->all->box[h.g->rank][h.other];
        memcpy(b->mail, h.out + i, piece(h, i) * sizeof(float));
        b->posted++;
    });
}

static void take(const half &h, size_t i)
{
    auto there = [=] {
        const mailbox *b = h.g->all ? &h.g->all->box[h.other][h.g->rank] : NULL;
        return !b || (b->posted > b->taken && !lost());
    };
    emulated_queue_when(h.stream, there, [=] {
        if (!h.g->all)
            return;
        mailbox *b = &h.g->all->box[h.other][h.g->rank];
        memcpy(h.in + i, b->mail, piece(h, i) * sizeof(float));
        b->taken++;
    });
}

/* Pieces of all halves in turn: nobody waits for who waits for him. */
static void queue_all()
{
    size_t most = 0;
    for (const half &h : halves)
        most = h.count > most ? h.count : most;
    for (size_t i = 0; i < most; i += MAIL) {
        for (const half &h : halves)
            if (h.out && i < h.count)
                post(h, i);
        for (const half &h : halves)
            if (!h.out && i < h.count)
                take(h, i);
    }
    halves.clear();
}

ncclResult_t ncclGroupStart()
{
    if (in_progress)
        return ncclInvalidUsage;
    depth++;
    return ncclSuccess;
}

ncclResult_t ncclGroupEnd()
{
    if (--depth > 0)
        return ncclSuccess;
    in_progress = summing = true;
    if (fault("dies"))
        emulated_die();
    return ncclInProgress;
}

/* Always in a group: what ncclAllGather is made of is in one, too. */
static ncclResult_t add(const half &h)
{
    const void *p = h.out ? (const void *)h.out : h.in;
    if (h.other < 0 || h.other >= h.g->ranks || h.other == h.g->rank || depth == 0 || !h.g->joined ||
        !emulated_is_device(p, h.count * sizeof(float)))
        return ncclInvalidArgument;
    halves.push_back(h);
    return ncclSuccess;
}

ncclResult_t ncclSend(const void *from, size_t count, ncclDataType_t, int to, ncclComm_t comm, cudaStream_t stream)
{
    return add({comm, stream, (const float *)from, NULL, count, to});
}

ncclResult_t ncclRecv(void *to, size_t count, ncclDataType_t, int from, ncclComm_t comm, cudaStream_t stream)
{
    return add({comm, stream, NULL, (float *)to, count, from});
}

ncclResult_t ncclAllGather(const void *from, void *to, size_t count, ncclDataType_t type, ncclComm_t comm,
                           cudaStream_t stream)
{
    float *own = (float *)to + comm->rank * count;
    if (from != own)
        return ncclInvalidArgument; /* nobody here gathers elsewhere */
    ncclResult_t rc = ncclGroupStart();
    for (int r = 0; r < comm->ranks && rc == ncclSuccess; r++)
        if (r != comm->rank && (rc = ncclSend(from, count, type, r, comm, stream)) == ncclSuccess)
            rc = ncclRecv((float *)to + r * count, count, type, r, comm, stream);
    ncclResult_t end = ncclGroupEnd();
    return rc == ncclSuccess ? end : rc;
}
