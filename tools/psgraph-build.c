/* psgraph-build - edges in, graph file out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"
#include "graph_input.h"
#include "graph_rewrite.h"
#include "mem.h"
#include "paged.h"
#include "temp.h"
#include "tool.h"

typedef struct {
    ps_common common;
    int text, mtx, numbers, skip_unknown, unique, sum, order;
    const char *items, *old, *vectors, *tmp;
    ps_columns_options columns;
    double drop_diverse, keep_power;
    int64_t drop_large, max_board, memory;
} options;

/* The graphs on the way to the output: the one given, and those in temporary files. */
typedef struct {
    options *o;
    ps_build_options build;
    ps_graph old;
    int has_old;
    ps_edge_input in;
    ps_built built;
} job;

static int prunes(const options *o)
{
    return o->drop_diverse > 0 || o->keep_power < 1 || o->drop_large > 0 || o->max_board > 0;
}

static int check_options(const options *o)
{
    if (o->mtx && (o->text || o->old))
        return ps_usage_error("--mtx has numbers that are its own: neither -t nor -g goes with it");
    if (!o->text && (o->items || o->numbers))
        return ps_usage_error(o->items ? "-I needs -t: edge records carry numbers, not names"
                                       : "-i needs -t: edge records carry numbers anyway");
    if (!o->text && ps_columns_asked(&o->columns))
        return ps_usage_error("-F, -H and --columns are about text: they need -t");
    if (o->items && o->numbers)
        return ps_usage_error("-I and -i do not go together: numbers are not listed");
    if (o->unique && o->sum)
        return ps_usage_error("--unique and --sum do not go together");
    if ((o->drop_diverse > 0 || o->keep_power < 1) && !o->vectors)
        return ps_usage_error("--drop-diverse and --keep-power need the items' vectors (-x)");
    if (o->vectors && !(o->drop_diverse > 0 || o->keep_power < 1))
        return ps_usage_error("-x needs --drop-diverse or --keep-power");
    return ps_columns_check(&o->columns);
}

static int open_old(job *j)
{
    const options *o = j->o;
    int rc = ps_graph_open(&j->old, o->old);
    j->has_old = rc == 0;
    if (rc == 0)
        rc = ps_graph_check(&j->old);
    const int named = rc == 0 && (j->old.item_names.n > 0 || j->old.board_names.n > 0);
    if (rc == 0 && o->text && named && o->numbers)
        rc = ps_fail(PS_EKIND, "%s: its nodes have names: leave out -i", o->old);
    if (rc == 0 && o->text && !named && !o->numbers && j->old.items.nodes + j->old.boards.nodes > 0)
        rc = ps_fail(PS_EKIND, "%s: its nodes have numbers only: give -i", o->old);
    return rc;
}

static int write_builder(job *j, ps_builder *b, ps_out *out, const char *history)
{
    int rc = ps_builder_write(b, out, history);
    j->built = *ps_builder_result(b);
    const ps_spilled *t = &j->built.spilled;
    if (rc == 0 && t->runs > 0 && j->built.edges > 0)
        ps_info("temporary files: %llu sorted runs, each edge written %.2f times and read %.2f times",
                (unsigned long long)t->runs, (double)t->written / (double)j->built.edges,
                (double)t->read / (double)j->built.edges);
    if (rc == 0)
        return ps_out_close(out);
    ps_out_abort(out);
    return rc;
}

/* Into the output, or where more is to be done with it into a temporary file, opened as *g. */
static int finish_builder(job *j, ps_builder *b, const char *history, ps_graph *g)
{
    char path[64];
    ps_temp temp = {-1, j->build.tmp};
    if (!g) {
        ps_out *out = ps_tool_output(&j->o->common, 0);
        return out ? write_builder(j, b, out, history) : PS_ESYS;
    }
    int rc = ps_temp_open(&temp, j->build.tmp);
    ps_out *out = rc == 0 ? ps_out_on(temp.fd, "temporary graph") : NULL;
    if (rc == 0)
        rc = out ? write_builder(j, b, out, history) : PS_ESYS;
    snprintf(path, sizeof path, "/proc/self/fd/%d", temp.fd);
    if (rc == 0)
        rc = ps_graph_open(g, path);
    ps_temp_close(&temp);
    return rc;
}

