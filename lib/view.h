/* view.h - looking at streams and files: what psview(1) is made of. */
#ifndef PS_VIEW_H
#define PS_VIEW_H

#include "graph.h"
#include "magic.h"
#include "rec.h"
#include "sort.h"
#include "zip.h"

/* ---- what a file is ---- */

typedef struct {
    ps_file_type type;
    ps_in *in;        /* records, as which what nobody knows counts: nothing of it is skipped yet */
    const char *path; /* no records: where to open it, NULL for standard input */
    char spool[32];   /* path of the memory that a pipe was copied to */
    int fd;           /* of that memory, or -1 */
} ps_view_input;

/* Looks at the first bytes.  What holds no records and comes through a pipe is kept in memory, so that it can be opened
 * by path like a file. */
PS_MUST_USE int ps_view_open(ps_view_input *v, const char *path);
void ps_view_close(ps_view_input *v);

/* ---- "name TAB value" lines, or one JSON object on a line ---- */

typedef struct {
    ps_out *out;
    int json;
    int fields; /* so far */
    int rc;     /* the first failure: the calls need no check of their own */
} ps_fields;

void ps_field_str(ps_fields *f, const char *name, ps_str value);
void ps_field_u64(ps_fields *f, const char *name, uint64_t value);
void ps_field_real(ps_fields *f, const char *name, double value);
/* Lines of a history: one line of text each, or an array. */
void ps_field_lines(ps_fields *f, const char *name, ps_str lines);
PS_MUST_USE int ps_fields_end(ps_fields *f);

/* A JSON string; bytes that are not UTF-8 become U+FFFD. */
PS_MUST_USE int ps_json_str(ps_out *out, ps_str s);

/* What the header of a stream says. */
void ps_view_head(ps_fields *f, const ps_head *head);

/* ---- the rules of the kinds: psrec(5) ---- */

/* One record by itself: values finite and in their range, padding at its end only, numbers nodes of the
 * graph (NULL: not looked at).  PS_EDATA naming stream and record. */
PS_MUST_USE int ps_rules_record(const ps_head *head, const ps_graph *graph, const uint8_t *record, const char *stream,
                                uint64_t number);

/* One record in its stream: nothing twice, what belongs together stands together. */
typedef struct {
    uint64_t *id; /* first number of each record or group */
    size_t n, cap;
    uint64_t *entry; /* scratch: items of one record, indices of one group */
    size_t entries, entry_cap;
    uint64_t last; /* the group that is open */
} ps_rules;

PS_MUST_USE int ps_rules_add(ps_rules *r, const ps_head *head, const uint8_t *record, const char *stream,
                             uint64_t number);
PS_MUST_USE int ps_rules_end(ps_rules *r, const ps_head *head, const char *stream);
void ps_rules_free(ps_rules *r);

/* ---- records as text or JSON lines ---- */

typedef struct {
    const ps_head *head;
    const ps_graph *graph; /* names; NULL: numbers */
    int json;
    int wide;      /* hits and neighbours: a record a line, not an entry a line */
    int open;      /* the last record ended before its dimension: the next may look like its rest */
    uint64_t last; /* that record's first number */
} ps_printer;

/* Numbers must be in range (ps_rules_record).  JSON has no word for NaN: the same. */
PS_MUST_USE int ps_print_record(ps_printer *p, ps_out *out, const uint8_t *record);

/* ---- text to records ---- */

typedef struct {
    ps_head head;          /* kind, width and spaces; vectors: dim 0 takes what the first line has */
    const ps_graph *graph; /* names; NULL: numbers */
    int wide;              /* hits and neighbours: a record a line */
    int skip_unknown;
    uint64_t skipped; /* lines left out because the graph does not know a name */
    uint8_t *record;  /* being put together: `entries` of it are there */
    size_t cap;
    uint32_t entries;
    int open; /* an entry a line: more may follow */
} ps_loader;

/* What takes a record that is complete. */
typedef int (*ps_record_taker)(void *ctx, const ps_head *head, const uint8_t *record, const char *stream);

