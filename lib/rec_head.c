#include "rec_head.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "lineage.h"
#include "magic.h"
#include "mem.h"

/* A high bit, both line ends and a control-Z: what a text-mode transfer damages first. */
static const uint8_t head_magic[8] = {0x89, 'P', 'S', 'R', '\r', '\n', 0x1a, '\n'};
static const uint8_t end_magic[8] = {'P', 'S', 'R', 'E', 'N', 'D', '\r', '\n'};

static const char *const kind_names[PS_KIND_END] = {NULL,         "edges", "ids",     "walks",  "visits",
                                                    "neighbours", "pairs", "vectors", "sparse", "hits"};
static const char *const elem_names[PS_ELEM_END] = {"none", "f32", "f16", "bf16", "i8"};
static const char *const space_names[PS_SPACE_END] = {"plain", "items", "boards"};

const char *ps_kind_name(ps_kind kind)
{
    return kind > 0 && kind < PS_KIND_END ? kind_names[kind] : "unknown";
}

const char *ps_elem_name(ps_elem elem)
{
    return elem < PS_ELEM_END ? elem_names[elem] : "unknown";
}

const char *ps_space_name(ps_space space)
{
    return space < PS_SPACE_END ? space_names[space] : "unknown";
}

const char *ps_kind_title(ps_kind kind)
{
    return kind == PS_SPARSE ? "sparse vectors" : ps_kind_name(kind);
}

ps_kind ps_kind_of(const char *name)
{
    for (int k = 1; k < PS_KIND_END; k++)
        if (strcmp(kind_names[k], name) == 0)
            return (ps_kind)k;
    return (ps_kind)0;
}

ps_elem ps_elem_of(const char *name)
{
    for (int e = 1; e < PS_ELEM_END; e++)
        if (strcmp(elem_names[e], name) == 0)
            return (ps_elem)e;
    return PS_ELEM_NONE;
}

size_t ps_elem_size(ps_elem elem)
{
    static const size_t sizes[PS_ELEM_END] = {0, 4, 2, 2, 1};
    return elem < PS_ELEM_END ? sizes[elem] : 0;
}

ps_head ps_head_make(ps_kind kind, uint32_t dim)
{
    ps_head h = {.kind = kind, .width = 4, .dim = dim, .count = PS_COUNT_UNKNOWN, .scale = 1};
    h.elem = kind == PS_VECTORS ? PS_F32 : PS_ELEM_NONE;
    (void)!ps_head_size(&h);
    return h;
}

int ps_head_size(ps_head *h)
{
    uint64_t w = (uint64_t)h->width, dim = h->dim, size = 0;
    switch (h->kind) {
    case PS_EDGES: size = 2 * w + 4; break;
    case PS_IDS: size = w; break;
    case PS_WALKS: size = w * (1 + dim); break;
    case PS_VISITS: size = 2 * w + 4; break;
    case PS_NEIGHBOURS: size = w + dim * (w + 4); break;
    case PS_PAIRS: size = 2 * w + 4; break;
    case PS_VECTORS: size = w + dim * ps_elem_size(h->elem); break;
    case PS_SPARSE: size = w + 8; break;
    case PS_HITS: size = w + dim * (w + 4); break;
    case PS_KIND_END: break;
    }
    if (size == 0 || size > PS_REC_SIZE_MAX)
        return ps_fail(PS_EDATA, "records of %llu bytes: the most is %d", (unsigned long long)size, PS_REC_SIZE_MAX);
    h->size = (uint32_t)size;
    return 0;
}

int ps_head_lines(ps_head *head, ps_str lines)
{
    const size_t room = PS_REC_HEAD_MAX - PS_REC_HEAD, old = head->history ? strlen(head->history) : 0;
    const size_t n = lines.len ? strnlen(lines.s, lines.len) : 0; /* a forged file's may hold anything */
    char *all = realloc(head->history, old + n + 2);
    if (!all)
        return ps_fail(PS_EMEM, "out of memory");
    head->history = all;
    if (n)
        memcpy(all + old, lines.s, n);
    strcpy(all + old + n, n && lines.s[n - 1] != '\n' ? "\n" : "");
    const size_t len = strlen(all);
    if (len > room) { /* whole lines, the last that there is room for */
        const char *end = strchr(all + len - room - 1, '\n'), *from = end ? end + 1 : all + len;
        memmove(all, from, (size_t)(all + len + 1 - from));
    }
    return 0;
}

