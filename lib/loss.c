#include "loss.h"

#include <stdlib.h>
#include <string.h>

#include "gemm.h"
#include "mem.h"
#include "vec.h"

enum { PAIRS = 16 };

const char *ps_loss_name(ps_loss_kind kind)
{
    static const char *const name[] = {"softmax", "margin", "xent"};
    return name[kind];
}

void ps_loss_init(ps_loss *loss, ps_loss_kind kind, int in_batch, double margin, double tau, uint32_t d,
                  const ps_known *known, ps_pool *pool)
{
    *loss = (ps_loss){.kind = kind, .in_batch = in_batch, .margin = (ps_real)margin, .tau = (ps_real)tau, .d = d,
                      .known = known, .pool = pool};
}

void ps_loss_free(ps_loss *loss)
{
    ps_real *const all[] = {loss->q,   loss->p,    loss->n,         loss->sn, loss->sp, loss->sh,
                            loss->down, loss->pair_loss, loss->dq, loss->dp, loss->dn};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    memset(loss, 0, sizeof *loss);
}

static int room(ps_loss *l, const ps_loss_batch *b)
{
    size_t B = b->pairs, N = b->negatives, d = l->d;
    struct {
        ps_real **array;
        size_t need;
    } const want[] = {{&l->q, B * d},   {&l->p, B * d}, {&l->n, N * d},  {&l->sn, B * N},
                      {&l->sp, l->in_batch ? B * B : 0},  {&l->sh, B * b->hard},
                      {&l->down, B},  {&l->pair_loss, B}, {&l->dq, B * d},
                      {&l->dp, B * d},  {&l->dn, N * d}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        if (ps_grow(want[i].array, &l->cap[i], want[i].need, sizeof(ps_real)) < 0)
            return PS_EMEM;
    return 0;
}

static void gather(size_t d, const ps_real *z, const uint32_t *row, size_t n, ps_real *out)
{
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * d, z + row[i] * d, d * sizeof *out);
}

static ps_real softplus(ps_real x)
{
    return (x > 0 ? x : 0) + PS_LOG1P(PS_EXP(-PS_FABS(x)));
}

static ps_real sigmoid(ps_real x)
{
    ps_real e = PS_EXP(-PS_FABS(x));
    return x > 0 ? 1 / (1 + e) : e / (1 + e);
}

/* ---- one pair: scores in, their gradients out in the same places ---- */

typedef struct {
    ps_loss *loss;
    const ps_loss_batch *batch;
    const ps_real *z, *beta;
    double weight_sum; /* floats may add up to more than a float holds */
    uint32_t first, end; /* pairs */
} job;

static int masked(const job *g, uint32_t j, uint32_t item)
{
    const ps_loss_batch *b = g->batch;
    return item == b->query[j] || item == b->positive[j] ||
           (g->loss->known && ps_known_has(g->loss->known, b->query[j], item));
}

static ps_real bias(const job *g, uint32_t row)
{
    return g->beta ? g->loss->tau * g->beta[row] : 0;
}

/* One kind of negatives of pair j: their items, rows, scores; the log of how often they are expected (NULL: 0). */
typedef struct {
    uint32_t n;
    const uint32_t *item, *row;
    ps_real *s;
    const ps_real *log_expected;
} column_set;

static ps_real hinge(const job *g, uint32_t j, const column_set *c, ps_real own, ps_real scale, ps_real *down)
{
    ps_real sum = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        ps_real violation = c->s[i] + bias(g, c->row[i]) - own + g->loss->margin;
        c->s[i] = 0;
        if (violation <= 0 || masked(g, j, c->item[i]))
            continue;
        sum += violation;
        c->s[i] = scale;
        *down -= scale;
    }
    return sum;
}

static ps_real cross_entropy(const job *g, uint32_t j, const column_set *c, ps_real scale)
{
    ps_real sum = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        ps_real s = c->s[i] + bias(g, c->row[i]);
        int out = masked(g, j, c->item[i]);
        sum += out ? 0 : softplus(s);
        c->s[i] = out ? 0 : scale * sigmoid(s);
    }
    return sum;
}

/* Turns scores to logits, masked ones to -1e30; the largest. */
static ps_real logits(const job *g, uint32_t j, const column_set *c, ps_real top)
{
    for (uint32_t i = 0; i < c->n; i++) {
        if (masked(g, j, c->item[i])) {
            c->s[i] = (ps_real)-1e30;
            continue;
        }
        c->s[i] = (c->s[i] + bias(g, c->row[i])) / g->loss->tau - (c->log_expected ? c->log_expected[i] : 0);
        top = c->s[i] > top ? c->s[i] : top;
    }
    return top;
}

static ps_real exponentials(const column_set *c, ps_real top)
{
    ps_real sum = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        c->s[i] = PS_EXP(c->s[i] - top);
        sum += c->s[i];
    }
    return sum;
}

