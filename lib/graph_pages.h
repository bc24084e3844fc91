/* graph_pages.h - a file that several threads write at any place, a huge page at a time; for graph_layout.c.
 *
 * A file system that can keeps what is written to it a huge page at a time in huge pages, which whoever maps the file
 * has for nothing.  And writers of one file wait for each other: few large writes are soon over.
 */
#ifndef PS_GRAPH_PAGES_H
#define PS_GRAPH_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum { PS_HUGE_PAGE = 2 << 20 };

typedef struct ps_pages ps_pages;

/* fd stays the caller's.  NULL: out of memory. */
PS_MUST_USE ps_pages *ps_pages_new(int fd);
void ps_pages_free(ps_pages *w); /* NULL is allowed; what was not written is lost */

/* n bytes at that place of the file; any thread, and no byte twice.  Pages that lie in from..to - 1 are held back until
 * they are whole.  0, or -1 with errno set. */
PS_MUST_USE int ps_pages_write(ps_pages *w, uint64_t at, const void *data, size_t n, uint64_t from, uint64_t to);

/* Writes those that are not whole: all bytes from the beginning of each that it got.  0, or -1 with errno set. */
PS_MUST_USE int ps_pages_flush(ps_pages *w);

#endif
