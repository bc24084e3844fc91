/* The other parsers beside a graph: pairs, also of records in place, sets, factors of boards and items, groups, lists, boards of new
 * items, features by name, edges. */
#include "feat_import.h"
#include "feat_names.h"
#include "feat_sketch.h"
#include "fuzz.h"
#include "graph_input.h"
#include "pairs.h"
#include "recommend.h"
#include "walk_bias.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void read_pairs(const char *path, const ps_graph *g, int text, int unknown, const ps_columns_options *columns)
{
    ps_pairs p;
    if (ps_pairs_read(&p, path, g, text, unknown, columns) < 0)
        return;
    for (size_t i = 0; i < p.n; i++)
        MUST(p.weight[i] > 0 && (unknown == PS_UNKNOWN_NUMBERED || p.positive[i] < g->items.nodes));
    ps_pairs_free(&p);
}

/* Records that are read where they stand. */
static void open_pairs(const char *path, const ps_graph *g)
{
    const uint64_t items = g->items.nodes;
    ps_pairs p;
    ps_known k;
    if (ps_pairs_open(&p, path, g) < 0)
        return;
    for (size_t i = 0; i < p.n; i++) {
        const ps_pair pair = ps_pairs_get(&p, i);
        MUST(pair.query < items && pair.positive < items && pair.query != pair.positive && pair.weight > 0);
    }
    if (ps_known_make(&k, &p, items) == 0) {
        MUST(k.off[items] == p.n);
        for (uint64_t i = 0; i < p.n; i++)
            MUST(ps_known_at(&k, i) < items);
        ps_known_free(&k);
    }
    ps_pairs_free(&p);
}

static void read_bias(const char *path, const ps_graph *g, ps_space space, int skip)
{
    ps_bias b = {0};
    const uint64_t nodes = space == PS_BOARDS ? g->boards.nodes : g->items.nodes;
    if (ps_bias_read(&b, g, space, path, 1, skip) == 0)
        for (uint64_t i = 0; i < nodes; i++) {
            float x = space == PS_BOARDS ? b.board[i] : b.item[i];
            MUST(x >= 0 && x <= 1);
        }
    ps_bias_free(&b);
}

static int see_line(void *ctx, uint64_t item, uint64_t line, ps_str rest)
{
    (void)line;
    MUST(!ctx || item < ((const ps_graph *)ctx)->items.nodes);
    volatile char last = rest.len ? rest.s[rest.len - 1] : 0;
    (void)last;
    return 0;
}

static void read_lists(const char *path, const ps_graph *g, uint64_t *skipped)
{
    ps_board_lists lists = {0};
    if (ps_board_lists_read(&lists, path, g, skipped) == 0)
        for (uint64_t i = 0; i < lists.n; i++)
            for (uint64_t k = lists.off[i]; k < lists.off[i + 1]; k++)
                MUST(lists.board[k] < g->boards.nodes);
    ps_board_lists_free(&lists);
}

/* Vectors of the graph's items, once. */
static const ps_knn *five_vectors(void)
{
    static ps_knn knn;
    if (knn.n)
        return &knn;
    fuzz_file f = fuzz_file_make(NULL, 0);
    ps_head h = ps_head_make(PS_VECTORS, 2);
    h.qspace = PS_ITEMS;
    h.graph = fuzz_small_graph()->fingerprint;
    ps_out *out = ps_out_on(f.fd, "fuzz");
    ps_writer *w = ps_writer_new(out, &h);
    for (uint32_t i = 0; i < 5; i++) {
        uint8_t r[12];
        ps_put_num(r, 4, i);
        ps_putf32(r + 4, 1);
        ps_putf32(r + 8, (float)i);
        MUST(ps_writer_put(w, r, 1) == 0);
    }
    MUST(ps_writer_close(w) == 0 && ps_out_close(out) == 0 && ps_knn_open(&knn, f.path, NULL, 0) == 0);
    return &knn;
}

