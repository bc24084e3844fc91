/* graph_input.h - edges from a stream into a builder: text or records; for psgraph-build. */
#ifndef PS_GRAPH_INPUT_H
#define PS_GRAPH_INPUT_H

#include "columns.h"
#include "graph.h"

typedef struct {
    const char *items; /* file of all items, NULL: any item */
    int numbers;       /* the text's ids are numbers */
    int skip_unknown;
    int growing;       /* edges may be taken out, and there may be none */
    ps_columns_options columns; /* of the text; by -H also of the item list, which has the first one's name, or else its first column */
    void (*progress)(const char *what, uint64_t done, uint64_t total);
    uint64_t skipped;  /* out */
} ps_edge_input;

/* Standard input: lines item TAB board [TAB weight]; weight "-" takes the edge out. */
PS_MUST_USE int ps_edges_from_text(ps_builder *b, ps_edge_input *in);

/* Standard input: a Matrix Market file, "matrix coordinate real|integer|pattern general": entry (i, j) is the edge of item
 * i - 1 and board j - 1 with its value as weight; zeros are none. */
PS_MUST_USE int ps_edges_from_mtx(ps_builder *b, const ps_edge_input *in);

/* Standard input: psrec(5) edges; of another graph than `graph` (0: any) they are refused. */
PS_MUST_USE int ps_edges_from_records(ps_builder *b, const ps_edge_input *in, uint64_t graph);

#endif
