#include "graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "dict.h"
#include "graph_file.h"
#include "lineage.h"
#include "magic.h"
#include "mem.h"

static int bad(const ps_graph *g, uint64_t offset, int code, const char *why)
{
    return ps_fail(code, "%s: byte %llu: %s", g->name, (unsigned long long)offset, why);
}

/* Where a section's pointer goes and how many elements it must have; 0 elements: any number. */
typedef struct {
    const void **to;
    uint64_t elements;
    uint32_t elem;
} target;

static target section_target(ps_graph *g, uint32_t id)
{
    int board = id >= PS_SEC_BOARD_OFF;
    ps_side *side = board ? &g->boards : &g->items;
    ps_names *names = board ? &g->board_names : &g->item_names;
    switch (board ? id - (PS_SEC_BOARD_OFF - PS_SEC_ITEM_OFF) : id) {
    case PS_SEC_ITEM_OFF: return (target){(const void **)&side->off, side->nodes + 1, 8};
    case PS_SEC_ITEM_ADJ: return (target){(const void **)&side->adj, g->edges, 4};
    case PS_SEC_ITEM_WEIGHT: return (target){(const void **)&side->weight, g->edges, 4};
    case PS_SEC_ITEM_ALIAS: return (target){(const void **)&side->alias, g->edges, 4};
    case PS_SEC_ITEM_ACCEPT: return (target){(const void **)&side->accept, g->edges, 4};
    case PS_SEC_ITEM_NAMEOFF: return (target){(const void **)&names->off, side->nodes + 1, 8};
    case PS_SEC_ITEM_NAMES: return (target){(const void **)&names->text, 0, 1};
    case PS_SEC_ITEM_HASH: return (target){(const void **)&names->hash, 0, 4};
    default: return (target){NULL, 0, 1};
    }
}

static int attach(ps_graph *g, const ps_section *s, uint64_t at)
{
    if (s->offset % PS_GRAPH_PAGE != 0 || s->offset > g->blob.size || s->bytes > g->blob.size - s->offset)
        return ps_fail(PS_EDATA, "%s: byte %llu: the file is truncated: the section '%s' ends beyond it", g->name,
                       (unsigned long long)at, ps_section_name(s->id));
    if (s->id == PS_SEC_HISTORY) {
        g->history = (const char *)g->blob.data + s->offset;
        g->history_len = s->bytes;
        return 0;
    }
    if (s->id == PS_SEC_ANCESTORS && (s->elem != 8 || s->bytes % 24 != 0))
        return ps_fail(PS_EDATA, "%s: byte %llu: the section '%s' has an impossible length", g->name,
                       (unsigned long long)at, ps_section_name(s->id));
    if (s->id == PS_SEC_ANCESTORS) {
        g->ancestors = (const uint64_t *)(const void *)(g->blob.data + s->offset);
        g->n_ancestors = s->bytes / 24;
        return 0;
    }
    target t = section_target(g, s->id);
    if (!t.to)
        return 0; /* a section that a later version added */
    if (s->elem != t.elem || s->bytes % t.elem != 0 || (t.elements && s->bytes / t.elem != t.elements))
        return ps_fail(PS_EDATA, "%s: byte %llu: the section '%s' has an impossible length", g->name,
                       (unsigned long long)at, ps_section_name(s->id));
    *t.to = g->blob.data + s->offset;
    if (s->id == PS_SEC_ITEM_NAMES)
        g->item_names.bytes = s->bytes;
    if (s->id == PS_SEC_BOARD_NAMES)
        g->board_names.bytes = s->bytes;
    if (s->id == PS_SEC_ITEM_HASH)
        g->item_names.slots = s->bytes / 4;
    if (s->id == PS_SEC_BOARD_HASH)
        g->board_names.slots = s->bytes / 4;
    return 0;
}

static int complete_names(const ps_graph *g, ps_names *names, uint64_t nodes)
{
    int parts = (names->off != NULL) + (names->text != NULL) + (names->hash != NULL);
    if (parts == 0)
        return 0;
    if (parts < 3 || (names->slots & (names->slots - 1)) != 0 || names->slots <= nodes)
        return bad(g, 0, PS_EDATA, "damaged: the names are not complete");
    names->n = nodes;
    return 0;
}

/* The few cells that make every other lookup safe are checked at once; the rest by ps_graph_check. */
static int complete_side(const ps_graph *g, const ps_side *side)
{
    int weighted = (side->weight != NULL) + (side->alias != NULL) + (side->accept != NULL);
    if (!side->off || !side->adj || (weighted != 0 && weighted != 3))
        return bad(g, 0, PS_EDATA, "damaged: a section is missing");
    if (side->off[0] != 0 || side->off[side->nodes] != g->edges)
        return bad(g, 0, PS_EDATA, "damaged: the offsets do not span the edges");
    return 0;
}

