/* psfeat - features of items: texts, matrices, other vectors and the graph's structure, as one vector each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feat_import.h"
#include "feat_names.h"
#include "feat_rows.h"
#include "feat_sketch.h"
#include "feat_state.h"
#include "gemm.h"
#include "mem.h"
#include "tool.h"

enum { BATCH = 1024 }; /* rows between two writes */

typedef struct {
    ps_common common;
    const char *graph, *npy, *names, *ngrams, *save, *load, *boards;
    ps_list joins;
    ps_columns_options columns;
    int text, skip_unknown, sparse, text_only, no_degree, lsa, board_terms, normalise, elem;
    int64_t dim, sketch;
    double scale;
    ps_term_options terms;
    uint64_t skipped, empty, no_board;
} options;

/* What the blocks are made of. */
typedef struct {
    const options *o;
    ps_pool *pool;
    ps_graph *graph;      /* NULL: none was given */
    ps_feat_state state;  /* what the blocks of text and structure are made with */
    int loaded;           /* it was read, not made */
    ps_board_lists lists; /* with --boards: where the items are, which the graph does not hold */
    ps_tfidf tfidf;
    ps_feat_npy npy;
    ps_feat_join *joins;
    int n_joins;
    float *sketch;
    uint64_t n; /* rows */
    uint64_t fingerprint;
    ps_feat_rows rows;
} sources;

/* ---- reading ---- */

static int text_line(void *ctx, uint64_t item, uint64_t line, ps_str text)
{
    if (line % 65536 == 65535)
        ps_progress("texts", line, 0);
    return ps_texts_put(ctx, item, text);
}

