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

/* The program is wrong, not the input. */
#define MUST(cond)                                                          \
    do {                                                                    \
        if (!(cond)) {                                                      \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
            abort();                                                        \
        }                                                                   \
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

#endif
