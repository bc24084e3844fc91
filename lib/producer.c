#include "producer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "permute.h"
#include "rng.h"

/* Bytes of a batch with features; tests set another. */
enum { COMPLETE = 128 << 20 };

/* What a stream of random numbers is for. */
enum { FOR_ORDER = 0x4f52, FOR_NEGATIVES = 0x4e45, FOR_HARD = 0x4841, FOR_WALKS = 0x5741, FOR_DROPOUT = 0x444f };

static uint64_t key_for(const ps_producer *p, uint64_t purpose, uint32_t epoch, uint64_t stream)
{
    return ps_rng_key(ps_rng_key(ps_rng_key(p->recipe->seed, purpose), epoch), stream);
}

int ps_producer_init(ps_producer *p, const ps_sources *from, const ps_graph *g, const ps_pairs *pairs,
                     const ps_recipe *recipe, ps_pool *pool)
{
    *p = (ps_producer){
        .from = *from, .pairs = pairs, .recipe = recipe, .listed = PS_ORDER_LISTED, .cut = {1, 0, 1}, .most = COMPLETE};
    if (pairs->n == 0)
        return ps_fail(PS_EDATA, "no training pairs");
    int rc = ps_draw_make(&p->draw, from->x->n, pairs, recipe->popularity);
    if (rc == 0 && recipe->hard)
        rc = ps_hard_make(&p->hard, g, pairs, recipe, pool);
    ps_blob_scatter(&pairs->table.blob); /* they were read through for the last time */
    if (rc < 0)
        ps_producer_free(p);
    return rc;
}

void ps_producer_free(ps_producer *p)
{
    ps_hard_free(&p->hard);
    ps_draw_free(&p->draw);
    memset(p, 0, sizeof *p);
}

uint64_t ps_producer_batches(const ps_producer *p)
{
    return (p->pairs->n + p->recipe->batch - 1) / p->recipe->batch;
}

size_t ps_producer_list(const ps_producer *p)
{
    return p->pairs->n <= p->listed ? p->pairs->n : 0;
}

