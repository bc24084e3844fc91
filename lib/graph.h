/* graph.h - the bipartite graph of items and boards: psgraph(5).
 *
 * A graph file is mapped read-only and shared; opening it reads the header and the section table only.
 */
#ifndef PS_GRAPH_H
#define PS_GRAPH_H

#include <stdint.h>

#include "dict.h"
#include "io.h"
#include "rec.h"
#include "text.h"

/* One direction of the edges: the neighbours of node u are adj[off[u]] .. adj[off[u+1] - 1], ascending.
 * Parallel edges stand there as often as they were given. */
typedef struct {
    uint64_t nodes;
    const uint64_t *off;    /* nodes + 1 */
    const uint32_t *off32;  /* the same, or NULL: ps_graph_narrow */
    const uint32_t *adj;
    const float *weight;    /* of each edge, NULL: all 1 */
    const uint32_t *alias;  /* Walker's alias tables, NULL when unweighted: for the i-th neighbour of u,  */
    const uint32_t *accept; /* take it if a 32-bit random number is <= accept[off[u]+i], else alias[off[u]+i] */
} ps_side;

/* Names of the nodes of one space; empty (n == 0) if the graph has numbers only. */
typedef struct {
    uint64_t n;
    const uint64_t *off;  /* n + 1; name i is text[off[i]] .. text[off[i+1] - 1] */
    const char *text;
    uint64_t bytes;       /* of text */
    const uint32_t *hash; /* open addressing, `slots` entries of number + 1, 0: empty */
    uint64_t slots;       /* a power of two */
} ps_names;

typedef struct {
    ps_side items, boards; /* items.adj holds boards and the other way round */
    ps_names item_names, board_names;
    uint64_t edges;
    uint64_t fingerprint;
    const uint64_t *ancestors; /* 3 each: fingerprint, items, boards; graphs whose numbers are this one's, oldest first */
    uint64_t n_ancestors;
    const char *history; /* not terminated; never NULL */
    size_t history_len;
    char *name; /* the file's */
    ps_blob blob;
    uint32_t *narrow; /* both sides' off32 */
} ps_graph;

enum { PS_GRAPH_SMALL = 16 << 20, PS_GRAPH_NARROW = 48 << 20 };

/* Maps the file; checks the header, the section table and that every section lies inside the file.
 * Up to PS_GRAPH_SMALL bytes, also the sections' CRCs; a larger graph is not read (ps_graph_verify,
 * ps_graph_check).  A pipe or a gzip file is read into memory. */
PS_MUST_USE int ps_graph_open(ps_graph *g, const char *path);
void ps_graph_close(ps_graph *g);

/* Reads the whole file: every section's CRC and the fingerprint. */
PS_MUST_USE int ps_graph_verify(const ps_graph *g);

/* The same and the structure: nothing between or behind the sections, offsets ascending, neighbours in range and sorted, both directions the same
 * edges, names found by their own lookup. */
PS_MUST_USE int ps_graph_check(const ps_graph *g);

/* For many random reads of a large graph: makes off32 of both sides, which stays in the cache better, in huge pages where
 * the system has them.  Reads all offsets.  Where they would take more than PS_GRAPH_NARROW bytes, or some edge has no
 * 32-bit number, or an offset is out of order, off32 stays NULL.  off32 of both or none; each is below off32[nodes] = edges. */
void ps_graph_narrow(ps_graph *g);

static inline uint64_t ps_degree(const ps_side *side, uint64_t u)
{
    return side->off[u + 1] - side->off[u];
}

/* ---- names ---- */

/* Number of the node of that name, PS_NONE if there is none.  Without a dictionary: the decimal number. */
uint64_t ps_graph_find(const ps_graph *g, ps_space space, ps_str name);

/* Name of node u, as it is or as its number printed into buf; "?" followed by the number if u is out of range. */
ps_str ps_graph_name(const ps_graph *g, ps_space space, uint64_t u, char buf[32]);

