#include "visits.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { FIRST_BITS = 10, MOST_BITS = 31, INSERTION = 24, FEW = 96 };

static size_t slot_of(const ps_visits *v, uint32_t item)
{
    return (size_t)((item * UINT32_C(0x9e3779b1)) >> v->shift);
}

/* A table of 2^bits slots; touched[] follows, in the same order. */
static int resize(ps_visits *v, int bits)
{
    if (bits > MOST_BITS)
        return ps_fail(PS_EMEM, "visits of more than %d different items", 1 << (MOST_BITS - 1));
    size_t slots = (size_t)1 << bits;
    uint64_t *slot = ps_zalloc(slots, sizeof *slot), *old = v->slot;
    if (!slot || ps_grow(&v->touched, &v->touched_cap, slots / 2 + 1, sizeof *v->touched) < 0) {
        free(slot);
        return PS_EMEM;
    }
    v->slot = slot;
    v->slots = slots;
    v->shift = 32 - bits;
    for (size_t i = 0; i < v->n; i++) {
        uint64_t entry = old[v->touched[i]];
        size_t at = slot_of(v, (uint32_t)(entry >> 32));
        while (slot[at])
            at = (at + 1) & (slots - 1);
        slot[at] = entry;
        v->touched[i] = (uint32_t)at;
    }
    free(old);
    return 0;
}

/* Room for n more different items. */
static int reserve(ps_visits *v, size_t n)
{
    int bits = v->slots ? 32 - v->shift : FIRST_BITS;
    if (2 * (v->n + n) <= v->slots)
        return 0;
    while (bits <= MOST_BITS && 2 * (v->n + n) > (size_t)1 << bits)
        bits++;
    return resize(v, bits);
}

int ps_visits_add(ps_visits *v, uint32_t item, uint32_t count, uint32_t *total)
{
    if (2 * v->n >= v->slots && reserve(v, 1) < 0)
        return PS_EMEM;
    size_t at = slot_of(v, item);
    while (v->slot[at] && (uint32_t)(v->slot[at] >> 32) != item)
        at = (at + 1) & (v->slots - 1);
    if (!v->slot[at]) {
        v->slot[at] = (uint64_t)item << 32;
        v->touched[v->n++] = (uint32_t)at;
    }
    if (UINT32_MAX - (uint32_t)v->slot[at] < count)
        return ps_fail(PS_EDATA, "more than %u visits of item %u", UINT32_MAX, item);
    v->slot[at] += count;
    v->sum += count;
    *total = (uint32_t)v->slot[at];
    return 0;
}

int ps_visits_add_all(ps_visits *v, const uint32_t *items, size_t n, uint32_t each)
{
    if (each == 0)
        return 0;
    if ((uint64_t)n * each > UINT32_MAX || v->sum + (uint64_t)n * each > UINT32_MAX)
        return ps_fail(PS_EDATA, "more than %u visits of one query", UINT32_MAX);
    if (reserve(v, n) < 0)
        return PS_EMEM;
    uint64_t *slot = v->slot;
    const size_t mask = v->slots - 1;
    const int shift = v->shift;
    size_t used = v->n, added = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t item = items[i];
        if (item == UINT32_MAX)
            continue;
        size_t at = (size_t)((item * UINT32_C(0x9e3779b1)) >> shift);
        while (slot[at] && (uint32_t)(slot[at] >> 32) != item)
            at = (at + 1) & mask;
        v->touched[used] = (uint32_t)at; /* used < slots / 2: there is room for one too many */
        used += slot[at] == 0;
        slot[at] = ((uint64_t)item << 32 | (uint32_t)slot[at]) + each;
        added++;
    }
    v->n = used;
    v->sum += (uint64_t)added * each;
    return 0;
}

void ps_visits_clear(ps_visits *v)
{
    for (size_t i = 0; i < v->n; i++)
        v->slot[v->touched[i]] = 0;
    v->n = 0;
    v->sum = 0;
}

void ps_visits_free(ps_visits *v)
{
    free(v->slot);
    free(v->touched);
    free(v->key[0]);
    free(v->key[1]);
    free(v->list);
    *v = (ps_visits){0};
}

static void insertion_sort(uint64_t *key, size_t n, int low)
{
    for (size_t i = 1; i < n; i++) {
        uint64_t k = key[i];
        size_t j = i;
        for (; j > 0 && key[j - 1] >> low > k >> low; j--)
            key[j] = key[j - 1];
        key[j] = k;
    }
}

