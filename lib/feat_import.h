/* feat_import.h - ready-made features as blocks of columns: .npy matrices and vector streams, by item. */
#ifndef PS_FEAT_IMPORT_H
#define PS_FEAT_IMPORT_H

#include "graph.h"
#include "npy.h"
#include "vectors.h"

/* ---- a .npy matrix ---- */

typedef struct {
    ps_npy npy;
    uint64_t *row; /* of each item, PS_NONE: none; NULL: item i is row i */
} ps_feat_npy;

/* Says which item each row is: `path` holds a name a line, in the order of the rows of the open m->npy.
 * skipped: as in ps_feat_lines.  PS_EMATCH if there are more or fewer names than rows. */
PS_MUST_USE int ps_feat_npy_names(ps_feat_npy *m, const char *path, const ps_graph *g, uint64_t *skipped);

/* The same from the archive itself: by its names, if it and the graph have any, else by its ids.  Without a graph, whose
 * items are then rows 0 .. rows - 1, ids must be just these in order. */
PS_MUST_USE int ps_feat_npy_own(ps_feat_npy *m, const ps_graph *g, uint64_t *skipped);
void ps_feat_npy_close(ps_feat_npy *m);

/* A fill of feat_rows.h with a ps_feat_npy: the item's row, zeros if it has none. */
void ps_feat_npy_fill(const void *m, uint64_t item, float *out);

/* ---- a vector stream ---- */

typedef struct {
    ps_vectors v;
    const ps_vectors *order; /* row i is this one's i-th item; NULL: row i is item i */
} ps_feat_join;

/* Opens the stream for n rows; with order == &j->v its own items are the rows and n is not looked at.
 * PS_EMATCH if its items are not exactly those of the rows, PS_EKIND if they are boards. */
PS_MUST_USE int ps_feat_join_open(ps_feat_join *j, const char *path, uint64_t fingerprint, const ps_vectors *order,
                                  uint64_t n);
void ps_feat_join_close(ps_feat_join *j);

/* A fill of feat_rows.h with a ps_feat_join. */
void ps_feat_join_fill(const void *j, uint64_t row, float *out);

#endif
