/* bare.h - what the machine's memory does: random loads, and a bare loop of walkers over a copy of the edges, which
 * counts nothing; for walk_speed and walk_quality.
 */
#ifndef BARE_H
#define BARE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "graph.h"
#include "rng.h"

enum { RING = 64 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *pages(size_t bytes, int huge)
{
    bytes = (bytes + (2 << 20) - 1) >> 21 << 21;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        fprintf(stderr, "not enough memory\n");
        exit(1);
    }
    madvise(p, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    memset(p, 1, bytes);
    return p;
}

static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);
static inline uint32_t xorshift(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

/* The edges in memory of one's own: of items, of boards. */
typedef struct {
    uint32_t *off[2], *adj[2];
} bare_edges;

static bare_edges copy_edges(const ps_graph *g, int huge)
{
    const ps_side *side[2] = {&g->items, &g->boards};
    bare_edges e;
    for (int k = 0; k < 2; k++) {
        e.adj[k] = pages(4 * g->edges, huge);
        e.off[k] = pages(4 * (side[k]->nodes + 1), huge);
        for (uint64_t u = 0; u <= side[k]->nodes; u++)
            e.off[k][u] = (uint32_t)side[k]->off[u];
        memcpy(e.adj[k], side[k]->adj, 4 * g->edges);
    }
    return e;
}

/* Asks for memory into the first or the second cache. */
static inline __attribute__((always_inline)) void ask(const void *p, int cache)
{
    if (cache == 1)
        __builtin_prefetch(p, 0, 3);
    else
        __builtin_prefetch(p, 0, 2);
}

/* Edge steps a second: `per` walks of `steps` steps from each of n random items, side by side RING at a time. */
static inline __attribute__((always_inline)) double walk_bare(const int cache, const bare_edges *b, uint32_t items,
                                                              uint32_t n, uint32_t per, int steps)
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
            ask(&b->off[0][v[i]], cache);
        }
        for (int h = 0; h < 2 * steps; h++) {
            const uint32_t *o = b->off[h & 1], *a = b->adj[h & 1], *next = b->off[!(h & 1)];
            for (int i = 0; i < RING; i++) {
                const uint32_t lo = o[v[i]], d = o[v[i] + 1] - lo;
                e[i] = lo + (uint32_t)(((uint64_t)xorshift() * d) >> 32);
                ask(&a[e[i]], cache);
            }
            for (int i = 0; i < RING; i++) {
                v[i] = a[e[i]];
                ask(&next[v[i]], cache);
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

static inline double bare(const bare_edges *b, uint32_t items, uint32_t n, uint32_t per, int steps)
{
    return walk_bare(1, b, items, n, per, steps);
}

static inline double bare_second(const bare_edges *b, uint32_t items, uint32_t n, uint32_t per, int steps)
{
    return walk_bare(2, b, items, n, per, steps);
}

#endif
