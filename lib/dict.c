#include "dict.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "rec.h"
#include "rng.h"

/* FNV-1a, then mixed: its low bits alone cluster. */
uint64_t ps_hash_end(uint64_t h)
{
    return ps_mix64(h);
}

uint64_t ps_name_hash(ps_str name)
{
    uint64_t h = PS_HASH_START;
    for (size_t i = 0; i < name.len; i++)
        h = ps_hash_byte(h, (unsigned char)name.s[i]);
    return ps_hash_end(h);
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

uint64_t ps_name_slots(uint64_t n)
{
    uint64_t slots = 64;
    while (slots < 2 * n)
        slots *= 2;
    return slots;
}

void ps_name_enter(uint32_t *hash, uint64_t slots, ps_str name, uint64_t number)
{
    uint64_t at = ps_name_hash(name);
    while (hash[at & (slots - 1)])
        at++;
    hash[at & (slots - 1)] = (uint32_t)(number + 1);
}

static ps_str name_of(const ps_dict *d, uint64_t u)
{
    return (ps_str){d->text + d->off[u], d->off[u + 1] - d->off[u]};
}

uint64_t ps_dict_seek(const ps_dict *d, ps_str name, uint64_t hash)
{
    if (d->slots == 0)
        return PS_NONE;
    for (uint64_t at = hash, e; (e = d->table[at & (d->slots - 1)]) != 0; at++)
        if (e >> 32 == hash >> 32) {
            ps_str other = name_of(d, (e & UINT32_MAX) - 1);
            if (other.len == name.len && memcmp(other.s, name.s, name.len) == 0)
                return (e & UINT32_MAX) - 1;
        }
    return PS_NONE;
}

uint64_t ps_dict_find(const ps_dict *d, ps_str name)
{
    return ps_dict_seek(d, name, ps_name_hash(name));
}

static void enter(uint64_t *table, uint64_t slots, uint64_t hash, uint64_t number)
{
    uint64_t at = hash;
    while (table[at & (slots - 1)])
        at++;
    table[at & (slots - 1)] = hash >> 32 << 32 | (number + 1);
}

static int widen(ps_dict *d)
{
    uint64_t slots = d->slots ? 2 * d->slots : 64;
    uint64_t *table = ps_zalloc(slots, sizeof *table);
    if (!table)
        return PS_EMEM;
    for (uint64_t u = 0; u < d->n; u++)
        enter(table, slots, ps_name_hash(name_of(d, u)), u);
    free(d->table);
    d->table = table;
    d->slots = slots;
    return 0;
}

int ps_dict_append(ps_dict *d, ps_str name, uint64_t hash, uint64_t *number)
{
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
    enter(d->table, d->slots, hash, *number);
    return 0;
}

int ps_dict_add(ps_dict *d, ps_str name, uint64_t *number)
{
    uint64_t hash = ps_name_hash(name);
    *number = ps_dict_seek(d, name, hash);
    return *number != PS_NONE ? 0 : ps_dict_append(d, name, hash, number);
}

uint64_t ps_dict_bytes(const ps_dict *d)
{
    return d->off_cap * sizeof *d->off + d->text_cap + d->slots * sizeof *d->table;
}

void ps_dict_free(ps_dict *d)
{
    free(d->off);
    free(d->text);
    free(d->table);
    memset(d, 0, sizeof *d);
}
