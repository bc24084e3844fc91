#include "feat_sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dict.h"
#include "feat_sign.h"
#include "mem.h"

/* COLUMNS: the smoothing goes over the boards with so many dimensions at a time.  Its results replace
 * what they were made of, so that neither a second matrix of items nor one of boards is needed. */
enum { BLOCK = 256, COLUMNS = 64 };

/* An item whose neighbourhood is the whole graph differs from the mean by rounding only: no direction. */
static const float least_norm = 1e-5f;

typedef struct {
    const ps_graph *g;
    uint64_t seed;
    uint32_t d;
    uint64_t *key;    /* boards: of their signs */
    float *x;         /* items x d */
    float *board;     /* boards x COLUMNS: their means */
    uint32_t from, n; /* the columns at work */
    float *mean;      /* d */
    const ps_board_lists *extra; /* ps_sketch_new only, as are the next two */
    float *out;                /* extra->n x d: e, then e' */
    float *own;                /* extra->n x COLUMNS: e in the columns at work */
    uint8_t *needed;           /* by board: an extra item is on it */
} job;

static int check_side(const ps_graph *g, const ps_side *s, uint64_t others, const char *what)
{
    for (uint64_t u = 0; u < s->nodes; u++)
        if (s->off[u] > s->off[u + 1] || s->off[u + 1] > g->edges)
            return ps_fail(PS_EDATA, "%s: damaged: the edges of %s %llu", g->name, what, (unsigned long long)u);
    for (uint64_t e = 0; e < g->edges; e++)
        if (s->adj[e] >= others)
            return ps_fail(PS_EDATA, "%s: damaged: neighbour %u in the %ss' edge %llu", g->name, s->adj[e], what,
                           (unsigned long long)e);
    return 0;
}

int ps_sketch_check(const ps_graph *g)
{
    int rc = check_side(g, &g->items, g->boards.nodes, "item");
    return rc < 0 ? rc : check_side(g, &g->boards, g->items.nodes, "board");
}

static size_t tasks_of(uint64_t rows)
{
    return (rows + BLOCK - 1) / BLOCK;
}

static uint64_t block_end(size_t task, uint64_t rows)
{
    uint64_t end = ((uint64_t)task + 1) * BLOCK;
    return end < rows ? end : rows;
}

/* A board goes by its name, so that a graph that was built again, and has other numbers, gives the same sketches. */
static int sign_keys(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    const int named = j->g->board_names.n > 0;
    char buf[32];
    (void)thread;
    for (uint64_t b = task * BLOCK; b < block_end(task, j->g->boards.nodes); b++)
        j->key[b] = named ? ps_signs_key(j->seed, PS_SIGNS_NAME, ps_name_hash(ps_graph_name(j->g, PS_BOARDS, b, buf)) >> 8)
                          : ps_signs_key(j->seed, PS_SIGNS_BOARD, b);
    return 0;
}

/* How often the same board stands at the beginning of `board`, which is ascending. */
static size_t run_of(const uint32_t *board, size_t n)
{
    size_t k = 1;
    while (k < n && board[k] == board[0])
        k++;
    return k;
}

/* e of an item on these boards; extra: it is not counted in their degrees yet. */
static void own_row(const job *j, const uint32_t *board, size_t n, int extra, float *row)
{
    memset(row, 0, j->d * sizeof *row);
    for (size_t e = 0, run; e < n; e += run) {
        run = run_of(board + e, n - e);
        double degree = (double)ps_degree(&j->g->boards, board[e]) + (extra ? (double)run : 0);
        for (size_t k = 0; k < run; k++)
            ps_signs_add(row, j->d, j->key[board[e]], (float)(1 / sqrt(degree)));
    }
    ps_unit_length(row, j->d, 1, 0);
}

static int own_boards(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    const ps_side *items = &j->g->items;
    (void)thread;
    for (uint64_t u = task * BLOCK; u < block_end(task, items->nodes); u++)
        own_row(j, items->adj + items->off[u], ps_degree(items, u), 0, j->x + u * j->d);
    return 0;
}

