#include "dict.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "rec.h"

/* FNV-1a, then mixed: its low bits alone cluster. */
uint64_t ps_name_hash(ps_str name)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
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

uint64_t ps_name_slots(uint64_t n)
{
    uint64_t slots = 64;
    while (slots < 2 * n)
        slots *= 2;
    return slots;
}

void ps_names_enter(uint32_t *hash, uint64_t slots, const uint64_t *off, const char *text, uint64_t n, uint64_t first)
{
    enum { AT_ONCE = 32 }; /* places that are asked for before they are looked at */
    uint64_t place[AT_ONCE];
    for (uint64_t u = 0; u < n; u += AT_ONCE) {
        const uint64_t k = n - u < AT_ONCE ? n - u : AT_ONCE;
        for (uint64_t i = 0; i < k; i++) {
            place[i] = ps_name_hash((ps_str){text + off[u + i], off[u + i + 1] - off[u + i]});
            __builtin_prefetch(&hash[place[i] & (slots - 1)], 1);
        }
        for (uint64_t i = 0; i < k; i++) {
            uint64_t at = place[i];
            while (hash[at & (slots - 1)])
                at++;
            hash[at & (slots - 1)] = (uint32_t)(first + u + i + 1);
        }
    }
}

/* ---- the dictionary ---- */

static ps_str name_of(const ps_dict *d, uint64_t u)
{
    return (ps_str){d->text + d->off[u], d->off[u + 1] - d->off[u]};
}

/* Eight bytes at a time, and what is left of them. */
static uint64_t long_hash(ps_str name)
{
    uint64_t h = name.len, word = 0;
    size_t i = 0;
    for (; i + sizeof word <= name.len; i += sizeof word) {
        memcpy(&word, name.s + i, sizeof word);
        h = ps_mix64(h ^ word) + UINT64_C(0x9e3779b97f4a7c15);
    }
    word = 0;
    memcpy(&word, name.s + i, name.len - i);
    return ps_mix64(h ^ word);
}

ps_name_key ps_name_key_of(ps_str name)
{
    ps_name_key k = {.name = name};
    /* An empty name, and one with zeros in it, cannot be told from another by its first bytes. */
    if (name.len == 0 || name.len > PS_NAME_SHORT || memchr(name.s, 0, name.len)) {
        k.head = name.len ? long_hash(name) : 0;
        k.tail = PS_NAME_LONG;
        return k;
    }
    char text[PS_NAME_SHORT] = {0};
    memcpy(text, name.s, name.len);
    memcpy(&k.head, text, sizeof k.head);
    memcpy(&k.tail, text + sizeof k.head, sizeof k.tail);
    return k;
}

static int is(const ps_dict *d, const ps_dict_slot *e, const ps_name_key *key)
{
    if (e->head != key->head || e->tail != key->tail)
        return 0;
    if (key->tail != PS_NAME_LONG)
        return 1;
    ps_str other = name_of(d, e->number - 1);
    return other.len == key->name.len && memcmp(other.s, key->name.s, other.len) == 0;
}

uint64_t ps_dict_seek(const ps_dict *d, const ps_name_key *key)
{
    if (d->slots == 0)
        return PS_NONE;
    const uint64_t mask = d->slots - 1;
    for (uint64_t at = ps_name_place(key->head, key->tail);; at++) {
        const ps_dict_slot *e = &d->table[at & mask];
        if (e->number == 0)
            return PS_NONE;
        if (is(d, e, key))
            return e->number - 1;
    }
}

uint64_t ps_dict_find(const ps_dict *d, ps_str name)
{
    const ps_name_key key = ps_name_key_of(name);
    return ps_dict_seek(d, &key);
}

static void enter(ps_dict_slot *table, uint64_t slots, ps_dict_slot e)
{
    uint64_t at = ps_name_place(e.head, e.tail);
    while (table[at & (slots - 1)].number)
        at++;
    table[at & (slots - 1)] = e;
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
    ps_paged_huge(&table);
    if (!table.mapped)
        memset(table.p, 0, slots * sizeof *d->table);
    for (uint64_t i = 0; i < d->slots; i++) {
        if (d->table[i].number)
            enter(table.p, slots, d->table[i]);
        if (d->dir && i % 65536 == 0 && ps_resident() > d->memory) {
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

int ps_dict_append(ps_dict *d, const ps_name_key *key, uint64_t *number)
{
    const ps_str name = key->name;
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
    enter(d->table, d->slots, (ps_dict_slot){key->head, key->tail, (uint32_t)d->n});
    return 0;
}

int ps_dict_add(ps_dict *d, ps_str name, uint64_t *number)
{
    const ps_name_key key = ps_name_key_of(name);
    *number = ps_dict_seek(d, &key);
    return *number != PS_NONE ? 0 : ps_dict_append(d, &key, number);
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