static ps_real softmax(const job *g, uint32_t j, const column_set *c, int sets, ps_real own, ps_real w, ps_real *down)
{
    own /= g->loss->tau;
    ps_real top = own, sum;
    for (int i = 0; i < sets; i++)
        top = logits(g, j, &c[i], top);
    sum = PS_EXP(own - top);
    ps_real share = sum;
    for (int i = 0; i < sets; i++)
        sum += exponentials(&c[i], top);
    ps_real scale = w / (g->loss->tau * sum);
    for (int i = 0; i < sets; i++)
        ps_vec()->scale(c[i].n, scale, c[i].s);
    *down = scale * share - w / g->loss->tau;
    return w * ((ps_real)__builtin_log((double)sum) + top - own);
}

static void one_pair(const job *g, uint32_t j)
{
    ps_loss *l = g->loss;
    const ps_loss_batch *b = g->batch;
    uint32_t H = b->hard, N = b->negatives, others = l->in_batch ? b->pairs - 1 : 0;
    const ps_real *q = l->q + (size_t)j * l->d;
    ps_real own = ps_vec()->dot(l->d, q, l->p + (size_t)j * l->d) + bias(g, b->positive_row[j]);
    const column_set c[3] = {
        {N, b->negative, b->negative_row, l->sn + (size_t)j * N, b->log_np},
        {H, H ? b->hard_item + (size_t)j * H : NULL, H ? b->hard_row + (size_t)j * H : NULL, l->sh + (size_t)j * H, NULL},
        {b->pairs, b->positive, b->positive_row, l->in_batch ? l->sp + (size_t)j * b->pairs : NULL, b->log_bq},
    };
    const int sets = l->in_batch ? 3 : 2;
    for (uint32_t h = 0; h < H; h++)
        c[1].s[h] = ps_vec()->dot(l->d, q, g->z + (size_t)c[1].row[h] * l->d);
    ps_real w = (ps_real)((double)b->weight[j] / g->weight_sum), scale = w / (ps_real)(N + others ? N + others : 1), sum = 0;
    l->down[j] = 0;
    switch (l->kind) {
    case PS_LOSS_MARGIN:
        for (int i = 0; i < sets; i++)
            sum += hinge(g, j, &c[i], own, scale, &l->down[j]);
        l->pair_loss[j] = scale * sum;
        break;
    case PS_LOSS_XENT:
        for (int i = 0; i < sets; i++)
            sum += cross_entropy(g, j, &c[i], scale);
        l->down[j] = -w * sigmoid(-own);
        l->pair_loss[j] = scale * sum + w * softplus(-own);
        break;
    case PS_LOSS_SOFTMAX:
        l->pair_loss[j] = softmax(g, j, c, sets, own, w, &l->down[j]);
        break;
    }
}

static int pairs_task(void *ctx, size_t task, int thread)
{
    const job *g = ctx;
    (void)thread;
    uint32_t j = g->first + (uint32_t)task * PAIRS, end = j + PAIRS < g->end ? j + PAIRS : g->end;
    for (; j < end; j++)
        one_pair(g, j);
    return 0;
}

/* Scores of pairs first .. end - 1 with all negatives, then their gradients in the same places. */
static int score_pairs(job *g)
{
    ps_loss *l = g->loss;
    size_t first = g->first, n = g->end - first, B = g->batch->pairs, N = g->batch->negatives, d = l->d;
    if (n == 0)
        return 0;
    if (N)
        ps_gemm(l->pool, PS_N, PS_T, n, N, d, 1, l->q + first * d, d, l->n, d, 0, l->sn + first * N, N);
    if (l->in_batch)
        ps_gemm(l->pool, PS_N, PS_T, n, B, d, 1, l->q + first * d, d, l->p, d, 0, l->sp + first * B, B);
    return ps_pool_run(l->pool, (n + PAIRS - 1) / PAIRS, pairs_task, g);
}

/* Every rank's rows of an array with a row of `width` for each pair become everybody's. */
static int exchange(const ps_loss *l, size_t pairs, size_t width, ps_real *rows)
{
    const int size = ps_comm_size(l->comm);
    size_t *at = size > 1 ? ps_alloc((size_t)size + 1, sizeof *at) : NULL;
    const uint32_t shares = l->shares ? l->shares : 1;
    if (size == 1 || !at)
        return size == 1 ? 0 : PS_EMEM;
    for (int r = 0; r <= size; r++)
        at[r] = pairs * ps_comm_first_share(shares, r, size) / shares * width;
    int rc = ps_comm_gather(l->comm, rows, at);
    free(at);
    return rc;
}

