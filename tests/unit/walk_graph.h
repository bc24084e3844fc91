/* walk_graph.h - small graphs for the tests of walks, through the builder and a file, as real ones come. */
#ifndef WALK_GRAPH_H
#define WALK_GRAPH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "graph.h"
#include "rng.h"

typedef struct {
    uint32_t item, board;
    float weight;
} test_edge;

/* Builds and opens; items and boards beyond the edges' may be on none. */
static inline int make_graph(ps_graph *g, uint64_t items, uint64_t boards, const test_edge *e, size_t n)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/t_graph.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    int fd = mkstemp(path);
    ps_builder *b = ps_builder_new();
    if (fd < 0 || !b)
        return ps_fail(PS_ESYS, "%s: cannot create", path);
    close(fd);
    int rc = ps_builder_reserve(b, items, boards);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = ps_builder_edge(b, e[i].item, e[i].board, e[i].weight);
    ps_out *out = rc == 0 ? ps_out_open(path, 0) : NULL;
    if (out)
        rc = ps_builder_write(b, out, "test\n");
    if (out && rc == 0)
        rc = ps_out_close(out);
    if (rc == 0)
        rc = ps_graph_open(g, path);
    ps_builder_free(b);
    unlink(path);
    return rc;
}

/* n random edges, repeats allowed; weighted: between 0.05 and 20, else 1. */
static inline void random_edges(test_edge *e, size_t n, uint32_t items, uint32_t boards, uint64_t seed, int weighted)
{
    uint64_t key = ps_rng_key(seed, 77);
    for (size_t i = 0; i < n; i++) {
        uint64_t s = 4 * i;
        e[i].item = (uint32_t)ps_below(ps_rng(key, s), items);
        e[i].board = (uint32_t)ps_below(ps_rng(key, s + 1), boards);
        double u = ps_unit(ps_rng(key, s + 2));
        e[i].weight = weighted ? (float)(.05 + 20 * u * u * u) : 1;
    }
}

#endif
