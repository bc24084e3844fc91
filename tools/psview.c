/* psview - look at streams, graphs and models; and text back to streams. */
#include <stdio.h>
#include <string.h>

#include "paged.h"
#include "tool.h"
#include "view.h"

#define KINDS "edges|ids|walks|visits|neighbours|pairs|vectors|sparse|hits"

typedef struct {
    ps_common common;
    const char *graph_path, *kind;
    int elem; /* a ps_elem; PS_ELEM_NONE: as they are */
    int head, check, count, json, npy, npz, word2vec, wide, edges, raw, sort, text, skip_unknown, bias;
    int first_space, other_space; /* 0: the usual ones of the kind, else a ps_space + 1 */
    int64_t skip, take, dim, width, memory;
    const char *tmp;
    ps_graph graph;
    const ps_graph *g; /* NULL: without -g */
    char note[160];
} options;

/* ---- text, JSON lines, records, .npy, number of records ---- */

static int flow_head(void *ctx, const ps_head *h, const char *stream)
{
    return ps_flow_head(ctx, h, stream);
}

static int flow_record(void *ctx, const ps_head *h, const uint8_t *p, const char *stream, uint64_t number)
{
    (void)h;
    return ps_flow_put(ctx, p, stream, number);
}

static int show_graph(const options *o, ps_out *out, const char *path)
{
    ps_graph g;
    int rc = ps_graph_open(&g, path);
    if (rc < 0)
        return rc;
    if (o->edges) {
        rc = ps_view_edges(&g, out, o->json, (uint64_t)o->skip, (uint64_t)o->take);
    } else {
        ps_fields f = {.out = out, .json = o->json};
        rc = ps_view_graph(&g, &f);
        if (rc == 0)
            rc = ps_fields_end(&f);
    }
    ps_graph_close(&g);
    return rc;
}

static int show_other(const options *o, ps_out *out, const ps_view_input *v)
{
    if (v->type == PS_FILE_GRAPH)
        return show_graph(o, out, v->path);
    ps_fields f = {.out = out, .json = o->json};
    int rc = ps_view_fields(v->type, v->path, &f);
    return rc < 0 ? rc : ps_fields_end(&f);
}

static int show_one(const options *o, ps_flow *flow, const char *path, int several)
{
    const int records_only = o->raw || o->npy || o->npz || o->word2vec || o->count || o->sort || o->elem || o->wide;
    ps_view_input v;
    int rc = ps_view_open(&v, path);
    if (rc < 0)
        return rc;
    if (v.type == PS_FILE_RECORDS && o->edges)
        rc = ps_fail(PS_EKIND, "%s: --edges shows the edges of a graph, and this is none", ps_in_name(v.in));
    else if (v.type == PS_FILE_RECORDS)
        rc = ps_view_records(v.in, o->g, flow_head, flow_record, flow);
    else if (records_only || several)
        rc = ps_fail(PS_EKIND, "%s: this is %s, but records are needed here", v.path ? v.path : "<stdin>",
                     ps_file_type_name(v.type));
    else
        rc = show_other(o, flow->out, &v);
    ps_view_close(&v);
    return rc;
}

/* ---- -t: text to records ---- */

static int loaded_record(void *ctx, const ps_head *h, const uint8_t *p, const char *stream)
{
    ps_flow *flow = ctx;
    int rc = flow->from.kind ? 0 : ps_flow_head(flow, h, stream);
    return rc < 0 ? rc : ps_flow_put(flow, p, stream, flow->seen);
}

static int loader_head(const options *o, ps_head *h)
{
    const ps_kind kind = ps_kind_of(o->kind);
    if (!kind)
        return ps_usage_error("-K (--kind): '%s' is none of %s", o->kind, KINDS);
    const int needs = kind == PS_WALKS || kind == PS_NEIGHBOURS || kind == PS_HITS || kind == PS_SPARSE;
    if (needs && o->dim == 0)
        return ps_usage_error("-K %s needs -d, how many %s", o->kind,
                              kind == PS_SPARSE ? "indices there are" : "entries a record has room for");
    if (o->bias && kind != PS_VECTORS)
        return ps_usage_error("--bias is for vectors");
    *h = ps_head_make(kind, needs || kind == PS_VECTORS ? (uint32_t)o->dim : 0);
    h->width = (int)o->width;
    h->flags = o->bias ? PS_FLAG_BIAS : 0;
    ps_usual_spaces(h);
    if (o->first_space)
        h->qspace = (ps_space)(o->first_space - 1);
    if (o->other_space)
        h->nspace = (ps_space)(o->other_space - 1);
    int rc = ps_head_size(h);
    if (rc == 0 && o->g) {
        h->graph = o->g->fingerprint;
        rc = ps_head_lines(h, (ps_str){o->g->history, o->g->history_len});
    }
    return rc;
}