static int read_edges(job *j, ps_graph *g)
{
    const options *o = j->o;
    j->in = (ps_edge_input){.items = o->items, .numbers = o->numbers, .skip_unknown = o->skip_unknown,
                            .growing = j->has_old, .columns = o->columns, .progress = ps_progress};
    ps_builder *b = ps_builder_open(&j->build);
    int rc = b ? 0 : PS_EMEM;
    if (rc == 0)
        rc = o->text  ? ps_edges_from_text(b, &j->in)
             : o->mtx ? ps_edges_from_mtx(b, &j->in)
                     : ps_edges_from_records(b, &j->in, j->has_old ? j->old.fingerprint : 0);
    if (rc == 0)
        rc = finish_builder(j, b, o->unique ? "psgraph-build " PS_VERSION " unique\n"
                                  : o->sum  ? "psgraph-build " PS_VERSION " sum\n"
                                            : "psgraph-build " PS_VERSION "\n", g);
    ps_builder_free(b);
    if (rc == 0 && j->in.skipped)
        ps_warn("%llu edges skipped: their items are not in %s", (unsigned long long)j->in.skipped, o->items);
    if (rc == 0 && j->built.unmet)
        ps_warn("%llu edges to take out were not there", (unsigned long long)j->built.unmet);
    return rc;
}

static int prune(job *j, const ps_graph *from, ps_graph *to)
{
    const options *o = j->o;
    ps_build_options build = j->build;
    ps_vectors v;
    char history[160];
    build.old = from;
    build.nodes_only = 1;
    build.duplicates = PS_KEEP;
    ps_prune p = {NULL, o->drop_diverse, (uint64_t)o->drop_large, (uint64_t)o->max_board, o->keep_power,
                  (uint64_t)o->common.seed};
    int rc = o->vectors ? ps_vectors_open(&v, o->vectors, from->fingerprint) : 0;
    if (rc < 0)
        return rc;
    p.vectors = o->vectors ? &v : NULL;
    snprintf(history, sizeof history,
             "psgraph-build " PS_VERSION " drop-diverse=%g drop-large=%lld max-board=%lld keep-power=%g seed=%lld\n",
             p.drop_diverse, (long long)o->drop_large, (long long)o->max_board, p.keep_power,
             (long long)o->common.seed);
    ps_builder *b = ps_builder_open(&build);
    rc = b ? ps_graph_prune(from, &p, b) : PS_EMEM;
    if (rc == 0)
        rc = finish_builder(j, b, history, to);
    if (rc == 0)
        ps_info("%llu of %llu edges kept", (unsigned long long)j->built.edges, (unsigned long long)from->edges);
    ps_builder_free(b);
    if (o->vectors)
        ps_vectors_close(&v);
    return rc;
}

static int reorder(job *j, const ps_graph *from)
{
    static const char *const orders[] = {"given", "degree", "community"};
    ps_build_options build = j->build;
    build.old = NULL;
    build.duplicates = PS_KEEP;
    char *history = NULL;
    if (asprintf(&history, "%.*spsgraph-build " PS_VERSION " order=%s seed=%lld\n", (int)from->history_len,
                 from->history, orders[j->o->order], (long long)j->o->common.seed) < 0)
        return ps_fail(PS_EMEM, "out of memory");
    const uint64_t arrays = ps_graph_reorder_memory(from);
    if (arrays > build.memory / 2) {
        free(history);
        return ps_fail(
            PS_EMEM, "--order of %llu items and %llu boards takes %llu MiB of memory: more than half of what -M allows",
            (unsigned long long)from->items.nodes, (unsigned long long)from->boards.nodes,
            (unsigned long long)(arrays >> 20));
    }
    build.memory -= arrays;
    ps_builder *b = ps_builder_open(&build);
    int rc = b ? ps_graph_reorder(from, (ps_order)j->o->order, (uint64_t)j->o->common.seed, b) : PS_EMEM;
    if (rc == 0)
        rc = finish_builder(j, b, history, NULL);
    ps_builder_free(b);
    free(history);
    return rc;
}

