/* t_producer.c - what a batch of training holds: every pair once an epoch, with its weight; the logQ corrections of its
 * positives and of its random negatives, against counts by hand. */
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
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

/* listed: the order is a list, or a permutation without memory. */
static void one_recipe(const ps_sources *from, const ps_pairs *pairs, double popularity, int no_logq, int listed)
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
    CHECK(ps_producer_list(&p) == PAIRS);
    ps_producer_order(&p, 1, order);
    if (!listed)
        p.listed = PAIRS - 1;
    CHECK(ps_producer_list(&p) == (listed ? PAIRS : 0));
    for (uint64_t b = 0; b < ps_producer_batches(&p); b++) {
        CHECK_OK(ps_producer_batch(&p, 1, listed ? order : NULL, b, &batch, NULL));
        CHECK(batch.loss.pairs == (b < PAIRS / BATCH ? BATCH : PAIRS % BATCH));
        check_batch(&batch, &r, &sum, seen);
    }
    for (uint32_t i = 0; i < PAIRS; i++)
        CHECK(seen[i] == 1);
    ps_batch_free(&batch);
    ps_producer_free(&p);
}

/* More pairs than 32 bits can count, of a mapped table, with the real records again and again in its place. */
static void many_pairs(const ps_sources *from)
{
    enum { PERIOD = 1 << 20, SIZE = 12, LARGE = 1 << 12 };
    const uint64_t n = (UINT64_C(1) << 32) + LARGE + 5;
    const size_t bytes = (size_t)PERIOD * SIZE, times = (size_t)((n + PERIOD - 1) / PERIOD);
    const int fd = memfd_create("pairs", 0);
    uint8_t *all = mmap(NULL, times * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fd < 0 || all == MAP_FAILED) {
        printf("no room for %llu pairs: not tested\n", (unsigned long long)n);
        return;
    }
    ps_pairs few = {.table = {.count = PERIOD, .head = ps_head_make(PS_PAIRS, 0)}}, many;
    CHECK(ftruncate(fd, bytes) == 0);
    uint8_t *period = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (uint32_t i = 0; i < PERIOD; i++) {
        uint8_t *record = period + (size_t)i * SIZE;
        ps_put_num(record, 4, i % ITEMS);
        ps_put_num(record + 4, 4, (i + 1) % ITEMS);
        ps_putf32(record + 8, (float)(i + 1));
    }
    munmap(period, bytes);
    for (size_t i = 0; i < times; i++)
        CHECK(mmap(all + i * bytes, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
    few.table.records = all;
    few.n = PERIOD;
    many = few;
    many.n = many.table.count = n;
    ps_recipe r = ps_recipe_default();
    ps_producer p;
    ps_batch batch = {0};
    r.shape = *from->shape;
    r.batch = LARGE, r.negatives = 1, r.dropout = 0;
    CHECK_OK(ps_producer_init(&p, from, NULL, &few, &r, NULL)); /* counts positives: too many to do so here */
    p.pairs = &many;
    CHECK(ps_producer_batches(&p) == (UINT64_C(1) << 32) / LARGE + 2 && ps_producer_list(&p) == 0);
    for (uint64_t b = ps_producer_batches(&p) - 2; b < ps_producer_batches(&p); b++) {
        CHECK_OK(ps_producer_batch(&p, 1, NULL, b, &batch, NULL));
        CHECK(batch.loss.pairs == (b == ps_producer_batches(&p) - 2 ? LARGE : 5));
        double sum = 0;
        for (uint32_t j = 0; j < batch.loss.pairs; j++) {
            const uint32_t i = (uint32_t)batch.loss.weight[j] - 1;
            CHECK(batch.loss.query[j] == i % ITEMS && batch.loss.positive[j] == (i + 1) % ITEMS);
            sum += i;
        }
        /* The mean of so many, uniform in the period */
        CHECK(fabs(sum / batch.loss.pairs / PERIOD - .5) < 5 * sqrt(1. / 12 / batch.loss.pairs));
    }
    ps_batch_free(&batch);
    ps_producer_free(&p);
    munmap(all, times * bytes);
    close(fd);
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
    one_recipe(&from, &pairs, 0, 0, 1);
    one_recipe(&from, &pairs, .5, 0, 1);
    one_recipe(&from, &pairs, .5, 1, 1);
    one_recipe(&from, &pairs, .5, 0, 0);
    many_pairs(&from);
    ps_vectors_close(&x);
    unlink(xfile);
    rmdir(folder);
    CHECK_END();
}
