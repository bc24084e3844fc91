/* dict.h - names to dense numbers while a graph is built. */
#ifndef PS_DICT_H
#define PS_DICT_H

#include <stdint.h>

#include "paged.h"
#include "text.h"

typedef struct {
    uint64_t n;
    uint64_t *off; /* n + 1 */
    char *text;
    uint64_t *table; /* `slots` entries: upper half of the hash, number + 1; 0: empty */
    uint64_t slots;
    ps_paged offs, texts, slot; /* where off, text and table are */
    const char *dir;            /* of temporary files, once it has outgrown memory */
    uint64_t memory;            /* then: bytes that the process may hold */
} ps_dict;

void ps_dict_free(ps_dict *d);

/* Number of the name; PS_NONE if there is none. */
uint64_t ps_dict_find(const ps_dict *d, ps_str name);

/* The same, adding it at the end if it is new. */
PS_MUST_USE int ps_dict_add(ps_dict *d, ps_str name, uint64_t *number);

/* Both with the name's hash at hand; `number` as found by ps_dict_seek, which adds nothing. */
uint64_t ps_dict_seek(const ps_dict *d, ps_str name, uint64_t hash);
PS_MUST_USE int ps_dict_append(ps_dict *d, ps_str name, uint64_t hash, uint64_t *number);

/* Asks for what a look-up of that hash will read, in three steps, some time apart: the place in the table, the
 * offsets of the name that is probably it, its text. */
static inline void ps_dict_expect(const ps_dict *d, uint64_t hash, int step)
{
    __asm__ volatile(""); /* a function that only prefetches is taken for one that does nothing, and left out */
    if (d->slots == 0)
        return;
    const uint64_t *e = &d->table[hash & (d->slots - 1)];
    if (step == 0)
        __builtin_prefetch(e);
    else if (*e && step == 1)
        __builtin_prefetch(&d->off[(*e & UINT32_MAX) - 1]);
    else if (*e)
        __builtin_prefetch(&d->text[d->off[(*e & UINT32_MAX) - 1]]);
}

/* Bytes of memory that it takes: none of what is in temporary files. */
uint64_t ps_dict_bytes(const ps_dict *d);

/* Moves it to temporary files in `dir`, which must outlive it. */
PS_MUST_USE int ps_dict_to_disk(ps_dict *d, const char *dir, uint64_t memory);

/* Gives memory back, if it lies on disk and the process holds more than it may: to be called now and then. */
void ps_dict_rest(ps_dict *d);

/* Slots of a lookup of n names in a graph file, and entering a name into it: in the order of their numbers. */
uint64_t ps_name_slots(uint64_t n);
void ps_name_enter(uint32_t *hash, uint64_t slots, ps_str name, uint64_t number);

/* The lookup that dictionary and graph file share: psgraph(5), "Names".  Offsets beyond the text's `bytes` are
 * no match: those of a large graph file are believed only so far. */
uint64_t ps_name_hash(ps_str name);

/* The same, a byte at a time: from PS_HASH_START, each byte, the end. */
#define PS_HASH_START UINT64_C(0xcbf29ce484222325)
static inline uint64_t ps_hash_byte(uint64_t h, unsigned char byte)
{
    return (h ^ byte) * UINT64_C(0x100000001b3);
}
uint64_t ps_hash_end(uint64_t h);
uint64_t ps_name_lookup(const uint32_t *hash, uint64_t slots, const uint64_t *off, const char *text, uint64_t bytes,
                        uint64_t n, ps_str name);

#endif
