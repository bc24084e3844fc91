/* comm_sum.c - sums of gradients over shares, bucket by bucket. */
#include <stdlib.h>
#include <string.h>

#include "comm_inner.h"
#include "mem.h"
#include "vec.h"

enum { BUCKET = 1 << 20 }; /* elements */

typedef enum { WAITING, REDUCING, GATHERING, DONE } phase;

/* Elements first .. end - 1. */
typedef struct {
    size_t first, end;
    phase phase;
    ps_requests reducing, gathering;
    ps_real *got; /* this rank's slice of every share */
    size_t cap;
} bucket;

struct ps_comm_sum {
    ps_comm *comm;
    uint32_t shares, own, own_end; /* own .. own_end - 1 are this rank's */
    size_t buckets;
    bucket *bucket; /* from the end of the vector to its beginning, as gradients become complete */
    ps_real *const *part;
    ps_real *out;
    int rc;
};

ps_comm_sum *ps_comm_sum_new(ps_comm *comm, uint32_t shares, size_t n)
{
    ps_comm_sum *s = ps_zalloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->comm = comm;
    s->shares = shares;
    s->own = ps_comm_first_share(shares, ps_comm_rank(comm), ps_comm_size(comm));
    s->own_end = ps_comm_first_share(shares, ps_comm_rank(comm) + 1, ps_comm_size(comm));
    s->buckets = (n + BUCKET - 1) / BUCKET;
    s->bucket = ps_zalloc(s->buckets, sizeof *s->bucket);
    if (!s->bucket) {
        ps_comm_sum_free(s);
        return NULL;
    }
    for (size_t b = 0, end = n; b < s->buckets; b++) {
        s->bucket[b].end = end;
        end = end > BUCKET ? end - BUCKET : 0;
        s->bucket[b].first = end;
    }
    return s;
}

void ps_comm_sum_free(ps_comm_sum *s)
{
    if (!s)
        return;
    for (size_t b = 0; s->bucket && b < s->buckets; b++) {
        free(s->bucket[b].reducing.at);
        free(s->bucket[b].gathering.at);
        free(s->bucket[b].got);
    }
    free(s->bucket);
    free(s);
}

void ps_comm_sum_begin(ps_comm_sum *s, ps_real *const *part, ps_real *out)
{
    s->part = part;
    s->out = out;
    for (size_t b = 0; b < s->buckets; b++) {
        s->bucket[b].phase = WAITING;
        s->bucket[b].reducing.n = s->bucket[b].gathering.n = 0;
    }
}

/* The first element of a rank's slice. */
static size_t slice(const ps_comm_sum *s, const bucket *b, int rank)
{
    return b->first + (b->end - b->first) * (size_t)rank / (size_t)ps_comm_size(s->comm);
}

/* What others have of this rank's slice comes, what this rank has of theirs goes. */
static int reduce(ps_comm_sum *s, bucket *b)
{
    ps_comm *c = s->comm;
    const int me = ps_comm_rank(c), size = ps_comm_size(c), tag = 1 + 2 * (int)(b - s->bucket);
    size_t n = slice(s, b, me + 1) - slice(s, b, me);
    int rc = size > 1 ? ps_room(&b->got, &b->cap, s->shares * n, sizeof *b->got) : 0;
    for (int k = 1; k < size && rc == 0; k++) {
        int other = (me + k) % size;
        uint32_t end = ps_comm_first_share(s->shares, other + 1, size);
        for (uint32_t i = ps_comm_first_share(s->shares, other, size); i < end && rc == 0; i++)
            rc = ps_requests_receive(c, &b->reducing, b->got + i * n, n, other, tag);
        size_t theirs = slice(s, b, other), count = slice(s, b, other + 1) - theirs;
        for (uint32_t i = s->own; i < s->own_end && rc == 0; i++)
            rc = ps_requests_send(c, &b->reducing, s->part[i - s->own] + theirs, count, other, tag);
    }
    b->phase = REDUCING;
    return rc;
}

/* Adds the slice up and hands it out. */
static int gather(ps_comm_sum *s, bucket *b)
{
    ps_comm *c = s->comm;
    const int me = ps_comm_rank(c), size = ps_comm_size(c), tag = 2 + 2 * (int)(b - s->bucket);
    size_t first = slice(s, b, me), n = slice(s, b, me + 1) - first;
    int rc = 0;
    for (uint32_t i = 0; i < s->shares; i++) {
        const ps_real *from = i >= s->own && i < s->own_end ? s->part[i - s->own] + first : b->got + i * n;
        if (i == 0)
            memcpy(s->out + first, from, n * sizeof *from);
        else
            ps_vec()->axpy(n, 1, from, s->out + first);
    }
    for (int k = 1; k < size && rc == 0; k++) {
        int other = (me + k) % size;
        size_t theirs = slice(s, b, other);
        rc = ps_requests_receive(c, &b->gathering, s->out + theirs, slice(s, b, other + 1) - theirs, other, tag);
        if (rc == 0)
            rc = ps_requests_send(c, &b->gathering, s->out + first, n, other, tag);
    }
    b->phase = GATHERING;
    return rc;
}

/* Is it all there?  `wait`: it is afterwards. */
static int arrived(ps_comm_sum *s, ps_requests *r, int wait)
{
    if (wait && r->n)
        s->comm->mpi->wait(r->at, r->n);
    return wait || r->n == 0 || s->comm->mpi->done(r->at, r->n);
}

static void go_on(ps_comm_sum *s, size_t from, int wait)
{
    for (size_t i = 0; i < s->buckets && s->rc == 0; i++) {
        bucket *b = &s->bucket[i];
        if (b->phase == WAITING && b->first >= from)
            s->rc = reduce(s, b);
    }
    for (size_t i = 0; i < s->buckets && s->rc == 0; i++) {
        bucket *b = &s->bucket[i];
        if (b->phase == REDUCING && arrived(s, &b->reducing, wait))
            s->rc = gather(s, b);
    }
    for (size_t i = 0; i < s->buckets && s->rc == 0; i++) {
        bucket *b = &s->bucket[i];
        if (b->phase == GATHERING && arrived(s, &b->gathering, wait))
            b->phase = DONE;
    }
}

void ps_comm_sum_ready(ps_comm_sum *s, size_t from)
{
    go_on(s, from, 0);
}

int ps_comm_sum_end(ps_comm_sum *s)
{
    go_on(s, 0, 1);
    return s->rc;
}
