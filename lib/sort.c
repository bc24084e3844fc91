#include "sort.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "temp.h"

enum { MEMORY_LEAST = 1 << 22, BUFFER_LEAST = 1 << 16, BUFFER_MOST = 1 << 22, FAN_LEAST = 4 };

typedef struct {
    uint64_t key[2];
    size_t at; /* which record it is */
} place;

/* A sorted sequence in the file, and a piece of it in memory. */
typedef struct {
    uint64_t at, end; /* records in the file that are not read yet */
    uint8_t *buffer;
    size_t pos, have;
    uint64_t key[2]; /* of the record at pos */
} run;

struct ps_sort {
    size_t size;
    ps_sort_key key;
    const void *ctx;
    uint64_t memory;
    const char *dir;
    ps_temp file;
    uint64_t filed;   /* records in the file */
    uint8_t *records; /* put, and not in the file */
    place *order;
    size_t n, limit, records_cap, order_cap, next;
    run *run;
    size_t runs, run_cap;
    size_t *heap; /* runs, by their next record */
    size_t heaped, buffer;
    uint8_t *taken; /* what ps_sort_next handed out last */
};

ps_sort *ps_sort_new(size_t size, ps_sort_key key, const void *ctx, uint64_t memory, const char *dir)
{
    ps_sort *s = ps_zalloc(1, sizeof *s);
    if (!s)
        return NULL;
    memory = memory < MEMORY_LEAST ? MEMORY_LEAST : memory;
    *s = (ps_sort){.size = size, .key = key, .ctx = ctx, .memory = memory, .dir = dir, .file = {.fd = -1}};
    s->limit = memory / (size + 2 * sizeof *s->order) + 1; /* qsort takes the order's size once more */
    s->taken = ps_alloc(size, 1);
    if (s->taken)
        return s;
    free(s);
    return NULL;
}

static void close_runs(ps_sort *s)
{
    for (size_t i = 0; i < s->runs; i++) {
        free(s->run[i].buffer);
        s->run[i].buffer = NULL;
    }
    free(s->heap);
    s->heap = NULL;
}

void ps_sort_free(ps_sort *s)
{
    if (!s)
        return;
    close_runs(s);
    ps_temp_close(&s->file);
    free(s->run);
    free(s->records);
    free(s->order);
    free(s->taken);
    free(s);
}

/* ---- in memory ---- */

