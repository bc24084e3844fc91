/* nccl.h - what kernels/dev_group.cu uses of NCCL: ranks of one machine, through shared memory (nccl.cc). */
#ifndef EMULATED_NCCL_H
#define EMULATED_NCCL_H

#include <cuda_runtime.h>

#define PS_NCCL_LINKED

enum ncclResult_t {
    ncclSuccess,
    ncclSystemError = 2,
    ncclInvalidArgument = 4,
    ncclInvalidUsage,
    ncclRemoteError,
    ncclInProgress
};
struct ncclConfig_t {
    int blocking;
};
#define NCCL_CONFIG_INITIALIZER \
    {                           \
        1                       \
    }
enum ncclDataType_t { ncclFloat = 7 };
struct ncclUniqueId {
    char internal[128];
};
typedef struct emulated_group *ncclComm_t;

ncclResult_t ncclGetUniqueId(ncclUniqueId *id);
ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int ranks, ncclUniqueId id, int rank, ncclConfig_t *config);
ncclResult_t ncclCommAbort(ncclComm_t comm);
ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *status);
const char *ncclGetErrorString(ncclResult_t status);
ncclResult_t ncclGroupStart();
ncclResult_t ncclGroupEnd();
ncclResult_t ncclSend(const void *from, size_t count, ncclDataType_t type, int to, ncclComm_t comm,
                      cudaStream_t stream);
ncclResult_t ncclRecv(void *to, size_t count, ncclDataType_t type, int from, ncclComm_t comm, cudaStream_t stream);
ncclResult_t ncclAllGather(const void *from, void *to, size_t count, ncclDataType_t type, ncclComm_t comm,
                           cudaStream_t stream);

#endif
