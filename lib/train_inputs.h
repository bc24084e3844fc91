/* train_inputs.h - all that training reads, and what is written down about it. */
#ifndef PS_TRAIN_INPUTS_H
#define PS_TRAIN_INPUTS_H

#include "comm.h"
#include "graph.h"
#include "neigh.h"
#include "pairs.h"
#include "recipe.h"
#include "vectors.h"
#include "walk.h"

/* Where from. */
typedef struct {
    const char *graph, *vectors, *texts, *neighbours, *valid,
        *pairs; /* pairs NULL: standard input; texts NULL: no token embeddings; neighbours NULL: walked on the fly;
                   valid NULL: none */
    int text, unknown;                                /* of the pairs: pairs.h */
    ps_columns_options columns;                       /* of their text */
    ps_walk_options walk;
    uint32_t top;
} ps_train_paths;

typedef struct {
    ps_graph graph;
    ps_vectors x;
    ps_sparse texts;
    ps_neighbours neighbours; /* of the file, or for validation while training walks on the fly */
    ps_pairs pairs, valid;
    ps_known known;
    int walks; /* neighbourhoods are walked on the fly */
} ps_train_inputs;

/* ALL (comm.h).  `layers`: 0 needs no neighbourhoods.  Every rank opens the pairs itself; on standard input, which rank
 * 0 alone has, it reads them for all.  The validation pairs are for rank 0. */
PS_MUST_USE int ps_train_inputs_open(ps_train_inputs *in, const ps_train_paths *from, uint32_t layers, ps_pool *pool,
                                     ps_comm *comm);
void ps_train_inputs_close(ps_train_inputs *in);

/* The model's history: those of the inputs, then a line of its own (malloc'ed; NULL without memory). */
PS_MUST_USE char *ps_train_history(const ps_train_inputs *in, const ps_train_paths *from, const ps_recipe *r);

/* What a checkpoint belongs to, as "key=value" lines: the recipe, and sums over everything that was read (malloc'ed;
 * NULL without memory). */
PS_MUST_USE char *ps_train_run(const ps_train_inputs *in, const ps_train_paths *from, const ps_recipe *r);

#endif
