/* Graph files: both directions, names, alias tables, fingerprint, and planted inconsistencies. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "check.h"
#include "graph.h"
#include "graph_file.h"
#include "rng.h"

enum { ITEMS = 40, BOARDS = 15, EDGES = 300 };

typedef struct {
    uint32_t item, board;
    float weight;
} edge;

static edge edges[EDGES];

static void draw_edges(void)
{
    uint64_t key = ps_rng_key(7, 0);
    for (int i = 0; i < EDGES; i++)
        edges[i] = (edge){(uint32_t)ps_below(ps_rng(key, 3 * i), ITEMS), (uint32_t)ps_below(ps_rng(key, 3 * i + 1), BOARDS),
                          0.1f + (float)ps_below(ps_rng(key, 3 * i + 2), 50)};
}

static ps_str name_of(ps_space space, uint32_t u, char buf[32])
{
    /* Names of different lengths, with bytes that are no text. */
    int n = snprintf(buf, 32, "%s\xff%.*s%u", space == PS_ITEMS ? "item" : "b", (int)(u % 7), "xxxxxxx", u);
    return (ps_str){buf, (size_t)n};
}

/* The random edges; named: numbered in order, so that the names of the nodes follow from their numbers. */
static void write_graph(const char *path, int named, int weighted, const char *history)
{
    ps_builder *b = ps_builder_new();
    char buf[32];
    uint64_t u;
    for (uint32_t i = 0; named && i < ITEMS; i++)
        CHECK_OK(ps_builder_node(b, PS_ITEMS, name_of(PS_ITEMS, i, buf), &u));
    for (uint32_t i = 0; named && i < BOARDS; i++)
        CHECK_OK(ps_builder_node(b, PS_BOARDS, name_of(PS_BOARDS, i, buf), &u));
    CHECK_OK(ps_builder_reserve(b, ITEMS, BOARDS));
    for (int i = 0; i < EDGES; i++)
        CHECK_OK(ps_builder_edge(b, edges[i].item, edges[i].board, weighted ? edges[i].weight : 1));
    ps_out *out = ps_out_open(path, 0);
    CHECK_OK(ps_builder_write(b, out, history));
    CHECK_OK(ps_out_close(out));
    ps_builder_free(b);
}

static size_t count(const ps_side *side, uint64_t u, uint64_t v)
{
    size_t n = 0;
    for (uint64_t i = side->off[u]; i < side->off[u + 1]; i++)
        n += side->adj[i] == v;
    return n;
}

static void holds_the_edges(const ps_graph *g)
{
    CHECK(g->items.nodes == ITEMS && g->boards.nodes == BOARDS && g->edges == EDGES);
    for (uint32_t u = 0; u < ITEMS; u++)
        for (uint32_t v = 0; v < BOARDS; v++) {
            size_t n = 0;
            for (int i = 0; i < EDGES; i++)
                n += edges[i].item == u && edges[i].board == v;
            CHECK(count(&g->items, u, v) == n && count(&g->boards, v, u) == n);
        }
}

/* What the table draws, in shares of 2^32, summed over parallel edges: the weights' shares. */
static void alias_gives_weights(const ps_side *side, uint64_t others)
{
    for (uint64_t u = 0; u < side->nodes; u++) {
        uint64_t a = side->off[u], n = side->off[u + 1] - a;
        double sum = 0;
        for (uint64_t i = a; i < a + n; i++)
            sum += (double)side->weight[i];
        for (uint64_t v = 0; v < others; v++) {
            double drawn = 0, wanted = 0;
            for (uint64_t i = a; i < a + n; i++) {
                double take = ((double)side->accept[i] + 1) / 0x1p32;
                drawn += (side->adj[i] == v) * take + (side->alias[i] == v) * (1 - take);
                wanted += (side->adj[i] == v) * (double)side->weight[i];
            }
            CHECK(n == 0 || fabs(drawn / (double)n - wanted / sum) < 1e-8);
        }
    }
}

