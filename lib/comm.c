#include "comm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm_inner.h"
#include "mem.h"
#include "rng.h"

/* ---- beginning and end ---- */

int ps_comm_begin(ps_comm **comm)
{
    *comm = NULL;
    if (!getenv("OMPI_COMM_WORLD_SIZE"))
        return 0;
    const ps_mpi *mpi;
    int rc = ps_mpi_open(&mpi);
    ps_comm *c = rc == 0 ? ps_zalloc(1, sizeof *c) : NULL;
    if (!c)
        return rc < 0 ? rc : PS_EMEM;
    c->mpi = mpi;
    c->speaker = -1;
    mpi->begin(&c->rank, &c->size);
    *comm = c;
    return 0;
}

void ps_comm_end(ps_comm *c, int rc)
{
    if (!c)
        return;
    if (rc < 0 && !c->agreed)
        c->mpi->abort(1);
    c->mpi->end();
    free(c);
}

int ps_comm_rank(const ps_comm *c)
{
    return c ? c->rank : 0;
}

int ps_comm_size(const ps_comm *c)
{
    return c ? c->size : 1;
}

int ps_comm_local_rank(const ps_comm *c)
{
    const char *local = c ? getenv("OMPI_COMM_WORLD_LOCAL_RANK") : NULL;
    return local ? atoi(local) : 0;
}

int ps_comm_speaks(const ps_comm *c)
{
    return !c || !c->agreed || c->speaker == c->rank;
}

/* ---- what all must know ---- */

int ps_comm_agree(ps_comm *c, int rc, int *flag)
{
    if (!c || c->lost || c->agreed)
        return rc;
    /* The first that failed, by the largest of size - rank. */
    int v[2] = {rc < 0 ? c->size - c->rank : 0, flag && *flag};
    c->mpi->most(v, 2);
    if (flag)
        *flag = v[1];
    if (v[0] == 0)
        return rc;
    char name[32];
    snprintf(name, sizeof name, "rank %d", c->rank);
    c->agreed = 1;
    c->speaker = c->size - v[0];
    if (rc < 0)
        return ps_fail_in(rc, name);
    return ps_fail(PS_EDATA, "rank %d failed", c->speaker);
}

int ps_comm_first(ps_comm *c, int so, char *text, size_t bytes)
{
    enum { AT_ONCE = 64 };
    int first = so ? c->size - c->rank : 0, v[AT_ONCE];
    c->mpi->most(&first, 1);
    for (size_t i = 0; i < bytes && text && first; i += AT_ONCE) {
        int n = (int)(bytes - i < AT_ONCE ? bytes - i : AT_ONCE);
        for (int k = 0; k < n; k++)
            v[k] = first == c->size - c->rank ? (unsigned char)text[i + (size_t)k] : 0;
        c->mpi->most(v, n);
        for (int k = 0; k < n; k++)
            text[i + (size_t)k] = (char)v[k];
    }
    return first > 0;
}

void ps_comm_lost(ps_comm *c)
{
    if (c)
        c->lost = 1;
}

void ps_comm_give(ps_comm *c, void *data, size_t bytes)
{
    enum { AT_ONCE = 1 << 30 };
    for (size_t i = 0, n; c && i < bytes; i += n) {
        n = bytes - i < AT_ONCE ? bytes - i : AT_ONCE;
        c->mpi->give((char *)data + i, (int)n);
    }
}

int ps_comm_same(ps_comm *c, const ps_real *data, size_t n)
{
    if (!c)
        return 1;
    uint64_t hash = n, bits = 0;
    for (size_t i = 0; i < n; i++) {
        memcpy(&bits, &data[i], sizeof *data);
        hash = ps_mix64(hash ^ bits);
    }
    int v[2] = {(int)(hash >> 33), ~(int)(hash >> 33)};
    c->mpi->most(v, 2);
    return v[0] == ~v[1];
}

/* ---- messages on their way ---- */

enum { AT_ONCE = 1 << 27 }; /* elements of a message */

int ps_requests_send(ps_comm *c, ps_requests *r, const ps_real *data, size_t n, int to, int tag)
{
    for (size_t i = 0, k; i < n; i += k) {
        k = n - i < AT_ONCE ? n - i : AT_ONCE;
        if (ps_grow(&r->at, &r->cap, r->n + 1, sizeof *r->at) < 0)
            return PS_EMEM;
        c->mpi->send(data + i, (int)(k * sizeof *data), to, tag, &r->at[r->n++]);
    }
    return 0;
}

int ps_requests_receive(ps_comm *c, ps_requests *r, ps_real *data, size_t n, int from, int tag)
{
    for (size_t i = 0, k; i < n; i += k) {
        k = n - i < AT_ONCE ? n - i : AT_ONCE;
        if (ps_grow(&r->at, &r->cap, r->n + 1, sizeof *r->at) < 0)
            return PS_EMEM;
        c->mpi->receive(data + i, (int)(k * sizeof *data), from, tag, &r->at[r->n++]);
    }
    return 0;
}

int ps_comm_gather(ps_comm *c, ps_real *data, const size_t *at)
{
    ps_requests r = {0};
    int rc = 0;
    for (int k = 1; k < ps_comm_size(c) && rc == 0; k++) {
        int other = (c->rank + k) % c->size;
        rc = ps_requests_receive(c, &r, data + at[other], at[other + 1] - at[other], other, 0);
        if (rc == 0)
            rc = ps_requests_send(c, &r, data + at[c->rank], at[c->rank + 1] - at[c->rank], other, 0);
    }
    if (rc == 0 && c)
        c->mpi->wait(r.at, r.n);
    else if (rc < 0)
        c->lost = 1;
    free(r.at);
    return rc;
}
