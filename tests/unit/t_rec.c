/* Record streams: round trips of every kind, headers that lie, streams in a row. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <zlib.h>

#include "check.h"
#include "mem.h"
#include "rec.h"

enum { RECORDS = 1000 };

/* A head of that kind with everything in it that can be other than the default. */
static ps_head some_head(ps_kind kind, int width, ps_elem elem)
{
    int has_dim = kind == PS_WALKS || kind == PS_NEIGHBOURS || kind == PS_VECTORS || kind == PS_SPARSE ||
                  kind == PS_HITS;
    ps_head h = ps_head_make(kind, has_dim ? 5 : 0);
    h.width = width;
    if (kind == PS_VECTORS)
        h.elem = elem;
    h.qspace = PS_ITEMS;
    h.nspace = PS_BOARDS;
    h.graph = 0x123456789abcdef0;
    h.flags = kind == PS_VECTORS ? PS_FLAG_BIAS : 0;
    h.scale = elem == PS_I8 ? 0.25f : 1;
    CHECK_OK(ps_head_size(&h));
    CHECK_OK(ps_head_note(&h, "first %d", 1));
    CHECK_OK(ps_head_note(&h, "second"));
    return h;
}

static void fill(uint8_t *records, const ps_head *h, size_t n)
{
    for (size_t i = 0; i < n * h->size; i++)
        records[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t i = 0; i < n; i++)
        ps_put_num(records + i * h->size, h->width, i * 3);
}

static void write_stream(const char *path, const ps_head *h, const uint8_t *records, size_t n, int flags)
{
    ps_out *out = ps_out_open(path, flags);
    ps_writer *w = ps_writer_new(out, h);
    CHECK(w != NULL);
    for (size_t i = 0; i < n; i += 17) /* in pieces: their size must not matter */
        CHECK_OK(ps_writer_put(w, records + i * h->size, n - i < 17 ? n - i : 17));
    CHECK_OK(ps_writer_close(w));
    CHECK_OK(ps_out_close(out));
}

static uint8_t *slurp(const char *path, size_t *n)
{
    ps_blob b;
    CHECK_OK(ps_blob_open(&b, path));
    uint8_t *copy = malloc(b.size);
    memcpy(copy, b.data, b.size);
    *n = b.size;
    ps_blob_close(&b);
    return copy;
}

static void spill(const char *path, const uint8_t *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(p, 1, n, f) != n || fclose(f) != 0)
        exit(1);
}

static void same_head(const ps_head *a, const ps_head *b)
{
    CHECK(a->kind == b->kind && a->elem == b->elem && a->width == b->width && a->qspace == b->qspace);
    CHECK(a->nspace == b->nspace && a->flags == b->flags && a->dim == b->dim && a->size == b->size);
    CHECK(a->graph == b->graph && a->count == b->count && a->scale == b->scale);
    CHECK(strcmp(a->history, b->history) == 0);
}

/* Reads with batches of at most `max`: the same records. */
static void read_back(const char *path, const ps_head *h, const uint8_t *records, size_t n, size_t max)
{
    ps_reader *r = ps_reader_open(path, h->kind);
    CHECK(r != NULL);
    if (!r)
        return;
    same_head(ps_reader_head(r), h);
    const uint8_t *p;
    size_t seen = 0;
    long got;
    while ((got = ps_reader_next(r, &p, max)) > 0) {
        CHECK((size_t)got <= max && seen + (size_t)got <= n);
        CHECK(memcmp(p, records + seen * h->size, (size_t)got * h->size) == 0);
        seen += (size_t)got;
    }
    CHECK_OK((int)got);
    CHECK(seen == n && ps_reader_count(r) == n);
    CHECK(ps_reader_next(r, &p, max) == 0);
    ps_reader_close(r);
}

static void round_trip(ps_kind kind, int width, ps_elem elem)
{
    ps_head h = some_head(kind, width, elem);
    uint8_t *records = malloc((size_t)RECORDS * h.size);
    fill(records, &h, RECORDS);
    for (int flags = 0; flags <= PS_OUT_GZIP; flags++) {
        write_stream("s.psr", &h, records, RECORDS, flags);
        read_back("s.psr", &h, records, RECORDS, 1);
        read_back("s.psr", &h, records, RECORDS, 333);
        ps_table t;
        CHECK_OK(ps_table_open(&t, "s.psr", kind));
        same_head(&t.head, &h);
        CHECK(t.count == RECORDS && memcmp(t.records, records, (size_t)RECORDS * h.size) == 0);
        CHECK(flags != 0 || t.blob.mapped);
        ps_table_close(&t);
    }
    write_stream("s.psr", &h, records, 0, 0);
    read_back("s.psr", &h, records, 0, 10);
    free(records);
    ps_head_free(&h);
}

