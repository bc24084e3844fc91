/* graph_rewrite.h - graphs made from graphs: fewer edges, or other numbers. */
#ifndef PS_GRAPH_REWRITE_H
#define PS_GRAPH_REWRITE_H

#include "graph.h"
#include "vectors.h"

/* What Pixie (Eksombatchai et al., WWW 2018, section 3.2) prunes.  Its boards' topics are here the items' vectors: a
 * board's direction is the mean of its items' unit vectors, and the shorter that is, the more diverse the board. */
typedef struct {
    const ps_vectors *vectors; /* of items; NULL: the first and the last are not asked for */
    double drop_diverse;       /* share of the boards with two edges or more that lose all edges: the most diverse */
    uint64_t drop_large;       /* boards of more edges lose all; 0: none */
    uint64_t max_board;        /* of boards with more edges that many are kept, at random; 0: all */
    double keep_power;         /* an item keeps degree^power edges, rounded up: those most like their board; 1: all */
    uint64_t seed;
} ps_prune;

/* Gives b the edges of g that are kept. */
PS_MUST_USE int ps_graph_prune(const ps_graph *g, const ps_prune *o, ps_builder *b);

typedef enum { PS_ORDER_GIVEN, PS_ORDER_DEGREE, PS_ORDER_COMMUNITY } ps_order;

/* Gives b the nodes and edges of g under new numbers.  By degree: those with most edges first.  By community: nodes
 * that are joined to the same ones come close together (rounds of barycentres, from an order drawn with `seed`).
 * Names stay; nodes without names get their old numbers as names. */
PS_MUST_USE int ps_graph_reorder(const ps_graph *g, ps_order order, uint64_t seed, ps_builder *b);

/* Bytes of memory that it takes, apart from what b does. */
uint64_t ps_graph_reorder_memory(const ps_graph *g);

#endif
