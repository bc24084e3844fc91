/* walk_quality - how near neighbourhoods come to exact ones, what they cost, and how many steps of plain walks would
 * come as near.
 *
 *   walk_quality GRAPH
 *
 * For some items: the L1 distance of all visit shares to the exact ones, the overlap of the first 50 with the exact
 * first 50, and the time each.  Exact: every way of the first step (r = 1), or for r = .5 a walk of four million steps.
 * Plain walks are measured at 200, 400, 800 ... steps; between two of these a power law tells the steps that are as
 * good as a method.  Edge-steps of so many steps by the method's time are its rate at equal accuracy, beside the rate
 * of a bare loop (bare.h) that counts nothing.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare.h"
#include "rng.h"
#include "walk.h"
#include "walk_block.h"

enum { ITEMS = 60, TOP = 50, LADDER = 14, METHODS = 32 };

typedef struct {
    char name[48];
    ps_walk_options o;
    int plain;
    ps_walker *walker;
    double far, same, seconds;
} method;

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

/* Steps at which plain walks have the value `want`, by a power law between the two rungs around it; 0: none has. */
static double steps_for(const method *m, int n, double want, double (*value)(const method *))
{
    double before = 0, steps = 0;
    for (int k = 0; k < n; k++) {
        if (!m[k].plain)
            continue;
        const double here = value(&m[k]), at = (double)m[k].o.steps;
        if (here <= want)
            return steps > 0 ? steps * pow(at / steps, log(before / want) / log(before / here)) : at;
        before = here;
        steps = at;
    }
    return 0;
}

static double distance(const method *m)
{
    return m->far;
}

static double missed(const method *m)
{
    return 1 - m->same;
}

static void print_equal(const method *all, int n, const method *m, double rate, double (*value)(const method *))
{
    const double want = value(m), steps = want > 0 ? steps_for(all, n, want, value) : 0;
    const double most = steps > 0 ? steps : (double)all[LADDER - 1].o.steps;
    printf("  %s%9.0f %9.0f %5.1f", steps > 0 ? " " : ">", most, 2e-6 * most / m->seconds,
           2 * most / m->seconds / rate);
}

static void print_methods(const char *title, const method *m, int n, double rate)
{
    printf("\n%-34s %11s %13s %12s   as good in L1: plain steps,  first 50: plain steps,\n", title, "L1 distance",
           "same first 50", "microseconds");
    printf("%-73s   M edge-steps/s, x bare loop   M edge-steps/s, x bare loop\n", "");
    for (int k = 0; k < n; k++) {
        printf("  %-32s %11.3f %13.3f %12.1f", m[k].name, m[k].far, m[k].same, 1e6 * m[k].seconds);
        if (!m[k].plain) {
            print_equal(m, n, &m[k], rate, distance);
            print_equal(m, n, &m[k], rate, missed);
        }
        printf("\n");
    }
}

/* The visits of one item by every method. */
static void one_item(method *m, int methods, uint64_t u, const ps_visit *exact, long n, double *dense)
{
    const ps_visit *v;
    for (int k = 0; k < methods; k++) {
        if (m[k].o.steps < 10000) /* the second time with what it needs in the cache, like all others */
            (void)!ps_walker_rank(m[k].walker, u, &v);
        const double t = now();
        const long got = ps_walker_rank(m[k].walker, u, &v);
        m[k].seconds += (now() - t) / ITEMS;
        if (got < 0)
            exit(1);
        judge(&m[k], exact, n, v, got, dense);
    }
}

static void compare(const ps_graph *g, const char *title, const ps_walk_options *truth, method *m, int methods,
                    double rate)
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
        one_item(m, methods, u, exact, n, dense);
    }
    print_methods(title, m, methods, rate);
    for (int k = 0; k < methods; k++)
        ps_walker_free(m[k].walker);
    ps_walker_free(w);
    free(exact);
    free(dense);
}

/* The ladder of plain walks first: how many methods. */
static int ladder(method *m, double restart)
{
    for (int k = 0; k < LADDER; k++) {
        m[k] = (method){.plain = 1, .o = {.steps = UINT64_C(200) << k, .restart = restart, .seed = 1}};
        snprintf(m[k].name, sizeof m[k].name, "-r %g -w %llu", restart, (unsigned long long)m[k].o.steps);
    }
    return LADDER;
}

static int other(method *m, int n, const char *name, ps_walk_options o)
{
    m[n] = (method){.o = o};
    snprintf(m[n].name, sizeof m[n].name, "%s", name);
    return n + 1;
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
    static method m[METHODS];
    const bare_edges e = copy_edges(&g, 1);
    const uint32_t items = (uint32_t)g.items.nodes;
    const double loop[2] = {bare(&e, items, 20000, 200, 1), bare(&e, items, 20000, 200, 2)};
    printf("bare loop: %.1f M edge-steps/s on 200 walks of 1 step from each item, %.1f on walks of 2 steps\n",
           1e-6 * loop[0], 1e-6 * loop[1]);
    const ps_walk_options one = {.steps = 2, .restart = 1, .seed = 1, .exact = 1 << 24};
    const ps_walk_options half = {.steps = 4000000, .restart = .5, .seed = 99};
    int n = ladder(m, 1);
    n = other(m, n, "-r 1 -w 200 --exact 2000",
              (ps_walk_options){.steps = 200, .restart = 1, .seed = 1, .exact = 2000});
    n = other(m, n, "-r 1 -w 200 --exact 1000000",
              (ps_walk_options){.steps = 200, .restart = 1, .seed = 1, .exact = 1000000});
    compare(&g, "one step (r = 1)", &one, m, n, loop[0]);
    n = ladder(m, .5);
    n = other(m, n, "-r .5 -w 1000 --exact 5000",
              (ps_walk_options){.steps = 1000, .restart = .5, .seed = 1, .exact = 5000});
    n = other(m, n, "-r .5 -w 1000 --exact 1000000",
              (ps_walk_options){.steps = 1000, .restart = .5, .seed = 1, .exact = 1000000});
    n = other(m, n, "-r .5 --push 0.001", (ps_walk_options){.steps = 1, .restart = .5, .seed = 1, .push = .001});
    n = other(m, n, "-r .5 --push 0.00001", (ps_walk_options){.steps = 1, .restart = .5, .seed = 1, .push = .00001});
    compare(&g, "usual walks (r = .5)", &half, m, n, loop[1]);
    ps_graph_close(&g);
    return 0;
}
