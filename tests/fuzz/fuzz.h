/* fuzz.h - what the harnesses share.
 *
 * Each gives the readers a file made of libFuzzer's bytes.  The first byte is the harness's own: with its bit 0
 * set the file's CRCs are made right first, for what lies behind those checks is what a forged file reaches.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "bytes.h"
#include "graph.h"

/* The program is wrong, not the input. */
#define MUST(cond)                                                             \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
            abort();                                                           \
        }                                                                      \
    } while (0)

typedef struct {
    int fd;
    char path[32];
} fuzz_file;

/* A file in memory that can be opened by its path any number of times. */
static inline fuzz_file fuzz_file_make(const uint8_t *data, size_t n)
{
    fuzz_file f = {.fd = memfd_create("fuzz", 0)};
    MUST(f.fd >= 0);
    for (size_t done = 0; done < n;) {
        ssize_t wrote = write(f.fd, data + done, n - done);
        MUST(wrote > 0);
        done += (size_t)wrote;
    }
    MUST(lseek(f.fd, 0, SEEK_SET) == 0);
    snprintf(f.path, sizeof f.path, "/proc/self/fd/%d", f.fd);
    return f;
}

/* Of all but the first byte of an input, with right CRCs if that byte says so. */
static inline fuzz_file fuzz_file_sealed(const uint8_t *data, size_t n, void (*seal)(uint8_t *p, size_t n))
{
    uint8_t *copy = malloc(n);
    MUST(copy);
    memcpy(copy, data + 1, n - 1);
    if (data[0] & 1)
        seal(copy, n - 1);
    fuzz_file f = fuzz_file_make(copy, n - 1);
    free(copy);
    return f;
}

static inline void fuzz_file_close(fuzz_file *f)
{
    close(f->fd);
}

/* The CRC of a header of `len` bytes whose own field, at byte 60, counts as 0. */
static inline void fuzz_seal_header(uint8_t *p, size_t len)
{
    memset(p + 60, 0, 4);
    ps_put32(p + 60, (uint32_t)crc32_z(0, p, len));
}

/* The CRCs of a file of frame.h with a header of `head` bytes. */
static inline void fuzz_seal_frame(uint8_t *p, size_t n, size_t head)
{
    enum { END = 24 };
    if (n < head + END)
        return;
    ps_put32(p + head - 4, (uint32_t)crc32_z(0, p, head - 4));
    uint8_t *end = p + n - END;
    ps_put64(end + 8, n - END);
    ps_put32(end + 16, (uint32_t)crc32_z(0, p, n - END));
    ps_put32(end + 20, (uint32_t)crc32_z(0, end, 20));
}

/* Of one stream that is the whole file. */
static inline void fuzz_seal_stream(uint8_t *p, size_t n)
{
    enum { HEAD = 64, END = 32 };
    if (n < HEAD)
        return;
    uint32_t len = ps_get32(p + 44);
    if (len < HEAD || len > n)
        return;
    fuzz_seal_header(p, len);
    if (n < (size_t)len + END)
        return;
    uint8_t *end = p + n - END;
    uint32_t size = ps_get32(p + 16);
    ps_put64(end + 16, size ? (n - END - len) / size : 0);
    ps_put32(end + 24, (uint32_t)crc32_z(0, p + len, n - END - len));
    ps_put32(end + 28, (uint32_t)crc32(0, end, 28));
}

/* Items a to e, boards X and Y, once for all inputs. */
static inline const ps_graph *fuzz_small_graph(void)
{
    static ps_graph g;
    if (g.items.nodes)
        return &g;
    char temp[] = "/dev/shm/psgraph-fuzz.XXXXXX";
    int fd = mkstemp(temp);
    MUST(fd >= 0);
    close(fd);
    ps_builder *b = ps_builder_new();
    uint64_t u, v;
    for (const char *name = "abcde"; *name; name++)
        for (const char *board = *name < 'c' ? "XY" : "X"; *board; board++) {
            MUST(ps_builder_node(b, PS_ITEMS, (ps_str){name, 1}, &u) == 0);
            MUST(ps_builder_node(b, PS_BOARDS, (ps_str){board, 1}, &v) == 0 && ps_builder_edge(b, u, v, 1) == 0);
        }
    ps_out *out = ps_out_open(temp, 0);
    MUST(out && ps_builder_write(b, out, "fuzz\n") == 0 && ps_out_close(out) == 0);
    ps_builder_free(b);
    MUST(ps_graph_open(&g, temp) == 0);
    unlink(temp);
    return &g;
}

/* One stream that is the whole file; if it is of any graph, of that one. */
static inline void fuzz_seal_ours(uint8_t *p, size_t n)
{
    if (n >= 32 && ps_get64(p + 24) != 0)
        ps_put64(p + 24, fuzz_small_graph()->fingerprint);
    fuzz_seal_stream(p, n);
}

#endif
