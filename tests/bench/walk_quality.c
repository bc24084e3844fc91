/* walk_quality - how near neighbourhoods come to exact ones, and what they cost.
 *
 *   walk_quality GRAPH
 *
 * For some items: the L1 distance of all visit shares to the exact ones, the overlap of the first 50 with the exact
 * first 50, and the time each.  Exact: every way of the first step (r = 1), or for r = .5 a walk of four million steps.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rng.h"
#include "walk.h"
#include "walk_block.h"

enum { ITEMS = 60, TOP = 50 };

typedef struct {
    const char *name;
    ps_walk_options o;
    ps_walker *walker;
    double far, same, seconds;
} method;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double total(const ps_visit *v, long n)
{
    double sum = 0;
    for (long i = 0; i < n; i++)
        sum += v[i].count;
    return sum;
}

/* Compares v with the exact shares (dense: one for each item, all 0 before and after). */
static void judge(method *m, const ps_visit *exact, long exact_n, const ps_visit *v, long n, double *dense)
{
    const double whole = total(exact, exact_n), sum = total(v, n);
    double far = 0;
    int same = 0;
    for (long i = 0; i < exact_n; i++)
        dense[exact[i].item] = exact[i].count / whole;
    for (long i = 0; i < n; i++) {
        const double share = v[i].count / sum, want = dense[v[i].item];
        far += fabs(share - want) - want; /* `want` of those that v does not have stays */
    }
    for (long i = 0; i < n && i < TOP; i++)
        for (long k = 0; k < exact_n && k < TOP; k++)
            same += v[i].item == exact[k].item;
    for (long i = 0; i < exact_n; i++)
        dense[exact[i].item] = 0;
    m->far += (far + 1) / ITEMS;
    m->same += (double)same / (double)(exact_n < TOP ? exact_n : TOP) / ITEMS;
}

static void compare(const ps_graph *g, const char *title, const ps_walk_options *truth, method *m, int methods)
{
    double *dense = calloc(g->items.nodes, sizeof *dense);
    ps_walker *w = ps_walker_new(g, truth);
    ps_visit *exact = NULL;
    if (!dense || !w)
        exit(1);
    for (int k = 0; k < methods; k++)
        if (!(m[k].walker = ps_walker_new(g, &m[k].o)))
            exit(1);
    for (int i = 0; i < ITEMS; i++) {
        const uint64_t u = ps_below(ps_rng(12, (uint64_t)i), g->items.nodes);
        const ps_visit *v;
        long n = ps_walker_rank(w, u, &v);
        free(exact);
        if (n <= 0 || !(exact = malloc((size_t)n * sizeof *exact)))
            exit(1);
        memcpy(exact, v, (size_t)n * sizeof *v);
        for (int k = 0; k < methods; k++) {
            (void)!ps_walker_rank(m[k].walker, u,
                                  &v); /* the second time with what it needs in the cache, like all others */
            const double t = now();
            const long got = ps_walker_rank(m[k].walker, u, &v);
            m[k].seconds += (now() - t) / ITEMS;
            if (got < 0)
                exit(1);
            judge(&m[k], exact, n, v, got, dense);
        }
    }
    printf("%-44s %12s %14s %12s\n", title, "L1 distance", "same first 50", "microseconds");
    for (int k = 0; k < methods; k++) {
        printf("  %-42s %12.3f %14.3f %12.1f\n", m[k].name, m[k].far, m[k].same, 1e6 * m[k].seconds);
        ps_walker_free(m[k].walker);
    }
    ps_walker_free(w);
    free(exact);
    free(dense);
}

int main(int argc, char **argv)
{
    ps_graph g;
    if (argc != 2 || ps_graph_open(&g, argv[1]) < 0) {
        fprintf(stderr, "walk_quality: %s\n", argc != 2 ? "usage: walk_quality GRAPH" : ps_errmsg());
        return 2;
    }
    ps_walk_pages(&g);
    ps_walk_ready(&g);
    const ps_walk_options one = {.steps = 2, .restart = 1, .seed = 1, .exact = 1 << 24};
    const ps_walk_options half = {.steps = 4000000, .restart = .5, .seed = 99};
    method first[] = {
        {.name = "-r 1 -w 200", .o = {.steps = 200, .restart = 1, .seed = 1}},
        {.name = "-r 1 -w 1000", .o = {.steps = 1000, .restart = 1, .seed = 1}},
        {.name = "-r 1 -w 5000", .o = {.steps = 5000, .restart = 1, .seed = 1}},
        {.name = "-r 1 -w 200 --exact 2000", .o = {.steps = 200, .restart = 1, .seed = 1, .exact = 2000}},
        {.name = "-r 1 -w 200 --exact 1000000", .o = {.steps = 200, .restart = 1, .seed = 1, .exact = 1000000}}};
    method usual[] = {
        {.name = "-w 1000", .o = {.steps = 1000, .restart = .5, .seed = 1}},
        {.name = "-w 2000", .o = {.steps = 2000, .restart = .5, .seed = 1}},
        {.name = "-w 5000", .o = {.steps = 5000, .restart = .5, .seed = 1}},
        {.name = "-w 1000 --exact 5000", .o = {.steps = 1000, .restart = .5, .seed = 1, .exact = 5000}},
        {.name = "-w 1000 --exact 1000000", .o = {.steps = 1000, .restart = .5, .seed = 1, .exact = 1000000}},
        {.name = "--push 0.001", .o = {.steps = 1, .restart = .5, .seed = 1, .push = .001}},
        {.name = "--push 0.0001", .o = {.steps = 1, .restart = .5, .seed = 1, .push = .0001}}};
    compare(&g, "one step (r = 1)", &one, first, sizeof first / sizeof *first);
    compare(&g, "usual walks (r = .5)", &half, usual, sizeof usual / sizeof *usual);
    ps_graph_close(&g);
    return 0;
}
