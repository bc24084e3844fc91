/* graph_layout.h - the sections of a graph file while it is made; for graph_*.c.
 *
 * Sections are written at their places by any thread: in the output itself where that is a plain file and every
 * section's length is known when the next one begins, else in memory or a temporary file that is copied when all
 * is there.  The header comes last, so that a file that was not finished is no graph.
 */
#ifndef PS_GRAPH_LAYOUT_H
#define PS_GRAPH_LAYOUT_H

#include "graph_file.h"
#include "graph_pages.h"
#include "io.h"
#include "temp.h"

typedef struct {
    ps_section s;      /* offset: in the final file */
    uint64_t place;    /* where it is written now */
    uint64_t reserved; /* bytes */
    int dropped;
} ps_placed;

typedef struct {
    ps_out *out;
    const char *dir;
    int fd;          /* the output's, -1: not written in place */
    ps_pages *pages; /* through which it is written then */
    ps_temp temp;
    uint8_t *mem;  /* if the sections are held in memory */
    uint64_t size; /* of mem */
    int n;
    ps_placed at[PS_SEC_END];
    uint64_t end;
} ps_layout;

/* most: bytes that all sections will take at most.  in_place: each section is closed before the next is opened. */
PS_MUST_USE int ps_layout_open(ps_layout *l, ps_out *out, const char *dir, uint64_t most, int in_place);
void ps_layout_free(ps_layout *l);

/* A section of up to `most` elements; its index. */
int ps_layout_add(ps_layout *l, uint32_t id, uint32_t elem, uint64_t most);

/* Bytes of a section, any thread; the caller joins the CRCs (ps_layout_join, in the order of the bytes). */
PS_MUST_USE int ps_layout_write(ps_layout *l, int section, uint64_t at, const void *data, size_t n);
PS_MUST_USE int ps_layout_read(ps_layout *l, int section, uint64_t at, void *data, size_t n);
void ps_layout_join(ps_layout *l, int section, uint32_t crc, uint64_t n);

/* The next n bytes of a section that one thread writes from front to back. */
PS_MUST_USE int ps_layout_append(ps_layout *l, int section, const void *data, size_t n);

/* The section will not grow further / is not wanted. */
void ps_layout_close(ps_layout *l, int section);
void ps_layout_drop(ps_layout *l, int section);

/* Writes the header, and the file if it was not written in place. */
PS_MUST_USE int ps_layout_finish(ps_layout *l, uint64_t items, uint64_t boards, uint64_t edges);

#endif
