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
    ps_paged table = {.p = NULL};
    int rc = 0;
    if (d->dir)
        rc = ps_paged_to_file(&table, d->dir);
    if (rc == 0)
        rc = ps_paged_grow(&table, slots * sizeof *d->table);
    if (rc < 0) {
        ps_paged_free(&table);
        return rc;
    }
    if (!table.mapped)
        memset(table.p, 0, slots * sizeof *d->table);
    for (uint64_t u = 0; u < d->n; u++) {
        enter(table.p, slots, ps_name_hash(name_of(d, u)), u);
        if (d->dir && u % 65536 == 0 && ps_resident() > d->memory) {
            ps_paged_rest(&table);
            ps_dict_rest(d);
        }
    }
    ps_paged_free(&d->slot);
    d->slot = table;
    d->table = table.p;
    d->slots = slots;
    return 0;
}

int ps_dict_append(ps_dict *d, ps_str name, uint64_t hash, uint64_t *number)
{
    if (d->n >= UINT32_MAX - 1)
        return ps_fail(PS_EDATA, "more than %u names", UINT32_MAX - 1);
    uint64_t used = d->n ? d->off[d->n] : 0;
    int rc = 2 * (d->n + 1) > d->slots ? widen(d) : 0;
    if (rc == 0)
        rc = ps_paged_grow(&d->offs, (d->n + 2) * sizeof *d->off);
    if (rc == 0)
        rc = ps_paged_grow(&d->texts, used + name.len + 1); /* never NULL, even for "" */
    if (rc < 0)
        return rc;
    d->off = d->offs.p;
    d->text = d->texts.p;
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

static uint64_t held(const ps_paged *a)
{
    return a->mapped ? 0 : a->bytes;
}

uint64_t ps_dict_bytes(const ps_dict *d)
{
    return held(&d->offs) + held(&d->texts) + held(&d->slot);
}

int ps_dict_to_disk(ps_dict *d, const char *dir, uint64_t memory)
{
    d->dir = dir;
    d->memory = memory;
    int rc = ps_paged_to_file(&d->offs, dir);
    if (rc == 0)
        rc = ps_paged_to_file(&d->texts, dir);
    if (rc == 0 && d->slots > 0)
        rc = ps_paged_to_file(&d->slot, dir);
    d->off = d->offs.p;
    d->text = d->texts.p;
    d->table = d->slot.p;
    return rc;
}

void ps_dict_rest(ps_dict *d)
{
    if (!d->dir || ps_resident() <= d->memory)
        return;
    ps_paged_rest(&d->offs);
    ps_paged_rest(&d->texts);
    ps_paged_rest(&d->slot);
}

void ps_dict_free(ps_dict *d)
{
    ps_paged_free(&d->offs);
    ps_paged_free(&d->texts);
    ps_paged_free(&d->slot);
    memset(d, 0, sizeof *d);
}
