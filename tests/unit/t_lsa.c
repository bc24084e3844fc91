/* t_lsa.c - eigenvectors against their definition; latent semantic analysis against the exact singular vectors of a
 * dense matrix, and where all directions are kept, against the rows themselves. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "eigen.h"
#include "lsa.h"
#include "mem.h"
#include "rng.h"

static ps_idf idf; /* made anew by every ps_tfidf_make here, and freed behind it */

/* ---- eigen.h ---- */

/* a = sum over r < rank of g_r g_r', with g_r of falling size. */
static void make_psd(size_t n, size_t rank, double *a)
{
    memset(a, 0, n * n * sizeof *a);
    for (size_t r = 0; r < rank; r++)
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < n; k++)
                a[i * n + k] += (ps_unit(ps_rng(r, i)) - .5) * (ps_unit(ps_rng(r, k)) - .5) / (double)(1 + r);
}

static void test_eigen(size_t n, size_t rank)
{
    double *a = ps_alloc(n * n, sizeof *a), *v = ps_alloc(n * n, sizeof *v), *w = ps_alloc(n * n, sizeof *w), value[64];
    ps_pool *pool = ps_pool_new(3);
    make_psd(n, rank, a);
    memcpy(v, a, n * n * sizeof *v);
    memcpy(w, a, n * n * sizeof *w);
    CHECK_OK(ps_eigen(n, v, value, NULL));
    for (size_t i = 0; i < n; i++) {
        CHECK(i == 0 || value[i] <= value[i - 1]);
        CHECK(i < rank ? value[i] > 0 : value[i] <= 1e-6 * value[0]);
        for (size_t k = 0; k < n && value[i] > 1e-6 * value[0]; k++) {
            double av = 0, inner = 0;
            for (size_t j = 0; j < n; j++) {
                av += a[k * n + j] * v[i * n + j];
                inner += v[i * n + j] * v[k * n + j];
            }
            CHECK(fabs(av - value[i] * v[i * n + k]) < 1e-9 * value[0]);
            if (value[k] > 1e-6 * value[0])
                CHECK(fabs(inner - (i == k)) < 1e-8);
        }
    }
    double other[64];
    CHECK_OK(ps_eigen(n, w, other, pool));
    CHECK(memcmp(v, w, n * n * sizeof *v) == 0 && memcmp(value, other, n * sizeof *value) == 0);
    ps_pool_free(pool);
    free(a);
    free(v);
    free(w);
}

/* ---- lsa.h ---- */

enum { TEXTS = 400, TOPICS = 6, WORDS = 12 };

/* Every topic has words of its own, from one text to the next other ones of them, and a few that all share. */
static void make_texts(ps_texts *t)
{
    for (uint64_t i = 0; i < TEXTS; i++) {
        char text[256] = "";
        for (uint64_t w = 0; w < WORDS && i % 17; w++) { /* some are empty */
            uint64_t r = ps_rng(5, i * WORDS + w), topic = r % 20 < 19 ? i % TOPICS : r / 16 % TOPICS;
            sprintf(text + strlen(text), "t%dw%d ", (int)topic, (int)(r / 256 % 9));
        }
        CHECK_OK(ps_texts_put(t, i, (ps_str){text, strlen(text)}));
    }
}

static void fold(const ps_lsa *lsa, const ps_tfidf *m, uint64_t i, float *out)
{
    ps_lsa_fold_in(lsa, m->off[i + 1] - m->off[i], m->index + m->off[i], m->value + m->off[i], out);
}

