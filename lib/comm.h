/* comm.h - the processes (ranks) that train one model together: MPI's communicator.
 *
 * MPI is opened when mpirun started this process, and not linked: a pstrain of its own depends on no MPI and starts as
 * fast. Opening needs the handles of one implementation by name, and that is OpenMPI's (libmpi.so.40).
 *
 * A NULL communicator is this process alone.  Functions marked ALL must be called by every rank, in the same order,
 * from the thread that began.  MPI itself ends all processes when a message cannot be passed; mpirun does when one
 * dies.
 */
#ifndef PS_COMM_H
#define PS_COMM_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "real.h"

typedef struct ps_comm ps_comm;

/* ALL.  Joins the others; *comm is NULL if mpirun did not start this process.  PS_EDATA if it did, but there is no MPI.
 */
PS_MUST_USE int ps_comm_begin(ps_comm **comm);

/* ALL, or one whose failure the others do not know of, which ends them all.  rc: what became of the work. */
void ps_comm_end(ps_comm *comm, int rc);

int ps_comm_rank(const ps_comm *comm);       /* 0 without */
int ps_comm_size(const ps_comm *comm);       /* 1 without */
int ps_comm_local_rank(const ps_comm *comm); /* among the ranks of this machine; 0 without */

/* Is this failure's message for this rank to print?  Yes, unless all have failed together and another one prints it. */
int ps_comm_speaks(const ps_comm *comm);

/* ALL.  0 if rc is 0 on every rank; else a failure on every rank, with the message of the first that failed.
 * *flag (NULL: none): becomes 1 where it is not 0 on some rank. */
PS_MUST_USE int ps_comm_agree(ps_comm *comm, int rc, int *flag);

/* ALL, none of which has failed so far.  Is this so on any rank?  Then text (NULL: none) becomes that of the first. */
int ps_comm_first(ps_comm *comm, int so, char *text, size_t bytes);

/* This rank fails where the others cannot be told: from now on ps_comm_agree does nothing, as after a failure that all
 * know of, and ps_comm_end ends all. */
void ps_comm_lost(ps_comm *comm);

/* ALL.  Rank 0's bytes become everybody's. */
void ps_comm_give(ps_comm *comm, void *data, size_t bytes);

/* ALL.  Elements at[r] .. at[r + 1] - 1 of data are rank r's; all become everybody's. */
PS_MUST_USE int ps_comm_gather(ps_comm *comm, ps_real *data, const size_t *at);

/* ALL.  Are these numbers, by a hash of their bytes, the same on all ranks? */
int ps_comm_same(ps_comm *comm, const ps_real *data, size_t n);

/* ---- sums over shares (shares.h), on their way while the rest is computed ----
 *
 * Share s = 0 .. shares - 1 has a vector of n elements; rank r of R has shares r shares / R and on.  The sum
 * ((s0 + s1) + s2) + ... is taken in that order whatever R is, so that it has the same bytes: each rank adds up its
 * slice of every bucket and hands it out (an all-reduce by reduce-scatter and all-gather, with the order fixed;
 * MPI_Allreduce would fix it for one number of ranks).  A bucket begins as soon as it is complete.
 */
typedef struct ps_comm_sum ps_comm_sum;

/* NULL on failure.  comm may be NULL. */
PS_MUST_USE ps_comm_sum *ps_comm_sum_new(ps_comm *comm, uint32_t shares, size_t n);
void ps_comm_sum_free(ps_comm_sum *sum);

/* ALL.  Begins a sum: part[i] is this rank's i-th share, `out` takes the sum. */
void ps_comm_sum_begin(ps_comm_sum *sum, ps_real *const *part, ps_real *out);

/* Elements from .. n - 1 of all of this rank's shares are there and will not change; from falls from call to call.
 * Sends what can be sent and goes on with what has come, without waiting. */
void ps_comm_sum_ready(ps_comm_sum *sum, size_t from);

/* ALL.  Waits for the whole of it.  What failed on the way is reported here. */
PS_MUST_USE int ps_comm_sum_end(ps_comm_sum *sum);

/* The first share of a rank; of rank `size`: the number of shares. */
static inline uint32_t ps_comm_first_share(uint32_t shares, int rank, int size)
{
    return (uint32_t)((uint64_t)shares * (uint64_t)rank / (uint64_t)size);
}

#endif
