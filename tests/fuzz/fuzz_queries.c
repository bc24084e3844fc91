/* Queries as text and as records: every item that comes out is one of the graph's. */
#include "fuzz.h"
#include "query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_batch(const ps_query_batch *b, uint64_t nodes)
{
    MUST(b->n == 0 || b->off[0] == 0);
    for (size_t q = 0; q < b->n; q++) {
        MUST(b->off[q] <= b->off[q + 1]);
        for (size_t i = b->off[q]; i < b->off[q + 1]; i++)
            MUST(b->item[i] < nodes && b->weight[i] > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    const ps_graph *g = fuzz_small_graph();
    fuzz_file f = fuzz_file_make(data + 1, n - 1);
    MUST(dup2(f.fd, STDIN_FILENO) == STDIN_FILENO);
    ps_query_options o = {
        .graph = g, .text = data[0] & 2, .sets = data[0] & 4, .skip_unknown = data[0] & 8, .boards = data[0] & 32};
    ps_queries *q = ps_queries_open(&o);
    if (q) {
        ps_query_batch batch = {0};
        while (ps_queries_next(q, &batch, data[0] & 16 ? 1 : 100) > 0)
            check_batch(&batch, o.boards ? g->boards.nodes : g->items.nodes);
        ps_query_batch_free(&batch);
        ps_queries_close(q);
    }
    fuzz_file_close(&f);
    return 0;
}
