/* Graph files: what opens and passes the check can be used, every cell of it. */
#include "fuzz.h"
#include "graph.h"
#include "graph_file.h"
#include "sparse.h"
#include "view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Right CRCs and fingerprint for whatever sections there are. */
static void seal(uint8_t *p, size_t n)
{
    if (n < PS_GRAPH_HEAD)
        return;
    int sections = ps_get16(p + 10);
    size_t len = PS_GRAPH_HEAD + (size_t)sections * PS_GRAPH_ENTRY;
    if (len > n)
        return;
    ps_section *s = calloc((size_t)sections + 1, sizeof *s);
    for (int i = 0; i < sections; i++) {
        uint8_t *entry = p + PS_GRAPH_HEAD + i * PS_GRAPH_ENTRY;
        s[i] = ps_section_decode(entry);
        if (s[i].offset <= n && s[i].bytes <= n - s[i].offset && s[i].offset >= len)
            s[i].crc = (uint32_t)crc32_z(0, p + s[i].offset, s[i].bytes);
        ps_section_encode(entry, &s[i]);
    }
    ps_put64(p + 40, ps_graph_fingerprint(ps_get64(p + 16), ps_get64(p + 24), ps_get64(p + 32), s, sections));
    free(s);
    fuzz_seal_header(p, len);
}

static void use_side(const ps_side *side, const ps_side *other)
{
    for (uint64_t u = 0; u < side->nodes; u++) {
        uint64_t degree = ps_degree(side, u);
        for (uint64_t i = 0; i < degree; i++) {
            MUST(side->adj[side->off[u] + i] < other->nodes);
            if (side->alias)
                MUST(side->alias[side->off[u] + i] < other->nodes);
        }
    }
}

static void use_names(const ps_graph *g, ps_space space, uint64_t nodes)
{
    char buf[32];
    for (uint64_t u = 0; u < nodes; u++)
        MUST(ps_graph_find(g, space, ps_graph_name(g, space, u, buf)) == u);
    MUST(ps_graph_find(g, space, (ps_str){"no such name", 12}) == PS_NONE);
}

static void describe(const ps_graph *g)
{
    fuzz_file to = fuzz_file_make(NULL, 0);
    ps_fields fields = {.out = ps_out_on(to.fd, "fuzz")};
    MUST(fields.out && ps_view_graph_head(g, &fields) == 0 && ps_view_graph(g, &fields) == 0 && ps_fields_end(&fields) == 0);
    for (int json = 0; json < 2; json++)
        MUST(ps_view_edges(g, fields.out, json, (uint64_t)json, 5) == 0);
    MUST(ps_out_close(fields.out) == 0);
    fuzz_file_close(&to);
}

static void use_as_rows(const ps_graph *g)
{
    ps_sparse s;
    if (ps_sparse_boards(&s, g) < 0)
        return;
    MUST(s.n == g->items.nodes && s.off[s.n] <= g->edges);
    ps_sparse_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    fuzz_file f = fuzz_file_sealed(data, n, seal);
    ps_graph g;
    if (ps_graph_open(&g, f.path) == 0) {
        if (ps_graph_verify(&g) == 0 && ps_graph_check(&g) == 0) {
            use_side(&g.items, &g.boards);
            use_side(&g.boards, &g.items);
            use_names(&g, PS_ITEMS, g.items.nodes);
            use_names(&g, PS_BOARDS, g.boards.nodes);
            describe(&g);
            use_as_rows(&g);
        }
        ps_graph_close(&g);
    }
    fuzz_file_close(&f);
    return 0;
}
