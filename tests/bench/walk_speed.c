/* walk_speed - what walks cost on a graph, beside what the machine's memory and a bare loop of walkers do in the same
 * run on the same edges.
 *
 *   walk_speed GRAPH [ROUNDS [PEERS]]
 *
 * The bare loop (bare.h): 64 walkers, prefetching, 32-bit offsets, its own copy of the edges, xorshift; it
 * counts nothing.  Every round measures all rows once, so that a busy machine disturbs all alike; printed are the
 * best round, the median, and the best's ratio to the bare loop's best of the same shape.  PEERS: a file of lines of a
 * peer's name for a row, a tab and its rate, as walk_dgl.py writes it.  Graphs of more than 100 million edges are not
 * copied into small pages and have no weights: memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare.h"
#include "mem.h"
#include "pixie.h"
#include "rng.h"
#include "walk.h"
#include "walk_block.h"

enum { ROUNDS_MAX = 25, ROWS = 32, SETS = 400, COPIED_MOST = 100000000 };

/* ---- rows of the table ---- */

typedef struct {
    const char *name, *unit;
    double scale, value[ROUNDS_MAX];
    int rounds, beside; /* the row it is compared with, -1: none */
} row;
static row rows[ROWS];

enum {
    LOADS,
    LOADS_SECOND,
    LOADS_SMALL,
    BARE,
    BARE_SECOND,
    ENGINE,
    BARE_SMALL,
    ENGINE_SMALL,
    WEIGHTED,
    BARE_ONE,
    NEIGH_ONE,
    NEIGH_EXACT,
    BARE_TWO,
    NEIGH_TWO,
    NEIGH_USUAL
};

static void add(int i, const char *name, const char *unit, double scale, int beside, double value)
{
    row *r = &rows[i];
    r->name = name;
    r->unit = unit;
    r->scale = scale;
    r->beside = beside;
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
    printf("%-62s %8s %8s  %-16s %s\n", "", "best", "median", "", "of the bare loop");
    for (int i = 0; i < ROWS; i++) {
        row *r = &rows[i];
        if (r->rounds == 0)
            continue;
        qsort(r->value, (size_t)r->rounds, sizeof *r->value, compare);
        printf("%-62s %8.1f %8.1f  %-16s", r->name, best(r) * r->scale, r->value[r->rounds / 2] * r->scale, r->unit);
        if (r->beside >= 0)
            printf(" %.2f", best(r) / best(&rows[r->beside]));
        printf("\n");
    }
    printf("an edge-step of unrelated walks: %.1f ns; an independent random load: %.1f ns\n", 1e9 / best(&rows[ENGINE]),
           1e9 / best(&rows[LOADS]));
    printf("neighbourhoods a second: %.0f thousand of 1 step, %.0f thousand of 1.5 steps\n",
           1e-3 * best(&rows[NEIGH_ONE]) / 400, 1e-3 * best(&rows[NEIGH_TWO]) / 600);
}

/* Ratios to a peer's rates, best to best. */
static void print_peers(const char *path)
{
    static const struct {
        const char *name;
        int row;
        double share; /* of the row's unit */
    } match[] = {{"DGL random_walk", ENGINE, 1},
                 {"DGL PinSAGESampler 1", NEIGH_ONE, 1. / 400},
                 {"DGL PinSAGESampler 2", NEIGH_TWO, 1. / 600}};
    char line[256];
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        char *tab = strchr(line, '\t');
        const double theirs = tab ? strtod(tab + 1, NULL) : 0;
        for (size_t i = 0; i < sizeof match / sizeof *match && theirs > 0; i++) {
            const double ours = best(&rows[match[i].row]) * match[i].share;
            if ((size_t)(tab - line) == strlen(match[i].name) &&
                strncmp(line, match[i].name, strlen(match[i].name)) == 0)
                printf("%-62s %8.1f %8.1f  thousand/s       %.1f times\n", match[i].name, 1e-3 * theirs, 1e-3 * ours,
                       ours / theirs);
        }
    }
    if (f)
        fclose(f);
}

