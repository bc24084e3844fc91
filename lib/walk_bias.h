/* walk_bias.h - factors on boards and items: a walk takes an edge with a probability proportional to its weight times
 * the factor of the node it leads to (Eksombatchai et al., 2018, section 3.1 (1): biasing the walk). */
#ifndef PS_WALK_BIAS_H
#define PS_WALK_BIAS_H

#include "graph.h"

typedef struct {
    float *board, *item; /* of each node, 0 to 1: its factor divided by the largest; NULL: all 1 */
    uint64_t listed;     /* lines read */
    uint64_t skipped;    /* of them names that the graph does not know */
} ps_bias;

/* Reads lines of name TAB factor (finite, not negative) for the nodes of that space; nodes without a line have the
 * factor `rest`.  A name that the graph does not know is an error, or skipped and counted; a name twice is an
 * error.  May be called once for each space. */
PS_MUST_USE int ps_bias_read(ps_bias *bias, const ps_graph *g, ps_space space, const char *path, double rest,
                             int skip_unknown);
void ps_bias_free(ps_bias *bias);

/* One of the neighbours adj[begin .. begin + degree - 1] of `side`, by weight times factor (NULL: all 1), from the
 * random numbers that belong to `number`: 1; 0: all have the factor 0; -1: damaged, a neighbour is not below
 * `nodes`. */
PS_MUST_USE int ps_bias_pick(const ps_side *side, const float *factor, uint64_t nodes, uint64_t begin, uint64_t degree,
                             uint64_t number, uint32_t *to);

#endif
