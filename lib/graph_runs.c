#include "graph_runs.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "temp.h"

enum { READ_LEAST = 16384, READ_MOST = 1 << 18 }; /* edges of a run read at a time */

typedef struct {
    uint64_t at, end;   /* edges in the key file */
    uint64_t weight_at; /* its first weight's place in the weight file */
    int weighted;
    size_t pos, have; /* of the buffers */
    uint64_t *key;
    float *weight;
} run;

struct ps_runs {
    const char *dir;
    ps_temp keys, weights;
    uint64_t n, n_weights; /* written so far */
    ps_spilled spilled;
    run *run;
    size_t runs, cap;
    uint32_t *heap; /* runs by their next key, then by number */
    size_t heaped, buffer;
};

ps_runs *ps_runs_new(const char *dir)
{
    ps_runs *r = ps_zalloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->dir = dir;
    r->weights.fd = -1;
    if (ps_temp_open(&r->keys, dir) < 0) {
        free(r);
        return NULL;
    }
    return r;
}

static void free_buffers(ps_runs *r)
{
    for (size_t i = 0; i < r->runs; i++) {
        free(r->run[i].key);
        free(r->run[i].weight);
    }
    free(r->heap);
    r->heap = NULL;
}

void ps_runs_free(ps_runs *r)
{
    if (!r)
        return;
    free_buffers(r);
    free(r->run);
    ps_temp_close(&r->keys);
    ps_temp_close(&r->weights);
    free(r);
}

int ps_runs_begin(ps_runs *r)
{
    if (ps_grow(&r->run, &r->cap, r->runs + 1, sizeof *r->run) < 0)
        return PS_EMEM;
    r->spilled.runs++;
    r->run[r->runs++] = (run){.at = r->n, .end = r->n, .weight_at = r->n_weights};
    return 0;
}

int ps_runs_write(ps_runs *r, const ps_edge_list *b)
{
    if (b->n == 0)
        return 0;
    run *last = &r->run[r->runs - 1];
    int rc = ps_temp_write(&r->keys, r->n * sizeof *b->key, b->key, b->n * sizeof *b->key);
    if (rc == 0 && b->weighted && r->weights.fd < 0)
        rc = ps_temp_open(&r->weights, r->dir);
    if (rc == 0 && b->weighted) {
        rc = ps_temp_write(&r->weights, r->n_weights * sizeof(float), b->weight, b->n * sizeof(float));
        r->n_weights += b->n;
        last->weighted = 1;
    }
    r->n += b->n;
    r->spilled.written += b->n;
    last->end += b->n;
    return rc;
}

/* ---- merging ---- */

static int fill(ps_runs *r, run *x)
{
    x->pos = 0;
    x->have = x->end - x->at < r->buffer ? x->end - x->at : r->buffer;
    int rc = ps_temp_read(&r->keys, x->at * sizeof *x->key, x->key, x->have * sizeof *x->key);
    if (rc == 0 && x->weighted)
        rc = ps_temp_read(&r->weights, x->weight_at * sizeof(float), x->weight, x->have * sizeof(float));
    r->spilled.read += x->have;
    x->at += x->have;
    x->weight_at += x->have;
    return rc;
}

const ps_spilled *ps_runs_spilled(const ps_runs *r)
{
    return &r->spilled;
}

uint64_t ps_runs_bytes(const ps_runs *r)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < r->runs; i++)
        bytes += (r->run[i].key ? r->buffer * sizeof(uint64_t) : 0) +
                 (r->run[i].weight ? r->buffer * sizeof(float) : 0);
    return bytes;
}

static int before(const ps_runs *r, uint32_t a, uint32_t b)
{
    const run *x = &r->run[a], *y = &r->run[b];
    uint64_t j = x->key[x->pos], k = y->key[y->pos];
    return j < k || (j == k && a < b);
}

static void sink(ps_runs *r, size_t i)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= r->heaped)
            return;
        if (child + 1 < r->heaped && before(r, r->heap[child + 1], r->heap[child]))
            child++;
        if (!before(r, r->heap[child], r->heap[i]))
            return;
        uint32_t t = r->heap[i];
        r->heap[i] = r->heap[child];
        r->heap[child] = t;
        i = child;
    }
}

