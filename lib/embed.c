#include "embed.h"

#include <stdlib.h>
#include <string.h>

#include "embed_parts.h"
#include "mem.h"

enum { BATCH = 64 };          /* blocks whose results are handed over together */
enum { OVERHEAD = 24 << 20 }; /* bytes: buffers of streams, what libraries take */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- one layer of everything ---- */

typedef struct {
    ps_embedder *m;
    uint32_t k;
    size_t first, n;    /* entries of a set that are worked on */
    ps_task task;       /* what is done to a block of them */
    ps_real *z, *ready; /* results of this batch, NULL: a layer before the last; those of the one before it, */
    size_t ready_first, ready_n;
    ps_near near;       /* filed: neighbours of a part's items, */
    uint32_t *at;       /* where in them each item's next one is, */
    ps_real *pooled;    /* and what they come to so far */
    size_t part, piece; /* rows of a part; rows of p that are in memory at a time, */
    ps_real *p, *soon;  /* these, and those that are read meanwhile, */
    size_t p_first;     /* from this row on */
} job;

static size_t blocks(const job *j, size_t n)
{
    return (n + j->m->block - 1) / j->m->block;
}

static void show(const job *j, size_t done, size_t of)
{
    ps_embedder *m = j->m;
    uint64_t items = m->need.set[m->shape.layers].n;
    if (m->e.progress && of)
        m->e.progress((uint64_t)((double)items * ((double)m->pass + (double)done / (double)of) / (double)m->passes),
                      items);
}

static int project_task(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    ps_embed_room *room = &j->m->room[thread];
    size_t i = task * j->m->block, n = smaller(j->m->block, j->n - i);
    ps_embed_locals(j->m, j->k, j->first + i, n, room->local);
    return ps_embed_project(j->m, room, j->k, n);
}

/* What a pass over everything has behind it: rows of x and neighbourhoods, where they are the entries in their order.
 * Where they are mapped they would else stay in memory until the end of the pass. */
static void rest(const job *j, size_t first, size_t n)
{
    const ps_embedding *e = &j->m->e;
    if (!j->m->filed || j->m->need.row)
        return;
    ps_vectors_rest(e->x, first, n);
    if (e->neighbours && e->neighbours->in_order && e->x->in_order)
        ps_neighbours_rest(e->neighbours, first, n);
}

static int project_all(job *j)
{
    /* All wait for the last of a batch: in memory, few of them. */
    const size_t all = j->m->need.set[j->k].n, batch = (j->m->filed ? 1 : 8) * BATCH * j->m->block;
    int rc = 0;
    for (j->first = 0; j->first < all && rc == 0; j->first += batch) {
        j->n = smaller(batch, all - j->first);
        rc = ps_pool_run(j->m->e.pool, blocks(j, j->n), project_task, j);
        rest(j, j->first, j->n);
        show(j, j->first + j->n, all);
    }
    j->m->pass++;
    return rc;
}

/* Layer k + 1 of a block whose pooled vectors are there, to where it belongs. */
static int finish(const job *j, ps_embed_room *room, size_t i, size_t n, const ps_real *pooled)
{
    return ps_embed_finish(j->m, room, j->k, n, pooled, j->z ? j->z + i * ps_embedding_dim(&j->m->shape) : NULL);
}

/* All of p is in memory: pooling and products at once. */
static int layer_task(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    ps_embedder *m = j->m;
    ps_embed_room *room = &m->room[thread];
    size_t i = task * m->block, n = smaller(m->block, j->n - i);
    ps_embed_locals(m, m->shape.layers ? j->k + 1 : 0, j->first + i, n, room->local);
    if (m->shape.layers == 0)
        return finish(j, room, i, n, NULL);
    room->near.n = 0;
    int rc = ps_near_add(m, &room->near, room->local, n);
    if (rc < 0)
        return rc;
    return finish(j, room, i, n, NULL);
}

/* ---- the same with p in a file: part by part, piece by piece ---- */

enum { PIECE_TASK = 1024 }; /* rows */

static size_t piece_rows(const job *j, size_t first)
{
    return first < j->m->need.items ? smaller(j->piece, j->m->need.items - first) : 0;
}