int ps_head_note(ps_head *head, const char *fmt, ...)
{
    char *line = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&line, fmt, ap);
    va_end(ap);
    if (n < 0)
        return ps_fail(PS_EMEM, "out of memory");
    int rc = ps_head_lines(head, (ps_str){line, (size_t)n});
    free(line);
    return rc;
}

/* What a line "PROGRAM VERSION WORDS" says in WORDS; a length of 0 and NULL if it is another program's. */
static ps_str said_by(const char *line, const char *program)
{
    static const char loaded[] = " loaded";
    const size_t tail = sizeof loaded - 1, name = strlen(program);
    size_t n = strcspn(line, "\n");
    if (n <= name || strncmp(line, program, name) != 0 || line[name] != ' ')
        return (ps_str){NULL, 0};
    if (n > tail && strncmp(line + n - tail, loaded, tail) == 0)
        n -= tail;
    size_t from = name + 1 + strcspn(line + name + 1, " \n");
    return (ps_str){line + from, from < n ? n - from : 0};
}

static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return *line ? line + 1 : line;
}

const char *ps_head_differs(const ps_head *head, const char *history, const char *program)
{
    const char *last = NULL;
    ps_str own = {NULL, 0};
    int any = 0;
    for (const char *line = head->history ? head->history : ""; *line; line = next_line(line)) {
        const ps_str said = said_by(line, program);
        if (said.s) {
            last = line;
            own = said;
        }
    }
    if (!own.s)
        return NULL;
    for (const char *line = history; *line; line = next_line(line)) {
        const ps_str other = said_by(line, program);
        if (other.s && other.len == own.len && memcmp(other.s, own.s, own.len) == 0)
            return NULL;
        any |= other.s != NULL;
    }
    return any ? last : NULL;
}

int ps_head_inherit(ps_head *head, const ps_head *from)
{
    free(head->history);
    head->history = strdup(from->history ? from->history : "");
    return head->history ? 0 : ps_fail(PS_EMEM, "out of memory");
}

void ps_head_free(ps_head *head)
{
    free(head->history);
    head->history = NULL;
}

uint8_t *ps_head_encode(const ps_head *h, size_t *len)
{
    size_t text = h->history ? strlen(h->history) : 0;
    *len = (PS_REC_HEAD + text + 63) / 64 * 64;
    uint8_t *p = ps_zalloc(*len, 1);
    if (!p)
        return NULL;
    memcpy(p, head_magic, 8);
    ps_put16(p + 8, PS_REC_VERSION);
    p[10] = (uint8_t)h->kind;
    p[11] = (uint8_t)h->elem;
    p[12] = (uint8_t)h->width;
    p[13] = (uint8_t)h->qspace;
    p[14] = (uint8_t)h->nspace;
    p[15] = (uint8_t)h->flags;
    ps_put32(p + 16, h->size);
    ps_put32(p + 20, h->dim);
    ps_put64(p + 24, h->graph);
    ps_put64(p + 32, h->count);
    ps_putf32(p + 40, h->scale);
    ps_put32(p + 44, (uint32_t)*len);
    ps_put32(p + 48, (uint32_t)text);
    if (text)
        memcpy(p + PS_REC_HEAD, h->history, text);
    /* The CRC covers the header with its own field at 0. */
    ps_put32(p + 60, (uint32_t)crc32(0, p, (uInt)*len));
    return p;
}

static int bad(const char *name, uint64_t offset, int code, const char *why)
{
    return ps_fail(code, "%s: byte %llu: %s", name, (unsigned long long)offset, why);
}

long ps_head_length(const uint8_t *p, const char *name, uint64_t offset)
{
    if (memcmp(p, head_magic, 8) != 0) {
        const ps_file_type type = ps_file_type_of(p, 8);
        if (type == PS_FILE_RECORDS)
            return bad(name, offset, PS_EDATA, "a psrec header damaged by a text-mode transfer");
        if (type != PS_FILE_OTHER)
            return ps_fail(PS_EKIND, "%s: byte %llu: this is %s, not a record stream", name, (unsigned long long)offset,
                           ps_file_type_name(type));
        return bad(name, offset, PS_EDATA, "not a psrec stream (text goes with -t, or through psview -t)");
    }
    int version = ps_get16(p + 8);
    if (version > PS_REC_VERSION)
        return ps_fail(PS_EKIND, "%s: byte %llu: psrec version %d; this program reads up to %d", name,
                       (unsigned long long)offset + 8, version, PS_REC_VERSION);
    uint32_t len = ps_get32(p + 44);
    if (len < PS_REC_HEAD || len > PS_REC_HEAD_MAX || len % 64 != 0)
        return bad(name, offset + 44, PS_EDATA, "damaged header: impossible length");
    return (long)len;
}

