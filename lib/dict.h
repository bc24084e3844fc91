/* dict.h - names to dense numbers while a graph is built. */
#ifndef PS_DICT_H
#define PS_DICT_H

#include <stdint.h>

#include "paged.h"
#include "rng.h"
#include "text.h"

/* A name as it is looked for.  A short one, of PS_NAME_SHORT bytes at most, is in head and tail as a whole, zeros
 * behind it; so that of most names the table tells all in one cache line.  Of others head is a hash, tail PS_NAME_LONG.
 */
enum { PS_NAME_SHORT = 12, PS_NAME_LONG = 256 }; /* no short name's: its ninth byte is not 0 where there is a tenth */
typedef struct {
    ps_str name;
    uint64_t head;
    uint32_t tail;
} ps_name_key;
ps_name_key ps_name_key_of(ps_str name);

typedef struct {
    uint64_t head;
    uint32_t tail, number; /* number + 1; 0: empty */
} ps_dict_slot;

typedef struct {
    uint64_t n;
    uint64_t *off; /* n + 1 */
    char *text;
    ps_dict_slot *table; /* `slots` of them, half of them empty */
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

/* Both with the key at hand; `number` as found by ps_dict_seek, which adds nothing. */
uint64_t ps_dict_seek(const ps_dict *d, const ps_name_key *key);
PS_MUST_USE int ps_dict_append(ps_dict *d, const ps_name_key *key, uint64_t *number);

/* The place in the table where a search begins, if taken modulo its size. */
static inline uint64_t ps_name_place(uint64_t head, uint32_t tail)
{
    return tail == PS_NAME_LONG ? head : ps_mix64(head + tail * UINT64_C(0x9e3779b97f4a7c15));
}

/* Asks for what a search will read, in three steps, some time apart: the place in the table; of a long name the offsets
 * of what is probably it, and its text. */
static inline void ps_dict_expect(const ps_dict *d, const ps_name_key *key, int step)
{
    __asm__ volatile(""); /* a function that only prefetches is taken for one that does nothing, and left out */
    if (d->slots == 0)
        return;
    const ps_dict_slot *e = &d->table[ps_name_place(key->head, key->tail) & (d->slots - 1)];
    if (step == 0)
        __builtin_prefetch(e);
    else if (e->number == 0)
        return;
    else if (step == 1)
        __builtin_prefetch(&d->off[e->number - 1]);
    else
        __builtin_prefetch(&d->text[d->off[e->number - 1]]);
}

/* Bytes of memory that it takes: none of what is in temporary files. */
uint64_t ps_dict_bytes(const ps_dict *d);

/* Moves it to temporary files in `dir`, which must outlive it. */
PS_MUST_USE int ps_dict_to_disk(ps_dict *d, const char *dir, uint64_t memory);

/* Gives memory back, if it lies on disk and the process holds more than it may: to be called now and then. */
void ps_dict_rest(ps_dict *d);

/* Slots of a lookup of n names in a graph file, and entering n names, which are text[off[0]].. and so on and have the
 * numbers from `first` on, in their order. */
uint64_t ps_name_slots(uint64_t n);
void ps_names_enter(uint32_t *hash, uint64_t slots, const uint64_t *off, const char *text, uint64_t n, uint64_t first);

/* The lookup of a graph file: psgraph(5), "Names".  Offsets beyond the text's `bytes` are
 * no match: those of a large graph file are believed only so far. */
uint64_t ps_name_hash(ps_str name);

uint64_t ps_name_lookup(const uint32_t *hash, uint64_t slots, const uint64_t *off, const char *text, uint64_t bytes,
                        uint64_t n, ps_str name);

#endif
