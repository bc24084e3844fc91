/* graph_radix.c - the stable radix sort of a batch of edges; of graph_edges.h. */
#include <stdlib.h>
#include <string.h>

#include "graph_edges.h"
#include "mem.h"

enum { FEW = 48, SOME = 4096, DIGIT = 11, SHORT_DIGIT = 8 };

void ps_edge_list_free(ps_edge_list *b)
{
    free(b->key);
    free(b->key2);
    free(b->weight);
    free(b->weight2);
    memset(b, 0, sizeof *b);
}

int ps_edge_list_room(ps_edge_list *b, size_t n, int weighted)
{
    int rc = ps_grow(&b->key, &b->key_cap, n, sizeof *b->key);
    if (rc == 0 && weighted)
        rc = ps_grow(&b->weight, &b->weight_cap, n, sizeof *b->weight);
    return rc;
}

static void insertion(uint64_t *key, float *w, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint64_t k = key[i];
        float x = w ? w[i] : 1;
        size_t j = i;
        for (; j > 0 && key[j - 1] > k; j--) {
            key[j] = key[j - 1];
            if (w)
                w[j] = w[j - 1];
        }
        key[j] = k;
        if (w)
            w[j] = x;
    }
}

static void swap_keys(ps_edge_list *b)
{
    uint64_t *k = b->key;
    b->key = b->key2;
    b->key2 = k;
    size_t c = b->key_cap;
    b->key_cap = b->key2_cap;
    b->key2_cap = c;
}

/* One stable pass by `bits` bits from `low` on, from key/weight to key2/weight2, which then change places. */
static void pass(ps_edge_list *b, int low, int bits)
{
    uint32_t count[1 << DIGIT];
    const size_t size = (size_t)1 << bits, n = b->n;
    const uint64_t mask = size - 1;
    memset(count, 0, size * sizeof *count);
    for (size_t i = 0; i < n; i++)
        count[b->key[i] >> low & mask]++;
    uint32_t sum = 0;
    for (size_t d = 0; d < size; d++) {
        uint32_t c = count[d];
        count[d] = sum;
        sum += c;
    }
    if (b->weighted)
        for (size_t i = 0; i < n; i++) {
            uint32_t to = count[b->key[i] >> low & mask]++;
            b->key2[to] = b->key[i];
            b->weight2[to] = b->weight[i];
        }
    else
        for (size_t i = 0; i < n; i++)
            b->key2[count[b->key[i] >> low & mask]++] = b->key[i];
    swap_keys(b);
    float *w = b->weight;
    b->weight = b->weight2;
    b->weight2 = w;
    size_t c = b->weight_cap;
    b->weight_cap = b->weight2_cap;
    b->weight2_cap = c;
}

/* Passes over the bits of `varying`, which lie from `from` to `to`. */
static void passes(ps_edge_list *b, uint64_t varying, int from, int to)
{
    const int most = b->n < SOME ? SHORT_DIGIT : DIGIT;
    varying &= to == 64 ? UINT64_MAX : (UINT64_C(1) << to) - 1;
    varying = varying >> from << from;
    if (!varying)
        return;
    int low = __builtin_ctzll(varying), bits = 64 - __builtin_clzll(varying) - low;
    int times = (bits + most - 1) / most, digit = (bits + times - 1) / times;
    for (int i = 0; i < times; i++, low += digit, bits -= digit)
        pass(b, low, bits < digit ? bits : digit);
}

/* ---- without weights, where what varies fits into 32 bits: half the memory, so that more of it is cached ---- */

typedef struct {
    uint64_t same;                  /* bits that do not vary */
    uint64_t other_mask, node_mask; /* those that do, of the two halves */
    int others;                     /* bits of other_mask: the node's follow them in a packed key */
    int times, digit;               /* passes, and the bits of each */
    uint32_t count[3][1 << DIGIT];
} packing;

static int bits_of(uint32_t x)
{
    return x ? 32 - __builtin_clz(x) : 0;
}

static int pack_by(packing *p, const ps_edge_list *b, uint64_t varying)
{
    const int others = bits_of((uint32_t)varying), nodes = bits_of((uint32_t)(varying >> 32));
    if (b->weighted || b->n < SOME || others + nodes > 32)
        return 0;
    memset(p, 0, sizeof *p);
    p->others = others;
    p->other_mask = (UINT64_C(1) << others) - 1;
    p->node_mask = (UINT64_C(1) << nodes) - 1;
    p->same = b->key[0] & ~(p->node_mask << 32 | p->other_mask);
    p->times = (others + nodes + DIGIT - 1) / DIGIT;
    /* Some bit varies, for keys that are all alike are ascending.  NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
    p->digit = (others + nodes + p->times - 1) / p->times;
    return 1;
}

/* Packs and counts the digits of all passes. */
static void pack(packing *p, const uint64_t *key, size_t n, uint32_t *packed)
{
    const int digit = p->digit, others = p->others;
    const uint64_t nodes = p->node_mask, other = p->other_mask;
    const uint32_t mask = (UINT32_C(1) << digit) - 1;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = (uint32_t)((key[i] >> 32 & nodes) << others | (key[i] & other));
        packed[i] = x;
        p->count[0][x & mask]++;
        p->count[1][x >> digit & mask]++;
        p->count[2][(uint64_t)x >> 2 * digit & mask]++;
    }
}

