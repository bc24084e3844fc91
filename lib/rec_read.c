#include <stdlib.h>

#include "crc.h"
#include "mem.h"
#include "rec_head.h"

struct ps_reader {
    ps_in *in;
    int owns_in;
    int done;
    ps_head head;
    uint32_t crc;         /* of this stream's records so far */
    uint64_t in_stream;   /* records of this stream so far */
    uint64_t stated;      /* what this stream's header says of its count */
    uint64_t total;       /* records of all streams */
    uint64_t last_offset; /* where the last batch began */
};

static int truncated(ps_reader *r, const char *what)
{
    return ps_fail(PS_EDATA, "%s: byte %llu: truncated: %s (did the program that wrote it fail?)",
                   ps_in_name(r->in), (unsigned long long)ps_in_offset(r->in), what);
}

static int read_head(ps_reader *r, ps_head *head)
{
    const uint8_t *p;
    uint64_t offset = ps_in_offset(r->in);
    long n = ps_in_peek(r->in, &p, PS_REC_HEAD);
    if (n < 0)
        return (int)n;
    if (n == 0)
        return ps_fail(PS_EDATA, "%s: empty input, expected a psrec stream", ps_in_name(r->in));
    if (n < PS_REC_HEAD)
        return n >= 4 && memcmp(p + 1, "PSR", 3) == 0
                   ? truncated(r, "the header is not whole")
                   : ps_fail(PS_EDATA, "%s: byte %llu: not a psrec stream (text goes with -t, or through psview -t)",
                             ps_in_name(r->in), (unsigned long long)offset);
    long len = ps_head_length(p, ps_in_name(r->in), offset);
    if (len < 0)
        return (int)len;
    n = ps_in_peek(r->in, &p, (size_t)len);
    if (n < 0)
        return (int)n;
    if (n < len)
        return truncated(r, "the header is not whole");
    int rc = ps_head_decode(head, p, (size_t)len, ps_in_name(r->in), offset);
    ps_in_skip(r->in, (size_t)len);
    r->stated = rc < 0 ? 0 : head->count;
    r->crc = 0;
    r->in_stream = 0;
    return rc;
}

ps_reader *ps_reader_new(ps_in *in, ps_kind kind)
{
    ps_reader *r = ps_zalloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->in = in;
    if (read_head(r, &r->head) < 0)
        goto fail;
    if (kind && r->head.kind != kind) {
        ps_fail(PS_EKIND, "%s: holds %s, but %s are needed here", ps_in_name(in), ps_kind_title(r->head.kind),
                ps_kind_title(kind));
        goto fail;
    }
    return r;
fail:
    ps_reader_close(r);
    return NULL;
}

ps_reader *ps_reader_open(const char *path, ps_kind kind)
{
    ps_in *in = ps_in_open_binary(path);
    if (!in)
        return NULL;
    ps_reader *r = ps_reader_new(in, kind);
    if (!r)
        ps_in_close(in);
    else
        r->owns_in = 1;
    return r;
}

const ps_head *ps_reader_head(const ps_reader *r)
{
    return &r->head;
}

const char *ps_reader_name(const ps_reader *r)
{
    return ps_in_name(r->in);
}

uint64_t ps_reader_offset(const ps_reader *r)
{
    return r->last_offset;
}

uint64_t ps_reader_count(const ps_reader *r)
{
    return r->total;
}

/* At an end mark: checks it, then goes on to a stream that follows.  1: goes on, 0: the end. */
static int finish_stream(ps_reader *r)
{
    const uint8_t *p;
    long n = ps_in_peek(r->in, &p, PS_REC_END);
    if (n < 0)
        return (int)n;
    if (n < PS_REC_END)
        return truncated(r, "the end mark is not whole");
    uint64_t count, at = ps_in_offset(r->in);
    uint32_t crc;
    int rc = ps_end_decode(p, &count, &crc, ps_in_name(r->in), at);
    if (rc < 0)
        return rc;
    if (count != r->in_stream || (r->stated != PS_COUNT_UNKNOWN && r->stated != count))
        return ps_fail(PS_EDATA, "%s: byte %llu: %llu records are here, the end mark says %llu", ps_in_name(r->in),
                       (unsigned long long)at, (unsigned long long)r->in_stream, (unsigned long long)count);
    if (crc != r->crc)
        return ps_fail(PS_EDATA, "%s: byte %llu: the records' CRC does not match: the data is damaged",
                       ps_in_name(r->in), (unsigned long long)at);
    ps_in_skip(r->in, PS_REC_END);
    n = ps_in_peek(r->in, &p, 1);
    if (n <= 0) {
        r->done = 1;
        return (int)n;
    }
    ps_head next;
    rc = read_head(r, &next);
    if (rc < 0)
        return rc;
    int same = ps_head_same(&r->head, &next);
    ps_head_free(&next);
    if (!same)
        return ps_fail(PS_EKIND, "%s: byte %llu: the stream that follows has another kind, shape or graph",
                       ps_in_name(r->in), (unsigned long long)at + PS_REC_END);
    return 1;
}

/* Records before the end mark, or before what is not whole. */
static size_t whole_records(const ps_reader *r, const uint8_t *p, size_t n, size_t max)
{
    const size_t size = r->head.size, most = n / size < max ? n / size : max;
    const int width = r->head.width;
    size_t k = 0;
    while (k < most && ps_num(p, width) != PS_NONE) {
        p += size;
        k++;
    }
    return k;
}

long ps_reader_next(ps_reader *r, const uint8_t **records, size_t max)
{
    const uint32_t size = r->head.size;
    const size_t width = (size_t)r->head.width;
    while (!r->done) {
        const uint8_t *p;
        long n = ps_in_peek(r->in, &p, size);
        if (n < 0)
            return n;
        if ((size_t)n < width)
            return truncated(r, "no end mark");
        size_t k = whole_records(r, p, (size_t)n, max);
        if (k == 0) {
            if (ps_num(p, (int)width) != PS_NONE)
                return truncated(r, "the last record is not whole and there is no end mark");
            int rc = finish_stream(r);
            if (rc < 0)
                return rc;
            continue;
        }
        r->crc = ps_crc32(r->crc, p, k * size);
        r->last_offset = ps_in_offset(r->in);
        ps_in_skip(r->in, k * size);
        r->in_stream += k;
        r->total += k;
        *records = p;
        return (long)k;
    }
    return 0;
}

void ps_reader_close(ps_reader *r)
{
    if (!r)
        return;
    if (r->owns_in)
        ps_in_close(r->in);
    ps_head_free(&r->head);
    free(r);
}
