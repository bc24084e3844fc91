/* t_lsh.c - weak AND leaves out no row that belongs to the best: both levels against plain sums over all rows, with two
 * windows of posting lists, some tokens and many, few rows and many, rows that are denied. */
#include "lsh_search.c"

#include "check.h"
#include "rng.h"

enum { N = LSH_WINDOW + 9000, D = 6, NEAR = 30, QUERIES_N = 16, CASES = 120 };

static void write_vectors(const char *path)
{
    ps_head h = ps_head_make(PS_VECTORS, D);
    h.qspace = PS_ITEMS;
    ps_out *out = ps_out_open(path, 0);
    ps_writer *w = ps_writer_new(out, &h);
    uint8_t *r = malloc(h.size);
    for (size_t i = 0; i < N; i++) {
        ps_put_num(r, 4, i);
        for (uint32_t j = 0; j < D; j++)
            ps_putf32(r + 4 + 4 * j, (float)(ps_unit(ps_rng(5, i % 300 * D + j)) + ps_unit(ps_rng(6, i * D + j)) - 1));
        CHECK_OK(ps_writer_put(w, r, 1));
    }
    free(r);
    CHECK_OK(ps_writer_close(w));
    CHECK_OK(ps_out_close(out));
}

/* Of each row and band, from single bits. */
static uint16_t (*values)[LSH_BANDS];

static void make_values(const ps_index *x)
{
    values = malloc(N * sizeof *values);
    for (size_t i = 0; i < N; i++)
        for (uint32_t b = 0; b < LSH_BANDS; b++) {
            values[i][b] = 0;
            for (uint32_t j = 0; j < LSH_BITS; j++) {
                const uint32_t bit = lsh_bit(b, j);
                values[i][b] |= (uint16_t)((x->signature[i * PS_BITS_WORDS + bit / 64] >> bit % 64 & 1) << j);
            }
        }
}

/* Has each row one posting in each band, that of its value? */
static void check_postings(const ps_index *x)
{
    for (uint32_t b = 0; b < LSH_BANDS; b++) {
        size_t right = 0;
        for (uint32_t v = 0; v < LSH_VALUES; v++)
            for (size_t window = 0; window < x->windows; window++) {
                const token t = {(uint8_t)b, 0, (uint16_t)v};
                const uint32_t *off = list_of(x, window, &t);
                for (uint32_t at = off[0]; at < off[1]; at++)
                    right += values[window * LSH_WINDOW + x->posting[at]][b] == v;
            }
        CHECK(right == N); /* no row is twice in a list: ps_index_open has seen to that */
    }
}

/* Of a query that asks for all tokens: is each band's own value among them, with more weight than its flips? */
static void check_bands(const scratch *s, size_t tokens, const float *product)
{
    for (uint32_t b = 0; b < LSH_BANDS; b++) {
        unsigned own = 0, of_own = 0, most = 0;
        for (uint32_t j = 0; j < LSH_BITS; j++)
            own |= (unsigned)(product[lsh_bit(b, j)] > 0) << j;
        for (size_t t = 0; t < tokens; t++)
            if (s->chosen[t].band == b) {
                most = s->chosen[t].weight > most ? s->chosen[t].weight : most;
                of_own = s->chosen[t].value == own ? s->chosen[t].weight : of_own;
            }
        CHECK(of_own > 0 && of_own == most);
    }
}

static unsigned *plain_sums(const scratch *s, size_t tokens)
{
    unsigned *sum = calloc(N, sizeof *sum);
    uint8_t(*weight)[LSH_VALUES] = calloc(LSH_BANDS, sizeof *weight);
    for (size_t t = 0; t < tokens; t++)
        weight[s->chosen[t].band][s->chosen[t].value] += s->chosen[t].weight;
    for (size_t i = 0; i < N; i++)
        for (uint32_t b = 0; b < LSH_BANDS; b++)
            sum[i] += weight[b][values[i][b]];
    free(weight);
    return sum;
}

/* Are the rows taken in those with the highest (sign 1) or lowest (-1) scores, of equals the first, of rows[0..n-1]? */
static int best_are(const scratch *s, const int *score, int sign, const uint32_t *row, size_t n, size_t keep)
{
    uint8_t *in = calloc(N, 1);
    size_t want = 0;
    int ok = s->n <= keep;
    for (size_t i = 0; i < s->n; i++)
        in[s->row[i]] = 1;
    int worst = 0, has = 0; /* the worst that is in */
    uint32_t last = 0;
    for (size_t i = 0; i < s->n; i++)
        if (!has || sign * score[s->row[i]] <= sign * worst) {
            last = has && score[s->row[i]] == worst && s->row[i] < last ? last : s->row[i];
            worst = score[s->row[i]];
            has = 1;
        }
    for (size_t i = 0; i < n; i++) {
        const int better = sign * score[row[i]] > sign * worst || (score[row[i]] == worst && row[i] <= last);
        ok &= !has || better == in[row[i]];
        want += in[row[i]];
    }
    free(in);
    return ok && want == s->n;
}