/* ---- the machine ---- */

/* Independent loads of 4 bytes from a GiB, asked for 128 ahead into the first cache or the second. */
static inline __attribute__((always_inline)) double random_loads(const uint32_t *a, size_t n, const int cache)
{
    enum { COUNT = 10000000, AHEAD = 128 };
    uint64_t x = 1, y = 1;
    volatile uint32_t sink;
    uint32_t sum = 0;
    for (int i = 0; i < AHEAD; i++)
        ask(&a[ps_below(y = y * UINT64_C(6364136223846793005) + 1442695040888963407u, n)], cache);
    const double t = now();
    for (int i = 0; i < COUNT; i++) {
        ask(&a[ps_below(y = y * UINT64_C(6364136223846793005) + 1442695040888963407u, n)], cache);
        sum += a[ps_below(x = x * UINT64_C(6364136223846793005) + 1442695040888963407u, n)];
    }
    sink = sum;
    (void)sink;
    return COUNT / (now() - t);
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

/* What is measured on. */
typedef struct {
    ps_graph g, small, weighted; /* as it is mapped; in pages of 4 KiB; with alias tables */
    bare_edges bare, bare_small;
    uint32_t *memory, *memory_small;
    size_t words;
    int copied;
    uint64_t most;
} machine;

static void measure(const machine *m, int round)
{
    const ps_graph *g = &m->g;
    const uint32_t items = (uint32_t)g->items.nodes;
    ps_walk_options one = {.steps = 200, .restart = 1, .seed = 1}, two = {.steps = 300, .restart = 2. / 3, .seed = 1},
                    usual = PS_WALK_DEFAULT, exact = one;
    const char *edges = "M edge-steps/s";
    exact.exact = 1000;
    add(LOADS, "random loads, 1 GiB, huge pages", "M loads/s", 1e-6, -1, random_loads(m->memory, m->words, 1));
    add(LOADS_SECOND, "  the same, asked for into the second cache", "M loads/s", 1e-6, -1,
        random_loads(m->memory, m->words, 2));
    add(LOADS_SMALL, "random loads, 1 GiB, 4 KiB pages", "M loads/s", 1e-6, -1,
        random_loads(m->memory_small, m->words, 1));
    add(BARE, "bare loop, unrelated walks of 10 steps, huge pages", edges, 1e-6, -1,
        bare(&m->bare, items, 300000, 1, 10));
    add(BARE_SECOND, "  the same, asking into the second cache", edges, 1e-6, BARE,
        bare_second(&m->bare, items, 300000, 1, 10));
    add(ENGINE, "engine, the same, the graph as it is mapped", edges, 1e-6, BARE, engine(g, 300000, 10));
    if (m->copied) {
        add(BARE_SMALL, "bare loop, the same, 4 KiB pages", edges, 1e-6, -1,
            bare(&m->bare_small, items, 300000, 1, 10));
        add(ENGINE_SMALL, "engine, the same, 4 KiB pages", edges, 1e-6, BARE_SMALL, engine(&m->small, 300000, 10));
        add(WEIGHTED, "engine, the same, weighted by alias tables", edges, 1e-6, BARE,
            engine(&m->weighted, 300000, 10));
    }
    add(BARE_ONE, "bare loop, 200 walks of 1 step from each item", edges, 1e-6, -1,
        bare(&m->bare, items, 20000, 200, 1));
    add(NEIGH_ONE, "neighbourhoods, T = 50, the same (-w 200 -r 1)", edges, 1e-6, BARE_ONE,
        400 * neighbourhoods(g, &one, 20000, 50));
    add(NEIGH_EXACT, "  first steps exact up to 1000 ways, neighbourhoods", "thousand/s", 1e-3, -1,
        neighbourhoods(g, &exact, 20000, 50));
    add(BARE_TWO, "bare loop, 200 walks of 2 steps from each item", edges, 1e-6, -1,
        bare(&m->bare, items, 20000, 200, 2));
    add(NEIGH_TWO, "neighbourhoods, T = 50, 1.5 steps (-w 300 -r .667)", edges, 1e-6, BARE_TWO,
        600 * neighbourhoods(g, &two, 20000, 50));
    add(NEIGH_USUAL, "neighbourhoods, T = 50, -w 1000 -r .5", edges, 1e-6, BARE_TWO,
        2000 * neighbourhoods(g, &usual, 5000, 50));
    pixie(g, m->most, round);
}

/* The graph with edges of its own: without weights the bare loop's, or with alias tables that decide by a random
 * number. */
static ps_graph own_edges(const ps_graph *g, const bare_edges *e, int weighted)
{
    ps_graph c = *g;
    ps_side *side[2] = {&c.items, &c.boards};
    for (int k = 0; k < 2; k++) {
        side[k]->adj = e->adj[k];
        side[k]->off32 = e->off[k];
        if (!weighted)
            continue;
        uint32_t *alias = pages(4 * g->edges, 1), *accept = pages(4 * g->edges, 1);
        memcpy(alias, e->adj[k], 4 * g->edges);
        for (uint64_t i = 0; i < g->edges; i++)
            accept[i] = (uint32_t)ps_mix64(i);
        side[k]->alias = alias;
        side[k]->accept = accept;
    }
    return c;
}

/* How the kernel maps the graph's file, in MiB of huge pages. */
static double mapped_huge(const ps_graph *g)
{
    char line[512];
    unsigned long from, to, kib;
    double sum = 0;
    int inside = 0;
    FILE *f = fopen("/proc/self/smaps", "r");
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = (uintptr_t)g->blob.data >= from && (uintptr_t)g->blob.data < to;
        if (inside && (sscanf(line, "FilePmdMapped: %lu", &kib) == 1 || sscanf(line, "ShmemPmdMapped: %lu", &kib) == 1))
            sum += (double)kib / 1024;
    }
    if (f)
        fclose(f);
    return sum;
}

