/* Lines of text: what the graph builder makes of any that it takes is a graph that passes the check. */
#include "fuzz.h"
#include "graph.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* item TAB board [TAB weight]; lines that are none are passed over. Returns how many edges there were. */
static uint64_t read_edges(ps_text *t, ps_builder *b)
{
    ps_str line, item, board, field;
    uint64_t edges = 0, u, v;
    while (ps_text_line(t, &line) > 0) {
        double weight = 1;
        if (!ps_text_field(&line, &item) || !ps_text_field(&line, &board))
            continue;
        if (ps_text_field(&line, &field) && ps_text_double(field, &weight) < 0)
            continue;
        if (ps_text_u64(item, &u) == 0) {
            char digits[32];
            int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)u);
            MUST((size_t)len <= item.len);
        }
        if (!((float)weight > 0) || weight > 3e38 || ps_builder_node(b, PS_ITEMS, item, &u) < 0 ||
            ps_builder_node(b, PS_BOARDS, board, &v) < 0)
            continue;
        edges += ps_builder_edge(b, u, v, (float)weight) == 0;
    }
    return edges;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_file f = fuzz_file_make(data, n);
    ps_in *in = ps_in_open(f.path);
    if (!in) { /* a manifest of nothing */
        fuzz_file_close(&f);
        return 0;
    }
    ps_builder *b = ps_builder_new();
    ps_text t = ps_text_make(in);
    uint64_t edges = read_edges(&t, b);
    ps_in_close(in);
    char temp[] = "/dev/shm/psgraph-fuzz.XXXXXX";
    int fd = mkstemp(temp);
    MUST(fd >= 0);
    close(fd);
    ps_graph g;
    ps_out *out = ps_out_open(temp, 0);
    MUST(out && ps_builder_write(b, out, "fuzz\n") == 0 && ps_out_close(out) == 0);
    MUST(ps_graph_open(&g, temp) == 0 && ps_graph_check(&g) == 0 && g.edges == edges);
    ps_graph_close(&g);
    unlink(temp);
    ps_builder_free(b);
    fuzz_file_close(&f);
    return 0;
}