static int has_dimension(ps_kind kind)
{
    return kind == PS_WALKS || kind == PS_NEIGHBOURS || kind == PS_VECTORS || kind == PS_SPARSE || kind == PS_HITS;
}

int ps_head_decode(ps_head *h, const uint8_t *p, size_t len, const char *name, uint64_t offset)
{
    static const uint8_t zero[4];
    uint32_t crc = (uint32_t)crc32(0, p, 60);
    crc = (uint32_t)crc32(crc, zero, 4);
    crc = (uint32_t)crc32(crc, p + 64, (uInt)(len - 64));
    if (crc != ps_get32(p + 60))
        return bad(name, offset, PS_EDATA, "damaged header: its CRC does not match");
    memset(h, 0, sizeof *h);
    h->kind = (ps_kind)p[10];
    h->elem = (ps_elem)p[11];
    h->width = p[12];
    h->qspace = (ps_space)p[13];
    h->nspace = (ps_space)p[14];
    h->flags = p[15];
    h->dim = ps_get32(p + 20);
    h->graph = ps_get64(p + 24);
    h->count = ps_get64(p + 32);
    h->scale = ps_getf32(p + 40);
    uint32_t text = ps_get32(p + 48);
    if (p[10] == 0 || p[10] >= PS_KIND_END)
        return ps_fail(PS_EKIND, "%s: byte %llu: record kind %d, which this program does not know", name,
                       (unsigned long long)offset + 10, p[10]);
    if (h->elem >= PS_ELEM_END || (h->kind == PS_VECTORS) != (h->elem != PS_ELEM_NONE))
        return bad(name, offset + 11, PS_EDATA, "bad header: element type");
    if (h->width != 4 && h->width != 8)
        return bad(name, offset + 12, PS_EDATA, "bad header: node numbers of neither 4 nor 8 bytes");
    if (h->qspace >= PS_SPACE_END || h->nspace >= PS_SPACE_END)
        return bad(name, offset + 13, PS_EDATA, "bad header: node space");
    if (h->dim && !has_dimension(h->kind))
        return bad(name, offset + 20, PS_EDATA, "bad header: a dimension where the kind has none");
    if (ps_head_size(h) < 0 || h->size != ps_get32(p + 16))
        return bad(name, offset + 16, PS_EDATA, "bad header: the record size does not follow from the shape");
    if (text > len - PS_REC_HEAD)
        return bad(name, offset + 48, PS_EDATA, "bad header: history longer than the header");
    h->history = strndup((const char *)p + PS_REC_HEAD, text);
    return h->history ? 0 : ps_fail(PS_EMEM, "out of memory");
}

void ps_end_encode(uint8_t *p, uint64_t count, uint32_t crc)
{
    memset(p, 0xff, 8);
    memcpy(p + 8, end_magic, 8);
    ps_put64(p + 16, count);
    ps_put32(p + 24, crc);
    ps_put32(p + 28, (uint32_t)crc32(0, p, 28));
}

int ps_end_decode(const uint8_t *p, uint64_t *count, uint32_t *crc, const char *name, uint64_t offset)
{
    if (ps_get64(p) != UINT64_MAX || memcmp(p + 8, end_magic, 8) != 0 || ps_get32(p + 28) != (uint32_t)crc32(0, p, 28))
        return bad(name, offset, PS_EDATA, "neither a record nor a whole end mark: the data is damaged");
    *count = ps_get64(p + 16);
    *crc = ps_get32(p + 24);
    return 0;
}

int ps_head_same(const ps_head *a, const ps_head *b)
{
    return a->kind == b->kind && a->elem == b->elem && a->width == b->width && a->qspace == b->qspace &&
           a->nspace == b->nspace && a->flags == b->flags && a->dim == b->dim && a->graph == b->graph &&
           memcmp(&a->scale, &b->scale, sizeof a->scale) == 0;
}

int ps_head_match(const ps_head *head, const char *name, uint64_t graph)
{
    if (graph == 0 || head->graph == 0 || head->graph == graph || ps_lineage_has(graph, head->graph))
        return 0;
    return ps_fail(PS_EMATCH,
                   "%s: its node numbers are those of graph %016llx, the other inputs' those of graph %016llx; "
                   "make it anew with that graph",
                   name, (unsigned long long)head->graph, (unsigned long long)graph);
}