/* Reads all lines of `in`, handing each record to `take`.  Vectors are handed over as f32. */
PS_MUST_USE int ps_load(ps_loader *l, ps_in *in, ps_record_taker take, void *ctx);
void ps_loader_free(ps_loader *l);

/* The node spaces that a kind usually has. */
void ps_usual_spaces(ps_head *head);

/* ---- from records to an output ---- */

typedef enum {
    PS_FORM_TEXT,
    PS_FORM_JSON,
    PS_FORM_RECORDS,
    PS_FORM_NPY,
    PS_FORM_NPZ,
    PS_FORM_WORD2VEC,
    PS_FORM_COUNT
} ps_form;

typedef struct {
    ps_form form;
    const ps_graph *graph;
    int wide, sort;
    ps_elem elem;        /* of vectors; PS_ELEM_NONE: as they are */
    uint64_t skip, take; /* take 0: all */
    const char *note;    /* line for the history of records */
    uint64_t memory;     /* for records that must be held; beyond it they go to temporary files in `dir` */
    const char *dir;
} ps_flow_options;

typedef struct {
    ps_flow_options o;
    ps_out *out;
    ps_head from, to; /* both own their history; kind 0: no stream seen yet */
    ps_writer *writer;
    ps_printer printer;
    uint64_t seen, taken;
    ps_sort *held;    /* records that wait for the end: to be sorted, counted, or measured for a scale */
    uint8_t *holding; /* scratch: one of them */
    float largest;    /* element of them */
    uint8_t *line;    /* one converted record */
    char *name;       /* of the first stream */
    ps_zip zip;       /* .npz: "vectors", then "ids" and with a graph "names" */
    uint64_t *id;
    size_t ids, id_cap;
} ps_flow;

/* Vectors for others: what begins, one (in f32), and what ends a file of f->taken of them in the form f->o.form. */
PS_MUST_USE int ps_export_begin(ps_flow *f);
PS_MUST_USE int ps_export_put(ps_flow *f, const uint8_t *record);
PS_MUST_USE int ps_export_end(ps_flow *f);

/* Another stream begins: PS_EKIND if it may not follow the one before. */
PS_MUST_USE int ps_flow_head(ps_flow *f, const ps_head *head, const char *stream);
PS_MUST_USE int ps_flow_put(ps_flow *f, const uint8_t *record, const char *stream, uint64_t number);
PS_MUST_USE int ps_flow_end(ps_flow *f);
void ps_flow_free(ps_flow *f);

/* ---- one file as a whole ---- */

typedef int (*ps_head_taker)(void *ctx, const ps_head *head, const char *stream);
typedef int (*ps_record_user)(void *ctx, const ps_head *head, const uint8_t *record, const char *stream,
                              uint64_t number);

/* Hands the header, then each record to the caller, until one of them returns a negative error.  Numbers of
 * another graph (NULL: any) are refused. */
PS_MUST_USE int ps_view_records(ps_in *in, const ps_graph *graph, ps_head_taker begin, ps_record_user use, void *ctx);

/* 0 if the file is whole, unchanged and well-formed; records also by the graph if one is given. */
PS_MUST_USE int ps_view_check(const char *path, const ps_graph *graph);

/* Writes what it is, after its name if it is one of several.  Of a damaged file, what could be found out is
 * written before the error is returned. */
PS_MUST_USE int ps_view_describe(const char *path, const ps_graph *graph, ps_out *out, int json, int named);

/* What a model, an index, a state of psfeat or a checkpoint says of itself, read whole first. */
PS_MUST_USE int ps_view_fields(ps_file_type type, const char *path, ps_fields *f);

/* ---- graphs ---- */

PS_MUST_USE int ps_view_graph(const ps_graph *g, ps_fields *f); /* in numbers */
PS_MUST_USE int ps_view_graph_head(const ps_graph *g, ps_fields *f);

/* item TAB board [TAB weight], what psgraph-build -t reads, of edges skip .. skip + take - 1 (take 0: all) */
PS_MUST_USE int ps_view_edges(const ps_graph *g, ps_out *out, int json, uint64_t skip, uint64_t take);

#endif