static void round_trips(void)
{
    for (int named = 0; named <= 1; named++)
        for (int weighted = 0; weighted <= 1; weighted++) {
            ps_graph g;
            write_graph("g.psg", named, weighted, "one\ntwo\n");
            CHECK_OK(ps_graph_open(&g, "g.psg"));
            CHECK_OK(ps_graph_check(&g));
            holds_the_edges(&g);
            CHECK((g.items.weight != NULL) == weighted && (g.boards.alias != NULL) == weighted);
            CHECK((g.item_names.n == ITEMS) == named && (g.board_names.n == BOARDS) == named);
            CHECK(g.history_len == 8 && memcmp(g.history, "one\ntwo\n", 8) == 0);
            if (weighted) {
                alias_gives_weights(&g.items, BOARDS);
                alias_gives_weights(&g.boards, ITEMS);
            }
            ps_graph_close(&g);
        }
}

static void names(void)
{
    ps_graph g;
    char buf[32], shown[32];
    write_graph("g.psg", 1, 0, "");
    CHECK_OK(ps_graph_open(&g, "g.psg"));
    for (int space = PS_ITEMS; space <= PS_BOARDS; space++)
        for (uint32_t u = 0; u < (space == PS_ITEMS ? ITEMS : BOARDS); u++) {
            ps_str name = name_of((ps_space)space, u, buf), back = ps_graph_name(&g, (ps_space)space, u, shown);
            CHECK(ps_graph_find(&g, (ps_space)space, name) == u);
            CHECK(back.len == name.len && memcmp(back.s, name.s, name.len) == 0);
            name.len--;
            CHECK(ps_graph_find(&g, (ps_space)space, name) != u);
        }
    CHECK(ps_graph_find(&g, PS_ITEMS, (ps_str){"", 0}) == PS_NONE);
    CHECK(ps_graph_find(&g, PS_ITEMS, (ps_str){"3", 1}) == PS_NONE);
    CHECK(strcmp(ps_graph_name(&g, PS_ITEMS, ITEMS, shown).s, "?40") == 0);
    CHECK_OK(ps_graph_in_range(&g, PS_ITEMS, ITEMS - 1, "s", 0));
    CHECK(ps_graph_in_range(&g, PS_ITEMS, ITEMS, "s", 5) == PS_EDATA && strstr(ps_errmsg(), "s: record 5"));
    CHECK(ps_graph_in_range(&g, PS_BOARDS, BOARDS, "s", 5) == PS_EDATA);
    ps_graph_close(&g);

    write_graph("g.psg", 0, 0, "");
    CHECK_OK(ps_graph_open(&g, "g.psg"));
    CHECK(ps_graph_find(&g, PS_ITEMS, (ps_str){"39", 2}) == 39);
    CHECK(ps_graph_find(&g, PS_ITEMS, (ps_str){"40", 2}) == PS_NONE);
    CHECK(ps_graph_find(&g, PS_BOARDS, (ps_str){"15", 2}) == PS_NONE);
    CHECK(ps_graph_find(&g, PS_ITEMS, (ps_str){"-1", 2}) == PS_NONE);
    CHECK(strcmp(ps_graph_name(&g, PS_ITEMS, 12, shown).s, "12") == 0);
    ps_graph_close(&g);
}

static uint64_t fingerprint(const char *path)
{
    ps_graph g;
    CHECK_OK(ps_graph_open(&g, path));
    uint64_t f = g.fingerprint;
    ps_graph_close(&g);
    return f;
}

static void fingerprints(void)
{
    write_graph("g.psg", 1, 1, "");
    uint64_t first = fingerprint("g.psg");
    write_graph("g.psg", 1, 1, "a history that is a good deal longer\n");
    CHECK(fingerprint("g.psg") == first && first != 0);
    write_graph("g.psg", 0, 1, "");
    CHECK(fingerprint("g.psg") != first);
    write_graph("g.psg", 1, 0, "");
    CHECK(fingerprint("g.psg") != first);
    edges[17].board = (edges[17].board + 1) % BOARDS;
    write_graph("g.psg", 1, 1, "");
    CHECK(fingerprint("g.psg") != first);
    draw_edges();
}

