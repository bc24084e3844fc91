/* Terms, weights and the projection, against values worked out by hand. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "feat_sign.h"
#include "feat_text.h"
#include "mem.h"
#include "rng.h"

static ps_str str(const char *s)
{
    return (ps_str){s, strlen(s)};
}

static int near(double a, double b)
{
    return fabs(a - b) <= 1e-6 * (1 + fabs(b));
}

/* The value of a bucket in a row, 0 if it is not there. */
static float value(const ps_tfidf *m, uint64_t row, uint32_t bucket)
{
    for (size_t e = m->off[row]; e < m->off[row + 1]; e++)
        if (m->index[e] == bucket)
            return m->value[e];
    return 0;
}

static int has(const ps_tfidf *m, uint64_t row, uint32_t bucket)
{
    for (size_t e = m->off[row]; e < m->off[row + 1]; e++)
        if (m->index[e] == bucket)
            return 1;
    return 0;
}

/* Rows 0, 1 and 3 have text, 2 and 4 none: N = 3. */
static ps_idf idf; /* made anew by every ps_tfidf_make here, and freed behind it */

static void weights(void)
{
    ps_texts t = {0};
    ps_term_options words = {0, 0};
    ps_tfidf m;
    CHECK_OK(ps_texts_put(&t, 3, str("cat")));
    CHECK_OK(ps_texts_put(&t, 0, str("Cat dog, CAT!")));
    CHECK_OK(ps_texts_put(&t, 1, str("--dog\x7f- mouse")));
    CHECK_OK(ps_tfidf_make(&m, &t, 5, &words, &idf, NULL));
    ps_idf_free(&idf);
    double cat = (1 + log(2)) * log(3.0 / 2), dog = log(3.0 / 2), mouse = log(3);
    double norm0 = hypot(cat, dog), norm1 = hypot(dog, mouse);
    CHECK(m.rows == 5 && m.off[5] == 5);
    CHECK(near(value(&m, 0, ps_term_word(str("cat"))), cat / norm0));
    CHECK(near(value(&m, 0, ps_term_word(str("dog"))), dog / norm0));
    CHECK(near(value(&m, 1, ps_term_word(str("dog"))), dog / norm1));
    CHECK(near(value(&m, 1, ps_term_word(str("mouse"))), mouse / norm1));
    CHECK(near(value(&m, 3, ps_term_word(str("cat"))), 1));
    CHECK(m.off[3] == m.off[2] && m.off[5] == m.off[4]);
    for (size_t e = 1; e < m.off[1]; e++)
        CHECK(m.index[e] > m.index[e - 1]);
    ps_tfidf_free(&m);
    ps_texts_free(&t);
}

/* Rows 0 and 2 are on boards 1 and 0, row 0 twice on board 1; row 1 is a text alone: N = 3. */
static void boards(void)
{
    const uint64_t off[] = {0, 3, 3, 4};
    const uint32_t board[] = {0, 1, 1, 0}, term[] = {ps_term_board(str("cat")), ps_term_board(str("b"))};
    ps_texts t = {.off = off, .board = board, .term = term};
    ps_term_options words = {0, 0};
    ps_tfidf m;
    CHECK_OK(ps_texts_put(&t, 0, str("cat")));
    CHECK_OK(ps_texts_put(&t, 1, str("cat")));
    CHECK_OK(ps_tfidf_make(&m, &t, 3, &words, &idf, NULL));
    ps_idf_free(&idf);
    double cat = log(3.0 / 2), first = log(3.0 / 2), second = (1 + log(2)) * log(3);
    double norm = sqrt(cat * cat + first * first + second * second);
    CHECK(ps_term_board(str("cat")) != ps_term_word(str("cat")) && ps_term_board(str("cat")) != ps_term_ngram(str("cat")));
    CHECK(m.off[1] == 3 && m.off[2] == 4 && m.off[3] == 5);
    CHECK(near(value(&m, 0, ps_term_word(str("cat"))), cat / norm));
    CHECK(near(value(&m, 0, term[0]), first / norm));
    CHECK(near(value(&m, 0, term[1]), second / norm));
    CHECK(near(value(&m, 1, ps_term_word(str("cat"))), 1));
    CHECK(near(value(&m, 2, term[0]), 1));
    ps_tfidf_free(&m);
    ps_texts_free(&t);
}

/* A term of every text weighs nothing, and a row of such terms is zeros, not NaN. */
static void common_terms(void)
{
    ps_texts t = {0};
    ps_term_options words = {0, 0};
    ps_tfidf m;
    float x[64];
    CHECK_OK(ps_texts_put(&t, 0, str("the")));
    CHECK_OK(ps_texts_put(&t, 1, str("the end")));
    CHECK_OK(ps_tfidf_make(&m, &t, 2, &words, &idf, NULL));
    ps_idf_free(&idf);
    CHECK(m.off[1] == 1 && m.value[0] == 0);
    CHECK(near(value(&m, 1, ps_term_word(str("end"))), 1));
    ps_tfidf_project(&m, 0, 1, 64, x);
    for (int i = 0; i < 64; i++)
        CHECK(x[i] == 0);
    ps_tfidf_free(&m);
    ps_texts_free(&t);
}

