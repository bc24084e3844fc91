/* Queries: all items, names, sets of names, ids and pairs records. */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "query.h"

static ps_graph graph;

/* Items a b c d e (numbers 0..4) on one board. */
static void make_graph(void)
{
    ps_builder *b = ps_builder_new();
    for (const char *name = "abcde"; *name; name++) {
        uint64_t item, board;
        CHECK_OK(ps_builder_node(b, PS_ITEMS, (ps_str){name, 1}, &item));
        CHECK_OK(ps_builder_node(b, PS_BOARDS, (ps_str){"board", 5}, &board));
        CHECK_OK(ps_builder_edge(b, item, board, 1));
    }
    ps_out *out = ps_out_open("g.psg", 0);
    CHECK_OK(ps_builder_write(b, out, ""));
    CHECK_OK(ps_out_close(out));
    ps_builder_free(b);
    CHECK_OK(ps_graph_open(&graph, "g.psg"));
}

static void stdin_from(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
        exit(1);
    close(fd);
}

static void stdin_text(const char *s)
{
    FILE *f = fopen("in", "wb");
    if (!f || fputs(s, f) < 0 || fclose(f) != 0)
        exit(1);
    stdin_from("in");
}

typedef struct {
    uint32_t a, b;
    float weight;
} row;

/* ids: only a; pairs: all three. */
static ps_space space;

static void stdin_records(ps_kind kind, uint64_t fingerprint, const row *rows, size_t n)
{
    ps_head h = ps_head_make(kind, 0);
    h.graph = fingerprint;
    h.qspace = h.nspace = space;
    ps_out *out = ps_out_open("in", 0);
    ps_writer *w = ps_writer_new(out, &h);
    for (size_t i = 0; i < n; i++) {
        uint8_t r[12];
        ps_put32(r, rows[i].a);
        ps_put32(r + 4, rows[i].b);
        ps_putf32(r + 8, rows[i].weight);
        CHECK_OK(ps_writer_put(w, r, 1));
    }
    CHECK_OK(ps_writer_close(w));
    CHECK_OK(ps_out_close(out));
    stdin_from("in");
}

/* All queries as "id:item*weight,item*weight; ...", in batches of `max`; negative on failure. */
static long collect(const ps_query_options *o, size_t max, char *text, uint64_t *skipped)
{
    ps_queries *q = ps_queries_open(o);
    ps_query_batch b = {0};
    long n = q ? 0 : -1;
    *text = 0;
    while (q && (n = ps_queries_next(q, &b, max)) > 0) {
        CHECK(b.n == (size_t)n && b.n <= max);
        for (size_t i = 0; i < b.n; i++) {
            text += sprintf(text, "%d:", (int)b.id[i]);
            for (size_t k = b.off[i]; k < b.off[i + 1]; k++)
                text += sprintf(text, "%d*%g,", (int)b.item[k], (double)b.weight[k]);
            text += sprintf(text, " ");
        }
    }
    if (skipped && q)
        *skipped = ps_queries_skipped(q);
    ps_query_batch_free(&b);
    ps_queries_close(q);
    return n;
}

static void expect(const ps_query_options *o, const char *wanted)
{
    for (size_t max = 1; max <= 100; max += 33) {
        char text[1000];
        lseek(STDIN_FILENO, 0, SEEK_SET);
        CHECK_OK((int)collect(o, max, text, NULL));
        if (strcmp(text, wanted) != 0) {
            fprintf(stderr, "'%s' instead of '%s'\n", text, wanted);
            check_failures++;
        }
    }
}

static void refuse(const ps_query_options *o, const char *why)
{
    char text[1000];
    long rc = collect(o, 10, text, NULL);
    if (rc >= 0 || !strstr(ps_errmsg(), why)) {
        fprintf(stderr, "%ld, '%s' instead of '%s'\n", rc, rc < 0 ? ps_errmsg() : "", why);
        check_failures++;
    }
}

static void from_text(void)
{
    ps_query_options o = {.graph = &graph, .text = 1};
    stdin_text("b\nd\nb\n");
    expect(&o, "1:1*1, 3:3*1, 1:1*1, ");
    stdin_text("");
    expect(&o, "");
    stdin_text("a\nzz\n");
    refuse(&o, "<stdin>: line 2: g.psg has no item 'zz'");
    stdin_text("a\tb\n");
    refuse(&o, "several names");
    stdin_text("a\n\nb\n");
    refuse(&o, "line 2: an empty name");
    o.skip_unknown = 1;
    stdin_text("zz\na\nyy\n");
    expect(&o, "0:0*1, ");
    char text[1000];
    uint64_t skipped = 0;
    stdin_text("zz\na\nyy\n");
    CHECK_OK((int)collect(&o, 2, text, &skipped));
    CHECK(skipped == 2);
    o.graph = NULL;
    refuse(&o, "-t needs -g");
}