/* PS_EDATA naming stream and record if u is no node of that space. */
PS_MUST_USE int ps_graph_in_range(const ps_graph *g, ps_space space, uint64_t u, const char *stream, uint64_t record);

/* ---- building ---- */

/* What becomes of an edge that is given more than once. */
typedef enum {
    PS_KEEP,   /* it is there as often */
    PS_UNIQUE, /* only the first is kept */
    PS_SUM,    /* one edge with the sum of their weights */
} ps_duplicates;

typedef struct {
    const ps_graph *old; /* the graph that the edges are added to: its nodes keep their numbers; NULL: none.
                            It stays the caller's and open until the builder is freed. */
    int nodes_only;      /* of the old graph only nodes and names */
    uint64_t memory;     /* bytes that edges and dictionaries may take before edges go to temporary files; 0: any */
    const char *tmp;     /* folder of temporary files; NULL: $TMPDIR or /tmp */
    int threads;
    ps_duplicates duplicates;
} ps_build_options;

/* What went through temporary files, both directions together. */
typedef struct {
    uint64_t runs;          /* sorted sequences of edges */
    uint64_t written, read; /* edges */
} ps_spilled;

typedef struct {
    uint64_t items, boards, edges;
    ps_spilled spilled;
    uint64_t removed; /* edges taken out */
    uint64_t unmet;   /* edges to be taken out that were not there */
} ps_built;

typedef struct ps_builder ps_builder;
PS_MUST_USE ps_builder *ps_builder_new(void); /* no old graph, any memory, one thread, PS_KEEP */
PS_MUST_USE ps_builder *ps_builder_open(const ps_build_options *o);
void ps_builder_free(ps_builder *b);

/* Number of the name, new if it is not known yet.  With `closed` items an unknown one gives PS_NONE. */
PS_MUST_USE int ps_builder_node(ps_builder *b, ps_space space, ps_str name, uint64_t *number);
/* The same with the key at hand (dict.h), which ps_builder_expect may have been told before: as step 0, and if the name is
 * long 1 and 2, for several names at a time. */
PS_MUST_USE int ps_builder_keyed(ps_builder *b, ps_space space, const ps_name_key *key, uint64_t *number);
void ps_builder_expect(const ps_builder *b, ps_space space, const ps_name_key *key, int step);
/* No further items are taken on. */
void ps_builder_close_items(ps_builder *b);
uint64_t ps_builder_nodes(const ps_builder *b, ps_space space);

/* Adds an edge between numbers; a graph built without names has as many nodes as the largest number says
 * (or as ps_builder_reserve said).  weight: positive and finite; PS_TAKE_OUT takes the edges between the two out
 * that came before, those of the old graph included. */
#define PS_TAKE_OUT (-1.0f)
PS_MUST_USE int ps_builder_edge(ps_builder *b, uint64_t item, uint64_t board, float weight);
PS_MUST_USE int ps_builder_reserve(ps_builder *b, uint64_t items, uint64_t boards);

/* Edges at a time: item << 32 | board, each at most PS_NODE_MAX. */
#define PS_NODE_MAX (UINT32_MAX - 2)
typedef struct {
    const uint64_t *key;
    const float *weight; /* NULL: all 1 */
    size_t n;
    uint64_t nodes[2]; /* items, boards: one more than the largest number */
} ps_edge_block;

/* Adds them; on failure *bad is the edge's place, block->n if it was not for one.  meanwhile(ctx) is called once, by
 * one of the threads while others are at it: to read the next block. */
PS_MUST_USE int ps_builder_block(ps_builder *b, const ps_edge_block *block, void (*meanwhile)(void *ctx), void *ctx,
                                 size_t *bad);

/* Sorts, builds both directions and writes the file; `history` is one line for each step.
 * The edges are used up. */
PS_MUST_USE int ps_builder_write(ps_builder *b, ps_out *out, const char *history);
const ps_built *ps_builder_result(const ps_builder *b);

#endif
