/* The structural sketch against the formula, written down plainly in double. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "dict.h"
#include "feat_sign.h"
#include "feat_sketch.h"
#include "mem.h"
#include "rng.h"

enum { ITEMS = 700, BOARDS = 300, EDGES = 2500 };
static const char path[] = "t_feat_sketch.tmp";

/* Items from 650 on have no board; some edges are parallel. */
static void build(int edges)
{
    ps_builder *b = ps_builder_new();
    uint64_t key = ps_rng_key(9, 0);
    CHECK_OK(ps_builder_reserve(b, ITEMS, BOARDS));
    for (uint64_t e = 0; e < (uint64_t)edges; e++) {
        uint64_t board = ps_below(ps_rng(key, 2 * e), BOARDS);
        board = board * board / BOARDS; /* some boards are much larger than others */
        CHECK_OK(ps_builder_edge(b, ps_below(ps_rng(key, 2 * e + 1), 650), board, 1));
    }
    ps_out *out = ps_out_open(path, 0);
    CHECK_OK(ps_builder_write(b, out, "test\n"));
    CHECK_OK(ps_out_close(out));
    ps_builder_free(b);
}

static void unit(double *x, int d, double length)
{
    double sum = 0;
    for (int i = 0; i < d; i++)
        sum += x[i] * x[i];
    for (int i = 0; i < d; i++)
        x[i] = sum > 0 ? x[i] * length / sqrt(sum) : 0;
}

static double sign(const ps_graph *g, uint64_t seed, uint64_t board, int i)
{
    char buf[32];
    uint64_t name = ps_name_hash(ps_graph_name(g, PS_BOARDS, board, buf)) >> 8;
    return ps_rng(g->board_names.n ? ps_signs_key(seed, PS_SIGNS_NAME, name) : ps_signs_key(seed, PS_SIGNS_BOARD, board), (uint64_t)i / 64) >> i % 64 & 1 ? 1 : -1;
}

/* items x d */
static double *reference(const ps_graph *g, uint64_t seed, int d)
{
    const ps_side *it = &g->items, *bo = &g->boards;
    double *e = calloc(ITEMS * (size_t)d, sizeof *e), *x = calloc(ITEMS * (size_t)d, sizeof *x);
    for (uint64_t u = 0; u < ITEMS; u++) {
        for (uint64_t k = it->off[u]; k < it->off[u + 1]; k++)
            for (int i = 0; i < d; i++)
                e[u * d + i] += sign(g, seed, it->adj[k], i) / sqrt((double)ps_degree(bo, it->adj[k]));
        unit(e + u * d, d, 1);
    }
    double *mean = calloc((size_t)d, sizeof *mean), with = 0;
    for (uint64_t u = 0; u < ITEMS; u++) {
        for (uint64_t k = it->off[u]; k < it->off[u + 1]; k++) {
            uint32_t b = it->adj[k];
            for (uint64_t l = bo->off[b]; l < bo->off[b + 1]; l++)
                for (int i = 0; i < d; i++)
                    x[u * d + i] += e[(uint64_t)bo->adj[l] * d + i] / (double)ps_degree(bo, b) / (double)ps_degree(it, u);
        }
        unit(x + u * d, d, 1);
        with += ps_degree(it, u) > 0;
        for (int i = 0; i < d; i++)
            mean[i] += x[u * d + i];
    }
    for (uint64_t u = 0; u < ITEMS; u++) {
        for (int i = 0; i < d && ps_degree(it, u) > 0; i++)
            x[u * d + i] -= mean[i] / with;
        unit(x + u * d, d, sqrt(d) / 4);
    }
    free(e);
    free(mean);
    return x;
}

static void against_reference(const ps_graph *g, int d)
{
    ps_pool *pool = ps_pool_new(3);
    float *a = ps_aligned(ITEMS * (size_t)d, sizeof *a), *b = ps_aligned(ITEMS * (size_t)d, sizeof *b);
    double *want = reference(g, 11, d), worst = 0;
    float mean[256];
    for (size_t i = 0; i < ITEMS * (size_t)d; i++)
        b[i] = NAN; /* what the matrix held before does not matter */
    CHECK_OK(ps_sketch(g, 11, (uint32_t)d, mean, 0, a, NULL));
    CHECK_OK(ps_sketch(g, 11, (uint32_t)d, mean, 0, b, pool));
    CHECK(memcmp(a, b, ITEMS * (size_t)d * sizeof *a) == 0);
    for (size_t i = 0; i < ITEMS * (size_t)d; i++) {
        CHECK(isfinite(a[i]));
        worst = fmax(worst, fabs((double)a[i] - want[i]));
    }
    CHECK(worst < 1e-5);
    for (uint64_t u = 650; u < ITEMS; u++)
        CHECK(a[u * (uint64_t)d] == 0);
    free(a);
    free(b);
    free(want);
    ps_pool_free(pool);
}