static int score(ps_loss *l, const ps_loss_batch *b, const ps_real *z, const ps_real *beta)
{
    const uint32_t shares = l->shares ? l->shares : 1;
    const int rank = ps_comm_rank(l->comm), size = ps_comm_size(l->comm);
    const uint32_t last = ps_comm_first_share(shares, rank + 1, size);
    job g = {.loss = l, .batch = b, .z = z, .beta = beta};
    int rc = 0;
    for (size_t j = 0; j < b->pairs; j++)
        g.weight_sum += (double)b->weight[j];
    for (uint32_t s = ps_comm_first_share(shares, rank, size); s < last && rc == 0; s++) {
        g.first = (uint32_t)((uint64_t)b->pairs * s / shares);
        g.end = (uint32_t)((uint64_t)b->pairs * (s + 1) / shares);
        rc = score_pairs(&g);
    }
    if (rc == 0)
        rc = exchange(l, b->pairs, b->negatives, l->sn);
    if (rc == 0 && l->in_batch)
        rc = exchange(l, b->pairs, b->pairs, l->sp);
    if (rc == 0 && b->hard)
        rc = exchange(l, b->pairs, b->hard, l->sh);
    if (rc == 0)
        rc = exchange(l, b->pairs, 1, l->down);
    return rc < 0 ? rc : exchange(l, b->pairs, 1, l->pair_loss);
}

/* ---- from gradients of scores to gradients of embeddings ---- */

static void products(ps_loss *l, const ps_loss_batch *b)
{
    size_t B = b->pairs, N = b->negatives, d = l->d;
    memset(l->dq, 0, B * d * sizeof *l->dq);
    memset(l->dp, 0, B * d * sizeof *l->dp);
    if (N) {
        ps_gemm(l->pool, PS_N, PS_N, B, d, N, 1, l->sn, N, l->n, d, 0, l->dq, d);
        ps_gemm(l->pool, PS_T, PS_N, N, d, B, 1, l->sn, N, l->q, d, 0, l->dn, d);
    }
    if (l->in_batch) {
        ps_gemm(l->pool, PS_N, PS_N, B, d, B, 1, l->sp, B, l->p, d, 1, l->dq, d);
        ps_gemm(l->pool, PS_T, PS_N, B, d, B, 1, l->sp, B, l->q, d, 0, l->dp, d);
    }
}

/* An item may stand in several places of the batch: its row collects them in a fixed order. */
static void scatter(const ps_loss *l, const ps_loss_batch *b, const ps_real *z, ps_real *dz)
{
    const ps_vec_ops *v = ps_vec();
    size_t d = l->d;
    for (size_t j = 0; j < b->pairs; j++) {
        const ps_real *q = l->q + j * d;
        ps_real *to = dz + b->query_row[j] * d;
        v->axpy(d, 1, l->dq + j * d, to);
        v->axpy(d, l->down[j], l->p + j * d, to);
        for (size_t h = j * b->hard; h < (j + 1) * b->hard; h++)
            v->axpy(d, l->sh[h], z + b->hard_row[h] * d, to);
        to = dz + b->positive_row[j] * d;
        v->axpy(d, 1, l->dp + j * d, to);
        v->axpy(d, l->down[j], q, to);
        for (size_t h = j * b->hard; h < (j + 1) * b->hard; h++)
            v->axpy(d, l->sh[h], q, dz + b->hard_row[h] * d);
    }
    for (size_t i = 0; i < b->negatives; i++)
        v->axpy(d, 1, l->dn + i * d, dz + b->negative_row[i] * d);
}

static void scatter_bias(const ps_loss *l, const ps_loss_batch *b, ps_real *dbeta)
{
    for (size_t j = 0; j < b->pairs; j++) {
        dbeta[b->positive_row[j]] += l->tau * l->down[j];
        for (size_t i = 0; i < b->negatives; i++)
            dbeta[b->negative_row[i]] += l->tau * l->sn[j * b->negatives + i];
        for (size_t h = j * b->hard; h < (j + 1) * b->hard; h++)
            dbeta[b->hard_row[h]] += l->tau * l->sh[h];
        if (l->in_batch)
            for (size_t i = 0; i < b->pairs; i++)
                dbeta[b->positive_row[i]] += l->tau * l->sp[j * b->pairs + i];
    }
}

int ps_loss_run(ps_loss *l, const ps_loss_batch *b, uint32_t rows, const ps_real *z, const ps_real *beta, ps_real *dz,
                ps_real *dbeta, double *value)
{
    size_t B = b->pairs, N = b->negatives, d = l->d;
    int rc = room(l, b);
    if (rc < 0)
        return rc;
    gather(d, z, b->query_row, B, l->q);
    gather(d, z, b->positive_row, B, l->p);
    gather(d, z, b->negative_row, N, l->n);
    rc = score(l, b, z, beta);
    if (rc < 0)
        return rc;
    products(l, b);
    memset(dz, 0, rows * d * sizeof *dz);
    scatter(l, b, z, dz);
    if (beta) {
        memset(dbeta, 0, rows * sizeof *dbeta);
        scatter_bias(l, b, dbeta);
    }
    *value = 0;
    for (size_t j = 0; j < B; j++)
        *value += (double)l->pair_loss[j];
    return 0;
}