static int load_all(const options *o, ps_flow *flow, char **files, int n)
{
    ps_loader l = {.graph = o->g, .wide = o->wide, .skip_unknown = o->skip_unknown};
    int rc = loader_head(o, &l.head);
    for (int i = 0; i < n && rc == 0; i++) {
        ps_in *in = ps_in_open(files[i]);
        rc = in ? ps_load(&l, in, loaded_record, flow) : PS_ESYS;
        ps_in_close(in);
    }
    if (rc == 0 && flow->from.kind == 0) {
        const char *name = files[0] ? files[0] : "<stdin>";
        rc = l.head.kind == PS_VECTORS && l.head.dim == 0
                 ? ps_fail(PS_EDATA, "%s: no lines, so the vectors' length is unknown (-d N says it)", name)
                 : ps_flow_head(flow, &l.head, name);
    }
    if (rc == 0 && l.skipped)
        ps_warn("%llu lines skipped: the graph does not know a name in them", (unsigned long long)l.skipped);
    ps_loader_free(&l);
    return rc;
}

/* ---- wiring ---- */

static void make_note(options *o)
{
    char *p = o->note, *end = o->note + sizeof o->note;
    p += snprintf(p, (size_t)(end - p), "psview " PS_VERSION "%s%s", o->text ? " text" : " records",
                  o->sort ? " sorted" : "");
    if (o->skip)
        p += snprintf(p, (size_t)(end - p), " skip=%lld", (long long)o->skip);
    if (o->take)
        p += snprintf(p, (size_t)(end - p), " take=%lld", (long long)o->take);
    if (o->elem)
        snprintf(p, (size_t)(end - p), " elem=%s", ps_elem_name((ps_elem)o->elem));
}

static int check_options(const options *o)
{
    if (o->head + o->check + o->count + o->npy + o->npz + o->word2vec + o->edges + o->raw + o->text > 1)
        return ps_usage_error(
            "only one of -H, -c, -C, -t, --npy, --npz, --word2vec, --edges and --raw can be had at once");
    if (o->text && !o->kind)
        return ps_usage_error("-t needs -K KIND: %s", KINDS);
    if (!o->text && (o->kind || o->dim || o->bias || o->skip_unknown || o->first_space || o->other_space))
        return ps_usage_error("-K, -d, -u, --bias, --first and --other go with -t");
    if (o->json && (o->check || o->count || o->npy || o->npz || o->word2vec || o->raw || o->text))
        return ps_usage_error("-J is another form of text");
    if ((o->npy || o->npz || o->word2vec) && o->elem)
        return ps_usage_error("%s writes f32: -E does not go with it", o->npy   ? "--npy"
                                                                       : o->npz ? "--npz"
                                                                                : "--word2vec");
    if (o->width != 4 && o->width != 8)
        return ps_usage_error("--width: numbers have 4 or 8 bytes");
    return 0;
}

static int run(options *o, ps_out *out, char **files, int n)
{
    ps_flow flow = {.out = out};
    flow.o = (ps_flow_options){.graph = o->g,
                               .wide = o->wide,
                               .sort = o->sort,
                               .skip = (uint64_t)o->skip,
                               .take = (uint64_t)o->take,
                               .note = o->note,
                               .elem = (ps_elem)o->elem,
                               .memory = o->memory ? (uint64_t)o->memory : ps_free_memory(),
                               .dir = ps_temp_dir(o->tmp)};
    flow.o.form = o->raw || o->text ? PS_FORM_RECORDS
                  : o->npy          ? PS_FORM_NPY
                  : o->npz          ? PS_FORM_NPZ
                  : o->word2vec     ? PS_FORM_WORD2VEC
                  : o->count        ? PS_FORM_COUNT
                  : o->json         ? PS_FORM_JSON
                                    : PS_FORM_TEXT;
    int rc = o->text ? load_all(o, &flow, files, n) : 0;
    for (int i = 0; i < n && rc == 0 && !o->text; i++)
        rc = o->check  ? ps_view_check(files[i], o->g)
             : o->head ? ps_view_describe(files[i], o->g, out, o->json, n > 1)
                       : show_one(o, &flow, files[i], n > 1);
    /* What -H found out is shown even if the end is missing. */
    if (rc < 0 && o->head && !o->common.output)
        (void)!ps_out_flush(out);
    if (rc == 0)
        rc = ps_flow_end(&flow);
    ps_flow_free(&flow);
    return rc;
}

