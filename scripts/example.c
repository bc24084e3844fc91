/* example.c - psgraph as a library: what is visited from an item, and how alike the embeddings are.
 *
 *     cc example.c $(pkg-config --cflags --libs psgraph) -o example
 *     ./example g.psg m.psm x.psr n.psr y.psr ITEM
 */
#include <psgraph.h>
#include <stdio.h>
#include <stdlib.h>

static void check(int fine)
{
    if (fine)
        return;
    fprintf(stderr, "example: %s\n", psgraph_error());
    exit(1);
}

int main(int argc, char **argv)
{
    psgraph_visit near[10];
    psgraph_graph *g = argc == 7 ? psgraph_open(argv[1]) : NULL;
    check(g != NULL);
    psgraph_model *m = psgraph_model_open(&(psgraph_model_files){argv[2], argv[3], argv[4], argv[5]});
    psgraph_walker *w = psgraph_walker_new(g, 1000, .5, 1);
    check(m && w);
    int bias;
    size_t d = psgraph_model_dim(m, &bias);
    float *query = malloc(d * sizeof *query), *z = malloc(d * sizeof *z);
    uint64_t item = psgraph_find(g, argv[6]);
    long n = item == PSGRAPH_NONE ? 0 : psgraph_walk(w, item, near, 10);
    check(query && z && n >= 0 && psgraph_embed(m, item, query) == 0);
    for (long i = 0; i < n; i++) {
        char name[80];
        double score = 0;
        check(psgraph_embed(m, near[i].item, z) == 0);
        for (size_t j = 0; j < d; j++)
            score += (double)z[j] * (bias && j + 1 == d ? 1 : query[j]);
        psgraph_name(g, near[i].item, name, sizeof name);
        printf("%s\t%u\t%.4f\n", name, near[i].visits, score);
    }
    free(query);
    free(z);
    psgraph_walker_free(w);
    psgraph_model_close(m);
    psgraph_close(g);
}
