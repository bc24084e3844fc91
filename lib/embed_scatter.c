/* embed_scatter.c - projections and pairs to sums; of embed_flow.h. */
#include <stdlib.h>
#include <string.h>

#include "embed_flow.h"
#include "embed_stream.h"
#include "mem.h"
#include "rng.h"
#include "sort.h"

static const double grid = 0x1.8p20; /* added and taken away again, it rounds to a multiple of 2^-32 */

typedef struct {
    const ps_embedding *e;
    ps_head head;
    size_t m, numbers;
    ps_real *p;     /* the projection at hand */
    uint64_t *slot; /* a hash: place + 1 of an item's sum, 0: none */
    size_t slots, n, most;
    uint64_t *item; /* of the sums in memory */
    double *sum;
    ps_sort *filed; /* sums that went out of memory: item, numbers */
    uint8_t *record;
    ps_writer *writer;
} scatter;

static void filed_key(const void *ctx, const uint8_t *record, uint64_t key[2])
{
    (void)ctx;
    memcpy(key, record, sizeof *key);
    key[1] = 0;
}

static int by_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* All sums in memory, ascending, to the output or (more = 1) to the files; none is left. */
static int empty(scatter *s, int more)
{
    uint64_t(*order)[2] = ps_alloc(s->n, sizeof *order);
    const size_t bytes = s->numbers * sizeof *s->sum;
    int rc = order ? 0 : PS_EMEM;
    if (rc == 0 && more && !s->filed &&
        !(s->filed = ps_sort_new(sizeof **order + bytes, filed_key, NULL, s->e->memory / 2, s->e->dir)))
        rc = PS_EMEM;
    for (size_t i = 0; i < s->n && rc == 0; i++) {
        order[i][0] = s->item[i];
        order[i][1] = i;
    }
    if (rc == 0)
        qsort(order, s->n, sizeof *order, by_first);
    for (size_t i = 0; i < s->n && rc == 0; i++) {
        const double *sum = s->sum + order[i][1] * s->numbers;
        if (!more) {
            rc = ps_sum_write(&s->head, s->writer, s->record, order[i][0], sum);
            continue;
        }
        memcpy(s->record, order[i], sizeof **order);
        memcpy(s->record + sizeof **order, sum, bytes);
        rc = ps_sort_put(s->filed, s->record);
    }
    free(order);
    s->n = 0;
    if (more) /* of a small job, what was never touched takes no memory */
        memset(s->slot, 0, s->slots * sizeof *s->slot);
    return rc;
}

static int sum_of(scatter *s, uint64_t item, double **sum)
{
    int rc = s->n == s->most ? empty(s, 1) : 0;
    uint64_t at = ps_mix64(item) & (s->slots - 1);
    for (; s->slot[at] && s->item[s->slot[at] - 1] != item; at = (at + 1) & (s->slots - 1))
        ;
    if (!s->slot[at]) {
        s->slot[at] = s->n + 1;
        s->item[s->n] = item;
        memset(s->sum + s->n * s->numbers, 0, s->numbers * sizeof *s->sum);
        s->n++;
    }
    *sum = s->sum + (s->slot[at] - 1) * s->numbers;
    return rc;
}

/* One pair, whose neighbour's p is at hand or missing. */
static int add_pair(scatter *s, const ps_cursor *pair, int present)
{
    const int w = pair->head->width;
    const ps_pooling pooling = s->e->model->shape.pooling;
    const double weight = pooling == PS_POOL_IMPORTANCE ? (double)ps_getf32(pair->p + 2 * w) : 1;
    uint64_t item = ps_num(pair->p + w, w);
    double *sum;
    if (!present && !s->e->skip_missing)
        return ps_fail(PS_EMATCH, "no vector for item %llu, a neighbour of item %llu", (unsigned long long)pair->item,
                       (unsigned long long)item);
    int rc = sum_of(s, item, &sum);
    if (rc < 0)
        return rc;
    sum[present ? PS_SUM_PRESENT : PS_SUM_MISSING] += (weight + grid) - grid;
    for (size_t j = 0; j < s->m && present; j++) {
        double v = (double)s->p[j], *to = &sum[PS_SUM_FIRST + j];
        if (!(v < PS_SUM_LIMIT))
            return ps_fail(PS_EDATA,
                           "item %llu: its projection has the element %g, and must be below %g: scale the features "
                           "down",
                           (unsigned long long)pair->item, v, PS_SUM_LIMIT);
        if (pooling == PS_POOL_MAX)
            *to = v > *to ? v : *to;
        else
            *to += (weight * v + grid) - grid;
    }
    return 0;
}

