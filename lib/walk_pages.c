/* walk_pages.c - a graph in huge pages: the end of walk_block.h. */
#include <sys/mman.h>

#include "walk_block.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

enum { SMALL = 8 << 20 };

static int large(const ps_graph *g)
{
    return g->blob.mapped && g->blob.size >= SMALL;
}

void ps_walk_pages(const ps_graph *g)
{
    if (large(g))
        (void)madvise((void *)(uintptr_t)g->blob.data, g->blob.size, MADV_HUGEPAGE);
}

void ps_walk_ready(ps_graph *g)
{
    ps_graph_narrow(g);
    if (large(g))
        (void)madvise((void *)(uintptr_t)g->blob.data, g->blob.size, MADV_COLLAPSE);
}
