/* walk_speed - what walks cost on a graph, beside what the machine's memory and a bare loop of walkers do in the same
 * run on the same edges.
 *
 *   walk_speed GRAPH [ROUNDS]
 *
 * The bare loop: 64 walkers, prefetching, 32-bit offsets, its own copy of the edges in huge pages, xorshift; it
 * counts nothing.  Every round measures all rows once, so that a busy machine disturbs all alike; printed are the
 * best round, the median, and the best's ratio to the bare loop's best of the same shape.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "mem.h"
#include "pixie.h"
#include "rng.h"
#include "walk.h"
#include "walk_block.h"

enum { RING = 64, ROUNDS_MAX = 25, ROWS = 32, SETS = 400 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- rows of the table ---- */

typedef struct {
    char name[80];
    const char *unit;
    double scale, value[ROUNDS_MAX];
    int rounds, beside; /* the row it is compared with, -1: none */
} row;
static row rows[ROWS];
static int row_count;

static row *row_at(int i, const char *name, const char *unit, double scale, int beside)
{
    row *r = &rows[i];
    if (i >= row_count) {
        row_count = i + 1;
        snprintf(r->name, sizeof r->name, "%s", name);
        r->unit = unit;
        r->scale = scale;
        r->beside = beside;
    }
    return r;
}

