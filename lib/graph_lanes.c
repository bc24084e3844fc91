#include "graph_lanes.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static int extend(ps_lane *l, ps_bucket *b, ps_chunks *chunks, int weighted)
{
    ps_chunk *c = ps_chunk_take(chunks, weighted);
    if (!c)
        return PS_EMEM;
    if (b->last)
        b->last->next = c;
    else
        b->first = c;
    b->last = c;
    l->chunks++;
    if (++b->chunks > l->most)
        l->most = b->chunks;
    return 0;
}

/* ---- lines ---- */

static void write_line(uint64_t *to, const uint64_t *line)
{
#ifdef __SSE2__
    for (int i = 0; i < PS_LINE; i += 2)
        _mm_stream_si128((__m128i *)(void *)(to + i), _mm_load_si128((const __m128i *)(const void *)(line + i)));
#else
    memcpy(to, line, PS_LINE * sizeof *to);
#endif
}

/* What was written past the caches is there for all threads. */
static void fence(void)
{
#ifdef __SSE2__
    _mm_sfence();
#endif
}

/* The line of bucket i is full. */
static int put_line(ps_lane *l, size_t i, ps_chunks *chunks)
{
    ps_bucket *b = &l->b[i];
    const uint32_t at = l->at[i];
    if (at == PS_LINE && (!b->last || b->last->n > 0) && extend(l, b, chunks, 0) < 0)
        return PS_EMEM;
    write_line(b->last->key + at - PS_LINE, l->line[i]);
    if (at == PS_CHUNK) {
        b->last->n = PS_CHUNK;
        l->at[i] = 0;
    }
    return 0;
}

/* The last chunks, where they are not full, go on through lines. */
static void open_lines(ps_lane *l)
{
    for (size_t i = 0; i < PS_BUCKETS; i++) {
        ps_chunk *c = l->b[i].last;
        l->at[i] = 0;
        if (!c || c->weighted || c->n == PS_CHUNK)
            continue;
        l->at[i] = (uint16_t)c->n;
        memcpy(l->line[i], c->key + c->n / PS_LINE * PS_LINE, c->n % PS_LINE * sizeof *c->key);
        c->n = 0;
    }
    l->open = 1;
}

int ps_lane_settle(ps_lane *l, ps_chunks *chunks)
{
    if (!l->open)
        return 0;
    for (size_t i = 0; i < PS_BUCKETS; i++) {
        const uint32_t at = l->at[i], rest = at % PS_LINE;
        ps_bucket *b = &l->b[i];
        if (at == 0)
            continue;
        if (at < PS_LINE && (!b->last || b->last->n > 0) && extend(l, b, chunks, 0) < 0)
            return PS_EMEM;
        memcpy(b->last->key + at - rest, l->line[i], rest * sizeof *l->line[i]);
        b->last->n = at;
    }
    fence();
    l->open = 0;
    return 0;
}

/* ---- buckets that cover twice the range ---- */

/* All that `from` holds, if `to` has room. */
static int pour(ps_chunk *to, const ps_chunk *from)
{
    if (from->n > ps_chunk_room(to) - to->n || to->weighted < from->weighted)
        return 0;
    memcpy(to->key + to->n, from->key, from->n * sizeof *to->key);
    for (uint32_t j = 0; to->weighted && j < from->n; j++)
        to->weight[to->n + j] = from->weighted ? from->weight[j] : 1;
    to->n += from->n;
    return 1;
}

static void unlink_last(ps_bucket *b)
{
    ps_chunk *c = b->first, *before = NULL;
    for (; c != b->last; c = c->next)
        before = c;
    if (before)
        before->next = NULL;
    else
        b->first = NULL;
    b->last = before;
    b->chunks--;
}

/* Appends the edges of `from`: they are of other nodes, so that the order among the two does not matter. */
static void join(ps_lane *l, ps_chunks *chunks, ps_bucket *to, ps_bucket *from)
{
    ps_chunk *gone = from->last;
    if (gone && to->last && pour(to->last, gone)) {
        unlink_last(from);
        ps_chunk_give(chunks, gone, gone);
        l->chunks--;
        if (from->first) { /* full ones go before the one that is not */
            from->last->next = to->first;
            to->first = from->first;
        }
    } else if (from->first) {
        if (to->last)
            to->last->next = from->first;
        else
            to->first = from->first;
        to->last = from->last;
    }
    to->chunks += from->chunks;
}

void ps_lane_widen(ps_lane *l, ps_chunks *chunks)
{
    l->most = 0;
    for (size_t i = 0; i < PS_BUCKETS; i++) {
        ps_bucket b = {0};
        if (2 * i < PS_BUCKETS) {
            b = l->b[2 * i];
            join(l, chunks, &b, &l->b[2 * i + 1]);
        }
        l->b[i] = b;
        if (b.chunks > l->most)
            l->most = b.chunks;
    }
    l->shift++;
}

/* ---- pushing ---- */

static int reach(ps_lane *l, ps_chunks *chunks, uint64_t node)
{
    int rc = ps_lane_settle(l, chunks);
    while (rc == 0 && node >> l->shift >= PS_BUCKETS)
        ps_lane_widen(l, chunks);
    return rc;
}

static int push_plain(ps_lane *l, ps_chunks *chunks, const uint64_t *keys, size_t n)
{
    int rc = 0;
    if (!l->open)
        open_lines(l);
    for (size_t j = 0; j < n && rc == 0; j++) {
        const uint64_t key = keys[j];
        size_t i = key >> 32 >> l->shift;
        if (i >= PS_BUCKETS) {
            if ((rc = reach(l, chunks, key >> 32)) < 0)
                return rc;
            open_lines(l);
            i = key >> 32 >> l->shift;
        }
        const uint16_t at = l->at[i]++;
        l->line[i][at % PS_LINE] = key;
        if (at % PS_LINE == PS_LINE - 1)
            rc = put_line(l, i, chunks);
    }
    fence();
    return rc;
}

static int push_weighted(ps_lane *l, ps_chunks *chunks, const uint64_t *keys, const float *weights, size_t n)
{
    int rc = ps_lane_settle(l, chunks);
    for (size_t j = 0; j < n && rc == 0; j++) {
        if (keys[j] >> 32 >> l->shift >= PS_BUCKETS)
            rc = reach(l, chunks, keys[j] >> 32);
        ps_bucket *b = &l->b[keys[j] >> 32 >> l->shift];
        if (rc == 0 && (!b->last || !b->last->weighted || b->last->n == PS_CHUNK_WEIGHTED))
            rc = extend(l, b, chunks, 1);
        if (rc < 0)
            return rc;
        b->last->weight[b->last->n] = weights ? weights[j] : 1;
        b->last->key[b->last->n++] = keys[j];
    }
    return rc;
}

int ps_lane_push(ps_lane *l, ps_chunks *c, const uint64_t *keys, const float *weights, size_t n, int weighted)
{
    l->n += n;
    return weighted ? push_weighted(l, c, keys, weights, n) : push_plain(l, c, keys, n);
}