static void packed_pass(packing *p, int i, const uint32_t *from, size_t n, uint32_t *to)
{
    const uint32_t mask = (UINT32_C(1) << p->digit) - 1;
    const int low = i * p->digit;
    uint32_t *count = p->count[i], sum = 0;
    for (uint32_t d = 0; d <= mask; d++) {
        uint32_t c = count[d];
        count[d] = sum;
        sum += c;
    }
    for (size_t j = 0; j < n; j++)
        to[count[from[j] >> low & mask]++] = from[j];
}

/* key2 has room for two arrays of packed keys. */
static void sort_packed(ps_edge_list *b, packing *p)
{
    uint32_t *from = (uint32_t *)(void *)b->key2, *to = from + b->n;
    pack(p, b->key, b->n, from);
    for (int i = 0; i < p->times; i++) {
        packed_pass(p, i, from, b->n, to);
        uint32_t *t = from;
        from = to;
        to = t;
    }
    const uint64_t same = p->same, other = p->other_mask;
    const int others = p->others;
    for (size_t i = 0; i < b->n; i++)
        b->key[i] = same | (uint64_t)from[i] >> others << 32 | (from[i] & other);
}

/* ---- lists that are in order, or nearly ---- */

/* The end of what ascends from `from` on. */
static size_t ascending(const ps_edge_list *b, size_t from, uint64_t mask)
{
    size_t i = from + 1;
    while (i < b->n && (b->key[i] & mask) >= (b->key[i - 1] & mask))
        i++;
    return i;
}

/* The part that begins with the least other node: how many parts are left; *next: the least of the rest. */
static int least(const uint64_t *key, const size_t *at, const size_t *end, int parts, int *part, uint32_t *next)
{
    int left = 0;
    uint32_t first = UINT32_MAX;
    *next = UINT32_MAX;
    for (int i = 0; i < parts; i++) {
        if (at[i] == end[i])
            continue;
        const uint32_t other = (uint32_t)key[at[i]];
        if (left++ == 0 || other < first) {
            *next = left == 1 ? UINT32_MAX : first;
            first = other;
            *part = i;
        } else if (other < *next) {
            *next = other;
        }
    }
    return left;
}

int ps_edge_list_merge(ps_edge_list *b, const size_t *end, int parts)
{
    size_t at[PS_EDGE_PARTS];
    int part = 0, used = 0;
    uint32_t next;
    if (b->weighted)
        return 0;
    for (int i = 0; i < parts; i++) {
        at[i] = i > 0 ? end[i - 1] : 0;
        used += at[i] < end[i];
        if (at[i] < end[i] && ascending(b, at[i], UINT32_MAX) < end[i])
            return 0;
    }
    if (used < 2)
        return 0;
    if (ps_grow(&b->key2, &b->key2_cap, b->n, sizeof *b->key2) < 0)
        return PS_EMEM;
    uint64_t *to = b->key2;
    while (least(b->key, at, end, parts, &part, &next) > 0)
        do
            *to++ = b->key[at[part]++];
        while (at[part] < end[part] && (uint32_t)b->key[at[part]] <= next);
    swap_keys(b);
    return 0;
}

int ps_edge_list_sort(ps_edge_list *b)
{
    const size_t n = b->n;
    if (n < FEW) {
        insertion(b->key, b->weighted ? b->weight : NULL, n);
        return 0;
    }
    if (n > UINT32_MAX)
        return ps_fail(PS_EDATA, "more than %u edges in one piece: give less memory (-M)", UINT32_MAX);
    if (ascending(b, 0, UINT64_MAX) == n)
        return 0;
    if (ps_grow(&b->key2, &b->key2_cap, n, sizeof *b->key2) < 0 ||
        (b->weighted && ps_grow(&b->weight2, &b->weight2_cap, n, sizeof *b->weight2) < 0))
        return PS_EMEM;
    uint64_t varying = 0;
    for (size_t i = 1; i < n; i++)
        varying |= b->key[i] ^ b->key[0];
    packing p;
    if (ascending(b, 0, UINT32_MAX) == n)
        varying = varying >> 32 << 32;
    else if (pack_by(&p, b, varying)) {
        sort_packed(b, &p);
        return 0;
    }
    passes(b, varying, 0, 32);
    passes(b, varying, 32, 64);
    return 0;
}
