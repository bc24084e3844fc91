#include "mapped.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

typedef struct {
    uintptr_t volatile begin, end; /* end 0: free */
    char name[PS_MAPPED_NAME];
} mapping;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static mapping mappings[PS_MAPPED_MAX];

void ps_mapped_note(const void *at, size_t bytes, const char *name)
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < PS_MAPPED_MAX; i++) {
        mapping *m = &mappings[i];
        if (m->end)
            continue;
        snprintf(m->name, sizeof m->name, "%s", name);
        m->begin = (uintptr_t)at;
        __atomic_store_n(&m->end, (uintptr_t)at + bytes, __ATOMIC_RELEASE);
        break;
    }
    pthread_mutex_unlock(&lock);
}

void ps_mapped_forget(const void *at)
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < PS_MAPPED_MAX; i++)
        if (mappings[i].end && mappings[i].begin == (uintptr_t)at) {
            __atomic_store_n(&mappings[i].end, 0, __ATOMIC_RELEASE);
            break;
        }
    pthread_mutex_unlock(&lock);
}

const char *ps_mapped_name(const void *at)
{
    for (int i = 0; i < PS_MAPPED_MAX; i++) {
        uintptr_t end = __atomic_load_n(&mappings[i].end, __ATOMIC_ACQUIRE);
        if ((uintptr_t)at < end && (uintptr_t)at >= mappings[i].begin)
            return mappings[i].name;
    }
    return NULL;
}