/* Runs `first` to first + n - 1 into the heap. */
static int open_runs(ps_runs *r, size_t first, size_t n, uint64_t memory)
{
    r->buffer = memory / 2 / (n + 1) / 12;
    r->buffer = r->buffer < READ_LEAST ? READ_LEAST : r->buffer > READ_MOST ? READ_MOST : r->buffer;
    r->heap = ps_alloc(n, sizeof *r->heap);
    r->heaped = 0;
    int rc = r->heap ? 0 : PS_EMEM;
    for (size_t i = first; i < first + n && rc == 0; i++) {
        run *x = &r->run[i];
        if (x->at == x->end)
            continue;
        x->key = ps_alloc(r->buffer, sizeof *x->key);
        x->weight = x->weighted ? ps_alloc(r->buffer, sizeof *x->weight) : NULL;
        if (!x->key || (x->weighted && !x->weight))
            return PS_EMEM;
        rc = fill(r, x);
        r->heap[r->heaped++] = (uint32_t)i;
    }
    for (size_t i = r->heaped; rc == 0 && i-- > 0;)
        sink(r, i);
    return rc;
}

/* Moves the edge on top into b; its run's next one takes its place. */
static int take(ps_runs *r, ps_edge_list *b)
{
    run *x = &r->run[r->heap[0]];
    b->key[b->n] = x->key[x->pos];
    if (b->weighted)
        b->weight[b->n] = x->weighted ? x->weight[x->pos] : 1;
    b->n++;
    if (++x->pos == x->have) {
        if (x->at < x->end) {
            int rc = fill(r, x);
            if (rc < 0)
                return rc;
        } else {
            r->heap[0] = r->heap[--r->heaped];
        }
    }
    sink(r, 0);
    return 0;
}

int ps_runs_merge(ps_runs *r, uint64_t limit, size_t most, ps_edge_list *b)
{
    while (r->heaped > 0) {
        const run *x = &r->run[r->heap[0]];
        uint64_t key = x->key[x->pos];
        if (key > limit || (b->n >= most && key != b->key[b->n - 1]))
            return 0;
        int rc = ps_edge_list_room(b, b->n + 1, b->weighted);
        if (rc == 0)
            rc = take(r, b);
        if (rc < 0)
            return rc;
    }
    return 1;
}

/* Neighbouring runs into one behind all others, which then takes their place. */
static int merge_some(ps_runs *r, size_t first, size_t n, uint64_t memory)
{
    int rc = open_runs(r, first, n, memory), done = 0;
    ps_edge_list b = {0};
    for (size_t i = first; i < first + n; i++)
        b.weighted |= r->run[i].weighted;
    if (rc == 0)
        rc = ps_runs_begin(r);
    while (rc == 0 && !done) {
        b.n = 0;
        done = rc = ps_runs_merge(r, UINT64_MAX, READ_LEAST, &b);
        if (rc >= 0)
            rc = ps_runs_write(r, &b);
    }
    ps_edge_list_free(&b);
    for (size_t i = first; i < first + n; i++) {
        free(r->run[i].key);
        free(r->run[i].weight);
        r->run[i].key = NULL;
        r->run[i].weight = NULL;
    }
    free(r->heap);
    r->heap = NULL;
    if (rc < 0)
        return rc;
    r->run[first] = r->run[--r->runs];
    memmove(r->run + first + 1, r->run + first + n, (r->runs - first - n) * sizeof *r->run);
    r->runs -= n - 1;
    return 0;
}

int ps_runs_start(ps_runs *r, uint64_t memory)
{
    size_t most = memory / 2 / (READ_LEAST * 12);
    most = most < 4 ? 4 : most;
    while (r->runs > most)
        for (size_t i = 0; i + 1 < r->runs && r->runs > most; i++) {
            size_t n = r->runs - i < most ? r->runs - i : most;
            if (n > r->runs - most + 1)
                n = r->runs - most + 1;
            int rc = merge_some(r, i, n, memory);
            if (rc < 0)
                return rc;
        }
    return open_runs(r, 0, r->runs, memory);
}
