/* t_lsh.c - both levels of weak AND against plain sums over single bits of all rows: without bounds they leave out no
 * row that belongs to the best; with them few; alone or together a query finds the same; rows that are denied are not
 * found; many equal rows. */
#include "lsh_search.c"

#include "check.h"
#include "rng.h"

enum { N = 20000, D = 6, QUERIES_N = 100, EQUAL = 1500 };

/* Clusters; the last rows are all the same. */
static void write_vectors(const char *path)
{
    ps_head h = ps_head_make(PS_VECTORS, D);
    h.qspace = PS_ITEMS;
    ps_out *out = ps_out_open(path, 0);
    ps_writer *w = ps_writer_new(out, &h);
    uint8_t r[4 + 4 * D];
    for (size_t i = 0; i < N; i++) {
        const size_t own = i < N - EQUAL ? i : N;
        ps_put_num(r, 4, i);
        for (uint32_t j = 0; j < D; j++)
            ps_putf32(r + 4 + 4 * j,
                      (float)(ps_unit(ps_rng(5, own % 300 * D + j)) + ps_unit(ps_rng(6, own * D + j)) - 1));
        CHECK_OK(ps_writer_put(w, r, 1));
    }
    CHECK_OK(ps_writer_close(w));
    CHECK_OK(ps_out_close(out));
}

static int row_bit(const ps_index *x, size_t lane, size_t bit)
{
    return x->signature[lsh_word(lane, bit / 64)] >> bit % 64 & 1;
}

/* Has each row the signature that its elements make, in its token's list? */
static void check_lists(const ps_index *x, const ps_knn *knn)
{
    float vector[D + 1], product[PS_BITS];
    size_t wrong = 0, rows = 0;
    double length = (double)x->length * (double)x->length;
    for (size_t t = 0; t < (size_t)1 << x->token_bits; t++)
        for (size_t lane = x->list_off[t] * (size_t)PS_BITS_LANES; lane < x->list_off[t + 1] * (size_t)PS_BITS_LANES;
             lane++) {
            if (x->posting[lane] == UINT32_MAX)
                continue;
            double rest = length;
            index_row(knn, x->posting[lane], vector);
            for (size_t j = 0; j < D; j++) {
                vector[j] -= x->mean[j];
                rest -= (double)vector[j] * (double)vector[j];
            }
            vector[D] = rest > 0 ? (float)sqrt(rest) : 0;
            ps_dots()(1, PS_BITS, D + 1, vector, D + 1, x->planes, D + 1, product, PS_BITS);
            size_t token = 0;
            for (size_t b = 0; b < PS_BITS; b++) {
                wrong += row_bit(x, lane, b) != (product[b] > 0);
                token |= b < x->token_bits ? (size_t)(product[b] > 0) << b : 0;
            }
            wrong += token != t;
            rows++;
        }
    CHECK(x->token_bits > 4 && wrong == 0 && rows == N);
}

/* Each row's full score, UINT32_MAX if it is denied; and how many strong bits there are, about half. */
static void plain_scores(const job *w, size_t query, uint32_t *apart)
{
    const ps_index *x = w->x;
    float vector[D + 1], product[PS_BITS], most = 0;
    lsh_query(x, knn_query(w->knn, w->q, query), 1, vector);
    ps_dots()(1, PS_BITS, D + 1, vector, D + 1, x->planes, D + 1, product, PS_BITS);
    for (size_t b = 0; b < PS_BITS; b++)
        most = fmaxf(most, fabsf(product[b]));
    for (size_t lane = 0; lane < lsh_lanes(x); lane++) {
        const uint32_t row = x->posting[lane];
        if (row == UINT32_MAX)
            continue;
        apart[row] = 0;
        for (size_t b = 0; b < PS_BITS; b++)
            if (row_bit(x, lane, b) != (product[b] > 0))
                apart[row] += (uint32_t)(fabsf(product[b]) * (PS_BITS_WEIGHT / most) + 0.5f);
        if (w->knn->denied && w->knn->denied[row])
            apart[row] = UINT32_MAX;
    }
}