static int read_texts(options *o, sources *s)
{
    ps_texts texts = {0};
    ps_feat_state *k = &s->state;
    const ps_graph *names = o->boards ? NULL : s->graph;
    uint64_t *skipped = !names ? &o->empty : o->skip_unknown ? &o->skipped : NULL;
    int rc = ps_feat_lines(NULL, names, skipped, &o->columns, text_line, &texts);
    if (rc == 0 && o->boards && texts.rows != s->n)
        rc = ps_fail(PS_EMATCH, "%s: boards of %llu items, texts of %llu", o->boards, (unsigned long long)s->n,
                     (unsigned long long)texts.rows);
    s->n = s->graph ? s->n : texts.rows;
    uint32_t *term = k->board_terms && rc == 0 ? ps_board_terms(s->graph) : NULL;
    if (k->board_terms && rc == 0) {
        /* Board terms need -g, given or saved.  NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        texts.off = o->boards ? s->lists.off : s->graph->items.off;
        texts.board = o->boards ? s->lists.board : s->graph->items.adj;
        texts.term = term;
        rc = term ? 0 : PS_EMEM;
    }
    if (rc == 0)
        rc = ps_tfidf_make(&s->tfidf, &texts, s->n, &k->terms, &k->idf, s->pool);
    free(term);
    ps_texts_free(&texts);
    if (rc == 0 && k->use_lsa && !o->sparse && !s->loaded)
        rc = ps_lsa_make(&k->lsa, &s->tfidf, k->text, k->seed, s->pool);
    return rc;
}

static int read_npy(options *o, sources *s)
{
    const ps_npy *a = &s->npy.npy;
    int rc = ps_npy_open(&s->npy.npy, o->npy);
    if (rc < 0)
        return rc;
    if (o->names)
        return ps_feat_npy_names(&s->npy, o->names, s->graph, o->skip_unknown ? &o->skipped : NULL);
    if (a->ids || (a->text && s->graph)) {
        rc = ps_feat_npy_own(&s->npy, s->graph, o->skip_unknown ? &o->skipped : NULL);
        if (rc < 0 || s->graph)
            return rc;
    }
    if (!s->graph && !o->text)
        s->n = a->rows;
    if (a->rows != s->n)
        return ps_fail(PS_EMATCH, "%s: %llu rows for %llu items%s", a->name, (unsigned long long)a->rows,
                       (unsigned long long)s->n, s->graph ? " (-I FILE says which items they are)" : "");
    return 0;
}

static uint64_t item_of(const void *vectors, uint64_t row)
{
    return ps_vectors_item(vectors, row);
}

static int read_joins(const options *o, sources *s)
{
    s->joins = ps_zalloc((size_t)o->joins.n, sizeof *s->joins);
    if (!s->joins)
        return PS_EMEM;
    /* With nothing else to say which items there are, the first stream does. */
    const ps_vectors *lead = s->graph || o->text || o->npy ? NULL : &s->joins[0].v;
    for (; s->n_joins < o->joins.n; s->n_joins++) {
        ps_feat_join *j = &s->joins[s->n_joins];
        int rc = ps_feat_join_open(j, o->joins.at[s->n_joins], s->fingerprint, lead, s->n);
        if (rc < 0)
            return rc;
        if (s->fingerprint == 0)
            s->fingerprint = j->v.head.graph;
        if (lead)
            s->n = lead->n;
    }
    if (lead && s->n_joins) {
        s->rows.item = item_of;
        s->rows.item_ctx = lead;
    }
    return 0;
}

static int make_sketch(const options *o, sources *s)
{
    ps_feat_state *k = &s->state;
    s->sketch = ps_aligned(s->n * k->sketch, sizeof *s->sketch);
    if (s->sketch && !s->loaded)
        k->mean = ps_alloc(k->sketch, sizeof *k->mean);
    if (!s->sketch || !k->mean)
        return PS_EMEM;
    return o->boards ? ps_sketch_new(s->graph, k->seed, k->sketch, k->mean, &s->lists, s->sketch, s->pool)
                     : ps_sketch(s->graph, k->seed, k->sketch, k->mean, s->loaded, s->sketch, s->pool);
}

/* ---- blocks, in the order of the columns ---- */

static void fill_text(const void *ctx, uint64_t row, float *out)
{
    const sources *s = ctx;
    ps_tfidf_project(&s->tfidf, row, s->state.seed, s->state.text, out);
}

static void fill_lsa(const void *ctx, uint64_t row, float *out)
{
    const sources *s = ctx;
    const ps_tfidf *m = &s->tfidf;
    ps_lsa_fold_in(&s->state.lsa, m->off[row + 1] - m->off[row], m->index + m->off[row], m->value + m->off[row], out);
}

static void fill_sketch(const void *ctx, uint64_t row, float *out)
{
    const sources *s = ctx;
    size_t d = s->state.sketch;
    memcpy(out, s->sketch + row * d, d * sizeof *out);
}

static void fill_degree(const void *ctx, uint64_t row, float *out)
{
    const sources *s = ctx;
    *out = ps_log_degree(s->lists.off ? s->lists.off[row + 1] - s->lists.off[row] : ps_degree(&s->graph->items, row));
}

static int add_blocks(const options *o, sources *s)
{
    const float scale = (float)o->scale;
    ps_feat_rows *r = &s->rows;
    int rc = 0;
    if (o->text)
        rc = ps_feat_add(r, (ps_feat_block){.fill = s->state.use_lsa ? fill_lsa : fill_text, .ctx = s, .scale = scale},
                         s->state.text);
    if (rc == 0 && o->npy) {
        ps_feat_block b = {.fill = ps_feat_npy_fill, .ctx = &s->npy, .scale = scale, .normalise = o->normalise};
        rc = ps_feat_add(r, b, s->npy.npy.cols);
    }
    for (int i = 0; i < s->n_joins && rc == 0; i++) {
        ps_feat_block b = {.fill = ps_feat_join_fill, .ctx = &s->joins[i], .scale = scale, .normalise = o->normalise};
        rc = ps_feat_add(r, b, s->joins[i].v.d);
    }
    if (rc == 0 && s->sketch)
        rc = ps_feat_add(r, (ps_feat_block){.fill = fill_sketch, .ctx = s, .scale = 1}, s->state.sketch);
    if (rc == 0 && s->graph && s->state.degree)
        rc = ps_feat_add(r, (ps_feat_block){.fill = fill_degree, .ctx = s, .scale = 1}, 1);
    if (rc == 0 && r->d == 0)
        rc = ps_usage_error("no features are left to write");
    return rc;
}

/* ---- writing ---- */

/* One line, the same for the same features. */
static int note(const options *o, const sources *s, ps_head *h)
{
    const ps_feat_state *k = &s->state;
    char ngrams[32] = "", scale[48] = "", joined[96] = "", structure[48] = "";
    if (o->text && k->terms.ngram_max)
        snprintf(ngrams, sizeof ngrams, " ngrams=%d-%d", k->terms.ngram_min, k->terms.ngram_max);
    if (o->sparse)
        return ps_head_note(h, "psfeat %s tf-idf%s%s%s", PS_VERSION, ngrams, k->board_terms ? " boards" : "",
                            s->loaded ? " loaded" : "");
    if (o->npy || s->n_joins)
        snprintf(joined, sizeof joined, " npy=%llu joined=%d%s", (unsigned long long)s->npy.npy.cols, s->n_joins,
                 o->normalise ? " normalised" : "");
    if (o->scale != 1)
        snprintf(scale, sizeof scale, " scale=%.9g", o->scale);
    if (s->graph) /* names: the signs follow from the names of boards; once they did from their numbers */
        snprintf(structure, sizeof structure, " sketch=%u%s degree=%d", k->sketch,
                 k->sketch && s->graph->board_names.n ? " by=names" : "", k->degree);
    return ps_head_note(h, "psfeat %s text=%u%s%s%s%s%s%s seed=%llu%s", PS_VERSION, o->text ? k->text : 0,
                        k->use_lsa ? " lsa" : "", k->board_terms ? " boards" : "", ngrams, joined, scale, structure,
                        (unsigned long long)k->seed, s->loaded ? " loaded" : "");
}

/* The state's history: of what was loaded, or else of the graph, then a line of its own. */
static int note_state(const options *o, sources *s)
{
    ps_feat_state *k = &s->state;
    ps_head h = {0};
    int rc = 0;
    if (k->history)
        rc = ps_head_lines(&h, (ps_str){k->history, strlen(k->history)});
    else if (s->graph)
        rc = ps_head_lines(&h, (ps_str){s->graph->history, s->graph->history_len});
    if (rc == 0)
        rc = note(o, s, &h);
    free(k->history);
    k->history = h.history;
    return rc;
}

static int make_head(const options *o, const sources *s, ps_head *h)
{
    *h = o->sparse ? ps_head_make(PS_SPARSE, PS_TERM_BUCKETS) : ps_head_make(PS_VECTORS, s->rows.d);
    h->qspace = o->boards ? PS_PLAIN : PS_ITEMS;
    h->graph = s->fingerprint;
    if (!o->sparse)
        h->elem = (ps_elem)(PS_F32 + o->elem);
    if (s->rows.item) /* its numbers may need 64 bits */
        h->width = s->joins[0].v.head.width;
    int rc = ps_head_size(h);
    if (rc == 0 && s->loaded)
        rc = ps_head_lines(h, (ps_str){s->state.history, strlen(s->state.history)});
    if (rc == 0 && s->n_joins)
        rc = ps_head_lines(h, (ps_str){s->joins[0].v.head.history, strlen(s->joins[0].v.head.history)});
    return rc < 0 ? rc : note(o, s, h);
}

static int put_vectors(const sources *s, const ps_head *h, ps_writer *w)
{
    uint8_t *records = ps_alloc(BATCH, h->size);
    int rc = records ? 0 : PS_EMEM;
    for (uint64_t i = 0; i < s->n && rc == 0; i += BATCH) {
        size_t n = s->n - i < BATCH ? s->n - i : BATCH;
        rc = ps_feat_fill(&s->rows, h, i, n, records, s->pool);
        if (rc == 0)
            rc = ps_writer_put(w, records, n);
        ps_progress("vectors", i + n, s->n);
    }
    free(records);
    return rc;
}

static int put_sparse(const sources *s, const ps_head *h, ps_writer *w)
{
    const ps_tfidf *m = &s->tfidf;
    uint8_t record[16];
    int rc = 0;
    for (uint64_t i = 0; i < m->rows; i++)
        for (size_t e = m->off[i]; e < m->off[i + 1] && rc == 0; e++) {
            ps_put_num(record, h->width, i);
            ps_put32(record + h->width, m->index[e]);
            ps_putf32(record + h->width + 4, m->value[e]);
            if (m->value[e] != 0)
                rc = ps_writer_put(w, record, 1);
        }
    return rc;
}

static int save_state(const options *o, sources *s)
{
    int rc = note_state(o, s);
    ps_out *out = rc == 0 ? ps_out_open(o->save, 0) : NULL;
    if (rc == 0)
        rc = out ? ps_feat_state_write(&s->state, out) : PS_ESYS;
    if (rc == 0)
        return ps_out_close(out);
    if (out)
        ps_out_abort(out);
    return rc;
}

static int write_output(const options *o, sources *s)
{
    ps_head h;
    int rc = make_head(o, s, &h);
    ps_out *out = rc == 0 ? ps_tool_output(&o->common, 0) : NULL;
    ps_writer *w = out ? ps_writer_new(out, &h) : NULL;
    if (rc == 0)
        rc = !w ? PS_ESYS : o->sparse ? put_sparse(s, &h, w) : put_vectors(s, &h, w);
    /* Before the end of the vectors: whoever has them whole has the state, too. */
    if (rc == 0 && o->save)
        rc = save_state(o, s);
    if (rc == 0)
        rc = ps_writer_close(w);
    else
        ps_writer_abort(w);
    ps_head_free(&h);
    if (rc == 0)
        return ps_out_close(out);
    ps_out_abort(out);
    return rc;
}

/* ---- the whole ---- */

static int parse_ngrams(options *o)
{
    int min = 0, max = 0, used = 0;
    if (!o->ngrams || strcmp(o->ngrams, "0") == 0)
        return 0;
    if (sscanf(o->ngrams, "%2d-%2d%n", &min, &max, &used) != 2 || o->ngrams[used] || min < 1 || min > max ||
        max > PS_NGRAM_MAX)
        return ps_usage_error("--ngrams: '%s' is not MIN-MAX with 1 <= MIN <= MAX <= %d, nor 0", o->ngrams,
                              PS_NGRAM_MAX);
    o->terms = (ps_term_options){min, max};
    return 0;
}

static int is_stdin(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

static int check_options(options *o)
{
    int readers = o->text + is_stdin(o->graph) + is_stdin(o->npy) + is_stdin(o->names) + is_stdin(o->load) +
                  is_stdin(o->boards);
    for (int i = 0; i < o->joins.n; i++)
        readers += is_stdin(o->joins.at[i]);
    if (readers > 1)
        return ps_usage_error("standard input can be read only once: -t reads it, and so does a FILE named -");
    if (!o->text && !o->npy && !o->joins.n && (o->sparse || (o->dim > 0 && !o->load)))
        return ps_usage_error("nothing to make features of: give -t, --npy or -x (or -g and -d 0: structure only)");
    if (ps_columns_asked(&o->columns) && !o->text)
        return ps_usage_error("-F, -H and --columns are about text: they need -t");
    if (o->sparse && (o->npy || o->joins.n || !o->text))
        return ps_usage_error("--sparse writes the tf-idf of texts: it goes with -t, not with --npy or -x");
    if (o->board_terms && (!o->text || !o->graph))
        return ps_usage_error("--board-terms counts the boards of -g among the terms of -t");
    if (o->names && (!o->npy || !o->graph))
        return ps_usage_error("-I says which items the rows of --npy are: it needs --npy and -g");
    if (o->boards && (!o->graph || !o->load || o->names))
        return ps_usage_error("--boards is of new items: it needs -g and --load, and knows no -I");
    if (o->load && (o->dim != 256 || o->sketch != 512 || o->lsa || o->board_terms || o->no_degree || o->text_only ||
                    o->common.seed != 1 || strcmp(o->ngrams, "0") != 0))
        return ps_usage_error(
            "--load FILE says what text and structure are like: no -d, --lsa, --board-terms, --ngrams, "
            "--sketch, --no-degree, --text-only or -s beside it");
    if (o->text_only) {
        o->sketch = 0;
        o->no_degree = 1;
    }
    if (!o->sparse && o->dim == 0)
        o->text = 0;
    int rc = ps_columns_check(&o->columns);
    return rc < 0 ? rc : parse_ngrams(o);
}

/* What text and structure are made with, by the options or as it was saved. */
static int settle_state(options *o, sources *s)
{
    ps_feat_state *k = &s->state;
    if (!o->load) {
        *k = (ps_feat_state){.seed = (uint64_t)o->common.seed,
                             .terms = o->terms,
                             .text = o->text && !o->sparse ? (uint32_t)o->dim : 0,
                             .board_terms = o->board_terms,
                             .use_lsa = o->lsa && !o->sparse,
                             .sketch = s->graph && !o->sparse ? (uint32_t)o->sketch : 0,
                             .degree = s->graph && !o->sparse && !o->no_degree};
        return 0;
    }
    int rc = ps_feat_state_read(k, o->load);
    s->loaded = 1;
    if (rc == 0 && !o->sparse && k->idf.texts && !k->text)
        rc = ps_fail(PS_EMATCH, "%s: saved with --sparse: it has the weights of terms alone, for --sparse", o->load);
    if (rc == 0 && k->board_terms && !s->graph)
        rc = ps_usage_error("%s was saved with --board-terms: it needs -g GRAPH", o->load);
    if (rc == 0 && (k->sketch || k->degree) && !o->sparse && !s->graph)
        rc = ps_usage_error("%s was saved with structure: it needs -g GRAPH", o->load);
    if (rc == 0 && k->text && !o->text)
        rc = ps_usage_error("%s was saved with texts: it needs -t", o->load);
    if (rc == 0 && o->text && !k->idf.texts)
        rc = ps_fail(PS_EMATCH, "%s: saved without texts", o->load);
    o->text = o->text && (k->text || o->sparse);
    return rc;
}

static int read_all(options *o, sources *s)
{
    int rc = settle_state(o, s);
    if (rc == 0 && s->graph) {
        s->n = s->graph->items.nodes;
        s->fingerprint = s->graph->fingerprint;
        rc = ps_sketch_check(s->graph);
    }
    if (rc == 0 && o->boards) {
        rc = ps_board_lists_read(&s->lists, o->boards, s->graph, o->skip_unknown ? &o->no_board : NULL);
        s->n = s->lists.n;
    }
    if (rc == 0 && o->text)
        rc = read_texts(o, s);
    if (rc == 0 && o->npy)
        rc = read_npy(o, s);
    if (rc == 0)
        rc = read_joins(o, s);
    if (rc == 0 && s->graph && s->state.sketch && !o->sparse)
        rc = make_sketch(o, s);
    return rc == 0 && !o->sparse ? add_blocks(o, s) : rc;
}

static int run(options *o)
{
    ps_graph graph;
    sources s = {.o = o};
    int rc = check_options(o);
    if (rc < 0)
        return rc;
    if (o->graph) {
        rc = ps_graph_open(&graph, o->graph);
        s.graph = rc == 0 ? &graph : NULL;
    }
    if (rc == 0 && !(s.pool = ps_pool_new((int)o->common.threads)))
        rc = PS_EMEM;
    if (rc == 0)
        rc = read_all(o, &s);
    if (rc == 0)
        rc = write_output(o, &s);
    if (rc == 0 && o->no_board)
        ps_warn("%llu boards skipped: %s does not know them", (unsigned long long)o->no_board, o->graph);
    if (rc == 0 && o->skipped)
        ps_warn("%llu lines skipped: %s does not know their items", (unsigned long long)o->skipped, o->graph);
    if (rc == 0 && o->empty)
        ps_warn("%llu empty lines skipped: they are no items, and have no rows", (unsigned long long)o->empty);
    for (int i = 0; s.joins && i < o->joins.n; i++)
        ps_feat_join_close(&s.joins[i]);
    free(s.joins);
    free(s.sketch);
    ps_tfidf_free(&s.tfidf);
    ps_feat_state_free(&s.state);
    ps_board_lists_free(&s.lists);
    ps_feat_npy_close(&s.npy);
    ps_pool_free(s.pool);
    if (s.graph)
        ps_graph_close(s.graph);
    return rc;
}

int main(int argc, char **argv)
{
    options o = {.common = PS_COMMON_DEFAULT, .dim = 256, .sketch = 512, .scale = 1, .ngrams = "0"};
    const ps_option rows[] = {
        {'g', "graph", "FILE", PS_OPT_STR, &o.graph, 0, 0, "the graph: a vector for each of its items, with structure",
         NULL},
        {'t', "text", NULL, PS_OPT_FLAG, &o.text, 0, 0, "texts on standard input: item TAB free text", NULL},
        PS_COLUMNS_ROWS(o.columns),
        {'d', "dim", "N", PS_OPT_INT, &o.dim, 0, 65536, "elements of the text block, 0: no text block", NULL},
        {0, "lsa", NULL, PS_OPT_FLAG, &o.lsa, 0, 0, "the text block by latent semantic analysis, not by random signs",
         NULL},
        {0, "board-terms", NULL, PS_OPT_FLAG, &o.board_terms, 0, 0,
         "an item's boards are terms beside those of its text (with -g)", NULL},
        {0, "ngrams", "MIN-MAX", PS_OPT_STR, &o.ngrams, 0, 0, "also character n-grams of the words, 0: words only",
         NULL},
        {0, "sketch", "N", PS_OPT_INT, &o.sketch, 0, 65536, "elements of the structural sketch, 0: none", NULL},
        {0, "no-degree", NULL, PS_OPT_FLAG, &o.no_degree, 0, 0, "leave out log(1 + degree) / 4", NULL},
        {0, "text-only", NULL, PS_OPT_FLAG, &o.text_only, 0, 0, "no structure: --sketch 0 --no-degree", NULL},
        {0, "sparse", NULL, PS_OPT_FLAG, &o.sparse, 0, 0, "write the tf-idf itself, as sparse vectors", NULL},
        {0, "npy", "FILE", PS_OPT_STR, &o.npy, 0, 0, "add the columns of a NumPy matrix, .npy or .npz", NULL},
        {'I', "items", "FILE", PS_OPT_STR, &o.names, 0, 0, "names of the matrix's rows, one a line (with -g)", NULL},
        {'x', "vectors", "FILE", PS_OPT_LIST, &o.joins, 0, 0, "add the elements of these vectors (may be repeated)",
         NULL},
        {0, "normalize", NULL, PS_OPT_FLAG, &o.normalise, 0, 0, "bring each row of --npy and -x to length 1", NULL},
        {0, "scale", "S", PS_OPT_REAL, &o.scale, -1e6, 1e6, "multiply text, --npy and -x by this", NULL},
        {0, "save", "FILE", PS_OPT_STR, &o.save, 0, 0, "write what features of later items need", NULL},
        {0, "load", "FILE", PS_OPT_STR, &o.load, 0, 0, "make text and structure as it was saved", NULL},
        {0, "boards", "FILE", PS_OPT_STR, &o.boards, 0, 0,
         "items not in the graph: their boards on a line (with --load)", NULL},
        {'E', "element", "TYPE", PS_OPT_CHOICE, &o.elem, 0, 0, "element type", "f32|f16|bf16"},
        {'u', "skip-unknown", NULL, PS_OPT_FLAG, &o.skip_unknown, 0, 0, "skip lines of items the graph does not know",
         NULL},
        {0},
    };
    const ps_tool tool = {"psfeat", "Makes a feature vector for each item.", NULL, ps_gemm_backend};
    ps_tool_parse(&tool, rows, &o.common, argc, argv);
    return ps_tool_finish(run(&o));
}
