#include "graph_layout.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "crc.h"
#include "mem.h"

enum { IN_MEMORY = 32 << 20, COPY = 1 << 20, SMALL = 4 * PS_HUGE_PAGE };

static uint64_t page(uint64_t at)
{
    return (at + PS_GRAPH_PAGE - 1) / PS_GRAPH_PAGE * PS_GRAPH_PAGE;
}

int ps_layout_open(ps_layout *l, ps_out *out, const char *dir, uint64_t most, int in_place)
{
    memset(l, 0, sizeof *l);
    l->out = out;
    l->dir = dir;
    l->temp.fd = -1;
    l->fd = in_place ? ps_out_place(out) : -1;
    l->end = PS_GRAPH_PAGE; /* header and table take less */
    l->size = most + (PS_SEC_END + 1) * PS_GRAPH_PAGE;
    if (l->fd >= 0) {
        l->pages = ps_pages_new(l->fd);
        return l->pages ? 0 : PS_EMEM;
    }
    if (l->size > IN_MEMORY)
        return ps_temp_open(&l->temp, dir);
    l->mem = ps_zalloc(l->size, 1);
    return l->mem ? 0 : PS_EMEM;
}

void ps_layout_free(ps_layout *l)
{
    ps_pages_free(l->pages);
    ps_temp_close(&l->temp);
    free(l->mem);
    l->mem = NULL;
}

int ps_layout_add(ps_layout *l, uint32_t id, uint32_t elem, uint64_t most)
{
    ps_placed *p = &l->at[l->n];
    memset(p, 0, sizeof *p);
    p->s.id = id;
    p->s.elem = elem;
    p->place = page(l->end);
    p->reserved = most * elem;
    l->end = p->place + p->reserved;
    return l->n++;
}

int ps_layout_write(ps_layout *l, int section, uint64_t at, const void *data, size_t n)
{
    const ps_placed *p = &l->at[section];
    if (at > p->reserved || n > p->reserved - at)
        return ps_fail(PS_EDATA, "the section '%s' outgrows its place", ps_section_name(p->s.id));
    at += p->place;
    if (l->mem) {
        if (n > 0)
            memcpy(l->mem + at, data, n);
        return 0;
    }
    if (l->fd < 0)
        return ps_temp_write(&l->temp, at, data, n);
    /* Huge pages of large sections; those that another section has a part in are written as they come. */
    const uint64_t end = p->reserved >= SMALL ? p->place + p->reserved : 0;
    return ps_pages_write(l->pages, at, data, n, p->place, end) == 0
               ? 0
               : ps_fail(PS_ESYS, "%s: cannot write", ps_out_name(l->out));
}

int ps_layout_read(ps_layout *l, int section, uint64_t at, void *data, size_t n)
{
    at += l->at[section].place;
    if (!l->mem)
        return ps_temp_read(&l->temp, at, data, n);
    if (n > 0)
        memcpy(data, l->mem + at, n);
    return 0;
}

void ps_layout_join(ps_layout *l, int section, uint32_t crc, uint64_t n)
{
    ps_section *s = &l->at[section].s;
    s->crc = ps_crc_join(s->crc, crc, n);
    s->bytes += n;
}

int ps_layout_append(ps_layout *l, int section, const void *data, size_t n)
{
    ps_section *s = &l->at[section].s;
    int rc = ps_layout_write(l, section, s->bytes, data, n);
    if (n > 0)
        s->crc = ps_crc32(s->crc, data, n);
    s->bytes += n;
    return rc;
}

void ps_layout_close(ps_layout *l, int section)
{
    const ps_placed *p = &l->at[section];
    if (l->fd >= 0)
        l->end = p->place + p->s.bytes;
}

void ps_layout_drop(ps_layout *l, int section)
{
    l->at[section].dropped = 1;
}

/* ---- the end ---- */

static size_t encode_head(const ps_layout *l, uint8_t *head, uint64_t items, uint64_t boards, uint64_t edges)
{
    ps_section s[PS_SEC_END];
    int n = 0;
    for (int i = 0; i < l->n; i++)
        if (!l->at[i].dropped) {
            ps_section_encode(head + PS_GRAPH_HEAD + n * PS_GRAPH_ENTRY, &l->at[i].s);
            s[n++] = l->at[i].s;
        }
    size_t len = PS_GRAPH_HEAD + (size_t)n * PS_GRAPH_ENTRY;
    memcpy(head, ps_graph_magic, 8);
    ps_put16(head + 8, PS_GRAPH_VERSION);
    ps_put16(head + 10, (uint16_t)n);
    ps_put32(head + 12, (uint32_t)len);
    ps_put64(head + 16, items);
    ps_put64(head + 24, boards);
    ps_put64(head + 32, edges);
    ps_put64(head + 40, ps_graph_fingerprint(items, boards, edges, s, n));
    ps_put32(head + 60, ps_crc32(0, head, len));
    return len;
}

static int finish_in_place(ps_layout *l, const uint8_t *head, size_t len, uint64_t end)
{
    if (ps_pages_flush(l->pages) < 0 || ftruncate(l->fd, (off_t)end) < 0 || ps_write_at(l->fd, 0, head, len) < 0 ||
        lseek(l->fd, (off_t)end, SEEK_SET) < 0)
        return ps_fail(PS_ESYS, "%s: cannot write", ps_out_name(l->out));
    return 0;
}

static int pad_to(ps_out *out, uint64_t *at, uint64_t target)
{
    static const uint8_t zeros[PS_GRAPH_PAGE];
    int rc = ps_out_write(out, zeros, target - *at);
    *at = target;
    return rc;
}

static int copy_section(ps_layout *l, const ps_placed *p, uint8_t *buf)
{
    int rc = 0;
    if (l->mem)
        return ps_out_write(l->out, l->mem + p->place, p->s.bytes);
    for (uint64_t done = 0; done < p->s.bytes && rc == 0; done += COPY) {
        size_t n = p->s.bytes - done < COPY ? p->s.bytes - done : COPY;
        rc = ps_temp_read(&l->temp, p->place + done, buf, n);
        if (rc == 0)
            rc = ps_out_write(l->out, buf, n);
    }
    return rc;
}

static int copy_all(ps_layout *l, const uint8_t *head, size_t len)
{
    uint64_t at = len;
    uint8_t *buf = ps_alloc(l->mem ? 1 : COPY, 1);
    int rc = buf ? ps_out_write(l->out, head, len) : PS_EMEM;
    for (int i = 0; i < l->n && rc == 0; i++) {
        const ps_placed *p = &l->at[i];
        if (p->dropped)
            continue;
        rc = pad_to(l->out, &at, p->s.offset);
        if (rc == 0)
            rc = copy_section(l, p, buf);
        at += p->s.bytes;
    }
    free(buf);
    return rc;
}

int ps_layout_finish(ps_layout *l, uint64_t items, uint64_t boards, uint64_t edges)
{
    uint8_t head[PS_GRAPH_HEAD + PS_SEC_END * PS_GRAPH_ENTRY] = {0};
    uint64_t end = PS_GRAPH_PAGE;
    for (int i = 0; i < l->n; i++)
        if (!l->at[i].dropped) {
            l->at[i].s.offset = page(end);
            end = l->at[i].s.offset + l->at[i].s.bytes;
        }
    size_t len = encode_head(l, head, items, boards, edges);
    return l->fd >= 0 ? finish_in_place(l, head, len, end) : copy_all(l, head, len);
}
