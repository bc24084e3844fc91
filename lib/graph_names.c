#include "graph_names.h"

#include <string.h>

#include "mem.h"

enum { BLOCK = 4096, PIECE = 1 << 24 };

/* Piece by piece, so that a mapped array does not come to memory as a whole. */
static int append_large(ps_layout *l, int section, const void *data, uint64_t bytes, ps_paged *from)
{
    int rc = 0;
    for (uint64_t at = 0; at < bytes && rc == 0; at += PIECE) {
        rc = ps_layout_append(l, section, (const char *)data + at, bytes - at < PIECE ? bytes - at : PIECE);
        ps_paged_rest(from);
    }
    return rc;
}

static int append_offsets(ps_layout *l, int section, const ps_names *old, ps_dict *added)
{
    uint64_t block[BLOCK], text = old ? old->bytes : 0;
    int rc = old ? ps_layout_append(l, section, old->off, old->n * 8) : 0;
    for (uint64_t i = 0; i < added->n && rc == 0;) {
        size_t n = 0;
        for (; n < BLOCK && i < added->n; i++)
            block[n++] = text + added->off[i];
        rc = ps_layout_append(l, section, block, n * 8);
        ps_dict_rest(added);
    }
    text += added->n ? added->off[added->n] : 0;
    return rc < 0 ? rc : ps_layout_append(l, section, &text, 8);
}

/* n names, piece by piece: a lookup and a dictionary on disk are let go now and then. */
static void enter(ps_dict *added, ps_paged *hash, uint64_t slots, const uint64_t *off, const char *text, uint64_t n,
                  uint64_t first)
{
    enum { NAMES = 65536 };
    for (uint64_t u = 0; u < n; u += NAMES) {
        ps_names_enter(hash->p, slots, off + u, text, n - u < NAMES ? n - u : NAMES, first + u);
        if (added->dir && ps_resident() > added->memory) {
            ps_paged_rest(hash);
            ps_dict_rest(added);
        }
    }
}

/* The lookup in memory, or where the dictionary lies. */
static int append_lookup(ps_layout *layout, int section, const ps_names *old, ps_dict *d, uint64_t slots)
{
    const uint64_t before = old ? old->n : 0, bytes = slots * sizeof(uint32_t);
    ps_paged hash = {.p = NULL};
    int rc = d->dir ? ps_paged_to_file(&hash, d->dir) : 0;
    if (rc == 0)
        rc = ps_paged_grow(&hash, bytes);
    if (rc == 0) {
        ps_paged_huge(&hash);
        if (!hash.mapped)
            memset(hash.p, 0, bytes);
        if (old)
            enter(d, &hash, slots, old->off, old->text, before, 0);
        enter(d, &hash, slots, d->off, d->text, d->n, before);
        rc = append_large(layout, section, hash.p, bytes, &hash);
    }
    ps_paged_free(&hash);
    return rc;
}

int ps_names_append(ps_layout *l, uint32_t id, const ps_names *old, ps_dict *added)
{
    if (old && old->n == 0)
        old = NULL;
    const uint64_t nodes = (old ? old->n : 0) + added->n, bytes = added->n ? added->off[added->n] : 0;
    const uint64_t slots = ps_name_slots(nodes);
    int off = ps_layout_add(l, id, 8, nodes + 1);
    int rc = append_offsets(l, off, old, added);
    ps_layout_close(l, off);
    int text = ps_layout_add(l, id + 1, 1, (old ? old->bytes : 0) + bytes);
    if (rc == 0 && old)
        rc = ps_layout_append(l, text, old->text, old->bytes);
    if (rc == 0)
        rc = append_large(l, text, added->text, bytes, &added->texts);
    ps_layout_close(l, text);
    int hash = ps_layout_add(l, id + 2, 4, slots);
    if (rc == 0)
        rc = append_lookup(l, hash, old, added, slots);
    ps_layout_close(l, hash);
    return rc;
}
