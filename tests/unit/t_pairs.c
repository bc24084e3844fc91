/* Pairs from text and from records; what is refused; the table of known positives. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "pairs.h"

static ps_graph graph;

/* Items a b c d (numbers 0..3) on one board. */
static void make_graph(void)
{
    ps_builder *b = ps_builder_new();
    for (const char *name = "abcd"; *name; name++) {
        uint64_t item, board;
        CHECK_OK(ps_builder_node(b, PS_ITEMS, (ps_str){name, 1}, &item));
        CHECK_OK(ps_builder_node(b, PS_BOARDS, (ps_str){"board", 5}, &board));
        CHECK_OK(ps_builder_edge(b, item, board, 1));
    }
    ps_out *out = ps_out_open("g.psg", 0);
    CHECK_OK(ps_builder_write(b, out, "test\n"));
    CHECK_OK(ps_out_close(out));
    ps_builder_free(b);
    CHECK_OK(ps_graph_open(&graph, "g.psg"));
}

static void write_text(const char *text)
{
    FILE *f = fopen("pairs.tsv", "w");
    if (!f)
        exit(1);
    fputs(text, f);
    fclose(f);
}

static int refused(const char *text, int unknown, const char *why)
{
    ps_pairs p;
    write_text(text);
    int rc = ps_pairs_read(&p, "pairs.tsv", &graph, 1, unknown, NULL);
    if (rc == 0)
        ps_pairs_free(&p);
    if (rc < 0 && !strstr(ps_errmsg(), why))
        fprintf(stderr, "message: %s\n", ps_errmsg());
    return rc < 0 && strstr(ps_errmsg(), why) != NULL;
}

static void text(void)
{
    ps_pairs p;
    write_text("a\tb\nc\td\t2.5\nb\tb\n");
    CHECK_OK(ps_pairs_read(&p, "pairs.tsv", &graph, 1, PS_UNKNOWN_FAILS, NULL));
    CHECK(p.n == 2 && p.query[0] == 0 && p.positive[0] == 1 && p.weight[0] == 1);
    CHECK(p.query[1] == 2 && p.positive[1] == 3 && p.weight[1] == 2.5f);
    CHECK(p.self == 1 && p.skipped == 0);
    CHECK(p.head.graph == graph.fingerprint);
    ps_pairs_free(&p);

    CHECK(refused("a\tb\na\n", 0, "line 2: expected query TAB positive"));
    CHECK(refused("a\t\n", 0, "line 1: expected"));
    CHECK(refused("\n", 0, "line 1: expected"));
    CHECK(refused("a\tb\t0\n", 0, "weight '0'"));
    CHECK(refused("a\tb\tnan\n", 0, "weight 'nan'"));
    CHECK(refused("a\tb\t1e60\n", 0, "weight '1e60'"));
    CHECK(refused("a\tb\t1\t\n", 0, "more than three columns"));
    CHECK(refused("a\tnew\n", PS_UNKNOWN_FAILS, "line 1: g.psg has no item 'new'"));
}

static void unknown_names(void)
{
    ps_pairs p;
    write_text("a\tb\nnew\tb\na\told\nnew\told\n");
    CHECK_OK(ps_pairs_read(&p, "pairs.tsv", &graph, 1, PS_UNKNOWN_SKIPPED, NULL));
    CHECK(p.n == 1 && p.skipped == 3);
    ps_pairs_free(&p);
    CHECK_OK(ps_pairs_read(&p, "pairs.tsv", &graph, 1, PS_UNKNOWN_NUMBERED, NULL));
    CHECK(p.n == 4 && p.skipped == 3);
    CHECK(p.query[1] == 4 && p.positive[1] == 1);
    CHECK(p.query[2] == 0 && p.positive[2] == 5);
    CHECK(p.query[3] == 4 && p.positive[3] == 5);
    ps_pairs_free(&p);
}

typedef struct {
    uint64_t query, positive;
    float weight;
} triple;

static void write_records(int width, uint64_t fingerprint, const triple *t, size_t n)
{
    ps_head h = ps_head_make(PS_PAIRS, 0);
    h.width = width;
    h.graph = fingerprint;
    h.qspace = h.nspace = PS_ITEMS;
    CHECK_OK(ps_head_size(&h));
    ps_out *out = ps_out_open("pairs.psr", 0);
    ps_writer *w = ps_writer_new(out, &h);
    for (size_t i = 0; i < n; i++) {
        uint8_t r[20];
        ps_put_num(r, width, t[i].query);
        ps_put_num(r + width, width, t[i].positive);
        ps_putf32(r + 2 * width, t[i].weight);
        CHECK_OK(ps_writer_put(w, r, 1));
    }
    CHECK_OK(ps_writer_close(w));
    CHECK_OK(ps_out_close(out));
}