/* ---- names ---- */

/* The same edges with names of items and boards, from first to last or from last to first. */
static void build_named(ps_graph *g, int turned)
{
    ps_builder *b = ps_builder_new();
    uint64_t key = ps_rng_key(5, 0);
    for (uint64_t i = 0; i < EDGES; i++) {
        uint64_t e = turned ? EDGES - 1 - i : i, item, board;
        char name[2][32];
        snprintf(name[0], 32, "item %u", (unsigned)ps_below(ps_rng(key, 2 * e), ITEMS));
        snprintf(name[1], 32, "board %u", (unsigned)ps_below(ps_rng(key, 2 * e + 1), BOARDS));
        CHECK_OK(ps_builder_node(b, PS_ITEMS, (ps_str){name[0], strlen(name[0])}, &item));
        CHECK_OK(ps_builder_node(b, PS_BOARDS, (ps_str){name[1], strlen(name[1])}, &board));
        CHECK_OK(ps_builder_edge(b, item, board, 1));
    }
    ps_out *out = ps_out_open(path, 0);
    CHECK_OK(ps_builder_write(b, out, "test\n"));
    CHECK_OK(ps_out_close(out));
    ps_builder_free(b);
    CHECK_OK(ps_graph_open(g, path));
}

/* Of the items in a graph and of a fresh one on three of its boards: what other numbers make of them. */
static void named(void)
{
    enum { D = 80 };
    float *x[2], mean[2][D], fresh[2][D];
    ps_graph g[2];
    char buf[32];
    for (int t = 0; t < 2; t++) {
        build_named(&g[t], t);
        CHECK(g[t].items.nodes <= ITEMS);
        x[t] = ps_aligned(ITEMS * (size_t)D, sizeof *x[t]);
        CHECK_OK(ps_sketch(&g[t], 3, D, mean[t], 0, x[t], NULL));
        uint64_t off[2] = {0, 3};
        uint32_t board[3];
        for (int i = 0; i < 3; i++) {
            snprintf(buf, sizeof buf, "board %d", 7 * i);
            board[i] = (uint32_t)ps_graph_find(&g[t], PS_BOARDS, (ps_str){buf, strlen(buf)});
        }
        const ps_board_lists list = {.n = 1, .off = off, .board = board};
        CHECK_OK(ps_sketch_new(&g[t], 3, D, mean[0], &list, fresh[t], NULL));
    }
    uint64_t moved = 0;
    float worst = 0;
    for (uint64_t u = 0; u < g[0].items.nodes; u++) {
        uint64_t v = ps_graph_find(&g[1], PS_ITEMS, ps_graph_name(&g[0], PS_ITEMS, u, buf));
        moved += u != v;
        for (uint64_t i = 0; i < D; i++)
            worst = fmaxf(worst, fabsf(x[0][u * D + i] - x[1][v * D + i]));
    }
    for (int i = 0; i < D; i++)
        worst = fmaxf(worst, fabsf(fresh[0][i] - fresh[1][i]));
    CHECK(moved > ITEMS / 2);
    CHECK(worst < 1e-5f);
    for (int t = 0; t < 2; t++) {
        ps_graph_close(&g[t]);
        free(x[t]);
    }
}

/* Every item is on the same boards in the same proportion: none differs from the mean, and rounding must not be
 * blown up to a direction. */
static void no_direction(void)
{
    ps_builder *b = ps_builder_new();
    ps_graph g;
    float x[30 * 48], mean[48];
    for (uint64_t i = 0; i < 30; i++)
        for (uint64_t e = 0; e < 5 * (1 + i % 7); e++)
            CHECK_OK(ps_builder_edge(b, i, e % 5, 1));
    ps_out *out = ps_out_open(path, 0);
    CHECK_OK(ps_builder_write(b, out, "test\n"));
    CHECK_OK(ps_out_close(out));
    ps_builder_free(b);
    CHECK_OK(ps_graph_open(&g, path));
    CHECK_OK(ps_sketch(&g, 1, 48, mean, 0, x, NULL));
    for (int i = 0; i < 30 * 48; i++)
        CHECK(x[i] == 0);
    CHECK(fabsf(ps_log_degree(ps_degree(&g.items, 3)) - logf(21) / 4) < 1e-6f);
    ps_graph_close(&g);
}