static size_t piece_tasks(const job *j, size_t first)
{
    return (piece_rows(j, first) + PIECE_TASK - 1) / PIECE_TASK;
}

/* Some rows of the piece that begins at `first`. */
static int read_rows(const job *j, size_t task, size_t first, ps_real *to)
{
    const size_t i = task * PIECE_TASK, n = smaller(PIECE_TASK, piece_rows(j, first) - i);
    const size_t bytes = j->m->shape.m * sizeof *to;
    return ps_temp_read(&j->m->p.file, (first + i) * bytes, to + i * j->m->shape.m, n * bytes);
}

static int read_task(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    (void)thread;
    return read_rows(j, task, j->p_first, j->p);
}

/* The first tasks read the next piece. */
static int pool_task(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    const size_t next = j->p_first + j->piece, reads = piece_tasks(j, next);
    (void)thread;
    if (task < reads)
        return read_rows(j, task, next, j->soon);
    size_t i = (task - reads) * j->m->block, n = smaller(j->m->block, j->n - i);
    ps_embed_pool(j->m, &j->near, i, n, j->p, j->p_first, piece_rows(j, j->p_first), j->at + i,
                  j->pooled + i * j->m->shape.m);
    return 0;
}

static int finish_task(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    ps_embedder *m = j->m;
    ps_embed_room *room = &m->room[thread];
    size_t i = task * m->block, n = smaller(m->block, j->n - i);
    ps_embed_locals(m, j->k + 1, j->first + i, n, room->local);
    /* bf16 reads whole blocks: the part's own end there. */
    memcpy(room->pooled, j->pooled + i * m->shape.m, n * m->shape.m * sizeof *room->pooled);
    return finish(j, room, i, n, room->pooled);
}

/* Neighbours of j->n items from entry j->first of S_(k+1) on. */
static int list_part(job *j, uint32_t *local)
{
    ps_embedder *m = j->m;
    int rc = 0;
    j->near.n = 0;
    for (size_t i = 0, rested = 0; i < j->n && rc == 0; i += m->block) {
        size_t n = smaller(m->block, j->n - i);
        ps_embed_locals(m, j->k + 1, j->first + i, n, local);
        rc = ps_near_add(m, &j->near, local, n);
        if (i + n - rested >= BATCH * m->block) {
            rest(j, j->first + rested, i + n - rested);
            rested = i + n;
        }
    }
    return rc;
}

/* Their pooled vectors. */
static int pool_part(job *j, uint32_t *local)
{
    ps_embedder *m = j->m;
    int rc = list_part(j, local);
    memset(j->pooled, 0, j->n * m->shape.m * sizeof *j->pooled);
    if (rc == 0)
        memcpy(j->at, j->near.off, j->n * sizeof *j->at);
    j->p_first = 0;
    if (rc == 0)
        rc = ps_pool_run(m->e.pool, piece_tasks(j, 0), read_task, j);
    for (; j->p_first < m->need.items && rc == 0; j->p_first += j->piece) {
        rc = ps_pool_run(m->e.pool, piece_tasks(j, j->p_first + j->piece) + blocks(j, j->n), pool_task, j);
        ps_real *swap = j->p;
        j->p = j->soon;
        j->soon = swap;
    }
    return rc;
}

/* All of p is read for each part: two pieces take an eighth of the budget, a part the rest. */
static int part_room(job *j)
{
    const ps_embedder *m = j->m;
    const size_t row = m->shape.m * sizeof(ps_real), near = ps_near_most(m) * (4 + sizeof(ps_real)) + 16;
    const size_t all = m->need.items, least = 4 * m->block, piece = m->budget / 8;
    j->part = smaller(all, (m->budget - piece) / (row + near) / m->block * m->block + least);
    j->piece = smaller(all, piece / 2 / row + least);
    j->p = ps_aligned(j->piece * m->shape.m, sizeof *j->p);
    j->soon = ps_aligned(j->piece * m->shape.m, sizeof *j->soon);
    j->pooled = ps_aligned(j->part * m->shape.m, sizeof *j->pooled);
    j->at = ps_alloc(j->part, sizeof *j->at);
    return j->p && j->soon && j->pooled && j->at ? 0 : PS_EMEM;
}