static double cosine(size_t d, const float *x, const float *y)
{
    double xy = 0, xx = 0, yy = 0;
    for (size_t i = 0; i < d; i++) {
        xy += (double)x[i] * (double)y[i];
        xx += (double)x[i] * (double)x[i];
        yy += (double)y[i] * (double)y[i];
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}

/* The dense matrix, texts x terms. */
static float *dense(const ps_tfidf *m, const ps_lsa *lsa)
{
    float *a = ps_zalloc(m->rows * lsa->terms, sizeof *a);
    for (uint64_t i = 0; i < m->rows; i++)
        for (size_t e = m->off[i]; e < m->off[i + 1]; e++)
            for (uint32_t t = 0; t < lsa->terms; t++)
                if (lsa->bucket[t] == m->index[e])
                    a[i * lsa->terms + t] = m->value[e];
    return a;
}

/* Rows projected to the first k eigenvectors of A'A. */
static float *exact(const ps_tfidf *m, const ps_lsa *lsa, const float *a, uint32_t k)
{
    size_t n = lsa->terms;
    double *g = ps_zalloc(n * n, sizeof *g), *value = ps_alloc(n, sizeof *value);
    float *out = ps_zalloc(m->rows * k, sizeof *out);
    for (uint64_t i = 0; i < m->rows; i++)
        for (size_t s = 0; s < n; s++)
            for (size_t t = 0; t < n; t++)
                g[s * n + t] += (double)a[i * n + s] * (double)a[i * n + t];
    CHECK_OK(ps_eigen(n, g, value, NULL));
    for (uint64_t i = 0; i < m->rows; i++)
        for (uint32_t j = 0; j < k; j++)
            for (size_t t = 0; t < n; t++)
                out[i * k + j] += a[i * n + t] * (float)g[j * n + t];
    free(g);
    free(value);
    return out;
}

/* Cosines of pairs of texts; those of `want` have `dw` elements. */
static void compare(const ps_tfidf *m, const ps_lsa *lsa, const float *want, size_t dw, double bound)
{
    float x[256], y[256];
    for (uint64_t i = 0; i < TEXTS; i++) {
        uint64_t j = ps_below(ps_rng(6, i), TEXTS);
        fold(lsa, m, i, x);
        fold(lsa, m, j, y);
        double got = cosine(lsa->k, x, y), expected = cosine(dw, want + i * dw, want + j * dw), length = 0;
        CHECK(fabs(got - expected) < bound);
        for (uint32_t e = 0; e < lsa->k; e++)
            length += (double)x[e] * (double)x[e];
        CHECK(m->off[i] == m->off[i + 1] ? length == 0 : fabs(sqrt(length) - sqrt(lsa->k) / 4) < 1e-5);
    }
}

static void test_lsa(void)
{
    ps_texts texts = {0};
    ps_tfidf m;
    ps_lsa six, all, threads;
    ps_pool *pool = ps_pool_new(3);
    make_texts(&texts);
    CHECK_OK(ps_tfidf_make(&m, &texts, TEXTS, &(ps_term_options){0}, &idf, NULL));
    ps_idf_free(&idf);
    CHECK_OK(ps_lsa_make(&six, &m, TOPICS, 1, NULL));
    CHECK_OK(ps_lsa_make(&all, &m, 100, 1, NULL));
    CHECK(all.terms == TOPICS * 9 && six.terms == all.terms);
    float *a = dense(&m, &all), *want = exact(&m, &six, a, TOPICS);
    compare(&m, &six, want, TOPICS, 1e-3); /* there is a gap behind the topics */
    compare(&m, &all, a, all.terms, 1e-4); /* more directions than there are terms: nothing is lost */
    for (uint32_t t = 0; t < all.terms; t++)
        CHECK(all.v[t * 100 + all.terms] == 0); /* and what is too much is zero */
    CHECK_OK(ps_lsa_make(&threads, &m, TOPICS, 1, pool));
    CHECK(memcmp(threads.v, six.v, sizeof *six.v * six.terms * six.k) == 0);

    /* A new text: its known terms count, another does not, and none at all is zeros. */
    uint32_t index[] = {all.bucket[3], all.bucket[3] + 1, all.bucket[7]};
    float weight[] = {.6f, index[1] == all.bucket[4] ? 0 : .5f, .8f}, known[] = {.6f, .8f}, x[TOPICS], y[TOPICS];
    ps_lsa_fold_in(&six, 3, index, weight, x);
    ps_lsa_fold_in(&six, 2, (uint32_t[]){index[0], index[2]}, known, y);
    CHECK(memcmp(x, y, sizeof x) == 0 && cosine(TOPICS, x, x) > 0);
    ps_lsa_fold_in(&six, 0, NULL, NULL, x);
    CHECK(cosine(TOPICS, x, x) == 0);
    free(a);
    free(want);
    ps_lsa_free(&six);
    ps_lsa_free(&all);
    ps_lsa_free(&threads);
    ps_tfidf_free(&m);

    /* Nothing to analyse: no text, or none with a term. */
    CHECK_OK(ps_tfidf_make(&m, &(ps_texts){0}, 3, &(ps_term_options){0}, &idf, NULL));
    ps_idf_free(&idf);
    CHECK_OK(ps_lsa_make(&six, &m, TOPICS, 1, NULL));
    CHECK(six.terms == 0);
    ps_lsa_free(&six);
    ps_tfidf_free(&m);
    ps_texts_free(&texts);
    ps_pool_free(pool);
}

int main(void)
{
    const size_t sizes[][2] = {{1, 1}, {2, 2}, {3, 1}, {8, 8}, {9, 9}, {33, 33}, {40, 12}, {5, 0}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        test_eigen(sizes[i][0], sizes[i][1]);
    test_lsa();
    CHECK_END();
}
