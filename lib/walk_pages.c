/* walk_pages.c - a graph in huge pages: the end of walk_block.h. */
#include <sys/mman.h>

#include "walk_block.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

enum { SMALL = 8 << 20 };

void ps_walk_pages(const ps_graph *g)
{
    if (!g->blob.mapped || g->blob.size < SMALL)
        return;
    void *p = (void *)(uintptr_t)g->blob.data;
    if (madvise(p, g->blob.size, MADV_HUGEPAGE) == 0)
        (void)madvise(p, g->blob.size, MADV_COLLAPSE);
}