static void part_free(job *j)
{
    free(j->p);
    free(j->soon);
    free(j->pooled);
    free(j->at);
    ps_near_free(&j->near);
}

/* ---- results ---- */

static int hand_over(job *j)
{
    const size_t n = j->ready_n;
    int rc = n > 0 ? j->m->e.sink(j->m->e.ctx, j->ready_first, n, j->ready) : 0;
    j->ready_n = 0;
    rest(j, j->ready_first, n);
    return rc;
}

/* The first task hands the results of the batch before over. */
static int batch_task(void *ctx, size_t task, int thread)
{
    job *j = ctx;
    return task == 0 ? hand_over(j) : j->task(j, task - 1, thread);
}

/* Entries first .. first + n - 1 of the set, block by block; results go to the sink batch by batch. */
static int run_blocks(job *j, ps_task task, size_t first, size_t n)
{
    ps_embedder *m = j->m;
    const size_t batch = j->z || m->filed ? BATCH * m->block : n;
    ps_real *pooled = j->pooled;
    int rc = 0;
    j->task = task;
    for (size_t i = 0; i < n && rc == 0; i += batch) {
        j->first = first + i;
        j->n = smaller(batch, n - i);
        j->pooled = pooled ? pooled + i * m->shape.m : NULL;
        rc = ps_pool_run(m->e.pool, blocks(j, j->n) + 1, batch_task, j);
        if (j->z) {
            ps_real *swap = j->ready;
            j->ready = j->z;
            j->z = swap;
            j->ready_first = j->first;
            j->ready_n = j->n;
        } else {
            rest(j, j->first, j->n);
        }
        show(j, first + i + j->n, m->need.set[m->shape.layers ? j->k + 1 : 0].n);
    }
    j->pooled = pooled;
    return rc == 0 ? hand_over(j) : rc;
}

static int layer_filed(job *j, size_t all)
{
    uint32_t *local = ps_alloc(j->m->block, sizeof *local);
    int rc = local ? part_room(j) : PS_EMEM;
    for (size_t i = 0; i < all && rc == 0; i += j->part) {
        j->first = i;
        j->n = smaller(j->part, all - i);
        rc = pool_part(j, local);
        if (rc == 0)
            rc = run_blocks(j, finish_task, i, smaller(j->part, all - i));
    }
    free(local);
    part_free(j);
    return rc;
}

static int layer_all(ps_embedder *m, uint32_t k)
{
    const int last = k + 1 >= m->shape.layers;
    const size_t all = m->need.set[m->shape.layers ? k + 1 : 0].n;
    job j = {.m = m, .k = k};
    int rc = m->shape.layers ? project_all(&j) : 0;
    if (last && rc == 0) {
        const size_t batch = smaller(all, BATCH * m->block) * ps_embedding_dim(&m->shape);
        j.z = ps_aligned(batch, sizeof *j.z);
        j.ready = ps_aligned(batch, sizeof *j.ready);
        rc = j.z && j.ready ? 0 : PS_EMEM;
    }
    if (rc == 0)
        rc = m->filed ? layer_filed(&j, all) : run_blocks(&j, layer_task, 0, all);
    m->pass++;
    free(j.z);
    free(j.ready);
    return rc;
}

/* Does everything fit?  If not, what is left for a part and a piece. */
static int hidden_room(ps_embedder *m)
{
    const ps_shape *s = &m->shape;
    const size_t row = s->m * sizeof(ps_real), B = m->block, wide = s->dx > s->m ? s->dx : s->m;
    uint64_t all = s->layers ? m->need.items * row * (s->layers > 1 ? 2 : 1) : 0;
    uint64_t fixed = OVERHEAD + 2 * m->e.model->size * sizeof(ps_real) + m->need.row_cap * 20 +
                     (m->need.local ? 4 * m->e.x->n : 0) +
                     (uint64_t)m->threads * B * (wide + s->dx + 3 * s->m + 2 * s->d) * sizeof(ps_real) +
                     2 * BATCH * B * (s->d + 1) * sizeof(ps_real);
    m->filed = m->e.memory && s->layers && all + fixed > m->e.memory;
    m->budget = m->e.memory > fixed ? m->e.memory - fixed : 0;
    const char *dir = m->filed ? m->e.dir : NULL;
    int rc = s->layers ? ps_hidden_room(&m->p, s->m, m->need.items, dir) : 0;
    return rc == 0 && s->layers > 1 ? ps_hidden_room(&m->h, s->m, m->need.items, dir) : rc;
}

