#include "graph_chunks.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "mem.h"

/* The first slabs come in small pages, so that a small graph takes little memory; later ones in huge pages: edges are
 * dealt out all over them. */
enum { HUGE_PAGE = 2 << 20, SLAB = 4 * HUGE_PAGE, SMALL_SLABS = 4 };

static_assert(sizeof(ps_chunk) == 64 + PS_CHUNK * 8, "the head is a cache line");

struct ps_chunks {
    pthread_mutex_t lock;
    ps_chunk *spare;
    ps_chunk **slab;
    size_t slabs, cap;
    size_t cut; /* chunks of the last slab that are cut */
};

ps_chunks *ps_chunks_new(void)
{
    ps_chunks *c = ps_zalloc(1, sizeof *c);
    if (c)
        pthread_mutex_init(&c->lock, NULL);
    return c;
}

void ps_chunks_clear(ps_chunks *c)
{
    for (size_t i = 0; i < c->slabs; i++)
        munmap(c->slab[i], SLAB);
    c->slabs = 0;
    c->spare = NULL;
}

void ps_chunks_free(ps_chunks *c)
{
    if (!c)
        return;
    ps_chunks_clear(c);
    pthread_mutex_destroy(&c->lock);
    free(c->slab);
    free(c);
}

/* A slab at a multiple of a huge page's size. */
static void *map_slab(int huge)
{
    char *p = mmap(NULL, SLAB + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    const size_t before = (HUGE_PAGE - (uintptr_t)p % HUGE_PAGE) % HUGE_PAGE;
    if (before > 0)
        munmap(p, before);
    if (before < HUGE_PAGE)
        munmap(p + before + SLAB, HUGE_PAGE - before);
    if (huge)
        (void)madvise(p + before, SLAB, MADV_HUGEPAGE);
    return p + before;
}

static ps_chunk *cut_chunk(ps_chunks *c)
{
    if (c->slabs == 0 || c->cut == SLAB / sizeof(ps_chunk)) {
        if (ps_grow(&c->slab, &c->cap, c->slabs + 1, sizeof *c->slab) < 0)
            return NULL;
        c->slab[c->slabs] = map_slab(c->slabs >= SMALL_SLABS);
        if (!c->slab[c->slabs]) {
            ps_fail(PS_EMEM, "out of memory: %d bytes", SLAB);
            return NULL;
        }
        c->slabs++;
        c->cut = 0;
    }
    ps_chunk *chunk = c->slab[c->slabs - 1] + c->cut++;
    chunk->n = 0; /* under the lock: else threads may all make the same huge page */
    return chunk;
}

ps_chunk *ps_chunk_take(ps_chunks *c, int weighted)
{
    pthread_mutex_lock(&c->lock);
    ps_chunk *chunk = c->spare;
    if (chunk)
        c->spare = chunk->next;
    else
        chunk = cut_chunk(c);
    pthread_mutex_unlock(&c->lock);
    if (chunk) {
        chunk->next = NULL;
        chunk->n = 0;
        chunk->weighted = (uint32_t)weighted;
    }
    return chunk;
}

void ps_chunk_give(ps_chunks *c, ps_chunk *first, ps_chunk *last)
{
    pthread_mutex_lock(&c->lock);
    last->next = c->spare;
    c->spare = first;
    pthread_mutex_unlock(&c->lock);
}
