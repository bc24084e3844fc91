/* graph_chunks.h - the memory that edges wait in: chunks of one size, cut from slabs; for graph_lanes.c, graph_edges.c.
 */
#ifndef PS_GRAPH_CHUNKS_H
#define PS_GRAPH_CHUNKS_H

#include <stdint.h>

#include "err.h"

enum { PS_CHUNK = 2048, PS_CHUNK_WEIGHTED = 2 * PS_CHUNK / 3 }; /* edges of a chunk, without and with weights */

/* A head of one cache line, so that keys begin on one and that the chunks of a slab do not all share cache sets. */
typedef struct ps_chunk {
    struct ps_chunk *next;
    uint32_t n;
    uint32_t weighted;
    uint64_t unused[6];
    union {
        uint64_t key[PS_CHUNK];
        struct {
            uint64_t same_key[PS_CHUNK_WEIGHTED];
            float weight[PS_CHUNK_WEIGHTED];
        };
    };
} ps_chunk;

typedef struct ps_chunks ps_chunks;

PS_MUST_USE ps_chunks *ps_chunks_new(void);
void ps_chunks_free(ps_chunks *c); /* NULL is allowed */

/* An empty chunk, NULL if there is no memory; the list from first to last back.  Any thread. */
PS_MUST_USE ps_chunk *ps_chunk_take(ps_chunks *c, int weighted);
void ps_chunk_give(ps_chunks *c, ps_chunk *first, ps_chunk *last);

/* Gives the memory back to the system: no chunk may be in use. */
void ps_chunks_clear(ps_chunks *c);

static inline uint32_t ps_chunk_room(const ps_chunk *c)
{
    return c->weighted ? PS_CHUNK_WEIGHTED : PS_CHUNK;
}

#endif