static int view(options *o, char **files, int n)
{
    char *standard_input[] = {NULL};
    int rc = check_options(o);
    if (rc == 0 && o->graph_path) {
        rc = ps_graph_open(&o->graph, o->graph_path);
        o->g = rc == 0 ? &o->graph : NULL;
    }
    if (rc < 0)
        return rc;
    make_note(o);
    ps_out *out = ps_tool_output(&o->common, o->raw || o->text || o->npy || o->npz ? 0 : PS_OUT_TEXT);
    rc = out ? run(o, out, n ? files : standard_input, n ? n : 1) : PS_ESYS;
    if (rc == 0)
        rc = ps_out_close(out);
    else
        ps_out_abort(out);
    if (o->g)
        ps_graph_close(&o->graph);
    return rc;
}

int main(int argc, char **argv)
{
    options o = {.common = PS_COMMON_DEFAULT, .width = 4};
    const ps_option rows[] = {
        {'g', "graph", "FILE", PS_OPT_STR, &o.graph_path, 0, 0, "show and take names of this graph; check numbers",
         NULL},
        {'H', "head", NULL, PS_OPT_FLAG, &o.head, 0, 0, "what it is: kind, shape, graph, history, whole or not", NULL},
        {'c', "check", NULL, PS_OPT_FLAG, &o.check, 0, 0, "verify: whole, unchanged, well-formed; says nothing if so",
         NULL},
        {'C', "count", NULL, PS_OPT_FLAG, &o.count, 0, 0, "the number of records", NULL},
        {'J', "json", NULL, PS_OPT_FLAG, &o.json, 0, 0, "JSON, a record a line", NULL},
        {0, "wide", NULL, PS_OPT_FLAG, &o.wide, 0, 0, "hits and neighbours: a record a line", NULL},
        {0, "edges", NULL, PS_OPT_FLAG, &o.edges, 0, 0, "the edges of a graph, as psgraph-build -t reads them", NULL},
        {0, "npy", NULL, PS_OPT_FLAG, &o.npy, 0, 0, "vectors as a NumPy file, row by row", NULL},
        {0, "npz", NULL, PS_OPT_FLAG, &o.npz, 0, 0, "vectors, ids and with -g names as a NumPy archive", NULL},
        {0, "word2vec", NULL, PS_OPT_FLAG, &o.word2vec, 0, 0, "vectors as word2vec's text", NULL},
        {0, "raw", NULL, PS_OPT_FLAG, &o.raw, 0, 0, "records, not text: cat with a check", NULL},
        {'S', "sort", NULL, PS_OPT_FLAG, &o.sort, 0, 0, "in the order of the first number, then the second", NULL},
        {'M', "memory", "SIZE", PS_OPT_SIZE, &o.memory, 1 << 20, 0x1p62,
         "memory for records that must be held, like 2G (default: half of what is free)", NULL},
        {0, "tmp", "DIR", PS_OPT_STR, &o.tmp, 0, 0, "temporary files go there (default: $TMPDIR or /tmp)", NULL},
        {'E', "element", "TYPE", PS_OPT_CHOICE, &o.elem, 0, 0, "element type of vectors", "same|f32|f16|bf16|i8"},
        {0, "skip", "N", PS_OPT_INT, &o.skip, 0, 9e15, "leave out the first N records", NULL},
        {0, "take", "N", PS_OPT_INT, &o.take, 0, 9e15, "at most N records (0: all)", NULL},
        {'t', "text", NULL, PS_OPT_FLAG, &o.text, 0, 0, "the other way: text in, records out", NULL},
        {'K', "kind", "KIND", PS_OPT_STR, &o.kind, 0, 0, "with -t: " KINDS, NULL},
        {'d', "dim", "N", PS_OPT_INT, &o.dim, 0, 262144,
         "with -t: entries, elements or indices (0: what the first vector has)", NULL},
        {'u', "skip-unknown", NULL, PS_OPT_FLAG, &o.skip_unknown, 0, 0,
         "with -t: skip lines with a name the graph does not know", NULL},
        {0, "width", "BYTES", PS_OPT_INT, &o.width, 4, 8, "with -t: of a node number, 4 or 8", NULL},
        {0, "first", "SPACE", PS_OPT_CHOICE, &o.first_space, 0, 0, "with -t: what first numbers are",
         "usual|plain|items|boards"},
        {0, "other", "SPACE", PS_OPT_CHOICE, &o.other_space, 0, 0, "with -t: what the others are",
         "usual|plain|items|boards"},
        {0, "bias", NULL, PS_OPT_FLAG, &o.bias, 0, 0, "with -t: the vectors' last element is the item bias", NULL},
        {0},
    };
    const ps_tool tool = {"psview", "Shows streams, graphs and models; turns text into streams.", "[FILE ...]", NULL};
    int first = ps_tool_parse(&tool, rows, &o.common, argc, argv);
    return ps_tool_finish(view(&o, argv + first, argc - first));
}
