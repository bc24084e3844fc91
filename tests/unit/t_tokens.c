/* Token embeddings: lists against the texts, sums and gradients against loops, Adagrad's step, new words. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "mem.h"
#include "model.h"
#include "rng.h"
#include "tokens.h"

enum { ITEMS = 40, BUCKETS = 50, D = 19, BATCH = 25, MOST = 6 };

/* Item i has up to MOST tokens; every fifth has none. */
typedef struct {
    ps_sparse s;
    uint64_t off[ITEMS + 1];
    uint32_t index[ITEMS * MOST];
    float value[ITEMS * MOST];
} texts;

static void make_texts(texts *t, uint32_t buckets)
{
    uint64_t n = 0;
    for (uint64_t i = 0; i < ITEMS; i++) {
        t->off[i] = n;
        uint32_t last = 0;
        for (uint64_t k = 0; i % 5 && k < 1 + i % MOST && last < buckets; k++) {
            last += (uint32_t)ps_below(ps_rng(i, k), 2 + buckets / MOST);
            if (last >= buckets)
                break;
            t->index[n] = last++;
            t->value[n++] = (float)(.1 + ps_unit(ps_rng(i, 100 + k)));
        }
    }
    t->off[ITEMS] = n;
    t->s = (ps_sparse){.n = ITEMS, .off = t->off, .index = t->index, .value = t->value, .dim = BUCKETS};
}

static double weight_of(const texts *t, uint32_t item, uint32_t bucket)
{
    for (uint64_t e = t->off[item]; e < t->off[item + 1]; e++)
        if (t->index[e] == bucket)
            return (double)t->value[e];
    return 0;
}

static int close_to(double a, double b)
{
    return fabs(a - b) <= 1e-5 * (1 + fabs(b));
}

static void check_sums(const texts *t, ps_pool *pool)
{
    ps_vocabulary v;
    ps_token_lists l = {0};
    CHECK_OK(ps_vocabulary_make(&v, &t->s));
    uint32_t items[BATCH];
    for (uint32_t i = 0; i < BATCH; i++)
        items[i] = (uint32_t)(i * 7 % ITEMS);
    CHECK_OK(ps_token_lists_make(&l, &v, &t->s, 3, items, BATCH));
    CHECK_OK(ps_token_lists_turn(&l));

    ps_real *E = ps_alloc((size_t)v.n * D, sizeof *E), *E2 = ps_alloc((size_t)v.n * D, sizeof *E);
    ps_real *squares = ps_zalloc(v.n, sizeof *squares), y[BATCH * D], dy[BATCH * D], g[D];
    for (uint32_t r = 0; r < v.n; r++) {
        ps_token_start(v.bucket[r], D, E + r * D);
        squares[r] = (ps_real)r;
    }
    for (size_t i = 0; i < BATCH * D; i++) {
        y[i] = (ps_real)i;
        dy[i] = (ps_real)(ps_unit(ps_rng(9, i)) - .5);
    }
    ps_tokens_add(&l, E, D, y, pool);
    for (uint32_t i = 0; i < BATCH; i++)
        for (uint32_t j = 0; j < D; j++) {
            double want = i * D + j;
            for (uint32_t r = 0; r < v.n; r++)
                want += 3 * weight_of(t, items[i], v.bucket[r]) * (double)E[r * D + j];
            CHECK(close_to((double)y[i * D + j], want));
        }

    memcpy(E2, E, (size_t)v.n * D * sizeof *E);
    CHECK_OK(ps_tokens_step(&l, dy, D, .5, E2, squares, pool));
    size_t touched = 0;
    for (uint32_t r = 0; r < v.n; r++) {
        double want[D] = {0}, mean = 0;
        int used = 0;
        for (uint32_t i = 0; i < BATCH; i++) {
            double w = 3 * weight_of(t, items[i], v.bucket[r]);
            used |= w != 0;
            for (uint32_t j = 0; j < D; j++)
                want[j] += w * (double)dy[i * D + j];
        }
        for (uint32_t j = 0; j < D; j++)
            mean += want[j] * want[j] / D;
        CHECK(close_to((double)squares[r], r + mean));
        for (uint32_t j = 0; j < D; j++)
            CHECK(close_to((double)E2[r * D + j], (double)E[r * D + j] - .5 * want[j] / (sqrt(r + mean) + 1e-10)) || !used);
        CHECK(used || memcmp(E2 + r * D, E + r * D, D * sizeof *E) == 0);
        if (!used)
            continue;
        CHECK(touched < l.rows && l.touched[touched] == r);
        ps_tokens_gradient(&l, touched++, dy, D, g);
        for (uint32_t j = 0; j < D; j++)
            CHECK(close_to((double)g[j], want[j]));
    }
    CHECK(touched == l.rows && touched > 5);
    free(E);
    free(E2);
    free(squares);
    ps_token_lists_free(&l);
    ps_vocabulary_free(&v);
}

/* A model that meets new words has their starting rows, and all else as it was. */
static void check_widening(texts *t)
{
    ps_vocabulary v;
    ps_model m;
    CHECK_OK(ps_vocabulary_make(&v, &t->s));
    uint32_t n = v.n, known = v.bucket[3];
    ps_shape shape = {.dx = 3, .layers = 1, .m = 4, .d = D, .bias = 1, .tau = 1, .buckets = BUCKETS, .tokens = n, .token_scale = 4};
    CHECK_OK(ps_model_make(&m, &shape));
    ps_model_set_vocabulary(&m, &v);
    ps_model_init(&m, 5);
    CHECK(m.size == m.dense + (size_t)n * (D + 1) && m.size == ps_shape_size(&shape));
    CHECK((double)PS_FABS(m.param[m.at.E]) == 1. / 16 && m.param[m.at.s] == 0);
    m.param[m.at.E + 3 * D] = 42;
    ps_real q = m.param[m.at.Q[0]];
    texts more = *t;
    make_texts(&more, BUCKETS);
    for (uint64_t e = 0; e < more.off[ITEMS]; e++)
        more.index[e] = BUCKETS - 1; /* all of them one new word */
    more.s.index = more.index;
    CHECK(ps_vocabulary_find(&m.vocabulary, BUCKETS - 1) == UINT32_MAX);
    CHECK_OK(ps_model_widen(&m, &more.s));
    CHECK(m.shape.tokens == n + 1 && m.vocabulary.n == n + 1);
    uint32_t row = ps_vocabulary_find(&m.vocabulary, known), new_row = ps_vocabulary_find(&m.vocabulary, BUCKETS - 1);
    ps_real start[D];
    ps_token_start(BUCKETS - 1, D, start);
    CHECK(m.param[m.at.E + (size_t)row * D] == 42 && m.param[m.at.Q[0]] == q);
    CHECK(memcmp(m.param + m.at.E + (size_t)new_row * D, start, sizeof start) == 0);
    more.s.dim = BUCKETS + 1;
    CHECK(ps_model_widen(&m, &more.s) == PS_EMATCH);
    ps_model_free(&m);
}

int main(void)
{
    texts t;
    make_texts(&t, BUCKETS - 1);
    check_sums(&t, NULL);
    ps_pool *pool = ps_pool_new(3);
    check_sums(&t, pool);
    ps_pool_free(pool);
    check_widening(&t);
    CHECK_END();
}
