#include "mpi_open.h"

#ifdef PS_MPI
#include <dlfcn.h>
#include <mpi.h>

/* With RTLD_GLOBAL: OpenMPI opens parts of its own, which look for its functions. */
#define LIBRARY "libmpi.so.40"
#define FUNCTIONS(X) \
    X(Init_thread)   \
    X(Finalize) X(Abort) X(Comm_rank) X(Comm_size) X(Allreduce) X(Bcast) X(Isend) X(Irecv) X(Testall) X(Waitall)

static struct {
#define POINTER(name) __typeof__(MPI_##name) *name;
    FUNCTIONS(POINTER)
    MPI_Comm world;
    MPI_Datatype byte, number;
    MPI_Op most;
} mpi;
_Static_assert(sizeof(MPI_Request) == sizeof(ps_request), "OpenMPI's requests are pointers");

static void begin(int *rank, int *size)
{
    int level;
    mpi.Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
    mpi.Comm_rank(mpi.world, rank);
    mpi.Comm_size(mpi.world, size);
}

static void end(void)
{
    mpi.Finalize();
}

static void end_all(int status)
{
    mpi.Abort(mpi.world, status);
}

static void most(int *v, int n)
{
    mpi.Allreduce(MPI_IN_PLACE, v, n, mpi.number, mpi.most, mpi.world);
}

static void give(void *data, int bytes)
{
    mpi.Bcast(data, bytes, mpi.byte, 0, mpi.world);
}

static void send(const void *data, int bytes, int to, int tag, ps_request *r)
{
    mpi.Isend(data, bytes, mpi.byte, to, tag, mpi.world, (MPI_Request *)r);
}

static void receive(void *data, int bytes, int from, int tag, ps_request *r)
{
    mpi.Irecv(data, bytes, mpi.byte, from, tag, mpi.world, (MPI_Request *)r);
}

static int done(ps_request *r, size_t n)
{
    int all = 1;
    mpi.Testall((int)n, (MPI_Request *)r, &all, MPI_STATUSES_IGNORE);
    return all;
}

static void wait_for(ps_request *r, size_t n)
{
    mpi.Waitall((int)n, (MPI_Request *)r, MPI_STATUSES_IGNORE);
}

int ps_mpi_open(const ps_mpi **opened)
{
    static const ps_mpi calls = {begin, end, end_all, most, give, send, receive, done, wait_for};
    const char *missing = NULL;
    void *lib = dlopen(LIBRARY, RTLD_NOW | RTLD_GLOBAL);
    if (!lib)
        return ps_fail(PS_EDATA, "started by mpirun, but OpenMPI cannot be opened: %s", dlerror());
#define LOOK_UP(name)                                          \
    mpi.name = (__typeof__(mpi.name))dlsym(lib, "MPI_" #name); \
    missing = mpi.name ? missing : "MPI_" #name;
    FUNCTIONS(LOOK_UP)
    mpi.world = dlsym(lib, "ompi_mpi_comm_world");
    mpi.byte = dlsym(lib, "ompi_mpi_byte");
    mpi.number = dlsym(lib, "ompi_mpi_int");
    mpi.most = dlsym(lib, "ompi_mpi_op_max");
    if (!mpi.world || !mpi.byte || !mpi.number || !mpi.most)
        missing = "a handle";
    *opened = &calls;
    return missing ? ps_fail(PS_EDATA, "started by mpirun, but %s lacks %s: not the OpenMPI that was built for",
                             LIBRARY, missing)
                   : 0;
}

#else

int ps_mpi_open(const ps_mpi **opened)
{
    *opened = NULL;
    return ps_fail(PS_EDATA, "started by mpirun, but this program was built without MPI");
}

#endif
