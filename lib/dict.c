#include "dict.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "rec.h"
#include "rng.h"

uint64_t ps_name_hash(ps_str name)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a, then mixed: its low bits alone cluster */
    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (unsigned char)name.s[i]) * UINT64_C(0x100000001b3);
    return ps_mix64(h);
}

uint64_t ps_name_lookup(const uint32_t *hash, uint64_t slots, const uint64_t *off, const char *text, uint64_t bytes,
                        uint64_t n, ps_str name)
{
    uint64_t at = ps_name_hash(name);
    for (uint64_t probe = 0; probe < slots; probe++, at++) {
        uint64_t u = hash[at & (slots - 1)];
        if (u == 0 || u > n)
            return PS_NONE;
        u--;
        if (off[u + 1] - off[u] == name.len && off[u] <= bytes && name.len <= bytes - off[u] &&
            memcmp(text + off[u], name.s, name.len) == 0)
            return u;
    }
    return PS_NONE;
}

uint64_t ps_dict_find(const ps_dict *d, ps_str name)
{
    return ps_name_lookup(d->hash, d->slots, d->off, d->text, d->n ? d->off[d->n] : 0, d->n, name);
}

static void enter(uint32_t *hash, uint64_t slots, ps_str name, uint64_t number)
{
    uint64_t at = ps_name_hash(name);
    while (hash[at & (slots - 1)])
        at++;
    hash[at & (slots - 1)] = (uint32_t)(number + 1);
}

static int widen(ps_dict *d)
{
    uint64_t slots = d->slots ? 2 * d->slots : 64;
    uint32_t *hash = ps_zalloc(slots, sizeof *hash);
    if (!hash)
        return PS_EMEM;
    for (uint64_t u = 0; u < d->n; u++)
        enter(hash, slots, (ps_str){d->text + d->off[u], d->off[u + 1] - d->off[u]}, u);
    free(d->hash);
    d->hash = hash;
    d->slots = slots;
    return 0;
}

int ps_dict_add(ps_dict *d, ps_str name, uint64_t *number)
{
    *number = ps_dict_find(d, name);
    if (*number != PS_NONE)
        return 0;
    if (d->n >= UINT32_MAX - 1)
        return ps_fail(PS_EDATA, "more than %u names", UINT32_MAX - 1);
    if (2 * (d->n + 1) > d->slots && widen(d) < 0)
        return PS_EMEM;
    uint64_t used = d->n ? d->off[d->n] : 0;
    if (ps_grow(&d->off, &d->off_cap, d->n + 2, sizeof *d->off) < 0 ||
        ps_grow(&d->text, &d->text_cap, used + name.len + 1, 1) < 0) /* never NULL, even for "" */
        return PS_EMEM;
    memcpy(d->text + used, name.s, name.len);
    d->off[d->n] = used;
    d->off[d->n + 1] = used + name.len;
    *number = d->n++;
    enter(d->hash, d->slots, name, *number);
    return 0;
}

void ps_dict_free(ps_dict *d)
{
    free(d->off);
    free(d->text);
    free(d->hash);
    memset(d, 0, sizeof *d);
}
