/* embed_hidden.c - hidden vectors of all items, in memory or in a temporary file. */
#include <stdlib.h>
#include <string.h>

#include "embed_parts.h"
#include "mem.h"

int ps_hidden_room(ps_hidden *h, size_t m, size_t rows, const char *dir)
{
    h->m = m;
    h->rows = rows;
    if (dir) {
        free(h->p);
        h->p = NULL;
        h->cap = 0;
        return h->file.dir ? 0 : ps_temp_open(&h->file, dir);
    }
    return ps_room(&h->p, &h->cap, rows * m, sizeof *h->p);
}

void ps_hidden_free(ps_hidden *h)
{
    free(h->p);
    if (h->file.dir)
        ps_temp_close(&h->file);
    *h = (ps_hidden){0};
}

/* Rows that stand one after the other are moved at once. */
static size_t run_of(const uint32_t *local, size_t n)
{
    size_t i = 1;
    while (i < n && local[i] == local[0] + i)
        i++;
    return i;
}

ps_real *ps_hidden_at(const ps_hidden *h, const uint32_t *local, size_t n)
{
    return h->p && run_of(local, n) == n ? h->p + local[0] * h->m : NULL;
}

int ps_hidden_get(const ps_hidden *h, const uint32_t *local, size_t n, ps_real *to)
{
    const size_t bytes = h->m * sizeof *to;
    int rc = 0;
    for (size_t i = 0, run; i < n && rc == 0; i += run) {
        run = run_of(local + i, n - i);
        if (h->p)
            memcpy(to + i * h->m, h->p + local[i] * h->m, run * bytes);
        else
            rc = ps_temp_read(&h->file, local[i] * bytes, to + i * h->m, run * bytes);
    }
    return rc;
}

int ps_hidden_put(const ps_hidden *h, const uint32_t *local, size_t n, const ps_real *from)
{
    const size_t bytes = h->m * sizeof *from;
    int rc = 0;
    for (size_t i = 0, run; i < n && rc == 0; i += run) {
        run = run_of(local + i, n - i);
        if (h->p)
            memcpy(h->p + local[i] * h->m, from + i * h->m, run * bytes);
        else
            rc = ps_temp_write(&h->file, local[i] * bytes, from + i * h->m, run * bytes);
    }
    return rc;
}
