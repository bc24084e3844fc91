/* in.c - input half of io.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "io.h"
#include "manifest.h"
#include "mapped.h"
#include "mem.h"

enum { RAW = 1 << 16, WINDOW = 1 << 21 };

struct ps_in {
    int fd;
    int gzip;        /* the input is packed */
    int member_done; /* the last gzip member is complete: the input may end here */
    int at_end;
    uint64_t offset;
    char *name;
    z_stream z;
    uint8_t *raw; /* packed bytes as read; unused when the input is plain */
    uint8_t *buf; /* unpacked bytes: have of them, from pos on */
    size_t pos, have;
    ps_manifest *manifest; /* of the parts that are read one after the other; NULL: the input is no such */
};

/* fd: of the next part, -1 behind the last. */
static int next_part(ps_in *in)
{
    close(in->fd);
    return ps_manifest_next(in->manifest, &in->fd);
}

static long read_some(ps_in *in, uint8_t *p, size_t n)
{
    for (;;) {
        ssize_t got = read(in->fd, p, n);
        if (got > 0 || (got == 0 && !in->manifest))
            return got;
        if (got < 0 && errno != EINTR)
            return ps_fail(PS_ESYS, "%s: cannot read", in->name);
        int rc = got == 0 ? next_part(in) : 0;
        if (rc < 0 || in->fd < 0)
            return rc;
    }
}