static int ascending(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The share of the best that were taken in, by their scores; -1 if one has another score, or is there twice. */
static double share_of_best(const job *w, const sieve *v, size_t query)
{
    static uint32_t apart[N], sorted[N];
    static uint8_t seen[N];
    size_t right = 0, wrong = v->q.n > w->keep;
    plain_scores(w, query, apart);
    memcpy(sorted, apart, sizeof sorted);
    memset(seen, 0, sizeof seen);
    qsort(sorted, N, sizeof *sorted, ascending);
    const uint32_t last = sorted[w->keep - 1];
    for (size_t i = 0; i < v->q.n; i++) {
        const uint32_t row = (uint32_t)v->q.taken[i];
        wrong += apart[row] != apart_of(v->q.taken[i]) || seen[row]++;
        right += apart[row] <= last;
    }
    return wrong ? -1 : (double)right / (double)w->keep;
}

static void check_strong(const sieve *v)
{
    size_t strong = 0;
    for (size_t b = 0; b < PS_BITS; b++) {
        unsigned weight = 0;
        for (unsigned p = 0; p < PS_BITS_PLANES; p++)
            weight |= (unsigned)(v->q.plane[p][b / 64] >> b % 64 & 1) << p;
        const int is = v->q.strong[b / 64] >> b % 64 & 1;
        CHECK(weight == 0 ? !is : 1);
        strong += (size_t)is;
    }
    CHECK(strong > PS_BITS / 4 && strong < PS_BITS * 3 / 4);
}

/* All queries together and each alone: the mean share of the best. */
static double check_all(job *w, scratch *s, scratch *alone)
{
    double sum = 0;
    size_t checked = 0;
    for (size_t begin = 0; begin < QUERIES_N; begin += QUERIES) {
        const size_t n = QUERIES_N - begin < QUERIES ? QUERIES_N - begin : QUERIES;
        CHECK_OK(weak_and(w, s, begin, n));
        for (size_t i = 0; i < n; i += 9, checked++) {
            const sieve *v = &s->sieve[i], *one = &alone->sieve[0];
            const double share = share_of_best(w, v, begin + i);
            CHECK(share >= 0);
            sum += share;
            check_strong(v);
            CHECK_OK(weak_and(w, alone, begin + i, 1));
            CHECK(v->q.n == one->q.n && memcmp(v->q.taken, one->q.taken, v->q.n * sizeof *v->q.taken) == 0);
            CHECK_OK(order(s, &s->sieve[i]));
            CHECK(s->rows == v->q.n);
        }
    }
    return sum / (double)checked;
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
    check_lists(&x, &knn);
    for (size_t i = 0; i < QUERIES_N; i++) { /* the last one is of the equal rows */
        CHECK_OK(ps_knn_begin(&q, &knn));
        CHECK_OK(ps_knn_add(&q, &knn, &knn, i * (N - 1) / (QUERIES_N - 1), 1));
        CHECK_OK(ps_knn_end(&q, &knn));
    }
    static scratch s[2];
    job w = {.x = &x, .knn = &knn, .q = &q, .k = 10, .posting = x.posting, .block = QUERIES, .bits = ps_bits()};
    CHECK_OK(make_scratch(&w, &s[0]));
    CHECK_OK(make_scratch(&w, &s[1]));
    uint32_t *own = NULL;
    static const size_t k[] = {1, 10, 100};
    for (size_t denied = 0; denied < 2; denied++) {
        for (size_t i = 0; i < 3; i++) {
            w.k = k[i];
            plan(&w, 40);
            CHECK(check_all(&w, &s[0], &s[1]) > 0.9);
            w.slack = 1e9;
            w.strong_part = SIZE_MAX;
            CHECK(check_all(&w, &s[0], &s[1]) > 0.99);
            w.first = lsh_lanes(&x); /* so that no bound comes into play */
            CHECK(check_all(&w, &s[0], &s[1]) > 0.9999);
        }
        for (uint64_t r = 0; r < N && denied == 0; r++)
            if (r % 8 > 1)
                CHECK_OK(ps_knn_deny(&knn, r));
        if (denied == 0)
            w.posting = own = deny(&x, &knn);
    }
    free(own);
    free_scratch(&s[0]);
    free_scratch(&s[1]);
    ps_knn_queries_free(&q);
    ps_index_close(&x);
    ps_knn_close(&knn);
    CHECK_END();
}
