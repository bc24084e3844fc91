/* psgraph.h - psgraph as a library for other programs: reading its files, walking, embedding one item.
 *
 *     cc program.c $(pkg-config --cflags --libs psgraph)
 *
 * The formats are those of psrec(5), psgraph(5) and psmodel(5); psgraph(7) is the tour.  Functions neither print nor
 * exit.  One that returns a pointer returns NULL on failure, one that returns an int or a long a negative number; then
 * psgraph_error() says in one line what was wrong, and where.  Items and boards are numbered from 0.
 *
 * Handles may be used by several threads at once where it says so; otherwise each needs its own.
 */
#ifndef PSGRAPH_H
#define PSGRAPH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* No item, no board: a name that is not known, the padding of a short list. */
#define PSGRAPH_NONE UINT64_MAX

/* The calling thread's last failure; valid until its next one.  Never NULL. */
const char *psgraph_error(void);

/* ---- the graph ---- */

typedef struct psgraph_graph psgraph_graph;

/* Maps the file, which other processes share.  Any number of threads may use it. */
psgraph_graph *psgraph_open(const char *path);
void psgraph_close(psgraph_graph *g); /* NULL is allowed */

uint64_t psgraph_items(const psgraph_graph *g);
uint64_t psgraph_boards(const psgraph_graph *g);

/* The item of that name, in a graph without names of that decimal number; PSGRAPH_NONE: there is none. */
uint64_t psgraph_find(const psgraph_graph *g, const char *name);

/* Copies the item's name, or its number if it has none, into `name` as a string, cut to `room` bytes with its end.
 * Returns the length of all of it. */
size_t psgraph_name(const psgraph_graph *g, uint64_t item, char *name, size_t room);

/* The boards that an item is on, and the items on a board, ascending, with parallel edges as often as they are there:
 * their number; 0 if it is out of range.  The list is the graph's own and stays valid until psgraph_close. */
size_t psgraph_boards_of(const psgraph_graph *g, uint64_t item, const uint32_t **boards);
size_t psgraph_items_of(const psgraph_graph *g, uint64_t board, const uint32_t **items);

/* ---- random walks with restart: pswalk(1) ---- */

typedef struct psgraph_walker psgraph_walker;

/* Walks of `steps` steps (1 to 2^32 - 1) that return after each with probability `restart`.  The graph must outlive it.
 */
psgraph_walker *psgraph_walker_new(const psgraph_graph *g, uint64_t steps, double restart, uint64_t seed);
void psgraph_walker_free(psgraph_walker *w);

typedef struct {
    uint64_t item;
    uint32_t visits;
} psgraph_visit;

/* The up to `room` items most visited from `item`, itself left out, by visits descending, then item ascending: how many
 * there are in `out`.  Shares of visits tend to personalised PageRank. */
long psgraph_walk(psgraph_walker *w, uint64_t item, psgraph_visit *out, size_t room);

/* ---- streams of records: whatever the tools write ---- */

typedef struct psgraph_stream psgraph_stream;

/* One record.  Entry i is item[i] and value[i]; both are the stream's and stay valid until the next call.
 *   vectors      first: item; n elements, values only (item is NULL)
 *   hits, neighbours          first: query, node; n entries: item and score or weight
 *   edges, pairs, visits, sparse  one entry: board, positive, node or index; weight, count or value
 *   walks        first: query; n items, values are NULL
 *   ids          first: node; no entry */
typedef struct {
    uint64_t first;
    size_t n;
    const uint64_t *item;
    const float *value;
} psgraph_record;

/* path NULL or "-": standard input.  Packed (gzip) streams are unpacked, several in a row are one. */
psgraph_stream *psgraph_stream_open(const char *path);
void psgraph_stream_close(psgraph_stream *s);

/* "edges", "ids", "walks", "visits", "neighbours", "pairs", "vectors", "sparse" or "hits". */
const char *psgraph_stream_kind(const psgraph_stream *s);

/* The next record: 1, 0 at the end, which has then been checked: number of records and CRC. */
int psgraph_stream_next(psgraph_stream *s, psgraph_record *r);

/* ---- embedding: psembed(1) ---- */

typedef struct psgraph_model psgraph_model;

/* What items are embedded from.  NULL: the model has no need of it (neighbours: items have none). */
typedef struct {
    const char *model;      /* psmodel(5) */
    const char *features;   /* vectors of the items, of psfeat(1) */
    const char *neighbours; /* of psneigh(1) */
    const char *texts;      /* sparse vectors, of psfeat --sparse, for a model that learned words */
} psgraph_model_files;

psgraph_model *psgraph_model_open(const psgraph_model_files *files);
void psgraph_model_close(psgraph_model *m);

/* Elements of an embedding; the last one is the item's bias if the model has any, and is 1 in a query. */
size_t psgraph_model_dim(const psgraph_model *m, int *has_bias);

/* The embedding of one item with features: psgraph_model_dim() floats, the same as psembed's to the last bit. */
int psgraph_embed(psgraph_model *m, uint64_t item, float *out);

#ifdef __cplusplus
}
#endif

#endif