static int by_key(const void *a, const void *b)
{
    const place *x = a, *y = b;
    for (int i = 0; i < 2; i++)
        if (x->key[i] != y->key[i])
            return x->key[i] < y->key[i] ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static int in_order(const ps_sort *s)
{
    for (size_t i = 1; i < s->n; i++)
        if (by_key(&s->order[i - 1], &s->order[i]) > 0)
            return 0;
    return 1;
}

static void sort_records(ps_sort *s)
{
    if (!in_order(s))
        qsort(s->order, s->n, sizeof *s->order, by_key);
}

/* ---- runs ---- */

static int begin_run(ps_sort *s)
{
    if (s->file.fd < 0 && ps_temp_open(&s->file, s->dir) < 0)
        return PS_ESYS;
    if (ps_grow(&s->run, &s->run_cap, s->runs + 1, sizeof *s->run) < 0)
        return PS_EMEM;
    s->run[s->runs++] = (run){.at = s->filed, .end = s->filed};
    return 0;
}

/* To the end of the last run. */
static int append(ps_sort *s, const uint8_t *records, size_t n)
{
    int rc = ps_temp_write(&s->file, s->filed * s->size, records, n * s->size);
    s->filed += n;
    s->run[s->runs - 1].end = s->filed;
    return rc;
}

static int write_run(ps_sort *s)
{
    const size_t most = BUFFER_LEAST / s->size + 1;
    uint8_t *buffer = ps_alloc(most, s->size);
    int rc = buffer ? begin_run(s) : PS_EMEM;
    sort_records(s);
    for (size_t i = 0; i < s->n && rc == 0;) {
        size_t k = 0;
        for (; k < most && i < s->n; k++, i++)
            memcpy(buffer + k * s->size, s->records + s->order[i].at * s->size, s->size);
        rc = append(s, buffer, k);
    }
    free(buffer);
    s->n = 0;
    return rc;
}

int ps_sort_put(ps_sort *s, const void *record)
{
    int rc = s->n >= s->limit ? write_run(s) : 0;
    if (rc < 0)
        return rc;
    if (ps_grow(&s->records, &s->records_cap, (s->n + 1) * s->size, 1) < 0 ||
        ps_grow(&s->order, &s->order_cap, s->n + 1, sizeof *s->order) < 0)
        return PS_EMEM;
    memcpy(s->records + s->n * s->size, record, s->size);
    s->order[s->n].at = s->n;
    s->key(s->ctx, record, s->order[s->n].key);
    s->n++;
    return 0;
}

/* ---- merging ---- */

static int before(const ps_sort *s, size_t a, size_t b)
{
    const run *x = &s->run[a], *y = &s->run[b];
    for (int i = 0; i < 2; i++)
        if (x->key[i] != y->key[i])
            return x->key[i] < y->key[i];
    return a < b;
}

static void sink(ps_sort *s, size_t i)
{
    for (size_t child; (child = 2 * i + 1) < s->heaped; i = child) {
        if (child + 1 < s->heaped && before(s, s->heap[child + 1], s->heap[child]))
            child++;
        if (!before(s, s->heap[child], s->heap[i]))
            return;
        size_t t = s->heap[i];
        s->heap[i] = s->heap[child];
        s->heap[child] = t;
    }
}

static int fill(ps_sort *s, run *x)
{
    x->pos = 0;
    x->have = x->end - x->at < s->buffer ? x->end - x->at : s->buffer;
    int rc = ps_temp_read(&s->file, x->at * s->size, x->buffer, x->have * s->size);
    x->at += x->have;
    return rc;
}

/* Runs first .. first + n - 1 into the heap. */
static int open_runs(ps_sort *s, size_t first, size_t n)
{
    size_t bytes = s->memory / (n + 1);
    bytes = bytes < BUFFER_LEAST ? BUFFER_LEAST : bytes > BUFFER_MOST ? BUFFER_MOST : bytes;
    s->buffer = bytes / s->size + 1;
    s->heaped = 0;
    s->heap = ps_alloc(n, sizeof *s->heap);
    int rc = s->heap ? 0 : PS_EMEM;
    for (size_t i = first; i < first + n && rc == 0; i++) {
        run *x = &s->run[i];
        if (x->at == x->end)
            continue;
        x->buffer = ps_alloc(s->buffer, s->size);
        rc = x->buffer ? fill(s, x) : PS_EMEM;
        if (rc == 0)
            s->key(s->ctx, x->buffer, x->key);
        s->heap[s->heaped++] = i;
    }
    for (size_t i = s->heaped; rc == 0 && i-- > 0;)
        sink(s, i);
    return rc;
}

/* The first record of all runs into s->taken.  1; 0: there is none. */
static int take(ps_sort *s)
{
    if (s->heaped == 0)
        return 0;
    run *x = &s->run[s->heap[0]];
    memcpy(s->taken, x->buffer + x->pos * s->size, s->size);
    int rc = ++x->pos == x->have && x->at < x->end ? fill(s, x) : 0;
    if (rc < 0)
        return rc;
    if (x->pos < x->have)
        s->key(s->ctx, x->buffer + x->pos * s->size, x->key);
    else
        s->heap[0] = s->heap[--s->heaped];
    sink(s, 0);
    return 1;
}

/* Neighbouring runs into one behind all others, which then takes their place. */
static int merge_some(ps_sort *s, size_t first, size_t n)
{
    int rc = begin_run(s), more = 1;
    if (rc == 0)
        rc = open_runs(s, first, n);
    while (rc == 0 && (more = take(s)) > 0)
        rc = append(s, s->taken, 1);
    close_runs(s);
    if (rc < 0 || more < 0)
        return rc < 0 ? rc : more;
    s->run[first] = s->run[--s->runs];
    memmove(s->run + first + 1, s->run + first + n, (s->runs - first - n) * sizeof *s->run);
    s->runs -= n - 1;
    return 0;
}

int ps_sort_end(ps_sort *s)
{
    size_t fan = s->memory / BUFFER_LEAST - 1;
    fan = fan < FAN_LEAST ? FAN_LEAST : fan;
    if (s->runs == 0) {
        sort_records(s);
        return 0;
    }
    int rc = s->n ? write_run(s) : 0;
    free(s->records);
    free(s->order);
    s->records = NULL;
    s->order = NULL;
    while (s->runs > fan && rc == 0)
        for (size_t i = 0; i + 1 < s->runs && s->runs > fan && rc == 0; i++)
            rc = merge_some(s, i, s->runs - i < fan ? s->runs - i : fan);
    return rc < 0 ? rc : open_runs(s, 0, s->runs);
}

int ps_sort_next(ps_sort *s, const uint8_t **record)
{
    *record = s->taken;
    if (s->runs > 0)
        return take(s);
    if (s->next == s->n)
        return 0;
    *record = s->records + s->order[s->next++].at * s->size;
    return 1;
}
