/* rec.h - streams of fixed-size records: psrec(5).
 *
 * A stream is a header, records of one size, and an end mark that carries their number and CRC-32.
 * Streams of the same kind and shape may follow one another (cat): a reader sees one stream.
 */
#ifndef PS_REC_H
#define PS_REC_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "io.h"
#include "text.h"

enum {
    PS_REC_VERSION = 1,
    PS_REC_HEAD = 64,          /* bytes before the history */
    PS_REC_HEAD_MAX = 1 << 16, /* header with history */
    PS_REC_END = 32,           /* bytes of the end mark */
    PS_REC_SIZE_MAX = 1 << 20, /* bytes of a record */
};

typedef enum {
    PS_EDGES = 1,  /* item, board, weight f32 */
    PS_IDS,        /* node */
    PS_WALKS,      /* query, dim x item (padded with PS_NONE) */
    PS_VISITS,     /* query, node, count u32; grouped by query */
    PS_NEIGHBOURS, /* node, dim x (item, weight f32), heaviest first, padded with (PS_NONE, 0) */
    PS_PAIRS,      /* query, positive, weight f32 */
    PS_VECTORS,    /* item, dim x element */
    PS_SPARSE,     /* item, index u32, value f32; grouped by item */
    PS_HITS,       /* query, dim x (item, score f32), best first, padded with (PS_NONE, 0) */
    PS_KIND_END
} ps_kind;

typedef enum { PS_ELEM_NONE, PS_F32, PS_F16, PS_BF16, PS_I8, PS_ELEM_END } ps_elem;

/* Which numbering a node number belongs to.  PS_PLAIN: none (lines, sets, rows of a table). */
typedef enum { PS_PLAIN, PS_ITEMS, PS_BOARDS, PS_SPACE_END } ps_space;

/* Flags of vectors: the last dimension is the item bias, which is 1 in a query; the vectors are partial sums of embed_flow.h,
 * of which an item may have several. */
enum { PS_FLAG_BIAS = 1, PS_FLAG_SUMS = 2 };

/* No node: the padding, and what the first number of an end mark looks like. */
#define PS_NONE UINT64_MAX
#define PS_COUNT_UNKNOWN UINT64_MAX

typedef struct {
    ps_kind kind;
    ps_elem elem;      /* of vectors; PS_ELEM_NONE for other kinds */
    int width;         /* bytes of a node number: 4 or 8 */
    ps_space qspace;   /* of a record's first number */
    ps_space nspace;   /* of its other node numbers */
    int flags;
    uint32_t dim;      /* walks: steps; neighbourhoods: T; vectors: d; sparse: number of indices; hits: k */
    uint32_t size;     /* bytes of a record; follows from the above */
    uint64_t graph;    /* fingerprint of the graph that numbered the nodes; 0: none */
    uint64_t count;    /* records, or PS_COUNT_UNKNOWN */
    float scale;       /* of PS_I8 elements: value = scale x element; else 1 */
    char *history;     /* a line for each step that led here, canonical; never NULL after reading */
} ps_head;

/* A head of that kind with 32-bit numbers, no graph and no history; size is set. */
ps_head ps_head_make(ps_kind kind, uint32_t dim);

/* Recomputes head->size after a field was changed; PS_EDATA if the shape is impossible. */
PS_MUST_USE int ps_head_size(ps_head *head);

/* Appends one line to head->history (malloc'ed).  Oldest lines go if it outgrows the header. */
PS_MUST_USE int ps_head_note(ps_head *head, const char *fmt, ...) PS_PRINTF(2, 3);

/* Appends lines of another history in the same way. */
PS_MUST_USE int ps_head_lines(ps_head *head, ps_str lines);
/* Is what the head's records are made of other than what made the history?  The last of its own lines that `program`
 * wrote, which is returned (inside head->history, up to its end of line) if the history has lines of that program, but
 * not that one.  Versions do not count, nor does a last word "loaded".  NULL: nothing tells of a difference. */
const char *ps_head_differs(const ps_head *head, const char *history, const char *program);
/* head->history = a copy of from->history. */
PS_MUST_USE int ps_head_inherit(ps_head *head, const ps_head *from);
void ps_head_free(ps_head *head);