/* One pass by the 8 bits from `shift` up. */
static void distribute(const uint64_t *key, uint64_t *to, size_t n, int shift)
{
    uint32_t begin[256] = {0}, sum = 0;
    for (size_t i = 0; i < n; i++)
        begin[key[i] >> shift & 255]++;
    for (int b = 0; b < 256; b++) {
        const uint32_t here = begin[b];
        begin[b] = sum;
        sum += here;
    }
    for (size_t i = 0; i < n; i++)
        to[begin[key[i] >> shift & 255]++] = key[i];
}

/* Least significant byte first; bytes that are the same in all keys cost nothing.  A few: their leading bits bring them
 * so near to their places that moving one past its neighbours is the quickest for the rest. */
uint64_t *ps_radix_sort(uint64_t *key, uint64_t *spare, size_t n, int low)
{
    if (n <= INSERTION) {
        insertion_sort(key, n, low);
        return key;
    }
    uint64_t all = key[0], any = key[0];
    for (size_t i = 1; i < n; i++) {
        all &= key[i];
        any |= key[i];
    }
    const uint64_t differ = (all ^ any) >> low;
    if (differ && n <= FEW) {
        const int bits = low + 64 - __builtin_clzll(differ);
        distribute(key, spare, n, bits - low > 8 ? bits - 8 : low);
        insertion_sort(spare, n, low);
        return spare;
    }
    for (int shift = low; shift < 64; shift += 8) {
        if (((all ^ any) >> shift & 255) == 0)
            continue;
        distribute(key, spare, n, shift);
        uint64_t *swap = key;
        key = spare;
        spare = swap;
    }
    return key;
}

/* Radix select from the most significant digit in which the keys differ. */
void ps_select_smallest(uint64_t *key, uint64_t *spare, size_t n, size_t k)
{
    size_t kept = 0;
    while (n > 0 && kept < k) {
        uint64_t *from = key + kept, all = from[0], any = from[0];
        uint32_t count[256] = {0};
        size_t below = 0, same = 0;
        if (n <= INSERTION) {
            insertion_sort(from, n, 0);
            return;
        }
        for (size_t i = 1; i < n; i++) {
            all &= from[i];
            any |= from[i];
        }
        const int bits = all == any ? 8 : 64 - __builtin_clzll(all ^ any), shift = bits > 8 ? bits - 8 : 0;
        for (size_t i = 0; i < n; i++)
            count[from[i] >> shift & 255]++;
        unsigned digit = 0;
        while (digit < 255 && below + count[digit] < k - kept)
            below += count[digit++];
        const size_t want = kept + below + count[digit];
        for (size_t i = 0; i < n; i++) {
            const uint64_t x = from[i];
            const unsigned d = x >> shift & 255;
            spare[same] = x;
            same += d == digit;
            key[kept] = x;
            kept += d < digit;
        }
        memcpy(key + kept, spare, same * sizeof *key);
        if (want <= k)
            return;
        n = same;
    }
}

static long sorted(ps_visits *v, uint32_t except, size_t top, const ps_visit **list)
{
    for (int i = 0; i < 2; i++)
        if (ps_grow(&v->key[i], &v->key_cap[i], v->n + 1, sizeof *v->key[i]) < 0)
            return PS_EMEM;
    uint32_t any = 1;
    size_t n = 0;
    for (size_t i = 0; i < v->n; i++) {
        const uint64_t entry = v->slot[v->touched[i]];
        v->key[0][n] = entry;
        any |= (uint32_t)(entry >> 32);
        n += (uint32_t)(entry >> 32) != except;
    }
    /* The complement of the count above as many bits as items have: the fewer bits, the fewer passes. */
    const int bits = 32 - __builtin_clz(any);
    for (size_t i = 0; i < n; i++)
        v->key[0][i] = (uint64_t) ~(uint32_t)v->key[0][i] << bits | v->key[0][i] >> 32;
    if (top < n) {
        ps_select_smallest(v->key[0], v->key[1], n, top);
        n = top;
    }
    if (ps_grow(&v->list, &v->list_cap, n + 1, sizeof *v->list) < 0)
        return PS_EMEM;
    const uint64_t *key = ps_radix_sort(v->key[0], v->key[1], n, 0), items = (UINT64_C(1) << bits) - 1;
    for (size_t i = 0; i < n; i++)
        v->list[i] = (ps_visit){(uint32_t)(key[i] & items), ~(uint32_t)(key[i] >> bits)};
    *list = v->list;
    return (long)n;
}

long ps_visits_sorted(ps_visits *v, uint32_t except, const ps_visit **list)
{
    return sorted(v, except, SIZE_MAX, list);
}

long ps_visits_top(ps_visits *v, uint32_t except, size_t top, const ps_visit **list)
{
    return sorted(v, except, top, list);
}
