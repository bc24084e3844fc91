/* comm_inner.h - for comm*.c only. */
#ifndef PS_COMM_INNER_H
#define PS_COMM_INNER_H

#include "comm.h"
#include "mpi_open.h"

struct ps_comm {
    const ps_mpi *mpi;
    int rank, size;
    int agreed, speaker; /* all know of a failure; the rank that prints it */
    int lost;
};

/* Messages on their way; at: free(). */
typedef struct {
    ps_request *at;
    size_t n, cap;
} ps_requests;

/* Messages between two ranks with the same tag arrive in order.  Gathering has tag 0. */
PS_MUST_USE int ps_requests_send(ps_comm *c, ps_requests *r, const ps_real *data, size_t n, int to, int tag);
PS_MUST_USE int ps_requests_receive(ps_comm *c, ps_requests *r, ps_real *data, size_t n, int from, int tag);

#endif