static int run(ps_embedder *m)
{
    uint32_t K = m->shape.layers;
    int rc = hidden_room(m);
    m->pass = 0;
    m->passes = K ? 2 * K : 1;
    for (uint32_t k = 0; k < (K ? K : 1) && rc == 0; k++)
        rc = layer_all(m, k);
    return rc;
}

/* ---- the three ways in ---- */

int ps_embed_all(ps_embedder *m)
{
    m->extra = NULL;
    if (m->on_device)
        return ps_on_device_run(m, NULL, m->e.x->n);
    int rc = ps_need_all(m);
    return rc < 0 ? rc : run(m);
}

int ps_embed_rows(ps_embedder *m, const uint32_t *rows, size_t n)
{
    m->extra = NULL;
    if (m->on_device)
        return ps_on_device_run(m, rows, n);
    int rc = ps_need_rows(m, rows, n);
    return rc < 0 ? rc : run(m);
}

int ps_embed_new(ps_embedder *m, const ps_new_items *items)
{
    uint32_t *rows = ps_alloc(items->n, sizeof *rows);
    for (size_t i = 0; rows && i < items->n; i++)
        rows[i] = (uint32_t)(m->e.x->n + i);
    m->extra = items;
    int rc = rows ? 0 : PS_EMEM;
    if (rc == 0 && m->on_device) {
        rc = ps_on_device_run(m, rows, items->n);
    } else if (rc == 0) {
        rc = ps_need_rows(m, rows, items->n);
        rc = rc < 0 ? rc : run(m);
    }
    free(rows);
    m->extra = NULL;
    return rc;
}

/* ---- beginning and end ---- */

static int check(const ps_embedding *e)
{
    if (e->x->d != e->model->shape.dx)
        return ps_fail(PS_EMATCH, "%s: vectors of %u elements, the model reads %u", e->x->table.name, e->x->d,
                       e->model->shape.dx);
    if (e->model->shape.tokens && !e->texts)
        return ps_fail(PS_EMATCH, "the model has token embeddings: it needs the items' texts");
    if (e->x->n >= UINT32_MAX)
        return ps_fail(PS_EDATA, "%s: more than 2^32 vectors at once", e->x->table.name);
    return 0;
}

ps_embedder *ps_embedder_bare(const ps_embedding *e)
{
    ps_embedder *m = ps_zalloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->e = *e;
    m->shape = e->model->shape;
    m->block = e->bf16 ? PS_EMBED_BLOCK_BF16 : PS_EMBED_BLOCK;
    m->threads = e->pool ? ps_pool_threads(e->pool) : 1;
    int rc = 0;
    if (e->device) {
        m->on_device = ps_on_device_new(m);
        rc = m->on_device ? 0 : PS_EMEM;
    } else {
        rc = ps_embed_weights(m);
        rc = rc < 0 ? rc : ps_embed_rooms(m);
    }
    if (rc == 0)
        return m;
    ps_embedder_free(m);
    return NULL;
}

ps_embedder *ps_embedder_new(const ps_embedding *e)
{
    return check(e) == 0 ? ps_embedder_bare(e) : NULL;
}

void ps_embedder_free(ps_embedder *m)
{
    if (!m)
        return;
    ps_embed_block_free(m);
    ps_hidden_free(&m->p);
    ps_hidden_free(&m->h);
    ps_need_free(&m->need);
    ps_on_device_free(m->on_device);
    free(m);
}

int ps_embed(const ps_embedding *e)
{
    ps_embedder *m = ps_embedder_new(e);
    int rc = m ? ps_embed_all(m) : PS_EMATCH;
    ps_embedder_free(m);
    return rc;
}
