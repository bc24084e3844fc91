/* graph_edges.h - edges on their way into a graph: taken in any order, given back sorted; for graph_*.c.
 *
 * An edge is a key, node << 32 | other, and a weight; a negative weight takes the edges of that key out that came
 * before.  Edges are dealt into buckets, ranges of nodes that grow with the largest number, in chunks of memory.
 * When the chunks outgrow the budget, all of them are sorted and written to a temporary file as a run, and at the
 * end the runs are merged.  The sort is stable: edges of one key come back in the order in which their lane took
 * them, so that edges of one key must all go to one lane.  (Only where weights differ does it show.)
 */
#ifndef PS_GRAPH_EDGES_H
#define PS_GRAPH_EDGES_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "graph.h"
#include "par.h"

enum { PS_BATCH = 1024 };

typedef struct ps_edges ps_edges;

/* Sorted edges; weight NULL: all 1.  The arrays grow and are used again. */
typedef struct {
    size_t n;
    uint64_t *key, *key2;
    float *weight, *weight2;
    size_t key_cap, key2_cap, weight_cap, weight2_cap;
    int weighted;
} ps_edge_list;
void ps_edge_list_free(ps_edge_list *b);
PS_MUST_USE int ps_edge_list_room(ps_edge_list *b, size_t n, int weighted);

/* `lanes` threads may push at the same time, each into a lane of its own.  memory: bytes that chunks and buffers
 * may take.  `dir` is where runs go.  With a lender, memory that it has no more use for is used again: it must
 * outlive this one, and be used up when this one is finished. */
PS_MUST_USE ps_edges *ps_edges_new(int lanes, uint64_t memory, const char *dir, ps_edges *lender);
void ps_edges_free(ps_edges *s); /* NULL is allowed */

/* weights NULL: all 1. */
PS_MUST_USE int ps_edges_push(ps_edges *s, int lane, const uint64_t *keys, const float *weights, size_t n);

/* From here on chunks have room for weights; implied by pushing one, needed before lanes push at the same time. */
void ps_edges_weigh(ps_edges *s);
int ps_edges_weighted(const ps_edges *s);

/* Between pushes: writes a run if the memory is used up.  `used` is what else counts against the budget. */
PS_MUST_USE int ps_edges_relieve(ps_edges *s, ps_pool *pool, uint64_t used);
uint64_t ps_edges_count(const ps_edges *s);

/* No more pushes: 1 if the edges come from merged runs (ps_edges_merge), 0 from buckets.  Buckets then span
 * `nodes` nodes at least. */
PS_MUST_USE int ps_edges_finish(ps_edges *s, ps_pool *pool, uint64_t nodes);

/* Adds what it wrote to temporary files to `sum`. */
void ps_edges_spilled(const ps_edges *s, ps_spilled *sum);

/* Bytes of the buffers through which runs are read. */
uint64_t ps_edges_reading(const ps_edges *s);

/* Bucket i holds nodes i << shift on. */
int ps_edges_shift(const ps_edges *s);

/* Edges that bucket i holds. */
size_t ps_edges_in(const ps_edges *s, size_t i);

/* Buckets from..to - 1, sorted; they are empty then.  Several threads at the same time, for different buckets. */
PS_MUST_USE int ps_edges_buckets(ps_edges *s, size_t from, size_t to, ps_edge_list *b);

/* Appends merged edges to b, up to key `limit` and up to `most` edges, then those of the last key.  1 if that
 * was the end. */
PS_MUST_USE int ps_edges_merge(ps_edges *s, uint64_t limit, size_t most, ps_edge_list *b);

/* Parts of the list, where each of them ends: if the edges of each ascend by their other node, all do afterwards, and a
 * sort has less to do.  What several lanes took of sorted edges is like that.  Only without weights. */
enum { PS_EDGE_PARTS = 64 };
PS_MUST_USE int ps_edge_list_merge(ps_edge_list *b, const size_t *end, int parts);

/* Stable sort by key. */
PS_MUST_USE int ps_edge_list_sort(ps_edge_list *b);

#endif