static void add(int i, const char *name, const char *unit, double scale, int beside, double value)
{
    row *r = row_at(i, name, unit, scale, beside);
    r->value[r->rounds++] = value;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double best(const row *r)
{
    double most = 0;
    for (int i = 0; i < r->rounds; i++)
        most = r->value[i] > most ? r->value[i] : most;
    return most;
}

static void print_rows(void)
{
    printf("%-58s %10s %10s  %-14s %s\n", "", "best", "median", "", "of the bare loop");
    for (int i = 0; i < row_count; i++) {
        row *r = &rows[i];
        const double most = best(r);
        qsort(r->value, (size_t)r->rounds, sizeof *r->value, compare);
        printf("%-58s %10.1f %10.1f  %-14s", r->name, most * r->scale, r->value[r->rounds / 2] * r->scale, r->unit);
        if (r->beside >= 0)
            printf(" %.2f", most / best(&rows[r->beside]));
        printf("\n");
    }
}

/* ---- the machine ---- */

static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);
static inline uint32_t xorshift(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

/* Independent loads of 4 bytes from a GiB, asked for 32 ahead. */
static double random_loads(const uint32_t *a, size_t n)
{
    enum { LOADS = 10000000, AHEAD = 32 };
    uint64_t x = 1, y = 1;
    volatile uint32_t sink;
    uint32_t sum = 0;
    for (int i = 0; i < AHEAD; i++)
        __builtin_prefetch(&a[ps_below(y = y * UINT64_C(6364136223846793005) + 1442695040888963407u, n)]);
    const double t = now();
    for (int i = 0; i < LOADS; i++) {
        __builtin_prefetch(&a[ps_below(y = y * UINT64_C(6364136223846793005) + 1442695040888963407u, n)]);
        sum += a[ps_below(x = x * UINT64_C(6364136223846793005) + 1442695040888963407u, n)];
    }
    sink = sum;
    (void)sink;
    return LOADS / (now() - t);
}

/* ---- the bare loop ---- */

static uint32_t *off[2];
static const uint32_t *adj[2];

static void *pages(size_t bytes, int huge)
{
    bytes = (bytes + (2 << 20) - 1) >> 21 << 21;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        exit(1);
    madvise(p, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    memset(p, 1, bytes);
    return p;
}

static void copy_edges(const ps_graph *g)
{
    const ps_side *side[2] = {&g->items, &g->boards};
    for (int k = 0; k < 2; k++) {
        uint32_t *a = pages(4 * g->edges, 1);
        off[k] = pages(4 * (side[k]->nodes + 1), 1);
        for (uint64_t u = 0; u <= side[k]->nodes; u++)
            off[k][u] = (uint32_t)side[k]->off[u];
        memcpy(a, side[k]->adj, 4 * g->edges);
        adj[k] = a;
    }
}

/* Edge steps a second: `per` walks of `steps` steps from each of n random items. */
static double bare(uint32_t items, uint32_t n, uint32_t per, int steps)
{
    uint32_t *seed = malloc(4 * (size_t)n), v[RING], e[RING];
    volatile uint64_t sink;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        seed[i] = (uint32_t)(((uint64_t)xorshift() * items) >> 32);
    const uint64_t walks = (uint64_t)n * per;
    const double t = now();
    for (uint64_t w = 0; w < walks; w += RING) {
        for (uint64_t i = 0; i < RING; i++) {
            const uint64_t q = w + i < walks ? w + i : walks - 1;
            v[i] = seed[q / per];
            __builtin_prefetch(&off[0][v[i]]);
        }
        for (int h = 0; h < 2 * steps; h++) {
            const uint32_t *o = off[h & 1], *a = adj[h & 1], *next = off[!(h & 1)];
            for (int i = 0; i < RING; i++) {
                const uint32_t lo = o[v[i]], d = o[v[i] + 1] - lo;
                e[i] = lo + (uint32_t)(((uint64_t)xorshift() * d) >> 32);
                __builtin_prefetch(&a[e[i]]);
            }
            for (int i = 0; i < RING; i++) {
                v[i] = a[e[i]];
                __builtin_prefetch(&next[v[i]]);
            }
        }
        for (int i = 0; i < RING; i++)
            sum += v[i];
    }
    sink = sum;
    (void)sink;
    free(seed);
    return 2.0 * (double)walks * steps / (now() - t);
}

/* ---- ours ---- */

static uint64_t *some_items(const ps_graph *g, size_t n, uint64_t key)
{
    uint64_t *item = malloc(n * sizeof *item);
    for (size_t i = 0; i < n; i++)
        do
            item[i] = ps_below(ps_rng(key, i), g->items.nodes);
        while (ps_degree(&g->items, item[i]) == 0 && ++key);
    return item;
}

/* The engine by itself: walks of `steps` steps without restart, nothing counted. */
static double engine(const ps_graph *g, size_t n, uint32_t steps)
{
    enum { LEGS = 512 };
    static ps_block b;
    static ps_leg leg[LEGS];
    uint64_t *item = some_items(g, n, 5);
    const ps_block_rules rules = {.g = g};
    const double t = now();
    for (size_t i = 0; i + LEGS <= n; i += LEGS) {
        for (size_t k = 0; k < LEGS; k++)
            leg[k] = (ps_leg){.key = ps_rng_key(1, item[i + k]),
                              .start = (uint32_t)item[i + k],
                              .at = (uint32_t)item[i + k],
                              .steps = steps};
        if (ps_block_walk(&b, &rules, leg, LEGS) < 0)
            exit(1);
    }
    const double took = now() - t;
    free(item);
    return 2.0 * (double)(n / LEGS * LEGS) * steps / took;
}

static int nothing(void *ctx, size_t i, const ps_visit *v, size_t n)
{
    *(uint64_t *)ctx += i + n + (n > 0 ? v[0].count : 0);
    return 0;
}

/* Neighbourhoods a second, counting and selection included. */
static double neighbourhoods(const ps_graph *g, const ps_walk_options *o, size_t n, size_t top)
{
    uint64_t *item = some_items(g, n, 6), sum = 0;
    ps_walker *w = ps_walker_new(g, o);
    const double t = now();
    if (!w || ps_walker_many(w, item, n, top, 1, nothing, &sum) < 0)
        exit(1);
    const double took = now() - t;
    ps_walker_free(w);
    free(item);
    return (double)n / took;
}

static double latency[2][ROUNDS_MAX];

/* Answers of 3 items, 100 thousand steps: p50 and p99 in milliseconds. */
static void pixie(const ps_graph *g, uint64_t most, int round)
{
    const ps_walk_options o = {.steps = 100000, .restart = .5, .seed = 1};
    const float weight[3] = {1, 1, 1};
    static double took[SETS];
    uint64_t *item = some_items(g, 3 * SETS, 11);
    ps_walker *w = ps_walker_new(g, &o);
    ps_pixie *p = w ? ps_pixie_new(g, w, &o, most) : NULL;
    for (int i = 0; i < SETS; i++) {
        const ps_scored *s;
        const double t = now();
        if (!p || ps_pixie_rank(p, item + 3 * i, weight, 3, PS_PIXIE_LEAVE_OUT, 100, &s) < 0)
            exit(1);
        took[i] = 1e3 * (now() - t);
    }
    qsort(took, SETS, sizeof *took, compare);
    latency[0][round] = took[SETS / 2];
    latency[1][round] = took[SETS * 99 / 100];
    ps_pixie_free(p);
    ps_walker_free(w);
    free(item);
}

static void measure(const ps_graph *g, const ps_graph *huge, const uint32_t *memory, size_t words, int round)
{
    static uint64_t most;
    const uint32_t items = (uint32_t)g->items.nodes;
    ps_walk_options one = {.steps = 200, .restart = 1, .seed = 1}, two = {.steps = 300, .restart = 2. / 3, .seed = 1},
                    usual = PS_WALK_DEFAULT, exact = one;
    exact.exact = 1000;
    add(0, "random loads, 1 GiB, huge pages", "M loads/s", 1e-6, -1, random_loads(memory, words));
    add(1, "bare loop, unrelated walks of 10 steps", "M edges/s", 1e-6, -1, bare(items, 300000, 1, 10));
    add(2, "engine, the same", "M edges/s", 1e-6, 1, engine(g, 300000, 10));
    add(3, "engine, the same, graph copied into huge pages", "M edges/s", 1e-6, 1, engine(huge, 300000, 10));
    add(4, "bare loop, 200 walks of 1 step from each item", "M edges/s", 1e-6, -1, bare(items, 20000, 200, 1));
    add(5, "neighbourhoods, T = 50, the same (-w 200 -r 1)", "M edges/s", 1e-6, 4,
        400 * neighbourhoods(g, &one, 20000, 50));
    add(6, "  the same as a rate", "thousand/s", 1e-3, -1, rows[5].value[round] / 400);
    add(7, "  first steps exact up to 1000 ways", "thousand/s", 1e-3, -1, neighbourhoods(g, &exact, 20000, 50));
    add(8, "bare loop, 200 walks of 2 steps from each item", "M edges/s", 1e-6, -1, bare(items, 20000, 200, 2));
    add(9, "neighbourhoods, T = 50, 1.5 steps (-w 300 -r .667)", "M edges/s", 1e-6, 8,
        600 * neighbourhoods(g, &two, 20000, 50));
    add(10, "  the same as a rate", "thousand/s", 1e-3, -1, rows[9].value[round] / 600);
    add(11, "neighbourhoods, T = 50, -w 1000 -r .5", "M edges/s", 1e-6, 8, 2000 * neighbourhoods(g, &usual, 5000, 50));
    add(12, "  the same, graph copied into huge pages", "M edges/s", 1e-6, 8,
        2000 * neighbourhoods(huge, &usual, 5000, 50));
    if (!most)
        most = ps_pixie_most(g);
    pixie(g, most, round);
}

/* The graph with its edges in huge pages of its own. */
static ps_graph copy_graph(const ps_graph *g)
{
    ps_graph c = *g;
    ps_side *side[2] = {&c.items, &c.boards};
    for (int k = 0; k < 2; k++) {
        uint64_t *o = pages(8 * (side[k]->nodes + 1), 1);
        memcpy(o, side[k]->off, 8 * (side[k]->nodes + 1));
        side[k]->off = o;
        side[k]->adj = adj[k];
    }
    return c;
}

int main(int argc, char **argv)
{
    const int rounds = argc > 2 ? atoi(argv[2]) : 3;
    ps_graph g;
    if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX || ps_graph_open(&g, argv[1]) < 0) {
        fprintf(stderr, "walk_speed: %s\n", argc < 2 ? "usage: walk_speed GRAPH [ROUNDS]" : ps_errmsg());
        return 2;
    }
    ps_walk_pages(&g);
    ps_walk_ready(&g);
    copy_edges(&g);
    const ps_graph huge = copy_graph(&g);
    const size_t words = (size_t)1 << 28;
    const uint32_t *memory = pages(4 * words, 1);
    for (int r = 0; r < rounds; r++)
        measure(&g, &huge, memory, words, r);
    printf("%llu items, %llu boards, %llu edges; one thread\n", (unsigned long long)g.items.nodes,
           (unsigned long long)g.boards.nodes, (unsigned long long)g.edges);
    print_rows();
    qsort(latency[0], (size_t)rounds, sizeof(double), compare);
    qsort(latency[1], (size_t)rounds, sizeof(double), compare);
    printf("set of 3 items, 100 thousand steps: p50 %.2f ms, p99 %.2f ms (best of the rounds; worst p99 %.2f ms)\n",
           latency[0][0], latency[1][0], latency[1][rounds - 1]);
    return 0;
}
