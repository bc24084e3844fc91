/* temp.h - temporary files without a name: gone when they are closed or the process ends, however it ends. */
#ifndef PS_TEMP_H
#define PS_TEMP_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

typedef struct {
    int fd;          /* -1: none */
    const char *dir; /* for messages; the caller's */
} ps_temp;

/* Where temporary files go: `dir` if it is given, else $TMPDIR, else /tmp. */
const char *ps_temp_dir(const char *dir);

/* Opens a file for reading and writing in `dir`, which must outlive it. */
PS_MUST_USE int ps_temp_open(ps_temp *t, const char *dir);
void ps_temp_close(ps_temp *t);

/* Writes or reads all n bytes at that place; any thread. */
PS_MUST_USE int ps_temp_write(const ps_temp *t, uint64_t at, const void *data, size_t n);
PS_MUST_USE int ps_temp_read(const ps_temp *t, uint64_t at, void *data, size_t n);

/* The same for any file: 0, or -1 with errno set (a file that ends early: EIO). */
PS_MUST_USE int ps_write_at(int fd, uint64_t at, const void *data, size_t n);
PS_MUST_USE int ps_read_at(int fd, uint64_t at, void *data, size_t n);

#endif
