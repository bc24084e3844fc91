/* t_producer.c - what a batch of training holds: every pair once an epoch, with its weight; the logQ corrections of its
 * positives and of its random negatives, against counts by hand. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "producer.h"

enum { ITEMS = 40, PAIRS = 40, BATCH = 16, NEGATIVES = 12, DX = 2 };
static const char xfile[] = "x.psr";

static void write_features(void)
{
    ps_head head = ps_head_make(PS_VECTORS, DX);
    uint8_t record[4 + 4 * DX];
    head.elem = PS_F32;
    CHECK_OK(ps_head_size(&head));
    ps_out *out = ps_out_open(xfile, 0);
    ps_writer *w = out ? ps_writer_new(out, &head) : NULL;
    CHECK(w != NULL);
    for (uint32_t i = 0; i < ITEMS && w; i++) {
        ps_put_num(record, 4, i);
        for (uint32_t j = 0; j < DX; j++)
            ps_putf32(record + 4 + 4 * j, (float)(i + j));
        CHECK_OK(ps_writer_put(w, record, 1));
    }
    CHECK_OK(ps_writer_close(w));
    CHECK_OK(ps_out_close(out));
}

/* Item 5 is a positive of 16 pairs, item 9 of 10, the others of few. */
static uint32_t positive_of(uint32_t i)
{
    return i < 16 ? 5 : i < 26 ? 9 : 10 + i % 7;
}

static uint32_t times(uint32_t item)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < PAIRS; i++)
        n += positive_of(i) == item;
    return n;
}

static void check_batch(const ps_batch *b, const ps_recipe *r, const double *sum, uint32_t *seen)
{
    const ps_loss_batch *l = &b->loss;
    for (uint32_t j = 0; j < l->pairs; j++) {
        uint32_t pair = l->query[j];
        CHECK(pair < PAIRS && l->positive[j] == positive_of(pair) && l->weight[j] == (float)(1 + pair));
        double expected = log(l->pairs * (double)times(l->positive[j]) / PAIRS);
        CHECK(fabs((double)l->log_bq[j] - (r->no_logq ? 0 : expected)) < 1e-5);
        seen[pair]++;
    }
    for (uint32_t n = 0; n < l->negatives; n++) {
        double expected = log(NEGATIVES * pow(1 + times(l->negative[n]), r->popularity) / *sum);
        CHECK(fabs((double)l->log_np[n] - (r->no_logq ? 0 : expected)) < 1e-5);
        CHECK(b->mb.item[l->negative_row[n]] == l->negative[n]);
    }
}

static void one_recipe(const ps_sources *from, const ps_pairs *pairs, double popularity, int no_logq)
{
    ps_recipe r = ps_recipe_default();
    r.shape = *from->shape;
    r.batch = BATCH, r.negatives = NEGATIVES, r.popularity = popularity, r.no_logq = no_logq, r.dropout = 0;
    ps_producer p;
    ps_batch batch = {0};
    double sum = 0;
    uint32_t order[PAIRS], seen[PAIRS] = {0};
    for (uint32_t c = 0; c < ITEMS; c++)
        sum += pow(1 + times(c), popularity);
    CHECK_OK(ps_producer_init(&p, from, NULL, pairs, &r, NULL));
    CHECK(ps_producer_batches(&p) == (PAIRS + BATCH - 1) / BATCH);
    ps_producer_order(&p, 1, order);
    for (uint64_t b = 0; b < ps_producer_batches(&p); b++) {
        CHECK_OK(ps_producer_batch(&p, 1, order, b, &batch, NULL));
        CHECK(batch.loss.pairs == (b < PAIRS / BATCH ? BATCH : PAIRS % BATCH));
        check_batch(&batch, &r, &sum, seen);
    }
    for (uint32_t i = 0; i < PAIRS; i++)
        CHECK(seen[i] == 1);
    ps_batch_free(&batch);
    ps_producer_free(&p);
}

int main(void)
{
    /* Pair i: a query of its own, which is pair i's number too. */
    uint32_t query[PAIRS], positive[PAIRS];
    float weight[PAIRS];
    const ps_pairs pairs = {.n = PAIRS, .query = query, .positive = positive, .weight = weight};
    const ps_shape shape = {.layers = 0, .dx = DX};
    ps_vectors x;
    char folder[] = "/tmp/t_producer.XXXXXX";
    if (!mkdtemp(folder) || chdir(folder) != 0)
        return perror(folder), 1;
    for (uint32_t i = 0; i < PAIRS; i++) {
        query[i] = i;
        positive[i] = positive_of(i);
        weight[i] = (float)(1 + i);
    }
    write_features();
    CHECK_OK(ps_vectors_open(&x, xfile, 0));
    const ps_sources from = {.shape = &shape, .x = &x};
    one_recipe(&from, &pairs, 0, 0);
    one_recipe(&from, &pairs, .5, 0);
    one_recipe(&from, &pairs, .5, 1);
    ps_vectors_close(&x);
    unlink(xfile);
    rmdir(folder);
    CHECK_END();
}