int main(int argc, char **argv)
{
    static machine m;
    const int rounds = argc > 2 ? atoi(argv[2]) : 3;
    if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX || ps_graph_open(&m.g, argv[1]) < 0) {
        fprintf(stderr, "walk_speed: %s\n", argc < 2 ? "usage: walk_speed GRAPH [ROUNDS [PEERS]]" : ps_errmsg());
        return 2;
    }
    ps_walk_pages(&m.g);
    ps_walk_ready(&m.g);
    m.copied = m.g.edges <= COPIED_MOST;
    m.bare = copy_edges(&m.g, 1);
    if (m.copied) {
        m.bare_small = copy_edges(&m.g, 0);
        m.small = own_edges(&m.g, &m.bare_small, 0);
        m.weighted = own_edges(&m.g, &m.bare, 1);
    }
    m.words = (size_t)1 << 28;
    m.memory = pages(4 * m.words, 1);
    m.memory_small = pages(4 * m.words, 0);
    m.most = ps_pixie_most(&m.g);
    for (int r = 0; r < rounds; r++)
        measure(&m, r);
    printf("%llu items, %llu boards, %llu edges; %.0f of the file's %.0f MiB are mapped by huge pages; one thread\n",
           (unsigned long long)m.g.items.nodes, (unsigned long long)m.g.boards.nodes, (unsigned long long)m.g.edges,
           mapped_huge(&m.g), (double)m.g.blob.size / (1 << 20));
    print_rows();
    qsort(latency[0], (size_t)rounds, sizeof(double), compare);
    qsort(latency[1], (size_t)rounds, sizeof(double), compare);
    printf("set of 3 items, 100 thousand steps: p50 %.2f ms, p99 %.2f ms (best of the rounds; worst p99 %.2f ms)\n",
           latency[0][0], latency[1][0], latency[1][rounds - 1]);
    if (argc > 3)
        print_peers(argv[3]);
    return 0;
}
