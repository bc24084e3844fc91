#include "lineage.h"

#include <pthread.h>
#include <stdlib.h>

#include "mem.h"

typedef struct {
    uint64_t graph, ancestor;
} link;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static link *links;
static size_t n_links, cap;

int ps_lineage_enter(uint64_t graph, const uint64_t *ancestors, uint64_t n, uint64_t stride)
{
    pthread_mutex_lock(&lock);
    int rc = ps_grow(&links, &cap, n_links + n, sizeof *links);
    for (uint64_t i = 0; i < n && rc == 0; i++)
        links[n_links++] = (link){graph, ancestors[i * stride]};
    pthread_mutex_unlock(&lock);
    return rc;
}

void ps_lineage_leave(uint64_t graph)
{
    size_t kept = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_links; i++)
        if (links[i].graph != graph)
            links[kept++] = links[i];
    n_links = kept;
    if (kept == 0) {
        free(links);
        links = NULL;
        cap = 0;
    }
    pthread_mutex_unlock(&lock);
}

int ps_lineage_has(uint64_t graph, uint64_t ancestor)
{
    int found = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_links && !found; i++)
        found = links[i].graph == graph && links[i].ancestor == ancestor;
    pthread_mutex_unlock(&lock);
    return found;
}
