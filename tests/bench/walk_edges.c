/* walk_edges - edges of a random graph for the benchmarks of walks, as psrec records on standard output.
 *
 *   walk_edges ITEMS BOARDS EDGES | psgraph-build > g.psg
 *
 * Items by popularity, weight (rank + 1)^-0.8, ranks scattered over the numbers; boards by size, log-normal with
 * sigma 1.  The first ITEMS + BOARDS edges give each node one; an edge may come twice.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "alias.h"
#include "mem.h"
#include "rec.h"
#include "rng.h"

enum { BATCH = 4096 };

typedef struct {
    uint64_t n;
    uint32_t *self, *alias, *accept;
} table;

/* Standard normal, from two uniform numbers (Box and Muller). */
static double normal(uint64_t key, uint64_t i)
{
    return sqrt(-2 * log(1 - ps_unit(ps_rng(key, 2 * i)))) * cos(2 * M_PI * ps_unit(ps_rng(key, 2 * i + 1)));
}

static int make_table(table *t, uint64_t n, int boards)
{
    float *weight = ps_alloc(n, sizeof *weight);
    *t = (table){n, ps_alloc(n, 4), ps_alloc(n, 4), ps_alloc(n, 4)};
    if (!weight || !t->self || !t->alias || !t->accept)
        return PS_EMEM;
    for (uint64_t i = 0; i < n; i++) {
        t->self[i] = (uint32_t)i;
        weight[i] = (float)(boards ? exp(normal(7, i)) : pow((double)i + 1, -.8));
    }
    for (uint64_t i = n - 1; i > 0 && !boards; i--) {
        uint64_t j = ps_below(ps_rng(8, i), i + 1);
        float swap = weight[i];
        weight[i] = weight[j];
        weight[j] = swap;
    }
    int rc = ps_alias_make(weight, t->self, n, t->alias, t->accept);
    free(weight);
    return rc;
}

static uint32_t draw(const table *t, uint64_t random)
{
    unsigned __int128 product = (unsigned __int128)random * t->n;
    uint64_t i = (uint64_t)(product >> 64);
    return (uint32_t)((uint64_t)product >> 32) <= t->accept[i] ? (uint32_t)i : t->alias[i];
}

static int write_edges(ps_writer *w, uint32_t size, const table *items, const table *boards, uint64_t edges)
{
    static uint8_t batch[BATCH * 32];
    int rc = 0;
    for (uint64_t e = 0, n = 0; e < edges && rc == 0; e++) {
        uint8_t *p = batch + n * size;
        ps_put32(p, e < items->n ? (uint32_t)e : draw(items, ps_rng(9, 2 * e)));
        ps_put32(p + 4, e - items->n < boards->n ? (uint32_t)(e - items->n) : draw(boards, ps_rng(9, 2 * e + 1)));
        ps_putf32(p + 8, 1);
        if (++n == BATCH || e + 1 == edges) {
            rc = ps_writer_put(w, batch, n);
            n = 0;
        }
    }
    return rc;
}

int main(int argc, char **argv)
{
    const uint64_t n[3] = {argc == 4 ? strtoull(argv[1], NULL, 10) : 0, argc == 4 ? strtoull(argv[2], NULL, 10) : 0,
                           argc == 4 ? strtoull(argv[3], NULL, 10) : 0};
    if (n[0] == 0 || n[1] == 0 || n[2] < n[0] + n[1]) {
        fprintf(stderr, "usage: walk_edges ITEMS BOARDS EDGES\n");
        return 2;
    }
    table items, boards;
    ps_head head = ps_head_make(PS_EDGES, 0);
    head.qspace = PS_ITEMS;
    head.nspace = PS_BOARDS;
    int rc = make_table(&items, n[0], 0);
    if (rc == 0)
        rc = make_table(&boards, n[1], 1);
    ps_out *out = rc == 0 ? ps_out_open(NULL, 0) : NULL;
    ps_writer *w = out ? ps_writer_new(out, &head) : NULL;
    rc = w ? write_edges(w, head.size, &items, &boards, n[2]) : PS_ESYS;
    if (rc == 0)
        rc = ps_writer_close(w);
    if (rc == 0)
        rc = ps_out_close(out);
    if (rc < 0)
        fprintf(stderr, "walk_edges: %s\n", ps_errmsg());
    return rc < 0;
}