static int read_header(ps_graph *g)
{
    const uint8_t *p = g->blob.data;
    if (g->blob.size < PS_GRAPH_HEAD || memcmp(p, ps_graph_magic, 8) != 0) {
        if (g->blob.size == 0)
            return bad(g, 0, PS_EDATA, "empty, expected a graph");
        const ps_file_type type = ps_file_type_of(p, g->blob.size);
        if (type == PS_FILE_OTHER || type == PS_FILE_GRAPH)
            return bad(g, 0, PS_EDATA,
                       type == PS_FILE_GRAPH ? "a damaged or truncated graph file"
                                             : "not a graph (psgraph-build makes one)");
        return ps_fail(PS_EKIND, "%s: byte 0: this is %s, not a graph", g->name, ps_file_type_name(type));
    }
    if (ps_get16(p + 8) > PS_GRAPH_VERSION)
        return ps_fail(PS_EKIND, "%s: byte 8: psgraph version %d; this program reads up to %d", g->name,
                       ps_get16(p + 8), PS_GRAPH_VERSION);
    uint32_t sections = ps_get16(p + 10), len = ps_get32(p + 12);
    if (len != PS_GRAPH_HEAD + sections * PS_GRAPH_ENTRY || len > g->blob.size)
        return bad(g, 12, PS_EDATA, "damaged or truncated: the section table is not whole");
    static const uint8_t zero[4];
    uint32_t crc = (uint32_t)crc32(0, p, 60);
    crc = (uint32_t)crc32(crc, zero, 4);
    crc = (uint32_t)crc32(crc, p + 64, len - 64);
    if (crc != ps_get32(p + 60))
        return bad(g, 60, PS_EDATA, "damaged header: its CRC does not match");
    g->items.nodes = ps_get64(p + 16);
    g->boards.nodes = ps_get64(p + 24);
    g->edges = ps_get64(p + 32);
    g->fingerprint = ps_get64(p + 40);
    if (g->items.nodes >= UINT32_MAX || g->boards.nodes >= UINT32_MAX)
        return bad(g, 16, PS_EDATA, "more than 4294967294 nodes on a side");
    for (uint32_t i = 0; i < sections; i++) {
        uint64_t at = PS_GRAPH_HEAD + (uint64_t)i * PS_GRAPH_ENTRY;
        ps_section s = ps_section_decode(p + at);
        int rc = attach(g, &s, at);
        if (rc < 0)
            return rc;
    }
    int rc = complete_side(g, &g->items);
    if (rc == 0)
        rc = complete_side(g, &g->boards);
    if (rc == 0)
        rc = complete_names(g, &g->item_names, g->items.nodes);
    if (rc == 0)
        rc = complete_names(g, &g->board_names, g->boards.nodes);
    return rc;
}

int ps_graph_open(ps_graph *g, const char *path)
{
    *g = (ps_graph){.history = ""};
    g->name = strdup(path && strcmp(path, "-") != 0 ? path : "<stdin>");
    if (!g->name)
        return ps_fail(PS_EMEM, "out of memory");
    int rc = ps_blob_open(&g->blob, path);
    if (rc == 0)
        rc = read_header(g);
    if (rc == 0 && g->blob.size <= PS_GRAPH_SMALL)
        rc = ps_graph_verify(g);
    if (rc == 0 && g->n_ancestors > 0)
        rc = ps_lineage_enter(g->fingerprint, g->ancestors, g->n_ancestors, 3);
    if (rc < 0)
        ps_graph_close(g);
    return rc;
}

void ps_graph_close(ps_graph *g)
{
    if (g->n_ancestors > 0)
        ps_lineage_leave(g->fingerprint);
    ps_blob_close(&g->blob);
    free(g->name);
    free(g->narrow);
    memset(g, 0, sizeof *g);
}

/* ---- names ---- */

uint64_t ps_graph_find(const ps_graph *g, ps_space space, ps_str name)
{
    const ps_names *names = space == PS_BOARDS ? &g->board_names : &g->item_names;
    const ps_side *side = space == PS_BOARDS ? &g->boards : &g->items;
    uint64_t u;
    if (names->n > 0)
        return ps_name_lookup(names->hash, names->slots, names->off, names->text, names->bytes, names->n, name);
    return ps_text_u64(name, &u) == 0 && u < side->nodes ? u : PS_NONE;
}

ps_str ps_graph_name(const ps_graph *g, ps_space space, uint64_t u, char buf[32])
{
    const ps_names *names = space == PS_BOARDS ? &g->board_names : &g->item_names;
    const ps_side *side = space == PS_BOARDS ? &g->boards : &g->items;
    if (space == PS_PLAIN || (u < side->nodes && names->n == 0))
        snprintf(buf, 32, "%llu", (unsigned long long)u);
    else if (u >= side->nodes || names->off[u + 1] < names->off[u] || names->off[u + 1] > names->bytes)
        snprintf(buf, 32, "?%llu", (unsigned long long)u);
    else
        return (ps_str){names->text + names->off[u], names->off[u + 1] - names->off[u]};
    return (ps_str){buf, strlen(buf)};
}

int ps_graph_in_range(const ps_graph *g, ps_space space, uint64_t u, const char *stream, uint64_t record)
{
    uint64_t n = space == PS_BOARDS ? g->boards.nodes : g->items.nodes;
    if (u < n)
        return 0;
    return ps_fail(PS_EDATA, "%s: record %llu: %s number %llu, but %s has only %llu", stream,
                   (unsigned long long)record, space == PS_BOARDS ? "board" : "item", (unsigned long long)u, g->name,
                   (unsigned long long)n);
}
