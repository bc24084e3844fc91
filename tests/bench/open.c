/* open - how long opening a graph file takes, in milliseconds: the fastest of ten times.
 *
 *   open GRAPH
 */
#include <stdio.h>
#include <time.h>

#include "graph.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    double fastest = 1e9;
    for (int i = 0; i < 10; i++) {
        const double begin = now();
        ps_graph g;
        if (argc != 2 || ps_graph_open(&g, argv[1]) < 0) {
            fprintf(stderr, "open: %s\n", argc == 2 ? ps_errmsg() : "usage: open GRAPH");
            return 1;
        }
        const double took = now() - begin;
        fastest = took < fastest ? took : fastest;
        ps_graph_close(&g);
    }
    printf("%.3f\n", fastest);
    return 0;
}