/* ---- items that are not in the graph ---- */

enum { OLD = 200, PLACES = 20, FRESH = 3, WIDTH = 70 };
static const uint32_t boards_of[FRESH][5] = {{2, 5, 5, 9, 19}, {0}, {7, 8}};
static const uint64_t degree_of[FRESH] = {5, 0, 2};

/* Old items, each on one board, so that their e does not depend on how large boards are; then one fresh item or none. */
static void build_old(ps_graph *g, int fresh)
{
    ps_builder *b = ps_builder_new();
    CHECK_OK(ps_builder_reserve(b, OLD + (fresh >= 0), PLACES));
    for (uint64_t i = 0; i < OLD; i++)
        CHECK_OK(ps_builder_edge(b, i, i * i % PLACES, 1));
    for (uint64_t e = 0; fresh >= 0 && e < degree_of[fresh]; e++)
        CHECK_OK(ps_builder_edge(b, OLD, boards_of[fresh][e], 1));
    ps_out *out = ps_out_open(path, 0);
    CHECK_OK(ps_builder_write(b, out, "test\n"));
    CHECK_OK(ps_out_close(out));
    ps_builder_free(b);
    CHECK_OK(ps_graph_open(g, path));
}

/* With the mean kept, every fresh item has the sketch that it would have in a graph built again with it. */
static void fresh_items(void)
{
    ps_graph g, again;
    ps_pool *pool = ps_pool_new(3);
    float mean[WIDTH], *old = ps_aligned((OLD + 1) * WIDTH, sizeof *old), fresh[FRESH * WIDTH], threads[FRESH * WIDTH];
    uint64_t off[FRESH + 1] = {0};
    uint32_t board[16];
    for (int i = 0; i < FRESH; i++) {
        memcpy(board + off[i], boards_of[i], degree_of[i] * sizeof *board);
        off[i + 1] = off[i] + degree_of[i];
    }
    const ps_board_lists lists = {.n = FRESH, .off = off, .board = board};
    build_old(&g, -1);
    CHECK_OK(ps_sketch(&g, 4, WIDTH, mean, 0, old, NULL));
    CHECK_OK(ps_sketch_new(&g, 4, WIDTH, mean, &lists, fresh, NULL));
    CHECK_OK(ps_sketch_new(&g, 4, WIDTH, mean, &lists, threads, pool));
    CHECK(memcmp(fresh, threads, sizeof fresh) == 0);
    ps_graph_close(&g);
    for (int i = 0; i < FRESH; i++) {
        build_old(&again, i);
        CHECK_OK(ps_sketch(&again, 4, WIDTH, mean, 1, old, NULL));
        for (int j = 0; j < WIDTH; j++) {
            CHECK(fabsf(old[OLD * WIDTH + j] - fresh[i * WIDTH + j]) < 2e-6f);
            CHECK(degree_of[i] > 0 || fresh[i * WIDTH + j] == 0);
        }
        ps_graph_close(&again);
    }
    free(old);
    ps_pool_free(pool);
}

/* A graph that was mapped without being read may hold anything. */
static void damaged(const ps_graph *g)
{
    ps_graph bad = *g;
    uint32_t *adj = malloc(g->edges * sizeof *adj);
    uint64_t *off = malloc((BOARDS + 1) * sizeof *off);
    memcpy(adj, g->items.adj, g->edges * sizeof *adj);
    memcpy(off, g->boards.off, (BOARDS + 1) * sizeof *off);
    CHECK_OK(ps_sketch_check(g));
    adj[7] = BOARDS;
    bad.items.adj = adj;
    CHECK(ps_sketch_check(&bad) == PS_EDATA);
    bad = *g;
    off[3] = UINT64_MAX;
    bad.boards.off = off;
    CHECK(ps_sketch_check(&bad) == PS_EDATA);
    free(adj);
    free(off);
}

int main(void)
{
    ps_graph g;
    build(EDGES);
    CHECK_OK(ps_graph_open(&g, path));
    against_reference(&g, 33);
    against_reference(&g, 64);
    against_reference(&g, 150);
    damaged(&g);
    ps_graph_close(&g);
    named();
    no_direction();
    fresh_items();
    unlink(path);
    CHECK_END();
}