static void all_kinds(void)
{
    for (int kind = 1; kind < PS_KIND_END; kind++)
        for (int width = 4; width <= 8; width += 4)
            if (kind == PS_VECTORS)
                for (int elem = PS_F32; elem < PS_ELEM_END; elem++)
                    round_trip(PS_VECTORS, width, (ps_elem)elem);
            else
                round_trip((ps_kind)kind, width, PS_ELEM_NONE);
}

static void names(void)
{
    for (int kind = 1; kind < PS_KIND_END; kind++)
        CHECK(ps_kind_of(ps_kind_name((ps_kind)kind)) == (ps_kind)kind);
    for (int elem = 1; elem < PS_ELEM_END; elem++)
        CHECK(ps_elem_of(ps_elem_name((ps_elem)elem)) == (ps_elem)elem);
    CHECK(ps_kind_of("none") == 0 && ps_kind_of("") == 0);
    CHECK(ps_elem_of("none") == PS_ELEM_NONE && ps_elem_of("f64") == PS_ELEM_NONE);
}

static void numbers(void)
{
    uint8_t p[8];
    ps_put_num(p, 4, PS_NONE);
    CHECK(ps_num(p, 4) == PS_NONE);
    ps_put_num(p, 4, UINT32_MAX - 1);
    CHECK(ps_num(p, 4) == UINT32_MAX - 1);
    ps_put_num(p, 8, UINT32_MAX);
    CHECK(ps_num(p, 8) == UINT32_MAX);
    ps_put_num(p, 8, PS_NONE);
    CHECK(ps_num(p, 8) == PS_NONE);
}

/* Reading all of the file fails, in both ways, with that code and with `why` in the message. */
static void refused(const char *path, int code, const char *why)
{
    ps_table t;
    int rc = ps_table_open(&t, path, 0);
    if (rc == 0)
        ps_table_close(&t);
    if (rc != code || !strstr(ps_errmsg(), why) || !strstr(ps_errmsg(), path)) {
        fprintf(stderr, "table: %d, '%s' instead of '%s'\n", rc, rc ? ps_errmsg() : "", why);
        check_failures++;
    }
    ps_reader *r = ps_reader_open(path, 0);
    const uint8_t *p;
    long got = r ? 1 : -1;
    while (r && got > 0)
        got = ps_reader_next(r, &p, 100);
    ps_reader_close(r);
    if (got >= 0 || !strstr(ps_errmsg(), why) || !strstr(ps_errmsg(), path)) {
        fprintf(stderr, "reader: '%s' instead of '%s'\n", got < 0 ? ps_errmsg() : "", why);
        check_failures++;
    }
}

typedef struct {
    size_t at;
    int bytes;
    uint64_t value;
    int code;
    const char *why;
} lie;

/* Header fields changed, with the CRC that belongs to them. */
static void lying_headers(void)
{
    static const lie lies[] = {
        {8, 2, 2, PS_EKIND, "version 2"},
        {10, 1, 0, PS_EKIND, "kind 0"},
        {10, 1, 10, PS_EKIND, "kind 10"},
        {11, 1, 0, PS_EDATA, "element type"},
        {11, 1, 5, PS_EDATA, "element type"},
        {12, 1, 5, PS_EDATA, "neither 4 nor 8"},
        {13, 1, 3, PS_EDATA, "node space"},
        {14, 1, 200, PS_EDATA, "node space"},
        {16, 4, 7, PS_EDATA, "record size"},
        {20, 4, 0xffffffff, PS_EDATA, "record size"},
        {20, 4, 262144, PS_EDATA, "record size"},
        {32, 8, 999, PS_EDATA, "1000 records are here"},
        {32, 8, (uint64_t)1 << 62, PS_EDATA, "1000 records are here"},
        {44, 4, 0, PS_EDATA, "impossible length"},
        {44, 4, 63, PS_EDATA, "impossible length"},
        {44, 4, 1 << 17, PS_EDATA, "impossible length"},
        {48, 4, 100000, PS_EDATA, "history longer"},
    };
    ps_head h = some_head(PS_VECTORS, 4, PS_F32);
    uint8_t *records = malloc((size_t)RECORDS * h.size);
    fill(records, &h, RECORDS);
    write_stream("good.psr", &h, records, RECORDS, 0);
    size_t n;
    uint8_t *good = slurp("good.psr", &n);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        uint8_t *bad = malloc(n), value[8];
        memcpy(bad, good, n);
        ps_put64(value, lies[i].value);
        memcpy(bad + lies[i].at, value, (size_t)lies[i].bytes);
        ps_put32(bad + 60, 0);
        ps_put32(bad + 60, (uint32_t)crc32(0, bad, 128));
        spill("bad.psr", bad, n);
        refused("bad.psr", lies[i].code, lies[i].why);
        free(bad);
    }
    good[100] ^= 1;
    spill("bad.psr", good, n);
    refused("bad.psr", PS_EDATA, "header: its CRC does not match");
    good[100] ^= 1;
    good[128 + 5000] ^= 1;
    spill("bad.psr", good, n);
    refused("bad.psr", PS_EDATA, "CRC does not match");
    free(good);
    free(records);
    ps_head_free(&h);

    /* A kind without a dimension has none. */
    h = some_head(PS_IDS, 4, PS_ELEM_NONE);
    h.dim = 3;
    uint8_t one[4] = {1};
    write_stream("bad.psr", &h, one, 1, 0);
    refused("bad.psr", PS_EDATA, "a dimension where the kind has none");
    ps_head_free(&h);
}

