#include <math.h>
#include <stdlib.h>
#include <zlib.h>

#include "graph.h"
#include "graph_file.h"
#include "mem.h"

static int bad(const ps_graph *g, const char *what, uint64_t where, const char *why)
{
    return ps_fail(PS_EDATA, "%s: %s %llu: %s", g->name, what, (unsigned long long)where, why);
}

static int check_crcs(const ps_graph *g)
{
    const uint8_t *p = g->blob.data;
    int n = ps_get16(p + 10);
    ps_section *s = ps_alloc((size_t)n, sizeof *s);
    int rc = s ? 0 : PS_EMEM;
    for (int i = 0; i < n && rc == 0; i++) {
        s[i] = ps_section_decode(p + PS_GRAPH_HEAD + i * PS_GRAPH_ENTRY);
        if (crc32_z(0, p + s[i].offset, s[i].bytes) != s[i].crc)
            rc = ps_fail(PS_EDATA, "%s: byte %llu: the CRC of the section '%s' does not match: the data is damaged",
                         g->name, (unsigned long long)s[i].offset, ps_section_name(s[i].id));
    }
    if (rc == 0 && ps_graph_fingerprint(g->items.nodes, g->boards.nodes, g->edges, s, n) != g->fingerprint)
        rc = bad(g, "byte", 40, "the fingerprint does not match the sections");
    free(s);
    return rc;
}

static int check_side(const ps_graph *g, const ps_side *side, uint64_t others, const char *what)
{
    for (uint64_t u = 0; u < side->nodes; u++) {
        if (side->off[u + 1] < side->off[u] || side->off[u + 1] > g->edges)
            return bad(g, what, u, "its offsets are not in order");
        for (uint64_t i = side->off[u]; i < side->off[u + 1]; i++) {
            if (side->adj[i] >= others || (side->alias && side->alias[i] >= others))
                return bad(g, what, u, "it is joined to a node that does not exist");
            if (i > side->off[u] && side->adj[i] < side->adj[i - 1])
                return bad(g, what, u, "its neighbours are not sorted");
            if (side->weight && !(side->weight[i] > 0 && isfinite(side->weight[i])))
                return bad(g, what, u, "an edge weight that is not positive");
        }
    }
    return 0;
}

/* Walking the items in order must meet each board's list in its order. */
static int check_both_ways(const ps_graph *g)
{
    uint64_t *cursor = ps_alloc(g->boards.nodes, sizeof *cursor);
    if (!cursor)
        return PS_EMEM;
    memcpy(cursor, g->boards.off, g->boards.nodes * sizeof *cursor);
    int rc = 0;
    for (uint64_t u = 0; u < g->items.nodes && rc == 0; u++)
        for (uint64_t i = g->items.off[u]; i < g->items.off[u + 1] && rc == 0; i++) {
            uint64_t b = g->items.adj[i], j = cursor[b]++;
            if (j >= g->boards.off[b + 1] || g->boards.adj[j] != u ||
                (g->items.weight && g->items.weight[i] != g->boards.weight[j]))
                rc = bad(g, "item", u, "its edges are not those of its boards");
        }
    free(cursor);
    return rc;
}

static int check_names(const ps_graph *g, const ps_names *names, ps_space space)
{
    for (uint64_t u = 0; u < names->n; u++) {
        if (names->off[u + 1] < names->off[u] || names->off[u + 1] > names->bytes)
            return bad(g, "name of node", u, "outside the names");
        ps_str name = {names->text + names->off[u], names->off[u + 1] - names->off[u]};
        if (ps_graph_find(g, space, name) != u)
            return bad(g, "name of node", u, "its own lookup does not find it");
    }
    return 0;
}

/* No CRC covers what lies between the sections: it is zero, and nothing follows the last one. */
static int check_gaps(const ps_graph *g)
{
    const uint8_t *p = g->blob.data;
    uint64_t at = ps_get32(p + 12);
    for (int i = 0; i < ps_get16(p + 10); i++) {
        ps_section s = ps_section_decode(p + PS_GRAPH_HEAD + i * PS_GRAPH_ENTRY);
        if (s.offset < at)
            return bad(g, "byte", s.offset, "a section begins inside the one before");
        for (; at < s.offset; at++)
            if (p[at])
                return bad(g, "byte", at, "not zero between two sections: the data is damaged");
        at = s.offset + s.bytes;
    }
    return at == g->blob.size ? 0 : bad(g, "byte", at, "something follows the last section");
}

int ps_graph_verify(const ps_graph *g)
{
    return check_crcs(g);
}

int ps_graph_check(const ps_graph *g)
{
    int rc = ps_graph_verify(g);
    if (rc == 0)
        rc = check_gaps(g);
    if (rc == 0)
        rc = check_side(g, &g->items, g->boards.nodes, "item");
    if (rc == 0)
        rc = check_side(g, &g->boards, g->items.nodes, "board");
    if (rc == 0)
        rc = check_both_ways(g);
    if (rc == 0)
        rc = check_names(g, &g->item_names, PS_ITEMS);
    if (rc == 0)
        rc = check_names(g, &g->board_names, PS_BOARDS);
    return rc;
}
