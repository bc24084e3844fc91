/* Algorithm 2 and what goes into a batch, on random neighbourhoods: every item once, S_k a prefix of
 * S_(k-1), all neighbours there, features in place, the lists the other way round complete. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "mem.h"
#include "minibatch.h"
#include "rng.h"

enum { ITEMS = 300, T = 5, DX = 3 };
static const char nfile[] = "n.psr", xfile[] = "x.psr";

static void write_stream(const char *path, ps_head head, uint8_t *record, void (*fill)(uint8_t *, const ps_head *, uint32_t))
{
    CHECK_OK(ps_head_size(&head));
    ps_out *out = ps_out_open(path, 0);
    ps_writer *w = out ? ps_writer_new(out, &head) : NULL;
    CHECK(w != NULL);
    for (uint32_t i = 0; i < ITEMS && w; i++) {
        fill(record, &head, i);
        CHECK_OK(ps_writer_put(w, record, 1));
    }
    CHECK_OK(ps_writer_close(w));
    CHECK_OK(ps_out_close(out));
}

/* Every seventh item has no neighbours, the others up to T. */
static void fill_neighbours(uint8_t *p, const ps_head *head, uint32_t item)
{
    ps_visit visits[T];
    size_t n = item % 7 ? 1 + ps_below(ps_rng(1, item), T) : 0;
    for (size_t t = 0; t < n; t++)
        visits[t] = (ps_visit){(uint32_t)((item + 1 + 11 * t + ps_below(ps_rng(2, item), 10)) % ITEMS), (uint32_t)(9 - t)};
    ps_neighbours_put(p, head, item, visits, n);
}

static float feature(uint32_t item, uint32_t j)
{
    return (float)(item * 10 + j);
}

static void fill_features(uint8_t *p, const ps_head *head, uint32_t item)
{
    ps_put_num(p, head->width, item);
    for (uint32_t j = 0; j < DX; j++)
        ps_putf32(p + head->width + 4 * j, feature(item, j));
}

static int local_of(const ps_minibatch *mb, uint32_t item)
{
    int found = -1;
    for (uint32_t i = 0; i < mb->n[0]; i++)
        if (mb->item[i] == item) {
            CHECK(found < 0); /* once only */
            found = (int)i;
        }
    return found;
}

static void check_neighbours(const ps_minibatch *mb, const ps_sources *from)
{
    uint32_t items[T], back = 0;
    float alpha[T];
    for (uint32_t k = 1; k <= mb->layers; k++) {
        CHECK(mb->n[k] <= mb->n[k - 1]);
        for (uint32_t u = 0; u < mb->n[k]; u++)
            for (uint32_t e = mb->off[u]; e < mb->off[u + 1]; e++)
                CHECK(mb->index[e] < mb->n[k - 1]);
    }
    for (uint32_t u = 0; u < mb->n[1]; u++) {
        size_t n = ps_neighbours_get(from->neighbours, mb->item[u], items, alpha);
        CHECK(mb->off[u + 1] - mb->off[u] == n);
        for (size_t t = 0; t < n; t++) {
            CHECK(mb->item[mb->index[mb->off[u] + t]] == items[t]);
            ps_real want = from->shape->pooling == PS_POOL_MEAN ? 1 / (ps_real)n : (ps_real)alpha[t];
            CHECK(mb->weight[mb->off[u] + t] == want);
        }
    }
    for (uint32_t v = 0; v < mb->n[0]; v++)
        for (uint32_t e = mb->back_off[v]; e < mb->back_off[v + 1]; e++, back++) {
            uint32_t at = mb->off[mb->user[e]];
            while (mb->index[at] != v)
                at++;
            CHECK(from->shape->pooling != PS_POOL_MAX || mb->slot[e] == at - mb->off[mb->user[e]]);
            CHECK(at < mb->off[mb->user[e] + 1] && mb->weight[at] == mb->back_weight[e]);
            CHECK(e == mb->back_off[v] || mb->user[e - 1] <= mb->user[e]);
        }
    CHECK(back == mb->off[mb->n[1]]);
}

