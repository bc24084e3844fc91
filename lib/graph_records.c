/* graph_records.c - edge records from a stream, as blocks of keys, into a builder; of graph_input.h. */
#include <stdio.h>
#include <stdlib.h>

#include "graph_input.h"
#include "mem.h"

enum { BLOCK = 1 << 17 };

/* Two blocks by turns: while the threads deal one out, the next is read. */
typedef struct {
    ps_reader *r;
    uint64_t *key[2];
    float *weight[2];
    ps_edge_block block; /* what was read last; n == 0: the end, or rc */
    uint64_t done;       /* records in and before it */
    int turn, rc;
    char message[512];
} reading;

/* The numbers of n records, 4 bytes each; true if all weights are 1. */
static int narrow(const uint8_t *p, size_t n, uint64_t *key, uint64_t largest[2])
{
    uint32_t item = 0, board = 0, differ = 0;
    for (size_t i = 0; i < n; i++, p += 12) {
        const uint32_t u = ps_get32(p), v = ps_get32(p + 4);
        item = u > item ? u : item;
        board = v > board ? v : board;
        differ |= ps_get32(p + 8) ^ UINT32_C(0x3f800000);
        key[i] = (uint64_t)u << 32 | v;
    }
    largest[0] = item;
    largest[1] = board;
    return differ == 0;
}

static int wide(const uint8_t *p, size_t n, uint64_t *key, uint64_t largest[2])
{
    int plain = 1;
    largest[0] = largest[1] = 0;
    for (size_t i = 0; i < n; i++, p += 20) {
        const uint64_t u = ps_get64(p), v = ps_get64(p + 8);
        largest[0] = u > largest[0] ? u : largest[0];
        largest[1] = v > largest[1] ? v : largest[1];
        key[i] = u << 32 | (uint32_t)v;
        plain &= ps_getf32(p + 16) == 1;
    }
    return plain;
}

static int fails(reading *s, int rc)
{
    s->rc = rc;
    snprintf(s->message, sizeof s->message, "%s", ps_errmsg());
    return rc;
}

/* Of n records the first with a number that is too large. */
static int too_large(reading *s, const uint8_t *p, size_t n)
{
    const int width = ps_reader_head(s->r)->width;
    uint64_t u = 0, v = 0;
    size_t i = 0;
    for (; i < n; i++, p += ps_reader_head(s->r)->size) {
        u = ps_num(p, width);
        v = ps_num(p + width, width);
        if (u > PS_NODE_MAX || v > PS_NODE_MAX)
            break;
    }
    s->block.n += i;
    ps_fail(PS_EDATA, "%s: record %llu: node number %llu: the largest is %u", ps_reader_name(s->r),
            (unsigned long long)(s->done + s->block.n), (unsigned long long)(u > v ? u : v), PS_NODE_MAX);
    return fails(s, PS_EDATA);
}

/* The weights of n records; of those before them in the block, if they are the first that are not all 1. */
static void add_weights(reading *s, const uint8_t *p, size_t n)
{
    const ps_head *h = ps_reader_head(s->r);
    float *weight = s->weight[s->turn];
    for (size_t i = 0; i < s->block.n && !s->block.weight; i++)
        weight[i] = 1;
    for (size_t i = 0; i < n; i++)
        weight[s->block.n + i] = ps_getf32(p + i * h->size + 2 * h->width);
    s->block.weight = weight;
}

static int add(reading *s, const uint8_t *p, size_t n)
{
    uint64_t largest[2], *key = s->key[s->turn] + s->block.n;
    const int width = ps_reader_head(s->r)->width;
    int plain = (width == 4 ? narrow : wide)(p, n, key, largest);
    for (int i = 0; i < 2; i++) {
        if (largest[i] > PS_NODE_MAX)
            return too_large(s, p, n);
        s->block.nodes[i] = largest[i] >= s->block.nodes[i] ? largest[i] + 1 : s->block.nodes[i];
    }
    if (!plain || s->block.weight)
        add_weights(s, p, n);
    s->block.n += n;
    return 0;
}

/* The next block: of full size, but for the last one. */
static void read_on(void *ctx)
{
    reading *s = ctx;
    const uint8_t *p;
    long n = 1;
    s->turn ^= 1;
    s->block = (ps_edge_block){.key = s->key[s->turn]};
    while (s->rc == 0 && s->block.n < BLOCK && (n = ps_reader_next(s->r, &p, BLOCK - s->block.n)) > 0)
        if (add(s, p, (size_t)n) < 0)
            break;
    if (n < 0)
        fails(s, (int)n);
    s->done += s->block.n;
}

static int take_all(ps_builder *b, const ps_edge_input *o, reading *s)
{
    int rc = 0;
    for (read_on(s); rc == 0 && s->block.n > 0;) {
        const ps_edge_block block = s->block;
        const uint64_t before = s->done - block.n;
        size_t bad;
        rc = ps_builder_block(b, &block, read_on, s, &bad);
        if (rc < 0 && bad < block.n) {
            char where[64];
            snprintf(where, sizeof where, "%s: record %llu", ps_reader_name(s->r), (unsigned long long)(before + bad));
            ps_fail_in(rc, where);
        }
        o->progress("edges", before + block.n, 0);
    }
    if (rc == 0 && s->rc < 0) /* errno's text is there already */
        rc = ps_fail(s->rc == PS_ESYS ? PS_EDATA : s->rc, "%s", s->message);
    return rc;
}

int ps_edges_from_records(ps_builder *b, const ps_edge_input *o, uint64_t graph)
{
    reading s = {.r = ps_reader_open(NULL, PS_EDGES)};
    if (!s.r)
        return PS_EDATA;
    int rc = graph ? ps_head_match(ps_reader_head(s.r), ps_reader_name(s.r), graph) : 0;
    for (int i = 0; i < 2 && rc == 0; i++) {
        s.key[i] = ps_alloc(BLOCK, sizeof *s.key[i]);
        s.weight[i] = ps_alloc(BLOCK, sizeof *s.weight[i]);
        rc = s.key[i] && s.weight[i] ? 0 : PS_EMEM;
    }
    if (rc == 0)
        rc = take_all(b, o, &s);
    for (int i = 0; i < 2; i++) {
        free(s.key[i]);
        free(s.weight[i]);
    }
    ps_reader_close(s.r);
    return rc;
}
