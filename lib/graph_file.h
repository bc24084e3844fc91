/* graph_file.h - the layout of psgraph(5); for graph*.c and psview only. */
#ifndef PS_GRAPH_FILE_H
#define PS_GRAPH_FILE_H

#include <stdint.h>

enum {
    PS_GRAPH_VERSION = 1,
    PS_GRAPH_HEAD = 64,
    PS_GRAPH_ENTRY = 32,
    PS_GRAPH_PAGE = 4096,
};

enum {
    PS_SEC_HISTORY = 1, /* text; not part of the fingerprint */
    PS_SEC_ITEM_OFF,    /* u64 x (items + 1) */
    PS_SEC_ITEM_ADJ,    /* u32 x edges */
    PS_SEC_ITEM_WEIGHT, /* f32 x edges; this and the next two only in weighted graphs */
    PS_SEC_ITEM_ALIAS,  /* u32 x edges */
    PS_SEC_ITEM_ACCEPT, /* u32 x edges */
    PS_SEC_ITEM_NAMEOFF, /* u64 x (items + 1); this and the next two only in graphs with names */
    PS_SEC_ITEM_NAMES,   /* bytes */
    PS_SEC_ITEM_HASH,    /* u32 x slots */
    PS_SEC_BOARD_OFF,    /* the same for boards, in the same order */
    PS_SEC_BOARD_ADJ,
    PS_SEC_BOARD_WEIGHT,
    PS_SEC_BOARD_ALIAS,
    PS_SEC_BOARD_ACCEPT,
    PS_SEC_BOARD_NAMEOFF,
    PS_SEC_BOARD_NAMES,
    PS_SEC_BOARD_HASH,
    PS_SEC_ANCESTORS, /* u64 x 3 for each: fingerprint, items, boards; oldest first */
    PS_SEC_END
};

typedef struct {
    uint32_t id, elem;
    uint64_t offset, bytes;
    uint32_t crc;
} ps_section;

extern const uint8_t ps_graph_magic[8];

/* Hash of counts and section CRCs, never 0. */
uint64_t ps_graph_fingerprint(uint64_t items, uint64_t boards, uint64_t edges, const ps_section *s, int n);

void ps_section_encode(uint8_t *p, const ps_section *s);
ps_section ps_section_decode(const uint8_t *p);

/* "item adjacency", ... */
const char *ps_section_name(uint32_t id);

#endif
