/* io.h - bytes in and out: files, pipes, gzip; outputs that appear whole or not at all. */
#ifndef PS_IO_H
#define PS_IO_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* ---- input: sequential, gzip unpacked on the way (also several members in a row); of a manifest (manifest.h), its parts ---- */

typedef struct ps_in ps_in;

/* Opens `path`; NULL or "-" is standard input.  NULL on failure.  One thread at a time. */
PS_MUST_USE ps_in *ps_in_open(const char *path);
/* The same for what nobody types: PS_EUSAGE's message, and nothing is waited for, where standard input is a terminal.
 */
PS_MUST_USE ps_in *ps_in_open_binary(const char *path);
void ps_in_close(ps_in *in);

/* What to call it in messages: the path or "<stdin>". */
const char *ps_in_name(const ps_in *in);

/* Makes at least `want` (1..1 MiB) unpacked bytes visible at *p, fewer only at the end of the input.
 * It never waits for more than `want`.  Returns how many there are, or a negative error.
 * The bytes stay valid until the next peek. */
PS_MUST_USE long ps_in_peek(ps_in *in, const uint8_t **p, size_t want);

/* Moves on by n bytes, which must have been peeked. */
void ps_in_skip(ps_in *in, size_t n);

/* Unpacked bytes skipped so far. */
uint64_t ps_in_offset(const ps_in *in);

/* ---- a whole file in memory: mapped if it is a plain file, else read (and unpacked) ---- */

typedef struct {
    const uint8_t *data;
    size_t size;
    int mapped;
} ps_blob;

/* Maps `path` (NULL or "-": standard input) if it is a plain, unpacked, non-empty regular file, no manifest, of which nothing was
 * read: 1.  Otherwise 0: read it instead. */
PS_MUST_USE int ps_blob_map(ps_blob *b, const char *path);

/* Maps the first `size` bytes, 1 at least, of an open file, which may be closed then; `name` for messages. */
PS_MUST_USE int ps_blob_map_open(ps_blob *b, int fd, size_t size, const char *name);

/* Bytes from .. to - 1 of a mapped one will not be needed for a while: the memory that they are in may be another's.
 * They are still there; most often the system has them in its cache. */
void ps_blob_rest(const ps_blob *b, size_t from, size_t to);

/* A mapped one will be read here and there from now on, not from its beginning to its end: what stands beside is not
 * read ahead. */
void ps_blob_scatter(const ps_blob *b);

/* Maps or reads. */
PS_MUST_USE int ps_blob_open(ps_blob *b, const char *path);
void ps_blob_close(ps_blob *b);

/* ---- output ---- */

typedef struct ps_out ps_out;

enum { PS_OUT_GZIP = 1, PS_OUT_TEXT = 2 };

/* path NULL: standard output, refused when it is a terminal unless PS_OUT_TEXT; what goes to a terminal is made
 * visible first (visible.h).  A path that does
 * not exist or is a regular file is written beside its place and renamed by ps_out_close; a device
 * or a pipe is written directly.  An unfinished file is removed by ps_out_abort and by SIGINT,
 * SIGTERM and SIGHUP.  NULL on failure. */
PS_MUST_USE ps_out *ps_out_open(const char *path, int flags);

/* Writes to a descriptor, which stays open and the caller's. */
PS_MUST_USE ps_out *ps_out_on(int fd, const char *name);
const char *ps_out_name(const ps_out *out);
PS_MUST_USE int ps_out_write(ps_out *out, const void *data, size_t n);
PS_MUST_USE int ps_out_printf(ps_out *out, const char *fmt, ...) PS_PRINTF(2, 3);
PS_MUST_USE int ps_out_flush(ps_out *out);

/* The file itself, for writing at any place by its descriptor, if it is new, empty and plain; else -1.  Then
 * nothing goes through ps_out_write. */
int ps_out_place(const ps_out *out);

/* Writes what is left, makes the file durable and gives it its name.  Frees `out` in any case. */
PS_MUST_USE int ps_out_close(ps_out *out);
void ps_out_abort(ps_out *out);

/* Removes all unfinished files: for signal handlers, before the process ends. */
void ps_out_abandon(void);

#endif