/* Reads the first bytes to see whether the input is gzip. */
static int sniff(ps_in *in)
{
    size_t n = 0;
    while (n < 2) {
        long got = read_some(in, in->raw + n, RAW - n);
        if (got < 0)
            return (int)got;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    if (n >= 2 && in->raw[0] == 0x1f && in->raw[1] == 0x8b) {
        if (inflateInit2(&in->z, 15 + 16) != Z_OK)
            return ps_fail(PS_EMEM, "%s: out of memory for gzip", in->name);
        in->gzip = 1;
        in->z.next_in = in->raw;
        in->z.avail_in = (uInt)n;
    } else if (in->fd != STDIN_FILENO && ps_manifest_magic(in->raw, n)) {
        in->manifest = ps_manifest_open(in->name);
        return in->manifest ? next_part(in) : PS_EDATA;
    } else {
        memcpy(in->buf, in->raw, n);
        in->have = n;
    }
    return 0;
}

ps_in *ps_in_open(const char *path)
{
    int is_stdin = !path || strcmp(path, "-") == 0;
    ps_in *in = ps_zalloc(1, sizeof *in);
    if (!in)
        return NULL;
    in->fd = is_stdin ? STDIN_FILENO : -1;
    in->name = strdup(is_stdin ? "<stdin>" : path);
    in->raw = ps_alloc(RAW, 1);
    in->buf = ps_alloc(WINDOW, 1);
    if (!in->name || !in->raw || !in->buf) {
        ps_fail(PS_EMEM, "out of memory");
        goto fail;
    }
    if (!is_stdin && (in->fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
        ps_fail(PS_ESYS, "%s: cannot open", path);
        goto fail;
    }
    if (sniff(in) < 0)
        goto fail;
    return in;
fail:
    ps_in_close(in);
    return NULL;
}

ps_in *ps_in_open_binary(const char *path)
{
    if ((path && strcmp(path, "-") != 0) || !isatty(STDIN_FILENO))
        return ps_in_open(path);
    ps_fail(PS_EUSAGE, "<stdin>: a terminal, but a file or a pipe is needed here (<FILE)");
    return NULL;
}

void ps_in_close(ps_in *in)
{
    if (!in)
        return;
    if (in->gzip)
        inflateEnd(&in->z);
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    ps_manifest_close(in->manifest);
    free(in->name);
    free(in->raw);
    free(in->buf);
    free(in);
}

const char *ps_in_name(const ps_in *in)
{
    return in->name;
}

uint64_t ps_in_offset(const ps_in *in)
{
    return in->offset;
}

void ps_in_skip(ps_in *in, size_t n)
{
    in->pos += n;
    in->offset += n;
}

static int damaged(ps_in *in, const char *why)
{
    return ps_fail(PS_EDATA, "%s: byte %llu after unpacking: %s", in->name,
                   (unsigned long long)(in->offset + in->have - in->pos), why);
}

/* Unpacks at least one byte into the buffer, or finds the end. */
static int unpack(ps_in *in)
{
    z_stream *z = &in->z;
    z->next_out = in->buf + in->have;
    z->avail_out = (uInt)(WINDOW - in->have);
    uInt room = z->avail_out;
    while (z->avail_out == room) {
        if (z->avail_in == 0) {
            long got = read_some(in, in->raw, RAW);
            if (got < 0)
                return (int)got;
            if (got == 0) {
                if (!in->member_done)
                    return damaged(in, "the gzip data is truncated");
                in->at_end = 1;
                return 0;
            }
            z->next_in = in->raw;
            z->avail_in = (uInt)got;
        }
        if (in->member_done) {
            inflateReset(z);
            in->member_done = 0;
        }
        int rc = inflate(z, Z_NO_FLUSH);
        if (rc == Z_STREAM_END)
            in->member_done = 1;
        else if (rc != Z_OK && rc != Z_BUF_ERROR)
            return damaged(in, "the gzip data is damaged");
    }
    in->have += room - z->avail_out;
    return 0;
}

long ps_in_peek(ps_in *in, const uint8_t **p, size_t want)
{
    if (in->pos == in->have) /* a long session stays where the memory is in use already */
        in->pos = in->have = 0;
    if (in->pos + want > WINDOW) {
        memmove(in->buf, in->buf + in->pos, in->have - in->pos);
        in->have -= in->pos;
        in->pos = 0;
    }
    while (in->have - in->pos < want && !in->at_end) {
        if (in->gzip) {
            int rc = unpack(in);
            if (rc < 0)
                return rc;
        } else {
            long got = read_some(in, in->buf + in->have, WINDOW - in->have);
            if (got < 0)
                return got;
            in->at_end = got == 0;
            in->have += (size_t)got;
        }
    }
    *p = in->buf + in->pos;
    return (long)(in->have - in->pos);
}

/* ---- whole files ---- */

/* A large file begins at a multiple of a huge page, so that it can be mapped by such where the system holds it in them.
 */
static void *map_file(int fd, size_t size)
{
    enum { HUGE_PAGE = 2 << 20 };
    if (size < 4 * HUGE_PAGE)
        return mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    const size_t room = size + HUGE_PAGE;
    uint8_t *at = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return at;
    const size_t before = -(uintptr_t)at % HUGE_PAGE, page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t used = before + (size + page - 1) / page * page;
    void *p = mmap(at + before, size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
    if (p == MAP_FAILED) {
        munmap(at, room);
        return p;
    }
    if (before > 0)
        munmap(at, before);
    if (used < room)
        munmap(at + used, room - used);
    return p;
}

static int map_open(ps_blob *b, int fd, size_t size, const char *name)
{
    void *p = map_file(fd, size);
    if (p != MAP_FAILED) {
        *b = (ps_blob){p, size, 1};
        ps_mapped_note(p, size, name);
    }
    return b->mapped;
}

int ps_blob_map_open(ps_blob *b, int fd, size_t size, const char *name)
{
    memset(b, 0, sizeof *b);
    return map_open(b, fd, size, name) ? 0 : ps_fail(PS_ESYS, "%s: cannot map", name);
}

int ps_blob_map(ps_blob *b, const char *path)
{
    const int is_stdin = !path || strcmp(path, "-") == 0;
    struct stat st;
    memset(b, 0, sizeof *b);
    /* Opening and closing a FIFO would take its writer's reader away: look first. */
    if ((is_stdin ? fstat(STDIN_FILENO, &st) : stat(path, &st)) == 0 && !S_ISREG(st.st_mode))
        return 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ps_fail(PS_ESYS, "%s: cannot open", path);
    uint8_t first[PS_MANIFEST_MAGIC] = {0};
    if (fstat(fd, &st) == 0 && st.st_size > 0 && lseek(fd, 0, SEEK_CUR) == 0 &&
        pread(fd, first, sizeof first, 0) >= 0 && !(first[0] == 0x1f && first[1] == 0x8b) &&
        !ps_manifest_magic(first, sizeof first))
        (void)map_open(b, fd, (size_t)st.st_size, is_stdin ? "<stdin>" : path);
    if (!is_stdin)
        close(fd);
    return b->mapped;
}

void ps_blob_rest(const ps_blob *b, size_t from, size_t to)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    to = to < b->size ? to : b->size; /* beyond it may be anything */
    from -= from % page;
    to -= to % page;
    if (b->mapped && to > from)
        (void)madvise((void *)(uintptr_t)(b->data + from), to - from, MADV_DONTNEED);
}

void ps_blob_scatter(const ps_blob *b)
{
    if (b->mapped)
        (void)madvise((void *)(uintptr_t)b->data, b->size, MADV_RANDOM);
}

int ps_blob_open(ps_blob *b, const char *path)
{
    int rc = ps_blob_map(b, path);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    ps_in *in = ps_in_open_binary(path);
    if (!in)
        return PS_ESYS;
    uint8_t *data = NULL;
    size_t cap = 0;
    for (;;) {
        const uint8_t *p;
        long n = ps_in_peek(in, &p, 1);
        if (n > 0 && ps_grow(&data, &cap, b->size + (size_t)n, 1) < 0)
            n = PS_EMEM;
        if (n <= 0) {
            rc = (int)n;
            break;
        }
        memcpy(data + b->size, p, (size_t)n);
        b->size += (size_t)n;
        ps_in_skip(in, (size_t)n);
    }
    ps_in_close(in);
    b->data = data;
    if (rc < 0)
        ps_blob_close(b);
    return rc;
}

void ps_blob_close(ps_blob *b)
{
    if (b->mapped) {
        ps_mapped_forget(b->data);
        munmap((void *)(uintptr_t)b->data, b->size);
    } else {
        free((void *)(uintptr_t)b->data);
    }
    memset(b, 0, sizeof *b);
}
