/* Queries as text and as records: every item that comes out is one of the graph's. */
#include "fuzz.h"
#include "query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Items a to e and a board, once for all inputs. */
static const ps_graph *small_graph(void)
{
    static ps_graph g;
    if (g.items.nodes)
        return &g;
    char temp[] = "/dev/shm/psgraph-fuzz.XXXXXX";
    int fd = mkstemp(temp);
    MUST(fd >= 0);
    close(fd);
    ps_builder *b = ps_builder_new();
    uint64_t u, v;
    for (const char *name = "abcde"; *name; name++) {
        MUST(ps_builder_node(b, PS_ITEMS, (ps_str){name, 1}, &u) == 0);
        MUST(ps_builder_node(b, PS_BOARDS, (ps_str){"X", 1}, &v) == 0 && ps_builder_edge(b, u, v, 1) == 0);
    }
    ps_out *out = ps_out_open(temp, 0);
    MUST(out && ps_builder_write(b, out, "fuzz\n") == 0 && ps_out_close(out) == 0);
    ps_builder_free(b);
    MUST(ps_graph_open(&g, temp) == 0);
    unlink(temp);
    return &g;
}

static void check_batch(const ps_query_batch *b, const ps_graph *g)
{
    MUST(b->n == 0 || b->off[0] == 0);
    for (size_t q = 0; q < b->n; q++) {
        MUST(b->off[q] <= b->off[q + 1]);
        for (size_t i = b->off[q]; i < b->off[q + 1]; i++)
            MUST(b->item[i] < g->items.nodes && b->weight[i] > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    const ps_graph *g = small_graph();
    fuzz_file f = fuzz_file_make(data + 1, n - 1);
    MUST(dup2(f.fd, STDIN_FILENO) == STDIN_FILENO);
    ps_query_options o = {.graph = g, .text = data[0] & 2, .sets = data[0] & 4, .skip_unknown = data[0] & 8};
    ps_queries *q = ps_queries_open(&o);
    if (q) {
        ps_query_batch batch = {0};
        while (ps_queries_next(q, &batch, data[0] & 16 ? 1 : 100) > 0)
            check_batch(&batch, g);
        ps_query_batch_free(&batch);
        ps_queries_close(q);
    }
    fuzz_file_close(&f);
    return 0;
}