static void check_query(job *w, scratch *s, size_t query, size_t tokens, size_t keep)
{
    const ps_index *x = w->x;
    float vector[D + 1], product[PS_BITS];
    uint32_t *row = malloc(N * sizeof *row);
    int *score = malloc(N * sizeof *score);
    size_t n = 0;
    w->tokens = tokens;
    const double length = lsh_query(x, knn_query(w->knn, w->q, query), 1, vector);
    ps_dots()(1, PS_BITS, D + 1, vector, D + 1, x->planes, D + 1, product, PS_BITS);
    const size_t have = make_tokens(w, s, product, length);
    CHECK(have <= tokens);
    if (tokens == TOKENS_MAX)
        check_bands(s, have, product);
    unsigned *sum = plain_sums(s, have);
    for (uint32_t i = 0; i < N; i++) {
        score[i] = (int)sum[i];
        if (sum[i] > 0 && !(w->knn->denied && w->knn->denied[i]))
            row[n++] = i;
    }
    CHECK(first_level(w, s, have, keep) == 0);
    CHECK(s->n == (n < keep ? n : keep));
    CHECK(best_are(s, score, 1, row, n, keep));
    for (size_t i = 0; i < s->n; i++)
        CHECK(full_sum(s, x, s->row[i]) == sum[s->row[i]]);
    /* second level */
    n = s->n;
    memcpy(row, s->row, n * sizeof *row);
    float most = 0;
    for (size_t b = 0; b < PS_BITS; b++)
        most = fmaxf(most, fabsf(product[b]));
    for (size_t i = 0; i < n; i++) {
        score[row[i]] = 0;
        for (size_t b = 0; b < PS_BITS; b++)
            if ((x->signature[row[i] * PS_BITS_WORDS + b / 64] >> b % 64 & 1) != (product[b] > 0))
                score[row[i]] += (int)(fabsf(product[b]) * (PS_BITS_WEIGHT / most) + 0.5f);
    }
    pick(w, s, product, NEAR);
    CHECK(s->n == (n < NEAR ? n : NEAR) && best_are(s, score, -1, row, n, NEAR));
    for (size_t i = 0; i < have; i++)
        s->weight[s->chosen[i].band][s->chosen[i].value] = 0;
    free(row);
    free(score);
    free(sum);
}

int main(void)
{
    ps_knn knn;
    ps_index x;
    ps_knn_queries q = {0};
    write_vectors("x.psr");
    CHECK_OK(ps_knn_open(&knn, "x.psr", NULL, 0));
    const ps_index_options o = {.type = PS_INDEX_LSH, .seed = 1};
    ps_out *out = ps_out_open("x.psi", 0);
    CHECK_OK(ps_index_build(&knn, &o, NULL, out));
    CHECK_OK(ps_out_close(out));
    CHECK_OK(ps_index_open(&x, "x.psi", &knn));
    scratch *s = calloc(1, sizeof *s);
    job w = {.x = &x, .knn = &knn, .q = &q, .k = 10, .bits = ps_bits()};
    make_odds(w.same, w.other);
    make_values(&x);
    check_postings(&x);
    static const size_t tokens[] = {1, 12, 60, 400, TOKENS_MAX}, keep[] = {1, 100, 3000};
    for (size_t i = 0; i < QUERIES_N; i++) {
        CHECK_OK(ps_knn_begin(&q, &knn));
        CHECK_OK(ps_knn_add(&q, &knn, &knn, i * 4603, 1));
        CHECK_OK(ps_knn_end(&q, &knn));
    }
    for (size_t i = 0; i < CASES; i++) {
        if (i == CASES - 15) /* half of the rows, and all of the first window but some */
            for (uint64_t r = 0; r < N; r++)
                if (r % 2 == 0 || (r < LSH_WINDOW && r % 64 != 1))
                    CHECK_OK(ps_knn_deny(&knn, r));
        check_query(&w, s, i % QUERIES_N, tokens[i % 5], keep[i % 3]);
    }
    free(values);
    free_scratch(s);
    free(s);
    ps_knn_queries_free(&q);
    ps_index_close(&x);
    ps_knn_close(&knn);
    CHECK_END();
}