static void add(size_t n, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

/* Mean (for new items: sum) of e_v over the items v of each board, in the columns at work. */
static int board_means(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    const ps_side *boards = &j->g->boards;
    (void)thread;
    for (uint64_t b = task * BLOCK; b < block_end(task, boards->nodes); b++) {
        float *row = j->board + b * COLUMNS;
        if (ps_degree(boards, b) == 0 && !j->needed)
            continue;
        memset(row, 0, COLUMNS * sizeof *row);
        for (uint64_t e = boards->off[b]; e < boards->off[b + 1] && (!j->needed || j->needed[b]); e++)
            add(j->n, j->x + (size_t)boards->adj[e] * j->d + j->from, row);
        for (uint32_t i = 0; i < j->n && !j->needed; i++)
            row[i] /= (float)ps_degree(boards, b);
    }
    return 0;
}

/* The sum of those over the boards of each item; its mean has the same direction. */
static int item_sums(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    const ps_side *items = &j->g->items;
    (void)thread;
    for (uint64_t u = task * BLOCK; u < block_end(task, items->nodes); u++) {
        float *row = j->x + u * j->d + j->from;
        memset(row, 0, j->n * sizeof *row);
        for (uint64_t e = items->off[u]; e < items->off[u + 1]; e++)
            add(j->n, j->board + (size_t)items->adj[e] * COLUMNS, row);
    }
    return 0;
}

static int normalise(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    (void)thread;
    for (uint64_t u = task * BLOCK; u < block_end(task, j->g->items.nodes); u++)
        ps_unit_length(j->x + u * j->d, j->d, 1, 0);
    return 0;
}

/* A task is COLUMNS columns of all rows: the order of the additions does not depend on the threads. */
static int column_means(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    double sum[COLUMNS] = {0}, with = 0;
    size_t from = task * COLUMNS, n = j->d - from < COLUMNS ? j->d - from : COLUMNS;
    (void)thread;
    for (uint64_t u = 0; u < j->g->items.nodes; u++) {
        with += ps_degree(&j->g->items, u) > 0;
        for (size_t i = 0; i < n; i++)
            sum[i] += (double)j->x[u * j->d + from + i];
    }
    for (size_t i = 0; i < n; i++)
        j->mean[from + i] = with > 0 ? (float)(sum[i] / with) : 0;
    return 0;
}

static void centre_row(const job *j, float *row)
{
    for (size_t i = 0; i < j->d; i++)
        row[i] -= j->mean[i];
    ps_unit_length(row, j->d, sqrtf((float)j->d) / 4, least_norm);
}

static int centre(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    (void)thread;
    for (uint64_t u = task * BLOCK; u < block_end(task, j->g->items.nodes); u++)
        if (ps_degree(&j->g->items, u) > 0)
            centre_row(j, j->x + u * j->d);
    return 0;
}

static int sketch(job *j, int given, ps_pool *pool)
{
    const size_t item_tasks = tasks_of(j->g->items.nodes), board_tasks = tasks_of(j->g->boards.nodes);
    int rc = ps_pool_run(pool, board_tasks, sign_keys, j);
    if (rc == 0)
        rc = ps_pool_run(pool, item_tasks, own_boards, j);
    for (j->from = 0; j->from < j->d && rc == 0; j->from += COLUMNS) {
        j->n = j->d - j->from < COLUMNS ? j->d - j->from : COLUMNS;
        rc = ps_pool_run(pool, board_tasks, board_means, j);
        if (rc == 0)
            rc = ps_pool_run(pool, item_tasks, item_sums, j);
    }
    if (rc == 0)
        rc = ps_pool_run(pool, item_tasks, normalise, j);
    if (rc == 0 && !given)
        rc = ps_pool_run(pool, (j->d + COLUMNS - 1) / COLUMNS, column_means, j);
    if (rc == 0)
        rc = ps_pool_run(pool, item_tasks, centre, j);
    return rc;
}

int ps_sketch(const ps_graph *g, uint64_t seed, uint32_t d, float *mean, int given, float *out, ps_pool *pool)
{
    job j = {.g = g, .seed = seed, .d = d, .x = out, .mean = mean};
    j.key = ps_alloc(g->boards.nodes, sizeof *j.key);
    j.board = ps_alloc(g->boards.nodes, COLUMNS * sizeof *j.board);
    int rc = j.key && j.board ? sketch(&j, given, pool) : PS_EMEM;
    free(j.key);
    free(j.board);
    return rc;
}

/* ---- items that are not in the graph ---- */

static int extra_own(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    const ps_board_lists *x = j->extra;
    (void)thread;
    for (uint64_t i = task * BLOCK; i < block_end(task, x->n); i++)
        own_row(j, x->board + x->off[i], x->off[i + 1] - x->off[i], 1, j->out + i * j->d);
    return 0;
}

/* In the columns at work, e gives way to the sum over the item's boards of their means, itself included. */
static int extra_sums(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    const ps_board_lists *x = j->extra;
    float mean[COLUMNS];
    (void)thread;
    for (uint64_t i = task * BLOCK; i < block_end(task, x->n); i++) {
        float *own = j->own + i * COLUMNS, *row = j->out + i * j->d + j->from;
        memcpy(own, row, j->n * sizeof *own);
        memset(row, 0, j->n * sizeof *row);
        for (uint64_t e = x->off[i], run; e < x->off[i + 1]; e += run) {
            uint32_t b = x->board[e];
            run = run_of(x->board + e, x->off[i + 1] - e);
            memcpy(mean, j->board + (size_t)b * COLUMNS, j->n * sizeof *mean);
            for (uint64_t k = 0; k < run; k++)
                add(j->n, own, mean);
            for (uint32_t c = 0; c < j->n; c++)
                mean[c] /= (float)(ps_degree(&j->g->boards, b) + run);
            for (uint64_t k = 0; k < run; k++)
                add(j->n, mean, row);
        }
    }
    return 0;
}

static int extra_centre(void *ctx, size_t task, int thread)
{
    const job *j = ctx;
    (void)thread;
    for (uint64_t i = task * BLOCK; i < block_end(task, j->extra->n); i++) {
        float *row = j->out + i * j->d;
        if (j->extra->off[i] == j->extra->off[i + 1])
            continue;
        ps_unit_length(row, j->d, 1, 0);
        centre_row(j, row);
    }
    return 0;
}

static int sketch_extra(job *j, ps_pool *pool)
{
    const size_t tasks = tasks_of(j->extra->n);
    for (uint64_t e = 0; e < j->extra->off[j->extra->n]; e++)
        j->needed[j->extra->board[e]] = 1;
    int rc = ps_pool_run(pool, tasks_of(j->g->boards.nodes), sign_keys, j);
    if (rc == 0)
        rc = ps_pool_run(pool, tasks_of(j->g->items.nodes), own_boards, j);
    if (rc == 0)
        rc = ps_pool_run(pool, tasks, extra_own, j);
    for (j->from = 0; j->from < j->d && rc == 0; j->from += COLUMNS) {
        j->n = j->d - j->from < COLUMNS ? j->d - j->from : COLUMNS;
        rc = ps_pool_run(pool, tasks_of(j->g->boards.nodes), board_means, j);
        if (rc == 0)
            rc = ps_pool_run(pool, tasks, extra_sums, j);
    }
    return rc < 0 ? rc : ps_pool_run(pool, tasks, extra_centre, j);
}

int ps_sketch_new(const ps_graph *g, uint64_t seed, uint32_t d, const float *mean, const ps_board_lists *items, float *out,
                  ps_pool *pool)
{
    job j = {.g = g, .seed = seed, .d = d, .mean = (float *)mean, .extra = items, .out = out};
    j.key = ps_alloc(g->boards.nodes, sizeof *j.key);
    j.x = ps_aligned(g->items.nodes * d, sizeof *j.x);
    j.board = ps_alloc(g->boards.nodes, COLUMNS * sizeof *j.board);
    j.own = ps_alloc(items->n, COLUMNS * sizeof *j.own);
    j.needed = ps_zalloc(g->boards.nodes, sizeof *j.needed);
    int rc = j.key && j.x && j.board && j.own && j.needed ? sketch_extra(&j, pool) : PS_EMEM;
    free(j.key);
    free(j.x);
    free(j.board);
    free(j.own);
    free(j.needed);
    return rc;
}

float ps_log_degree(uint64_t degree)
{
    return (float)(log1p((double)degree) / 4);
}
