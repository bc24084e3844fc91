/* mpi_open.h - what comm*.c needs of MPI, out of a library that is opened when it is asked for. */
#ifndef PS_MPI_OPEN_H
#define PS_MPI_OPEN_H

#include <stddef.h>

#include "err.h"

typedef void *ps_request; /* an MPI_Request of OpenMPI */

/* A failure of MPI's ends all processes: that is its default. */
typedef struct {
    void (*begin)(int *rank, int *size); /* MPI_Init_thread: one thread calls */
    void (*end)(void);
    void (*abort)(int status);
    void (*most)(int *v, int n);         /* the largest of each number over all ranks */
    void (*give)(void *data, int bytes); /* rank 0's to everybody */
    void (*send)(const void *data, int bytes, int to, int tag, ps_request *r);
    void (*receive)(void *data, int bytes, int from, int tag, ps_request *r);
    int (*done)(ps_request *r, size_t n); /* are all, without waiting? */
    void (*wait)(ps_request *r, size_t n);
} ps_mpi;

/* PS_EDATA, saying why, if there is none. */
PS_MUST_USE int ps_mpi_open(const ps_mpi **mpi);

#endif