/* ---- inconsistencies with all CRCs in order ---- */

static uint8_t *file;
static size_t file_size;

static ps_section *sections(int *n)
{
    static ps_section s[PS_SEC_END];
    *n = ps_get16(file + 10);
    for (int i = 0; i < *n; i++)
        s[i] = ps_section_decode(file + PS_GRAPH_HEAD + i * PS_GRAPH_ENTRY);
    return s;
}

static uint8_t *section(uint32_t id)
{
    int n;
    ps_section *s = sections(&n);
    for (int i = 0; i < n; i++)
        if (s[i].id == id)
            return file + s[i].offset;
    exit(1);
}

static void load_good(void)
{
    ps_blob b;
    free(file);
    CHECK_OK(ps_blob_open(&b, "good.psg"));
    file_size = b.size;
    file = malloc(b.size);
    memcpy(file, b.data, b.size);
    ps_blob_close(&b);
}

static void seal_header(void)
{
    uint32_t len = ps_get32(file + 12);
    ps_put32(file + 60, 0);
    ps_put32(file + 60, (uint32_t)crc32(0, file, len <= file_size ? len : 64));
}

/* The planted change gets the CRCs and the fingerprint that belong to it. */
static void seal(void)
{
    int n;
    ps_section *s = sections(&n);
    for (int i = 0; i < n; i++) {
        s[i].crc = (uint32_t)crc32_z(0, file + s[i].offset, s[i].bytes);
        ps_section_encode(file + PS_GRAPH_HEAD + i * PS_GRAPH_ENTRY, &s[i]);
    }
    ps_put64(file + 40, ps_graph_fingerprint(ps_get64(file + 16), ps_get64(file + 24), ps_get64(file + 32), s, n));
    seal_header();
}

static void refused(int by_open, const char *why)
{
    ps_graph g;
    FILE *f = fopen("bad.psg", "wb");
    if (!f || fwrite(file, 1, file_size, f) != file_size || fclose(f) != 0)
        exit(1);
    int rc = ps_graph_open(&g, "bad.psg");
    if (rc == 0) {
        CHECK(!by_open);
        rc = ps_graph_check(&g);
        ps_graph_close(&g);
    } else {
        CHECK(by_open);
    }
    if (rc == 0 || !strstr(ps_errmsg(), why)) {
        fprintf(stderr, "%d, '%s' instead of '%s'\n", rc, rc ? ps_errmsg() : "", why);
        check_failures++;
    }
    load_good();
}

static void swap_first_neighbours(uint32_t id_off, uint32_t id_adj)
{
    uint8_t *off = section(id_off), *adj = section(id_adj);
    for (uint64_t u = 0;; u++)
        for (uint64_t i = ps_get64(off + 8 * u); i + 1 < ps_get64(off + 8 * u + 8); i++)
            if (ps_get32(adj + 4 * i) != ps_get32(adj + 4 * i + 4)) {
                uint32_t first = ps_get32(adj + 4 * i);
                ps_put32(adj + 4 * i, ps_get32(adj + 4 * i + 4));
                ps_put32(adj + 4 * i + 4, first);
                return;
            }
}

static void planted(void)
{
    write_graph("good.psg", 1, 1, "x\n");
    load_good();
    swap_first_neighbours(PS_SEC_ITEM_OFF, PS_SEC_ITEM_ADJ);
    seal();
    refused(0, "not sorted");
    ps_put32(section(PS_SEC_ITEM_ADJ) + 4 * (EDGES - 1), BOARDS);
    seal();
    refused(0, "does not exist");
    ps_put32(section(PS_SEC_BOARD_ALIAS), ITEMS);
    seal();
    refused(0, "does not exist");
    ps_put64(section(PS_SEC_BOARD_OFF) + 8, EDGES + 1);
    seal();
    refused(0, "not in order");
    ps_put64(section(PS_SEC_ITEM_OFF) + 16, ps_get64(section(PS_SEC_ITEM_OFF) + 8) - 1);
    seal();
    refused(0, "not in order");
    ps_putf32(section(PS_SEC_ITEM_WEIGHT), NAN);
    seal();
    refused(0, "not positive");
    ps_putf32(section(PS_SEC_BOARD_WEIGHT), 12345);
    seal();
    refused(0, "not those of its boards");
    section(PS_SEC_ITEM_NAMES)[1] ^= 1;
    seal();
    refused(0, "lookup does not find it");
    ps_put64(section(PS_SEC_BOARD_NAMEOFF) + 8, 100000);
    seal();
    refused(0, "outside the names");
    file[4096 - 1] = 1;
    refused(0, "not zero between");
    section(PS_SEC_ITEM_ADJ)[0] ^= 1;
    refused(1, "CRC of the section 'item adjacency'");
    ps_put64(file + 40, 4711);
    seal_header();
    refused(1, "fingerprint does not match");
}