static void records(void)
{
    ps_pairs p;
    const triple good[] = {{3, 0, 1}, {1, 2, 0.5f}};
    for (int width = 4; width <= 8; width += 4) {
        write_records(width, graph.fingerprint, good, 2);
        CHECK_OK(ps_pairs_read(&p, "pairs.psr", &graph, 0, 0, NULL));
        CHECK(p.n == 2 && p.query[0] == 3 && p.positive[1] == 2 && p.weight[1] == 0.5f);
        ps_pairs_free(&p);
    }
    const triple bad[] = {{0, 4, 1}, {7, 0, 1}, {0, 1, -1}, {0, 1, 0}, {0, 1, __builtin_nanf("")}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_records(4, 0, &bad[i], 1);
        CHECK(ps_pairs_read(&p, "pairs.psr", &graph, 0, PS_UNKNOWN_SKIPPED, NULL) == PS_EDATA);
        CHECK(strstr(ps_errmsg(), "record 0") != NULL);
    }
    write_records(4, 0, bad, 1); /* no graph to be out of range of */
    CHECK_OK(ps_pairs_read(&p, "pairs.psr", NULL, 0, 0, NULL));
    CHECK(p.n == 1 && p.positive[0] == 4);
    ps_pairs_free(&p);
    const triple wide = {0, UINT64_C(1) << 32, 1};
    write_records(8, 0, &wide, 1);
    CHECK(ps_pairs_read(&p, "pairs.psr", NULL, 0, 0, NULL) == PS_EDATA);
    write_records(4, graph.fingerprint + 1, good, 2);
    CHECK(ps_pairs_read(&p, "pairs.psr", &graph, 0, 0, NULL) == PS_EMATCH);
}

/* In place: the same pairs without those of an item with itself; in order or not. */
static void in_place(void)
{
    const triple mixed[] = {{3, 0, 1}, {1, 1, 1}, {1, 2, .5f}, {2, 2, 1}, {3, 3, 1}, {0, 1, 2}, {0, 0, 1}};
    const triple sorted[] = {{0, 0, 1}, {0, 1, 1}, {0, 1, 2}, {0, 3, 1}, {2, 2, 1}, {3, 0, 1}, {3, 1, 1}};
    for (int order = 0; order < 2; order++)
        for (int width = 4; width <= 8; width += 4) {
            ps_pairs p, q;
            ps_known k, l;
            write_records(width, graph.fingerprint, order ? sorted : mixed, 7);
            CHECK_OK(ps_pairs_read(&p, "pairs.psr", &graph, 0, 0, NULL));
            CHECK_OK(ps_pairs_open(&q, "pairs.psr", &graph));
            CHECK(q.table.blob.mapped && !q.query && q.n == p.n && q.self == p.self && q.sorted == order);
            CHECK(q.head.graph == graph.fingerprint);
            for (size_t i = 0; i < p.n; i++) {
                ps_pair a = ps_pairs_get(&p, i), b = ps_pairs_get(&q, i);
                CHECK(a.query == b.query && a.positive == b.positive && a.weight == b.weight);
            }
            CHECK_OK(ps_known_make(&k, &p, 4));
            CHECK_OK(ps_known_make(&l, &q, 4));
            CHECK((l.positive == NULL) == order && l.off[4] >= k.off[4]);
            for (uint32_t u = 0; u < 5; u++)
                for (uint32_t i = 0; i < 5; i++)
                    CHECK(ps_known_has(&k, u, i) == ps_known_has(&l, u, i));
            ps_known_free(&k);
            ps_known_free(&l);
            CHECK(ps_known_make(&l, &q, 3) == PS_EDATA);
            ps_pairs_free(&p);
            ps_pairs_free(&q);
        }
    ps_pairs p;
    const triple bad[] = {{0, 1, 1}, {0, 4, 1}};
    write_records(4, graph.fingerprint, bad, 2);
    CHECK(ps_pairs_open(&p, "pairs.psr", &graph) == PS_EDATA && strstr(ps_errmsg(), "record 1"));
    write_records(4, graph.fingerprint + 1, sorted, 7);
    CHECK(ps_pairs_open(&p, "pairs.psr", &graph) == PS_EMATCH);
}

static void known(void)
{
    uint32_t query[] = {2, 0, 2, 2, 4}, positive[] = {9, 5, 3, 9, 1};
    ps_pairs p = {.n = 5, .query = query, .positive = positive};
    ps_known k;
    CHECK_OK(ps_known_make(&k, &p, 5));
    for (uint32_t q = 0; q < 6; q++)
        for (uint32_t i = 0; i < 11; i++) {
            int want = (q == 2 && (i == 9 || i == 3)) || (q == 0 && i == 5) || (q == 4 && i == 1);
            CHECK(ps_known_has(&k, q, i) == want);
        }
    CHECK(k.off[5] == 4 && k.positive[k.off[2]] == 3);
    ps_known_free(&k);
    CHECK(ps_known_make(&k, &p, 4) == PS_EDATA);
    p.n = 0;
    CHECK_OK(ps_known_make(&k, &p, 0));
    CHECK(!ps_known_has(&k, 0, 0));
    ps_known_free(&k);
}

int main(void)
{
    make_graph();
    text();
    unknown_names();
    records();
    in_place();
    known();
    ps_graph_close(&graph);
    CHECK_END();
}