void ps_producer_order(const ps_producer *p, uint32_t epoch, uint32_t *order)
{
    uint64_t key = key_for(p, FOR_ORDER, epoch, 0);
    for (uint32_t i = 0; i < p->pairs->n; i++)
        order[i] = i;
    for (uint32_t i = (uint32_t)p->pairs->n; i > 1; i--) {
        uint32_t j = (uint32_t)ps_below(ps_rng(key, i), i), swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
}

static uint32_t any_item(const ps_producer *p, uint64_t random)
{
    return (uint32_t)ps_vectors_item(p->from.x, ps_below(random, p->from.x->n));
}

/* A random negative, and log(N P) of it (0 without logQ correction). */
static uint32_t random_negative(const ps_producer *p, uint64_t random, uint32_t N, ps_real *log_np)
{
    uint32_t item = ps_draw_popular(&p->draw, random);
    item = item == UINT32_MAX ? any_item(p, random) : item;
    *log_np = p->recipe->no_logq ? 0 : (ps_real)(log((double)N) + ps_draw_log(&p->draw, item));
    return item;
}

static int make_room(ps_batch *batch, size_t pairs, size_t negatives, size_t total)
{
    if (ps_grow(&batch->items, &batch->cap[0], total, sizeof *batch->items) < 0 ||
        ps_grow(&batch->rows, &batch->cap[1], total, sizeof *batch->rows) < 0 ||
        ps_grow(&batch->weight, &batch->cap[2], pairs, sizeof *batch->weight) < 0 ||
        ps_grow(&batch->log_bq, &batch->cap[3], pairs, sizeof *batch->log_bq) < 0 ||
        ps_grow(&batch->log_np, &batch->cap[4], negatives, sizeof *batch->log_np) < 0)
        return PS_EMEM;
    return 0;
}

/* Algorithm 2's set M: queries, positives, shared negatives, hard negatives. */
static void draw(const ps_producer *p, uint32_t epoch, const uint32_t *order, uint64_t b, ps_batch *batch, uint32_t B,
                 uint32_t N, uint32_t H)
{
    const ps_permutation permutation = ps_permutation_make(p->pairs->n, key_for(p, FOR_ORDER, epoch, 0));
    const uint64_t first = b * p->recipe->batch;
    uint32_t *query = batch->items, *positive = query + B, *negative = positive + B, *hard = negative + N;
    uint64_t negatives = key_for(p, FOR_NEGATIVES, epoch, b), hards = key_for(p, FOR_HARD, epoch, b);
    for (uint32_t j = 0; j < B; j++) {
        const ps_pair pair = ps_pairs_get(p->pairs, order ? order[first + j] : ps_permute(&permutation, first + j));
        query[j] = pair.query;
        positive[j] = pair.positive;
        batch->weight[j] = pair.weight;
        batch->log_bq[j] = p->recipe->no_logq ? 0 : (ps_real)(log((double)B) + ps_draw_log_share(&p->draw, positive[j]));
        for (uint32_t h = 0; h < H; h++) {
            uint64_t random = ps_rng(hards, (uint64_t)j * H + h);
            uint32_t item = ps_hard_draw(&p->hard, query[j], random, p->from.x->n);
            /* The graph may have items that the vectors do not. */
            hard[j * H + h] = ps_vectors_find(p->from.x, item) == PS_NONE ? any_item(p, random) : item;
        }
    }
    for (uint32_t n = 0; n < N; n++)
        negative[n] = random_negative(p, ps_rng(negatives, n), N, &batch->log_np[n]);
}

/* ---- shares ---- */

/* The share of item i of M.  A pair's query, positive and hard negatives are in one, as they have neighbours in common. */
static uint32_t share_of(uint64_t i, uint32_t count, uint32_t B, uint32_t N, uint32_t H)
{
    if (i < 2 * (uint64_t)B)
        return (uint32_t)(i % B * count / B);
    i -= 2 * (uint64_t)B;
    return (uint32_t)(i < N ? i * count / N : (i - N) / H * count / B);
}

/* Every output belongs to the first share that needs it: fills share_row and share_at, and leaves in `of` each row's. */
static int assign(const ps_producer *p, ps_batch *batch, uint32_t B, uint32_t N, uint32_t H)
{
    uint32_t rows = batch->mb.n[0], count = p->cut.count;
    if (ps_grow(&batch->share_row, &batch->cap[5], 2 * (size_t)rows, sizeof *batch->share_row) < 0 ||
        ps_grow(&batch->share_at, &batch->cap[6], (size_t)count + 2, sizeof *batch->share_at) < 0)
        return PS_EMEM;
    uint32_t *of = batch->share_row + rows, *next = batch->share_at + 1, seen = 0;
    memset(batch->share_at, 0, ((size_t)count + 2) * sizeof *batch->share_at);
    for (uint64_t i = 0; seen < rows; i++) /* rows are numbered as items are first seen */
        if (batch->rows[i] == seen) {
            of[seen] = share_of(i, count, B, N, H);
            next[of[seen++] + 1]++;
        }
    for (uint32_t s = 0; s < count; s++)
        next[s + 1] += next[s];
    for (uint32_t row = 0; row < rows; row++)
        batch->share_row[next[of[row]]++] = row;
    return 0;
}

static int make_share(const ps_producer *p, const ps_sources *from, const ps_batch *batch, uint32_t share, ps_pool *pool)
{
    ps_minibatch *mb = &batch->share[share - p->cut.first];
    uint32_t begin = batch->share_at[share], end = batch->share_at[share + 1], local;
    int rc = ps_minibatch_begin(mb, from->shape, 2 * ((size_t)end - begin));
    for (uint32_t i = begin; i < end && rc == 0; i++)
        rc = ps_minibatch_add(mb, batch->mb.item[batch->share_row[i]], &local);
    return rc < 0 || begin == end ? rc : ps_minibatch_finish(mb, from, 1, p->most / p->cut.count, pool);
}

static int make_shares(const ps_producer *p, const ps_sources *from, ps_batch *batch, uint32_t B, uint32_t N, uint32_t H,
                       ps_pool *pool)
{
    int rc = assign(p, batch, B, N, H);
    batch->shares = p->cut.end - p->cut.first;
    if (rc == 0 && !batch->share && !(batch->share = ps_zalloc(batch->shares, sizeof *batch->share)))
        rc = PS_EMEM;
    for (uint32_t s = p->cut.first; s < p->cut.end && rc == 0; s++)
        rc = make_share(p, from, batch, s, pool);
    return rc < 0 ? rc : ps_minibatch_outputs(&batch->mb, from);
}

size_t ps_batch_bytes(const ps_batch *b, int *complete)
{
    const ps_minibatch *mb = b->shares ? b->share : &b->mb;
    size_t bytes = 0;
    *complete = 1;
    for (uint32_t i = 0; i < (b->shares ? b->shares : 1); i++) {
        if (mb[i].n[0] == 0)
            continue;
        bytes += ps_minibatch_bytes(mb[i].n[0], ps_minibatch_edges(&mb[i]), b->from.apart ? 0 : mb[i].dx, mb[i].complete);
        *complete = *complete && mb[i].complete;
    }
    return bytes;
}

int ps_producer_batch(const ps_producer *p, uint32_t epoch, const uint32_t *order, uint64_t b, ps_batch *batch,
                      ps_pool *pool)
{
    const ps_recipe *r = p->recipe;
    uint64_t left = p->pairs->n - b * r->batch;
    uint32_t B = left < r->batch ? (uint32_t)left : r->batch, N = r->negatives;
    uint32_t H = epoch - 1 < r->hard ? epoch - 1 : r->hard; /* the curriculum */
    size_t total = 2 * (size_t)B + N + (size_t)B * H;
    int rc = make_room(batch, B, N, total);
    if (rc == 0)
        rc = ps_minibatch_begin(&batch->mb, p->from.shape, total);
    if (rc < 0)
        return rc;
    draw(p, epoch, order, b, batch, B, N, H);
    for (size_t i = 0; i < total && rc == 0; i++)
        rc = ps_minibatch_add(&batch->mb, batch->items[i], &batch->rows[i]);
    ps_sources from = p->from;
    from.walk.seed = key_for(p, FOR_WALKS, epoch, 0);
    from.dropout = r->dropout;
    from.dropout_key = key_for(p, FOR_DROPOUT, epoch, b);
    if (rc == 0 && p->cut.count > 1)
        rc = make_shares(p, &from, batch, B, N, H, pool);
    else if (rc == 0)
        rc = ps_minibatch_finish(&batch->mb, &from, 1, p->most, pool);
    batch->from = from;
    uint32_t *items = batch->items, *rows = batch->rows;
    batch->loss = (ps_loss_batch){
        .pairs = B, .negatives = N, .hard = H,
        .query = items, .positive = items + B, .negative = items + 2 * (size_t)B, .hard_item = items + 2 * (size_t)B + N,
        .query_row = rows, .positive_row = rows + B, .negative_row = rows + 2 * (size_t)B,
        .hard_row = rows + 2 * (size_t)B + N, .weight = batch->weight, .log_bq = batch->log_bq,
        .log_np = batch->log_np,
    };
    return rc;
}

void ps_batch_free(ps_batch *batch)
{
    ps_minibatch_free(&batch->mb);
    for (uint32_t i = 0; batch->share && i < batch->shares; i++)
        ps_minibatch_free(&batch->share[i]);
    free(batch->share);
    free(batch->share_row);
    free(batch->share_at);
    free(batch->items);
    free(batch->rows);
    free(batch->weight);
    free(batch->log_bq);
    free(batch->log_np);
    memset(batch, 0, sizeof *batch);
}
