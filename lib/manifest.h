/* manifest.h - a folder of parts that are one stream: its manifest, read through.  psrec(5), Manifests. */
#ifndef PS_MANIFEST_H
#define PS_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

typedef struct ps_manifest ps_manifest;

enum { PS_MANIFEST_MAGIC = 16 }; /* bytes that tell */

/* Is it one, by its first n bytes? */
int ps_manifest_magic(const uint8_t *p, size_t n);

/* Reads it whole; it is small.  PS_EDATA if it is not whole and unchanged.  NULL on failure. */
PS_MUST_USE ps_manifest *ps_manifest_open(const char *path);
void ps_manifest_close(ps_manifest *m); /* NULL is allowed */

/* Opens the next part, which has the length, the number of records and the CRC that the manifest tells of, by its own
 * end mark; whoever reads it compares that with the records.  *fd: the caller's, -1 behind the last part. */
PS_MUST_USE int ps_manifest_next(ps_manifest *m, int *fd);

#endif