/* What a header announces takes no memory. */
static void no_huge_allocation(void)
{
    struct rusage before, after;
    ps_head h = ps_head_make(PS_VECTORS, 1 << 18);
    h.elem = PS_F32;
    h.dim = (PS_REC_SIZE_MAX - 4) / 4;
    CHECK_OK(ps_head_size(&h));
    h.count = (uint64_t)1 << 40;
    ps_out *out = ps_out_open("huge.psr", 0);
    ps_writer *w = ps_writer_new(out, &h);
    CHECK(w && ps_writer_close(w) < 0); /* the count was announced and is not right */
    CHECK_OK(ps_out_close(out));
    getrusage(RUSAGE_SELF, &before);
    refused("huge.psr", PS_EDATA, "truncated");
    getrusage(RUSAGE_SELF, &after);
    CHECK(after.ru_maxrss - before.ru_maxrss < 64 * 1024);
}

static void truncated(void)
{
    ps_head h = some_head(PS_HITS, 4, PS_ELEM_NONE);
    uint8_t records[5 * 64];
    fill(records, &h, 5);
    write_stream("good.psr", &h, records, 5, 0);
    size_t n;
    uint8_t *good = slurp("good.psr", &n);
    for (size_t cut = 0; cut < n; cut++) {
        spill("bad.psr", good, cut);
        refused("bad.psr", PS_EDATA, cut == 0 ? "empty" : cut < 4 ? "not a psrec stream" : "truncated");
    }
    free(good);
    ps_head_free(&h);
}

static void append(const char *to, const char *from)
{
    size_t a, b;
    uint8_t *p = slurp(to, &a), *q = slurp(from, &b);
    p = realloc(p, a + b);
    memcpy(p + a, q, b);
    spill(to, p, a + b);
    free(p);
    free(q);
}

static void in_a_row(void)
{
    ps_head h = some_head(PS_PAIRS, 4, PS_ELEM_NONE), other = some_head(PS_PAIRS, 4, PS_ELEM_NONE);
    uint8_t records[30 * 16];
    fill(records, &h, 30);
    CHECK_OK(ps_head_note(&other, "its history may differ"));
    write_stream("a.psr", &h, records, 20, 0);
    write_stream("b.psr", &other, records + 20 * h.size, 10, 0);
    append("a.psr", "b.psr");
    read_back("a.psr", &h, records, 30, 1000);
    ps_table t;
    CHECK_OK(ps_table_open(&t, "a.psr", PS_PAIRS));
    CHECK(t.count == 30 && memcmp(t.records, records, 30 * h.size) == 0);
    ps_table_close(&t);
    /* Two streams are no file that can be mapped: in memory up to half of what there is, else in a temporary file. */
    const uint64_t bytes = 30 * h.size;
    for (uint64_t memory = 0; memory <= 4 * bytes; memory += bytes / 2) {
        ps_spill left = {memory, "."};
        CHECK_OK(ps_table_open_within(&t, "a.psr", PS_PAIRS, &left));
        CHECK(t.count == 30 && memcmp(t.records, records, bytes) == 0);
        CHECK(memory < 2 * bytes ? t.blob.mapped && left.memory == memory : t.own && left.memory == memory - bytes);
        ps_table_rest(&t, 0, 30);
        ps_table_rest(&t, 31, 1 << 20);
        ps_table_rest(&t, 29, UINT64_MAX);
        CHECK(memcmp(t.records, records, bytes) == 0);
        ps_table_close(&t);
    }
    ps_spill nowhere = {0, "/nowhere"};
    CHECK(ps_table_open_within(&t, "a.psr", PS_PAIRS, &nowhere) == PS_ESYS);
    other.graph++;
    write_stream("b.psr", &other, records, 10, 0);
    append("a.psr", "b.psr");
    refused("a.psr", PS_EKIND, "another kind, shape or graph");
    ps_head_free(&h);
    ps_head_free(&other);
}

