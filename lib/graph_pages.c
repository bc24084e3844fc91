#include "graph_pages.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "temp.h"

typedef struct page {
    struct page *next;
    uint64_t number;
    size_t have; /* bytes that are there */
    uint8_t bytes[PS_HUGE_PAGE];
} page;

struct ps_pages {
    int fd;
    pthread_mutex_t lock;
    page *open, *spare;
};

ps_pages *ps_pages_new(int fd)
{
    ps_pages *w = ps_zalloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->fd = fd;
    pthread_mutex_init(&w->lock, NULL);
    return w;
}

static void free_list(page *p)
{
    while (p) {
        page *next = p->next;
        free(p);
        p = next;
    }
}

void ps_pages_free(ps_pages *w)
{
    if (!w)
        return;
    free_list(w->open);
    free_list(w->spare);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* The open page of that number, made if there is none. */
static page *find(ps_pages *w, uint64_t number)
{
    pthread_mutex_lock(&w->lock);
    page *p = w->open;
    while (p && p->number != number)
        p = p->next;
    if (!p) {
        p = w->spare;
        if (p)
            w->spare = p->next;
        else
            p = malloc(sizeof *p);
        if (p) {
            p->number = number;
            p->have = 0;
            p->next = w->open;
            w->open = p;
        }
    }
    pthread_mutex_unlock(&w->lock);
    return p;
}

/* n more bytes of the page are there: true if it is whole, and no longer open. */
static int fill(ps_pages *w, page *p, size_t n)
{
    pthread_mutex_lock(&w->lock);
    p->have += n;
    const int whole = p->have == PS_HUGE_PAGE;
    if (whole) {
        page **at = &w->open;
        while (*at != p)
            at = &(*at)->next;
        *at = p->next;
    }
    pthread_mutex_unlock(&w->lock);
    return whole;
}

static int write_page(ps_pages *w, page *p)
{
    int rc = ps_write_at(w->fd, p->number * PS_HUGE_PAGE, p->bytes, p->have);
    pthread_mutex_lock(&w->lock);
    p->next = w->spare;
    w->spare = p;
    pthread_mutex_unlock(&w->lock);
    return rc;
}

static int gather(ps_pages *w, uint64_t number, size_t at, const void *data, size_t n)
{
    page *p = find(w, number);
    if (!p)
        return -1;
    memcpy(p->bytes + at, data, n);
    return fill(w, p, n) ? write_page(w, p) : 0;
}

int ps_pages_write(ps_pages *w, uint64_t at, const void *data, size_t n, uint64_t from, uint64_t to)
{
    const uint8_t *p = data;
    int rc = 0;
    while (n > 0 && rc == 0) {
        const uint64_t number = at / PS_HUGE_PAGE, begin = number * PS_HUGE_PAGE;
        const size_t rest = (size_t)(begin + PS_HUGE_PAGE - at), part = n < rest ? n : rest;
        const int held = begin >= from && begin + PS_HUGE_PAGE <= to && part < PS_HUGE_PAGE;
        rc = held ? gather(w, number, (size_t)(at - begin), p, part) : ps_write_at(w->fd, at, p, part);
        p += part;
        at += part;
        n -= part;
    }
    return rc;
}

int ps_pages_flush(ps_pages *w)
{
    int rc = 0;
    while (w->open && rc == 0) {
        page *p = w->open;
        w->open = p->next;
        rc = write_page(w, p);
    }
    return rc;
}
