/* knn_codes.c - exact search by a scan of 8-bit codes: what their error bound cannot rule out is scored in floats. */
#include <math.h>
#include <stdlib.h>

#include "knn_inner.h"
#include "mem.h"

enum { ROWS_AT_ONCE = 64, GROUPS = KNN_TILE / PS_CODES_LANES };

static void prefetch(const float *row, size_t d)
{
    for (size_t at = 0; at < d; at += 16)
        __builtin_prefetch(row + at);
}

void knn_rerank(const ps_knn *knn, const ps_knn_queries *q, size_t i, size_t n, const uint32_t *row, ps_topk *best)
{
    const float *at[ROWS_AT_ONCE];
    float score[ROWS_AT_ONCE];
    uint32_t kept[ROWS_AT_ONCE];
    ps_dots_rows_fn *dots = ps_dots_rows();
    for (size_t from = 0; from < n;) {
        size_t m = 0;
        for (; from < n && m < ROWS_AT_ONCE; from++)
            if (!ps_knn_leaves_out(q, i, row[from])) {
                at[m] = ps_vectors_row(&knn->dense, row[from]);
                prefetch(at[m], knn->d);
                kept[m++] = row[from];
            }
        if (m == 0)
            break;
        dots(m, knn->d, knn_query(knn, q, i), at, score);
        for (size_t j = 0; j < m; j++) {
            if (knn->cosine)
                score[j] = score[j] * q->scale[i] * knn->inverse[kept[j]];
            if (ps_topk_wants(best, score[j]))
                ps_topk_put(best, (ps_hit){score[j], ps_knn_item(knn, kept[j])});
        }
    }
}

typedef struct {
    const ps_knn *knn;
    const ps_knn_queries *q;
    size_t parts, k;
    ps_topk *best;
    ps_sieve (*sieve)[KNN_QUERIES]; /* of each thread */
    int8_t *code;                   /* of each thread: KNN_QUERIES x 4 words */
    ps_codes_fn *codes;
} job;

static void start(const job *w, size_t begin, size_t n, ps_sieve *sieve, int8_t *code)
{
    const ps_quant *c = &w->knn->quant;
    for (size_t i = 0; i < n; i++) {
        const size_t query = begin + i, skips = w->q->skip_off[query + 1] - w->q->skip_off[query];
        ps_sieve *s = &sieve[i];
        const double bound = ps_quant_query(c, knn_query(w->knn, w->q, query), w->q->scale[query],
                                            code + i * 4 * ps_codes_words(c->d), &s->q);
        ps_sieve_start(s, w->k + skips, 2 * bound);
    }
}

static int scan(void *ctx, size_t task, int thread)
{
    const job *w = ctx;
    const ps_quant *c = &w->knn->quant;
    const size_t begin = task / w->parts * KNN_QUERIES, part = task % w->parts;
    const size_t n = w->q->n - begin < KNN_QUERIES ? w->q->n - begin : KNN_QUERIES;
    const size_t words = ps_codes_words(c->d), tiles = (c->groups + GROUPS - 1) / GROUPS;
    ps_sieve *sieve = w->sieve[thread];
    ps_codes_query *query[KNN_QUERIES];
    start(w, begin, n, sieve, w->code + (size_t)thread * KNN_QUERIES * 4 * words);
    for (size_t i = 0; i < n; i++)
        query[i] = &sieve[i].q;
    for (size_t tile = tiles * part / w->parts; tile < tiles * (part + 1) / w->parts; tile++) {
        const size_t group = tile * GROUPS, groups = c->groups - group < GROUPS ? c->groups - group : GROUPS;
        for (size_t i = 0; i < n; i++)
            if (ps_sieve_room(&sieve[i], KNN_TILE) < 0)
                return PS_EMEM;
        w->codes(n, query, words, groups, c->codes + group * ps_codes_group(c->d), c->scale + group * PS_CODES_LANES,
                 c->offset + group * PS_CODES_LANES, (uint32_t)(group * PS_CODES_LANES));
    }
    for (size_t i = 0; i < n; i++) {
        ps_sieve_end(&sieve[i]);
        knn_rerank(w->knn, w->q, begin + i, sieve[i].q.n, sieve[i].q.row, &w->best[(begin + i) * w->parts + part]);
    }
    return 0;
}

int knn_search_codes(const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool, size_t parts, size_t k, ps_topk *best)
{
    const size_t threads = (size_t)ps_pool_threads(pool), words = ps_codes_words(knn->quant.d);
    job w = {.knn = knn, .q = q, .parts = parts, .k = k, .best = best, .codes = ps_codes()};
    w.sieve = ps_zalloc(threads, sizeof *w.sieve);
    w.code = ps_zalloc(threads * KNN_QUERIES * words, 4);
    int rc = w.sieve && w.code ? 0 : PS_EMEM;
    if (rc == 0)
        rc = ps_pool_run(pool, (q->n + KNN_QUERIES - 1) / KNN_QUERIES * parts, scan, &w);
    for (size_t t = 0; t < threads && w.sieve; t++)
        for (size_t i = 0; i < KNN_QUERIES; i++)
            ps_sieve_free(&w.sieve[t][i]);
    free(w.sieve);
    free(w.code);
    return rc;
}
