/* mapped.h - which file is mapped where: for what there is to say when it shrinks under its readers.
 *
 * A mapped file that somebody cuts off, or whose disk fails, is a SIGBUS to whoever reads there, in any thread.
 */
#ifndef PS_MAPPED_H
#define PS_MAPPED_H

#include <stddef.h>

/* Of more files than PS_MAPPED_MAX at a time the others have no name.  Any thread. */
enum { PS_MAPPED_MAX = 64, PS_MAPPED_NAME = 256 };
void ps_mapped_note(const void *at, size_t bytes, const char *name);
void ps_mapped_forget(const void *at);

/* The file that is mapped there, or NULL; for signal handlers, too. */
const char *ps_mapped_name(const void *at);

#endif