static int build(options *o)
{
    job j = {.o = o};
    ps_graph read = {.name = NULL}, pruned = {.name = NULL};
    const ps_graph *last = &read;
    int rc = check_options(o);
    j.build.memory = o->memory ? (uint64_t)o->memory : ps_free_memory();
    if (rc == 0 && o->old)
        rc = open_old(&j);
    j.build.old = j.has_old ? &j.old : NULL;
    j.build.tmp = ps_temp_dir(o->tmp);
    j.build.threads = (int)o->common.threads;
    j.build.duplicates = o->unique ? PS_UNIQUE : o->sum ? PS_SUM : PS_KEEP;
    if (rc == 0)
        rc = read_edges(&j, prunes(o) || o->order ? &read : NULL);
    if (rc == 0 && prunes(o)) {
        rc = prune(&j, &read, o->order ? &pruned : NULL);
        last = &pruned;
    }
    if (rc == 0 && o->order)
        rc = reorder(&j, last);
    if (rc == 0)
        ps_info("%llu items, %llu boards", (unsigned long long)j.built.items, (unsigned long long)j.built.boards);
    ps_graph_close(&pruned);
    ps_graph_close(&read);
    if (j.has_old)
        ps_graph_close(&j.old);
    return rc;
}

int main(int argc, char **argv)
{
    options o = {.common = PS_COMMON_DEFAULT, .keep_power = 1};
    const ps_option rows[] = {
        {'t', "text", NULL, PS_OPT_FLAG, &o.text, 0, 0, "edges are text: item TAB board [TAB weight]", NULL},
        PS_COLUMNS_ROWS(o.columns),
        {0, "mtx", NULL, PS_OPT_FLAG, &o.mtx, 0, 0, "edges are a Matrix Market file: items are rows, boards columns", NULL},
        {'i', "numbers", NULL, PS_OPT_FLAG, &o.numbers, 0, 0, "the ids in the text are node numbers", NULL},
        {'I', "items", "FILE", PS_OPT_STR, &o.items, 0, 0, "all items, a line each (first column), in this order", NULL},
        {'u', "skip-unknown", NULL, PS_OPT_FLAG, &o.skip_unknown, 0, 0, "skip edges of items that -I does not list", NULL},
        {'g', "graph", "FILE", PS_OPT_STR, &o.old, 0, 0, "add the edges to this graph; weight \"-\" takes one out", NULL},
        {0, "unique", NULL, PS_OPT_FLAG, &o.unique, 0, 0, "an edge given twice is there once", NULL},
        {0, "sum", NULL, PS_OPT_FLAG, &o.sum, 0, 0, "an edge given twice is there once, with the sum of the weights", NULL},
        {'x', "vectors", "FILE", PS_OPT_STR, &o.vectors, 0, 0, "vectors of the items, for the next two", NULL},
        {0, "drop-diverse", "SHARE", PS_OPT_REAL, &o.drop_diverse, 0, 1, "drop this share of the boards: the most diverse", NULL},
        {0, "keep-power", "POWER", PS_OPT_REAL, &o.keep_power, 0, 1, "of an item's edges keep the best degree^POWER", NULL},
        {0, "drop-large", "N", PS_OPT_INT, &o.drop_large, 0, 9e15, "drop boards of more than N edges; 0: none", NULL},
        {0, "max-board", "N", PS_OPT_INT, &o.max_board, 0, 9e15, "keep N edges of larger boards, at random; 0: all", NULL},
        {0, "order", "ORDER", PS_OPT_CHOICE, &o.order, 0, 0, "new node numbers", "given|degree|community"},
        {'M', "memory", "SIZE", PS_OPT_SIZE, &o.memory, 16 << 20, 0x1p62, "memory to use, like 2G (default: half of what is free)", NULL},
        {0, "tmp", "DIR", PS_OPT_STR, &o.tmp, 0, 0, "temporary files go there (default: $TMPDIR or /tmp)", NULL},
        {0},
    };
    const ps_tool tool = {"psgraph-build", "Builds a graph file from the edges on standard input.", NULL, NULL};
    ps_tool_parse(&tool, rows, &o.common, argc, argv);
    return ps_tool_finish(build(&o));
}
