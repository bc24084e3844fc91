/* t_cuda_loss.c - the losses on the device: softmax, margin and cross entropy, with and without in-batch and hard
 * negatives; one trial of each has a NaN among its inputs, another an infinity. */
#include "cuda_twins.h"

/* ---- loss ---- */

/* Known positives of each pair: ascending, among few items, so that many candidates are left out. */
static array *known_lists(array *off, uint32_t items)
{
    uint32_t *at = (uint32_t *)off->host, n = at[off->n - 1];
    array *draft = words(n, items);
    for (size_t j = 0; j + 1 < off->n; j++)
        qsort((uint32_t *)draft->host + at[j], at[j + 1] - at[j], sizeof *at, ascending);
    return make(n, sizeof *at, draft->host);
}

/* Every place of the batch in the list of a row drawn for it. */
static void make_uses(const ps_device_loss *l, uint32_t rows, const uint32_t *query_row, array **use_off, array **use)
{
    uint32_t count[4] = {l->pairs, l->pairs, l->negatives, l->pairs * l->hard}, n = 0;
    const uint32_t *row[4] = {query_row, l->positive_row, l->negative_row, l->hard_row};
    uint32_t *off = calloc(rows + 1, sizeof *off),
             *list = calloc(count[0] + count[1] + count[2] + count[3] + 1, sizeof *list);
    need(off);
    need(list);
    for (uint32_t u = 0; u < rows; u++) {
        off[u] = n;
        for (uint32_t kind = 0; kind < 4; kind++)
            for (uint32_t i = 0; i < count[kind]; i++)
                if (row[kind][i] == u)
                    list[n++] = kind << PS_USE_SHIFT | i;
    }
    off[rows] = n;
    *use_off = make(rows + 1, sizeof *off, off);
    *use = make(n, sizeof *list, list);
    free(off);
    free(list);
}

static array *counts(size_t n, uint32_t most)
{
    uint32_t *off = calloc(n + 1, sizeof *off);
    need(off);
    for (size_t j = 0; j < n; j++)
        off[j + 1] = off[j] + draw(most + 1);
    array *a = make(n + 1, sizeof *off, off);
    free(off);
    return a;
}

static void test_loss(int kind, int in_batch, uint32_t B, uint32_t N, uint32_t H, uint32_t d)
{
    uint32_t items = 3 * B + 5, rows = B + 4;
    array *query = words(B, items), *positive = words(B, items), *negative = words(N, items),
          *hard = words(B * H, items);
    array *query_row = words(B, rows), *positive_row = words(B, rows), *negative_row = words(N, rows),
          *hard_row = words(B * H, rows);
    array *weight = positives(B), *log_bq = reals(B), *log_np = reals(N), *known_off = counts(B, 4),
          *known = known_lists(known_off, items);
    array *q = reals(B * d), *p = reals(B * d), *z = reals(rows * d), *beta = reals(rows);
    array *sn = reals((size_t)B * N), *sp = reals((size_t)B * B), *sh = empty((size_t)B * H), *down = empty(B),
          *each = empty(B);
    ps_device_loss side_of[2], *l = side_of;
    for (int side = 0; side < 2; side++)
        side_of[side] = (ps_device_loss){.kind = kind,
                                         .pairs = B,
                                         .negatives = N,
                                         .hard = H,
                                         .d = d,
                                         .margin = .1f,
                                         .tau = .2f,

                                         .weight_sum = B,
                                         .query = A(query),
                                         .positive = A(positive),
                                         .negative = A(negative),
                                         .hard_item = A(hard),
                                         .positive_row = A(positive_row),
                                         .negative_row = A(negative_row),
                                         .hard_row = A(hard_row),
                                         .weight = A(weight),
                                         .log_bq = A(log_bq),
                                         .log_np = A(log_np),
                                         .known_off = A(known_off),
                                         .known = A(known),
                                         .q = A(q),
                                         .p = A(p),
                                         .z = A(z),
                                         .beta = B % 2 ? A(beta) : NULL,
                                         .sn = A(sn),
                                         .sp = in_batch ? A(sp) : NULL,
                                         .sh = A(sh),
                                         .down = A(down),
                                         .pair_loss = A(each)};
    ON_BOTH(loss_pairs(dev, &side_of[side]));
    compare("loss: shared", sn, 5e-6);
    compare("loss: hard", sh, 5e-6);
    if (in_batch)
        compare("loss: in batch", sp, 5e-6);
    compare("loss: pairs", each, 5e-6);
    compare("loss: own score's gradient", down, 5e-6);

    array *use_off, *use, *dq = reals(B * d), *dp = reals(B * d), *dn = reals(N * d), *sum_n = reals(N),
                          *sum_p = reals(B);
    array *dz = empty(rows * d), *dbeta = empty(rows);
    make_uses(l, rows, (uint32_t *)query_row->host, &use_off, &use);
    ON_BOTH(loss_rows(dev, &side_of[side], rows, A(use_off), A(use), A(dq), in_batch ? A(dp) : NULL, A(dn), A(sum_n),
                      in_batch ? A(sum_p) : NULL, A(dz), B % 2 ? A(dbeta) : NULL));
    compare("loss_rows", dz, 5e-6);
    if (B % 2)
        compare("loss_rows' bias", dbeta, 5e-6);
}

static void test_losses(void)
{
    static const uint32_t shapes[][4] = {{1, 1, 0, 1},    {1, 0, 2, 3},    {2, 3, 1, 4},
                                         {33, 31, 2, 33}, {31, 40, 3, 64}, {5, 300, 0, 260}};
    for (int form = 0; form < 6; form++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            snprintf(trial, sizeof trial, "loss %d of %u pairs, %u and %u negatives, d %u%s", form, shapes[s][0],
                     shapes[s][1], shapes[s][2], shapes[s][3], among_inputs());
            test_loss(form / 2, form % 2, shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3]);
            free_arrays();
        }
}

int main(void)
{
    int rc = begin();
    if (rc)
        return rc;
    for (with_nan = 0; with_nan <= INFINITE; with_nan++)
        test_losses();
    end();
    CHECK_END();
}