/* "<ab>": 2-grams <a ab b>, 3-grams <ab ab>; accented letters are one character each and word bytes. */
static void ngrams(void)
{
    ps_texts t = {0};
    ps_term_options o = {2, 3};
    ps_tfidf m;
    CHECK_OK(ps_texts_put(&t, 0, str("ab")));
    CHECK_OK(ps_texts_put(&t, 1, str("\xc3\xa9z")));
    CHECK_OK(ps_tfidf_make(&m, &t, 2, &o, &idf, NULL));
    ps_idf_free(&idf);
    static const char *const first[] = {"<a", "ab", "b>", "<ab", "ab>"};
    static const char *const second[] = {"<\xc3\xa9", "\xc3\xa9z", "z>", "<\xc3\xa9z", "\xc3\xa9z>"};
    CHECK(m.off[1] == 6 && m.off[2] == 12);
    CHECK(has(&m, 0, ps_term_word(str("ab"))) && has(&m, 1, ps_term_word(str("\xc3\xa9z"))));
    for (int i = 0; i < 5; i++)
        CHECK(has(&m, 0, ps_term_ngram(str(first[i]))) && has(&m, 1, ps_term_ngram(str(second[i]))));
    CHECK(ps_term_word(str("ab")) != ps_term_ngram(str("ab")));
    ps_tfidf_free(&m);
    ps_texts_free(&t);
}

/* One term: the row is its sign vector, every element +-1/4. */
static void projection(void)
{
    enum { D = 100 };
    ps_texts t = {0};
    ps_term_options words = {0, 0};
    ps_tfidf m;
    float x[D + 1];
    CHECK_OK(ps_texts_put(&t, 0, str("lonely")));
    CHECK_OK(ps_texts_put(&t, 1, str("other")));
    CHECK_OK(ps_tfidf_make(&m, &t, 2, &words, &idf, NULL));
    ps_idf_free(&idf);
    x[D] = 77;
    ps_tfidf_project(&m, 0, 5, D, x);
    uint64_t key = ps_signs_key(5, PS_SIGNS_TERM, ps_term_word(str("lonely")));
    for (size_t i = 0; i < D; i++)
        CHECK(near(x[i], (ps_rng(key, i / 64) >> i % 64 & 1) ? .25 : -.25));
    CHECK(x[D] == 77);
    ps_tfidf_free(&m);
    ps_texts_free(&t);
}

/* Sign vectors add up at every length, and are balanced. */
static void signs(void)
{
    static const size_t lengths[] = {1, 31, 32, 33, 63, 64, 65, 127, 128, 200};
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        float x[201] = {0};
        size_t d = lengths[k];
        uint64_t a = ps_signs_key(1, PS_SIGNS_BOARD, k), b = ps_signs_key(1, PS_SIGNS_TERM, k);
        CHECK(a != b);
        ps_signs_add(x, d, a, 2);
        ps_signs_add(x, d, b, -.5f);
        for (size_t i = 0; i < d; i++) {
            float want = (ps_rng(a, i / 64) >> i % 64 & 1 ? 2.f : -2.f) - (ps_rng(b, i / 64) >> i % 64 & 1 ? .5f : -.5f);
            CHECK(x[i] == want);
        }
        CHECK(x[d] == 0);
    }
    float sum[256] = {0};
    for (uint64_t n = 0; n < 1024; n++)
        ps_signs_add(sum, 256, ps_signs_key(3, PS_SIGNS_BOARD, n), 1);
    for (int i = 0; i < 256; i++)
        CHECK(fabsf(sum[i]) < 5.5f * 32); /* 5.5 standard deviations */
}

static void unit_length(void)
{
    float x[2] = {3, 4}, zero[2] = {0, 0}, small[2] = {1e-7f, 0};
    ps_unit_length(x, 2, 10, 0);
    CHECK(near(x[0], 6) && near(x[1], 8));
    ps_unit_length(zero, 2, 1, 0);
    CHECK(zero[0] == 0 && zero[1] == 0);
    ps_unit_length(small, 2, 1, 1e-5f);
    CHECK(small[0] == 0);
}

/* 2000 rows, 1 and 3 threads. */
static void threads(void)
{
    enum { N = 2000 };
    ps_texts t = {0};
    ps_term_options o = {3, 4};
    ps_tfidf a, b;
    char text[96];
    for (uint64_t i = 0; i < N; i++) {
        snprintf(text, sizeof text, "item%llu word%llu and word%llu", (unsigned long long)i,
                 (unsigned long long)(i % 17), (unsigned long long)(i * i % 101));
        CHECK_OK(ps_texts_put(&t, i, str(text)));
    }
    ps_pool *pool = ps_pool_new(3);
    CHECK_OK(ps_tfidf_make(&a, &t, N, &o, &idf, NULL));
    ps_idf_free(&idf);
    CHECK_OK(ps_tfidf_make(&b, &t, N, &o, &idf, pool));
    ps_idf_free(&idf);
    CHECK(memcmp(a.off, b.off, (N + 1) * sizeof *a.off) == 0);
    CHECK(memcmp(a.index, b.index, a.off[N] * sizeof *a.index) == 0);
    CHECK(memcmp(a.value, b.value, a.off[N] * sizeof *a.value) == 0);
    ps_tfidf_free(&a);
    ps_tfidf_free(&b);
    ps_texts_free(&t);
    ps_pool_free(pool);
}

int main(void)
{
    weights();
    boards();
    common_terms();
    ngrams();
    projection();
    signs();
    unit_length();
    threads();
    CHECK_END();
}