static void one_batch(ps_minibatch *mb, const ps_sources *from, uint64_t seed, size_t outputs, ps_pool *pool)
{
    CHECK_OK(ps_minibatch_begin(mb, from->shape, outputs));
    for (size_t i = 0; i < outputs; i++) {
        uint32_t local, again, item = (uint32_t)ps_below(ps_rng(seed, i), ITEMS);
        CHECK_OK(ps_minibatch_add(mb, item, &local));
        CHECK_OK(ps_minibatch_add(mb, item, &again));
        CHECK(local == again && mb->item[local] == item);
    }
    CHECK_OK(ps_minibatch_finish(mb, from, 1, SIZE_MAX, pool));
    CHECK(mb->n[mb->layers] <= outputs);
    for (uint32_t i = 0; i < mb->n[0]; i++) {
        CHECK(local_of(mb, mb->item[i]) == (int)i);
        for (uint32_t j = 0; j < DX; j++)
            CHECK(mb->x[i * DX + j] == (ps_real)feature(mb->item[i], j));
    }
    if (mb->layers)
        check_neighbours(mb, from);
}

/* Dropout: elements are 0 or grow by 1 / (1 - p), independently, another way with another key. */
static void test_dropout(ps_minibatch *mb, ps_sources from, ps_pool *pool)
{
    enum { KEYS = 30 };
    size_t dropped = 0, same = 0, all = 0;
    ps_real last[ITEMS * DX] = {0};
    ps_shape shape = {.dx = DX};
    from.shape = &shape;
    from.dropout = .25;
    for (from.dropout_key = 1; from.dropout_key <= KEYS; from.dropout_key++) {
        uint32_t local;
        CHECK_OK(ps_minibatch_begin(mb, &shape, ITEMS));
        for (uint32_t item = 0; item < ITEMS; item++)
            CHECK_OK(ps_minibatch_add(mb, item, &local));
        CHECK_OK(ps_minibatch_finish(mb, &from, 1, SIZE_MAX, pool));
        for (uint32_t i = DX; i < ITEMS * DX; i++) { /* item 0 has a feature that is 0 */
            double kept = (double)feature(i / DX, i % DX) / .75, got = (double)mb->x[i];
            CHECK(got == 0 || (got > .99999 * kept && got < 1.00001 * kept));
            dropped += got == 0;
            same += (got == 0) == (last[i] == 0);
            all++;
        }
        memcpy(last, mb->x, sizeof last);
    }
    double share = (double)dropped / (double)all, agree = (double)same / (double)all;
    CHECK(share > .24 && share < .26);
    CHECK(agree > .6 && agree < .65); /* .75^2 + .25^2 */
}

int main(void)
{
    char folder[] = "/tmp/t_minibatch.XXXXXX";
    if (!mkdtemp(folder) || chdir(folder) != 0)
        return perror(folder), 1;
    uint8_t record[256];
    ps_head xhead = ps_head_make(PS_VECTORS, DX);
    xhead.elem = PS_F32;
    write_stream(nfile, ps_head_make(PS_NEIGHBOURS, T), record, fill_neighbours);
    write_stream(xfile, xhead, record, fill_features);

    ps_neighbours neighbours;
    ps_vectors x;
    CHECK_OK(ps_neighbours_open(&neighbours, nfile, 0, ITEMS));
    CHECK_OK(ps_vectors_open(&x, xfile, 0));
    ps_pool *pool = ps_pool_new(2);
    ps_minibatch mb = {0};
    for (uint32_t K = 0; K <= 3; K++)
        for (uint64_t seed = 0; seed < 6; seed++) {
            ps_shape shape = {.dx = DX, .layers = K, .pooling = (ps_pooling)(seed / 2 % 3)};
            one_batch(&mb, &(ps_sources){.shape = &shape, .neighbours = &neighbours, .x = &x}, seed, 1 + 40 * (seed % 3), pool);
        }
    test_dropout(&mb, (ps_sources){.neighbours = &neighbours, .x = &x}, pool);
    /* A dimension that does not fit */
    ps_shape wrong = {.dx = DX + 1};
    CHECK_OK(ps_minibatch_begin(&mb, &wrong, 1));
    CHECK(ps_minibatch_finish(&mb, &(ps_sources){.shape = &wrong, .neighbours = &neighbours, .x = &x}, 0, SIZE_MAX, pool) == PS_EMATCH);
    ps_minibatch_free(&mb);
    ps_pool_free(pool);
    ps_vectors_close(&x);
    ps_neighbours_close(&neighbours);
    unlink(nfile);
    unlink(xfile);
    CHECK(chdir("/") == 0 && rmdir(folder) == 0);
    CHECK_END();
}