static void from_sets(void)
{
    ps_query_options o = {.graph = &graph, .text = 1, .sets = 1};
    stdin_text("a\tb\ne\nc\tc\n");
    expect(&o, "0:0*1,1*1, 1:4*1, 2:2*1,2*1, ");
    stdin_text("a\tzz\n");
    refuse(&o, "no item 'zz'");
    o.skip_unknown = 1;
    stdin_text("zz\na\tzz\n");
    expect(&o, "0: 1:0*1, "); /* a set left empty keeps its number */
}

/* What a query knows already, after an empty field. */
static void seen(void)
{
    ps_query_options o = {.graph = &graph, .text = 1, .sets = 1, .seen = 1};
    stdin_text("a\tb\t\tc\td\ne\t\t\n\ta\nc\n");
    expect(&o, "0:0*1,1*1,2*0,3*0, 1:4*1, 2:0*0, 3:2*1, ");
    const char *const bad[] = {"a\t\tb\t\tc\n", "a\t\n", "\n", "a\t\t\tb\n"};
    for (int i = 0; i < 4; i++) {
        stdin_text(bad[i]);
        refuse(&o, "an empty name");
    }
    stdin_text("a\t\tzz\n");
    refuse(&o, "no item 'zz'");
    o.sets = 0;
    stdin_text("a\t\tb\te\nb\n");
    expect(&o, "0:0*1,1*0,4*0, 1:1*1, ");
    stdin_text("\tb\n");
    refuse(&o, "an empty name");
    o.skip_unknown = 1;
    stdin_text("b\nzz\t\te\n"); /* what a query that is skipped has seen is not another's */
    expect(&o, "1:1*1, ");
    o = (ps_query_options){.graph = &graph, .text = 1, .sets = 1};
    stdin_text("a\t\tb\n");
    refuse(&o, "an empty name");
}

static void from_records(void)
{
    const row rows[] = {{2, 0, 1}, {2, 4, 0.5f}, {7, 1, 1}, {2, 3, 2}}, far[] = {{1, 0, 1}, {5, 5, 1}};
    ps_query_options o = {.graph = &graph};
    stdin_records(PS_IDS, graph.fingerprint, rows, 2);
    expect(&o, "2:2*1, 2:2*1, ");
    stdin_records(PS_IDS, 0, far, 2);
    refuse(&o, "<stdin>: record 1: item number 5");
    stdin_records(PS_IDS, graph.fingerprint + 1, rows, 1);
    refuse(&o, "are those of graph");
    stdin_records(PS_PAIRS, graph.fingerprint, rows, 4);
    expect(&o, "2:0*1,4*0.5, 7:1*1, 2:3*2, ");
    stdin_records(PS_PAIRS, graph.fingerprint, far, 2);
    refuse(&o, "record 1: item number 5");
    stdin_records(PS_EDGES, graph.fingerprint, rows, 1);
    refuse(&o, "holds edges; queries are ids or pairs");
    o.graph = NULL;
    stdin_records(PS_IDS, 5, far, 2);
    expect(&o, "1:1*1, 5:5*1, ");
    CHECK(truncate("in", 90) == 0);
    lseek(STDIN_FILENO, 0, SEEK_SET);
    refuse(&o, "truncated");
}

/* A weight that no walk could use; numbers that are no items. */
static void bad_records(void)
{
    const float weights[] = {-1, 0, NAN, INFINITY};
    ps_query_options o = {.graph = &graph};
    for (int i = 0; i < 4; i++) {
        const row rows[] = {{2, 0, 1}, {2, 1, weights[i]}};
        stdin_records(PS_PAIRS, graph.fingerprint, rows, 2);
        refuse(&o, "<stdin>: record 1: weight");
    }
    const row rows[] = {{2, 0, 1}};
    space = PS_BOARDS;
    stdin_records(PS_PAIRS, graph.fingerprint, rows, 1);
    refuse(&o, "those of boards");
    stdin_records(PS_IDS, graph.fingerprint, rows, 1);
    refuse(&o, "those of boards");
    space = PS_PLAIN;
}

static void all_items(void)
{
    ps_query_options o = {.graph = &graph, .all = 1};
    expect(&o, "0:0*1, 1:1*1, 2:2*1, 3:3*1, 4:4*1, ");
}

int main(void)
{
    make_graph();
    from_text();
    from_sets();
    seen();
    from_records();
    bad_records();
    all_items();
    ps_graph_close(&graph);
    CHECK_END();
}
