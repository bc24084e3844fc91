#include "graph_names.h"

#include <stdlib.h>

#include "mem.h"

enum { BLOCK = 4096 };

static int append_offsets(ps_layout *l, int section, const ps_names *old, const ps_dict *added)
{
    uint64_t block[BLOCK], text = old ? old->bytes : 0;
    int rc = old ? ps_layout_append(l, section, old->off, old->n * 8) : 0;
    for (uint64_t i = 0; i < added->n && rc == 0;) {
        size_t n = 0;
        for (; n < BLOCK && i < added->n; i++)
            block[n++] = text + added->off[i];
        rc = ps_layout_append(l, section, block, n * 8);
    }
    text += added->n ? added->off[added->n] : 0;
    return rc < 0 ? rc : ps_layout_append(l, section, &text, 8);
}

static int append_lookup(ps_layout *l, int section, const ps_names *old, const ps_dict *added, uint64_t slots)
{
    const uint64_t before = old ? old->n : 0;
    uint32_t *hash = ps_zalloc(slots, sizeof *hash);
    if (!hash)
        return PS_EMEM;
    for (uint64_t u = 0; u < before; u++)
        ps_name_enter(hash, slots, (ps_str){old->text + old->off[u], old->off[u + 1] - old->off[u]}, u);
    for (uint64_t u = 0; u < added->n; u++)
        ps_name_enter(hash, slots, (ps_str){added->text + added->off[u], added->off[u + 1] - added->off[u]},
                      before + u);
    int rc = ps_layout_append(l, section, hash, slots * sizeof *hash);
    free(hash);
    return rc;
}

int ps_names_append(ps_layout *l, uint32_t id, const ps_names *old, const ps_dict *added)
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
        rc = ps_layout_append(l, text, added->text, bytes);
    ps_layout_close(l, text);
    int hash = ps_layout_add(l, id + 2, 4, slots);
    if (rc == 0)
        rc = append_lookup(l, hash, old, added, slots);
    ps_layout_close(l, hash);
    return rc;
}