/* Both streams side by side. */
static int join(scatter *s, ps_cursor *p, ps_cursor *pair)
{
    uint64_t at_hand = PS_NONE;
    int rc = ps_cursor_next(p), more = 0;
    while (rc >= 0 && (more = ps_cursor_next(pair)) > 0) {
        while (rc >= 0 && !p->ended && p->item < pair->item)
            rc = ps_cursor_next(p);
        const int present = !p->ended && p->item == pair->item;
        if (rc >= 0 && present && at_hand != p->item) {
            at_hand = p->item;
            rc = ps_cursor_vector(p, s->p);
        }
        if (rc >= 0)
            rc = add_pair(s, pair, present);
    }
    return rc < 0 ? rc : more < 0 ? more : ps_cursor_drain(p);
}

static int merge_filed(scatter *s)
{
    const uint8_t *record;
    double *sum = s->sum, *next = s->sum + s->numbers;
    uint64_t item = PS_NONE, is;
    int rc = empty(s, 1), more = 0;
    if (rc == 0)
        rc = ps_sort_end(s->filed);
    while (rc == 0 && (more = ps_sort_next(s->filed, &record)) > 0) {
        memcpy(&is, record, sizeof is);
        memcpy(next, record + sizeof is, s->numbers * sizeof *next);
        if (is == item) {
            ps_sum_add(sum, next, s->m, s->e->model->shape.pooling == PS_POOL_MAX);
            continue;
        }
        if (item != PS_NONE)
            rc = ps_sum_write(&s->head, s->writer, s->record, item, sum);
        item = is;
        memcpy(sum, next, s->numbers * sizeof *sum);
    }
    if (rc == 0 && more == 0 && item != PS_NONE)
        rc = ps_sum_write(&s->head, s->writer, s->record, item, sum);
    return rc < 0 ? rc : more;
}

static int scatter_room(scatter *s, const ps_head *pairs, ps_out *out)
{
    const size_t bytes = s->numbers * sizeof *s->sum;
    s->most = s->e->memory / 2 / (bytes + 32) + 2;
    if (s->most > UINT32_MAX / 4)
        s->most = UINT32_MAX / 4;
    for (s->slots = 16; s->slots < 2 * s->most; s->slots *= 2)
        ;
    s->slot = ps_zalloc(s->slots, sizeof *s->slot);
    s->item = ps_alloc(s->most, sizeof *s->item);
    s->sum = ps_alloc(s->most, bytes);
    s->p = ps_alloc(s->m, sizeof *s->p);
    s->record = ps_alloc(s->head.size + sizeof *s->item + bytes, 1);
    if (!s->slot || !s->item || !s->sum || !s->p || !s->record)
        return PS_EMEM;
    s->head.width = pairs->width;
    s->head.qspace = pairs->nspace;
    s->head.dim = (uint32_t)(2 * s->numbers);
    s->head.flags = PS_FLAG_SUMS;
    int rc = ps_head_size(&s->head);
    if (rc == 0)
        s->writer = ps_writer_new(out, &s->head);
    return s->writer ? 0 : rc < 0 ? rc : PS_ESYS;
}

int ps_embed_scatter(const ps_embedding *e, ps_reader *p, ps_reader *pairs, ps_out *out)
{
    scatter s = {.e = e, .m = e->model->shape.m, .numbers = PS_SUM_FIRST + e->model->shape.m};
    ps_cursor of = ps_cursor_on(p, 2), pair = ps_cursor_on(pairs, 1);
    int rc = ps_flow_check(p, e->model->shape.m, 0);
    if (rc == 0)
        rc = ps_head_match(pair.head, ps_reader_name(pairs), of.head->graph);
    if (rc == 0)
        rc = ps_flow_head_of(&s.head, e, of.head, "scatter", 0);
    if (rc == 0)
        rc = scatter_room(&s, pair.head, out);
    if (rc == 0)
        rc = join(&s, &of, &pair);
    if (rc == 0)
        rc = s.filed ? merge_filed(&s) : empty(&s, 0);
    if (rc == 0)
        rc = ps_writer_close(s.writer);
    else
        ps_writer_abort(s.writer);
    ps_sort_free(s.filed);
    ps_head_free(&s.head);
    void *const all[] = {s.slot, s.item, s.sum, s.p, s.record};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    return rc;
}