/* Counts and places that lie, with the header's CRC. */
static void lying_headers(void)
{
    load_good();
    ps_put64(file + 16, (uint64_t)1 << 60);
    seal_header();
    refused(1, "4294967294");
    ps_put64(file + 16, 1 << 30);
    seal_header();
    refused(1, "impossible length");
    ps_put64(file + 32, (uint64_t)1 << 62);
    seal_header();
    refused(1, "impossible length");
    ps_put16(file + 10, 5000);
    refused(1, "section table is not whole");
    ps_put64(file + PS_GRAPH_HEAD + PS_GRAPH_ENTRY + 8, (uint64_t)1 << 62);
    seal_header();
    refused(1, "truncated");
    ps_put64(file + PS_GRAPH_HEAD + PS_GRAPH_ENTRY + 16, UINT64_MAX - 4096);
    seal_header();
    refused(1, "truncated");
    ps_put32(file + PS_GRAPH_HEAD + PS_GRAPH_ENTRY, 99);
    seal_header();
    refused(1, "missing");
    ps_put16(file + 8, 2);
    refused(1, "version 2");
    file_size = 5000;
    refused(1, "truncated");
    file_size = 30;
    refused(1, "truncated");
}

static void builder_refuses(void)
{
    ps_builder *b = ps_builder_new();
    CHECK(ps_builder_edge(b, 0, 0, 0) == PS_EDATA && ps_builder_edge(b, 0, 0, -1) == PS_EDATA);
    CHECK(ps_builder_edge(b, 0, 0, NAN) == PS_EDATA && ps_builder_edge(b, 0, 0, INFINITY) == PS_EDATA);
    CHECK(ps_builder_edge(b, UINT32_MAX, 0, 1) == PS_EDATA && ps_builder_edge(b, 0, PS_NONE, 1) == PS_EDATA);
    uint64_t u;
    CHECK_OK(ps_builder_node(b, PS_ITEMS, (ps_str){"a", 1}, &u));
    ps_builder_close_items(b);
    CHECK_OK(ps_builder_node(b, PS_ITEMS, (ps_str){"b", 1}, &u));
    CHECK(u == PS_NONE && ps_builder_nodes(b, PS_ITEMS) == 1);
    CHECK_OK(ps_builder_node(b, PS_ITEMS, (ps_str){"a", 1}, &u));
    CHECK(u == 0);
    ps_builder_free(b);
}

/* No edge, no node: still a graph. */
static void empty(void)
{
    ps_graph g;
    ps_builder *b = ps_builder_new();
    ps_out *out = ps_out_open("e.psg", 0);
    CHECK_OK(ps_builder_write(b, out, ""));
    CHECK_OK(ps_out_close(out));
    ps_builder_free(b);
    CHECK_OK(ps_graph_open(&g, "e.psg"));
    CHECK_OK(ps_graph_check(&g));
    CHECK(g.items.nodes == 0 && g.boards.nodes == 0 && g.edges == 0);
    CHECK(ps_graph_find(&g, PS_ITEMS, (ps_str){"0", 1}) == PS_NONE);
    ps_graph_close(&g);
}

int main(void)
{
    draw_edges();
    round_trips();
    names();
    fingerprints();
    planted();
    lying_headers();
    builder_refuses();
    empty();
    free(file);
    CHECK_END();
}
