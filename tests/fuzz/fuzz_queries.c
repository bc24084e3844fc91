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

static void see_bad_line(const char *message)
{
    MUST(message[0]);
}

/* First byte: CRCs made right (bit 0), text (1), sets (2), unknown names are skipped (3), one by one (4), boards (5),
 * bad lines are told of (6). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    const ps_graph *g = fuzz_small_graph();
    fuzz_file f = fuzz_file_sealed(data, n, fuzz_seal_ours);
    MUST(dup2(f.fd, STDIN_FILENO) == STDIN_FILENO);
    ps_query_options o = {.graph = g,
                          .text = data[0] & 2,
                          .sets = data[0] & 4,
                          .skip_unknown = data[0] & 8,
                          .boards = data[0] & 32,
                          .bad_line = data[0] & 64 ? see_bad_line : NULL};
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