const char *ps_kind_name(ps_kind kind);    /* "edges", "ids", ... */
const char *ps_kind_title(ps_kind kind);   /* the same for messages: "sparse vectors" for "sparse" */
const char *ps_elem_name(ps_elem elem);    /* "f32", ... */
const char *ps_space_name(ps_space space); /* "plain", "items", "boards" */
ps_kind ps_kind_of(const char *name);      /* 0 if there is none of that name */
ps_elem ps_elem_of(const char *name);
size_t ps_elem_size(ps_elem elem);

/* ---- fields of a record ---- */

static inline uint64_t ps_num(const void *p, int width)
{
    if (width == 8)
        return ps_get64(p);
    uint32_t v = ps_get32(p);
    return v == UINT32_MAX ? PS_NONE : v;
}
static inline void ps_put_num(void *p, int width, uint64_t v)
{
    if (width == 8)
        ps_put64(p, v);
    else
        ps_put32(p, (uint32_t)v);
}

/* ---- reading ---- */

typedef struct ps_reader ps_reader;

/* Reads the first header from `in`, which stays the caller's.  kind 0: any.  Another kind is PS_EKIND. */
PS_MUST_USE ps_reader *ps_reader_new(ps_in *in, ps_kind kind);

/* The same, opening `path` (NULL: stdin) itself. */
PS_MUST_USE ps_reader *ps_reader_open(const char *path, ps_kind kind);
const ps_head *ps_reader_head(const ps_reader *r);
const char *ps_reader_name(const ps_reader *r);

/* Up to `max` records, back to back, at *records, valid until the next call.  Returns their number,
 * 0 at the end of the (last) stream, negative on damage.  Records seen before an error are not
 * vouched for: the CRC is at the end.  Waits for one record only. */
PS_MUST_USE long ps_reader_next(ps_reader *r, const uint8_t **records, size_t max);

/* Byte offset (after unpacking) of the first record of the last ps_reader_next. */
uint64_t ps_reader_offset(const ps_reader *r);
uint64_t ps_reader_count(const ps_reader *r); /* records handed out so far */
void ps_reader_close(ps_reader *r);

/* ---- a whole stream in memory: mapped in place where it is one plain file ---- */

typedef struct {
    ps_head head;
    uint64_t count;
    const uint8_t *records; /* record i at records + i * head.size */
    char *name;
    ps_blob blob;
    uint8_t *own;
} ps_table;

/* Reads, checks the CRC.  kind 0: any. */
PS_MUST_USE int ps_table_open(ps_table *t, const char *path, ps_kind kind);
void ps_table_close(ps_table *t);

/* Where that goes which cannot be mapped: to memory, if it is no more than half of what is left there, or to a temporary
 * file, which is mapped. */
typedef struct {
    uint64_t memory; /* bytes that are left: what is put there is taken off */
    const char *dir; /* of temporary files */
} ps_spill;

/* The same within limits.  NULL: all memory there is. */
PS_MUST_USE int ps_table_open_within(ps_table *t, const char *path, ps_kind kind, ps_spill *spill);

/* Whoever passes over a table larger than memory goes in pieces of that many records, */
uint64_t ps_table_piece(const ps_table *t);

/* and says of each when it has been: these records of a mapped table will not be needed for a while. */
void ps_table_rest(const ps_table *t, uint64_t first, uint64_t n);

/* ---- writing ---- */

typedef struct ps_writer ps_writer;

/* Writes the header to `out`, which stays the caller's. */
PS_MUST_USE ps_writer *ps_writer_new(ps_out *out, const ps_head *head);
PS_MUST_USE int ps_writer_put(ps_writer *w, const void *records, size_t n);

/* Writes the end mark.  Frees `w` in any case.  Fails if head->count was stated and is not right. */
PS_MUST_USE int ps_writer_close(ps_writer *w);
void ps_writer_abort(ps_writer *w);

/* PS_EMATCH, naming both, if the stream was numbered by a graph other than `graph` (0: any) and its ancestors
 * (lineage.h). */
PS_MUST_USE int ps_head_match(const ps_head *head, const char *name, uint64_t graph);

#endif