static void kinds_and_graphs(void)
{
    ps_head h = some_head(PS_IDS, 4, PS_ELEM_NONE);
    uint8_t records[8] = {1};
    write_stream("a.psr", &h, records, 1, 0);
    CHECK(ps_reader_open("a.psr", PS_HITS) == NULL);
    CHECK(strstr(ps_errmsg(), "holds ids, but hits are needed"));
    ps_table t;
    CHECK(ps_table_open(&t, "a.psr", PS_HITS) == PS_EKIND);
    CHECK(ps_head_match(&h, "a", h.graph) == 0 && ps_head_match(&h, "a", 0) == 0);
    CHECK(ps_head_match(&h, "a", h.graph + 1) == PS_EMATCH);
    h.graph = 0;
    CHECK(ps_head_match(&h, "a", 77) == 0);
    ps_head_free(&h);
}

/* The history keeps its newest lines where there is no room for all. */
static void long_history(void)
{
    ps_head h = ps_head_make(PS_IDS, 0);
    for (int i = 0; i < 3000; i++)
        CHECK_OK(ps_head_note(&h, "line %d with some more text to make it long", i));
    CHECK(strlen(h.history) <= PS_REC_HEAD_MAX - PS_REC_HEAD);
    CHECK(strstr(h.history, "line 2999 ") && !strstr(h.history, "line 0 "));
    uint8_t records[4] = {1};
    write_stream("a.psr", &h, records, 1, 0);
    read_back("a.psr", &h, records, 1, 1);
    ps_head_free(&h);
}

/* What was made otherwise than what a model knows. */
static void other_makers(void)
{
    ps_head h = ps_head_make(PS_IDS, 0);
    CHECK(!ps_head_differs(&h, "psfeat 1 a\n", "psfeat")); /* nothing is known of it */
    CHECK_OK(ps_head_lines(&h, (ps_str){"psfeat 1 a\npsfeat 2 b c loaded\npsview 1 d\n", 42}));
    CHECK(!ps_head_differs(&h, "psfeat 9 b c\n", "psfeat"));
    CHECK(!ps_head_differs(&h, "psfeat 1 a\npsfeat 9 b c loaded\n", "psfeat"));
    CHECK(!ps_head_differs(&h, "psneigh 1 b\npsfeatures 1 b\n", "psfeat"));
    const char *line = ps_head_differs(&h, "psfeat 1 a\npsfeat 1 b\n", "psfeat");
    CHECK(line && strncmp(line, "psfeat 2 b c loaded\n", 20) == 0);
    CHECK(ps_head_differs(&h, "psfeat", "psfeat") == NULL && ps_head_differs(&h, "", "psfeat") == NULL);
    ps_head_free(&h);
}

/* Another file's history, of which nobody knows what it holds: a line without an end, a NUL. */
static void foreign_history(void)
{
    static char text[PS_REC_HEAD_MAX + 100];
    ps_head h = ps_head_make(PS_IDS, 0);
    CHECK_OK(ps_head_lines(&h, (ps_str){"one\ntwo", 7}));
    CHECK_OK(ps_head_lines(&h, (ps_str){NULL, 0}));
    CHECK_OK(ps_head_note(&h, "three"));
    CHECK(strcmp(h.history, "one\ntwo\nthree\n") == 0);
    memset(text, 'x', sizeof text);
    text[sizeof text - 2] = 0;
    CHECK_OK(ps_head_lines(&h, (ps_str){text, sizeof text}));
    CHECK(strlen(h.history) == 0); /* a line that has no room goes, and all before it */
    CHECK_OK(ps_head_lines(&h, (ps_str){"a\0b\n", 4}));
    CHECK(strcmp(h.history, "a\n") == 0);
    ps_head_free(&h);
}

/* A hostile one of nothing but ends of lines is cut at one go, not line by line. */
static void many_lines(void)
{
    const size_t n = 16 << 20, room = PS_REC_HEAD_MAX - PS_REC_HEAD;
    char *text = malloc(n);
    ps_head h = ps_head_make(PS_IDS, 0);
    memset(text, '\n', n);
    CHECK_OK(ps_head_lines(&h, (ps_str){text, n}));
    CHECK(strlen(h.history) == room);
    CHECK_OK(ps_head_note(&h, "x"));
    CHECK(strlen(h.history) == room && strcmp(h.history + room - 3, "\nx\n") == 0);
    memset(text, 'y', room - 1);
    CHECK_OK(ps_head_note(&h, "%.*s", (int)room - 1, text)); /* as long as there is room for: it alone stays */
    CHECK(strlen(h.history) == room && h.history[0] == 'y');
    free(text);
    ps_head_free(&h);
}

int main(void)
{
    names();
    numbers();
    all_kinds();
    lying_headers();
    no_huge_allocation();
    truncated();
    in_a_row();
    kinds_and_graphs();
    long_history();
    foreign_history();
    other_makers();
    many_lines();
    CHECK_END();
}