static void read_groups(const char *path, const ps_graph *g, uint64_t *skipped)
{
    ps_groups groups = {0};
    if (ps_groups_read(&groups, path, g, five_vectors(), skipped) == 0)
        for (size_t i = 0; i < 5; i++)
            MUST(groups.of[i] == UINT32_MAX || groups.of[i] < groups.names.n);
    ps_groups_free(&groups);
}

static void read_list(const char *path, const ps_graph *g, int text, uint64_t *skipped)
{
    uint8_t listed[5] = {0};
    if (ps_list_read(listed, path, g, five_vectors(), text, skipped) == 0)
        for (size_t i = 0; i < 5; i++)
            MUST(listed[i] <= 1);
}

static void no_progress(const char *what, uint64_t done, uint64_t total)
{
    (void)what;
    (void)done;
    (void)total;
}

static void build(const fuzz_file *f, const ps_graph *g, const ps_edge_input *like, int text)
{
    ps_edge_input in = *like;
    in.progress = no_progress;
    ps_builder *b = ps_builder_new();
    MUST(b && dup2(f->fd, STDIN_FILENO) == STDIN_FILENO);
    (void)!(text ? ps_edges_from_text(b, &in) : ps_edges_from_records(b, &in, g->fingerprint));
    ps_builder_free(b);
}

static void build_mtx(const fuzz_file *f)
{
    ps_builder *b = ps_builder_new();
    MUST(b && dup2(f->fd, STDIN_FILENO) == STDIN_FILENO);
    ps_edge_input in = {.progress = no_progress};
    (void)!ps_edges_from_mtx(b, &in);
    ps_builder_free(b);
}

/* First byte: what is read (bits 0-3), unknown names are skipped, or pairs in place of ids (4), how the columns are (5-7), or with records that
 * their CRCs are made right (5). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    const ps_graph *g = fuzz_small_graph();
    const int skip = (data[0] & 16) != 0;
    const ps_columns_options columns = {
        .separator = data[0] & 32 ? "," : NULL, .header = (data[0] & 64) != 0, .list = data[0] & 128 ? "2,1" : NULL};
    uint64_t counted = 0, *skipped = skip ? &counted : NULL;
    const int records = (data[0] & 15) == 10 || (data[0] & 15) == 13;
    const uint8_t plain = (uint8_t)(records && (data[0] & 32));
    uint8_t *copy = malloc(n);
    MUST(copy);
    memcpy(copy, data, n);
    copy[0] = plain;
    fuzz_file f = fuzz_file_sealed(copy, n, fuzz_seal_ours);
    free(copy);
    switch (data[0] & 15) {
    case 0: read_pairs(f.path, g, 1, skip ? PS_UNKNOWN_SKIPPED : PS_UNKNOWN_FAILS, &columns); break;
    case 1: read_pairs(f.path, g, 1, PS_UNKNOWN_NUMBERED, &columns); break;
    case 2: read_pairs(f.path, g, 2, PS_UNKNOWN_NUMBERED, NULL); break;
    case 3: read_bias(f.path, g, PS_BOARDS, skip); break;
    case 4: read_bias(f.path, g, PS_ITEMS, skip); break;
    case 5: (void)!ps_feat_lines(f.path, g, skipped, &columns, see_line, (void *)(uintptr_t)g); break;
    case 6: (void)!ps_feat_lines(f.path, NULL, NULL, NULL, see_line, NULL); break;
    case 7: read_lists(f.path, g, skipped); break;
    case 8: read_groups(f.path, g, skipped); break;
    case 9: read_list(f.path, g, 1, skipped); break;
    case 10: skip ? open_pairs(f.path, g) : read_list(f.path, g, 0, NULL); break;
    case 11: build(&f, g, &(ps_edge_input){.skip_unknown = skip, .columns = columns}, 1); break;
    case 12: build(&f, g, &(ps_edge_input){.numbers = 1, .growing = skip}, 1); break;
    case 13: build(&f, g, &(ps_edge_input){0}, 0); break;
    case 14: build(&f, g, &(ps_edge_input){.items = f.path, .skip_unknown = skip, .columns = columns}, 1); break;
    default: build_mtx(&f); break;
    }
    fuzz_file_close(&f);
    return 0;
}
