/* Figures worked out by hand: ranks from hits and from vectors, each measure, cold pairs, head-to-head, K lists. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "eval.h"

static int near(double a, double b)
{
    return fabs(a - b) < 1e-12;
}

/* Pairs 0-1, 0-2, 3-1, 4-0 and, not known to the graph of 5 items, 5-1 and 0-6. */
static uint32_t query[] = {0, 3, 0, 4, 5, 0}, positive[] = {1, 1, 2, 0, 1, 6};
static const ps_pairs pairs = {.n = 6, .query = query, .positive = positive};
static const ps_graph five = {.items = {.nodes = 5}};

static void put_hits(uint8_t *r, uint32_t q, const uint64_t hits[3])
{
    ps_put_num(r, 4, q);
    for (int i = 0; i < 3; i++) {
        ps_put_num(r + 4 + 8 * i, 4, hits[i]);
        ps_putf32(r + 8 + 8 * i, (float)(3 - i));
    }
}

static void from_hits(ps_ranks *r)
{
    const ps_head h = ps_head_make(PS_HITS, 3);
    uint8_t records[4 * 28];
    /* 0: 2 is first; 1 is among the unlisted, which are 1 and 3, ranks 3 and 4.  3: 1 is second, since 3 itself does
     * not count.  4: nothing listed, all of ranks 1 to 4 are left.  A second record of 3 is refused. */
    put_hits(records, 0, (uint64_t[]){2, 4, PS_NONE});
    put_hits(records + 28, 3, (uint64_t[]){4, 3, 1});
    put_hits(records + 56, 4, (uint64_t[]){PS_NONE, PS_NONE, PS_NONE});
    put_hits(records + 84, 3, (uint64_t[]){1, 0, 2});
    CHECK_OK(ps_ranks_make(r, &pairs, &five, 0));
    CHECK_OK(ps_ranks_hits(r, &h, records, 3, "hits", 0));
    CHECK(ps_ranks_hits(r, &h, records + 84, 1, "hits", 3) == PS_EDATA && strstr(ps_errmsg(), "query 3 again"));
    ps_ranks_hits_end(r);
    CHECK(r->queries == 4 && r->catalogue == 5 && r->no_query == 0);
    CHECK(near(r->rank[0], 3.5) && near(r->rank[1], 2) && near(r->rank[2], 1) && near(r->rank[3], 2.5));
    CHECK(isinf(r->rank[4]) && isinf(r->rank[5]));
    CHECK(r->best[2] == 1 && r->best[4] == 1 && r->best[1] == 2 && r->best[0] == UINT32_MAX);

    put_hits(records, 3, (uint64_t[]){5, PS_NONE, PS_NONE});
    ps_ranks other;
    CHECK_OK(ps_ranks_make(&other, &pairs, &five, 0));
    CHECK(ps_ranks_hits(&other, &h, records, 1, "hits", 7) == PS_EDATA &&
          strstr(ps_errmsg(), "hits: record 7: item 5"));
    ps_ranks_hits_end(&other);
    CHECK(other.no_query == 4);
    put_hits(records, 0, (uint64_t[]){2, 1, 2});
    CHECK(ps_ranks_hits(&other, &h, records, 1, "hits", 8) == PS_EDATA &&
          strstr(ps_errmsg(), "record 8: item 2 twice"));
    ps_ranks_free(&other);
}

static void figures(const ps_ranks *r)
{
    ps_cutoffs c;
    ps_metrics m;
    CHECK_OK(ps_cutoffs_parse(&c, "1,2,500"));
    ps_metrics_make(&m, r, &c, NULL);
    CHECK(m.pairs == 6 && m.queries == 4);
    CHECK(near(m.hit[0], 1 / 6.0) && near(m.hit[1], 2 / 6.0) && near(m.hit[2], 4 / 6.0));
    CHECK(near(m.mrr, (1 / 3.5 + 1 / 2.0 + 1 + 1 / 2.5) / 6));
    CHECK(near(m.scaled_mrr, 4 / 6.0));
    /* Query 0 has 3 positives, the others one each. */
    CHECK(near(m.recall[0], (1 / 3.0) / 4) && near(m.recall[1], (1 / 3.0 + 1) / 4) &&
          near(m.recall[2], (2 / 3.0 + 2) / 4));
    double ideal3 = 1 + 1 / log2(3) + 0.5;
    CHECK(near(m.ndcg[0], 1 / 4.0));
    CHECK(near(m.ndcg[1], (1 / (1 + 1 / log2(3)) + 1 / log2(3)) / 4));
    CHECK(near(m.ndcg[2], ((1 + 1 / log2(4.5)) / ideal3 + 1 / log2(3) + 1 / log2(3.5)) / 4));
    CHECK(near(m.coverage[0], 2 / 5.0) && near(m.coverage[1], 3 / 5.0) && near(m.coverage[2], 3 / 5.0));

    /* Cold: items 2 and 3, and the unknown positive 6. */
    const uint32_t boards[] = {9, 4, 3, 0, 5};
    ps_metrics_make(&m, r, &c, &(ps_part){boards, 0, 3, 0});
    CHECK(m.pairs == 2 && m.queries == 1 && near(m.hit[0], .5) && near(m.recall[0], .5) && near(m.coverage[0], .5));
    CHECK(near(m.mrr, .5) && near(m.ndcg[1], 1 / (1 + 1 / log2(3))));
    ps_metrics_make(&m, r, &c, &(ps_part){(uint32_t[]){9, 9, 9, 9, 9}, 0, 3, 0});
    CHECK(m.pairs == 1 && m.mrr == 0 && m.coverage[2] == 0);
}

static void scaled(void)
{
    static const double ranks[] = {1, 100, 100.5, 101, 200, 5000.5};
    double rank[6];
    size_t order[6] = {0, 1, 2, 3, 4, 5};
    memcpy(rank, ranks, sizeof rank);
    ps_ranks r = {.rank = rank, .order = order, .pairs = &pairs, .catalogue = 10};
    uint32_t best[10];
    memset(best, 0xff, sizeof best);
    r.best = best;
    ps_cutoffs c;
    ps_metrics m;
    CHECK_OK(ps_cutoffs_parse(&c, "100"));
    ps_metrics_make(&m, &r, &c, NULL);
    CHECK(near(m.scaled_mrr, (1 + 1 + .5 + .5 + .5 + 1 / 51.0) / 6));
    CHECK(near(m.hit[0], 2 / 6.0));
}

/* Items 0..4 at 1, 2, 2, 3, 2 on a line, asked from item 0 and so on: scores are products. */
static void from_vectors(void)
{
    static const float at[] = {1, 2, 2, 3, 2};
    ps_head h = ps_head_make(PS_VECTORS, 1);
    h.qspace = PS_ITEMS;
    ps_out *out = ps_out_open("x.psr", 0);
    ps_writer *w = ps_writer_new(out, &h);
    for (uint32_t i = 0; i < 5; i++) {
        uint8_t r[8];
        ps_put_num(r, 4, i);
        ps_putf32(r + 4, at[i]);
        CHECK_OK(ps_writer_put(w, r, 1));
    }
    CHECK_OK(ps_writer_close(w));
    CHECK_OK(ps_out_close(out));
    ps_knn knn;
    ps_ranks r;
    CHECK_OK(ps_knn_open(&knn, "x.psr", NULL, 0));
    CHECK_OK(ps_ranks_make(&r, &pairs, &five, 0));
    CHECK_OK(ps_ranks_vectors(&r, &knn, 2, NULL));
    /* 0: 3 first, then 1, 2 and 4 on ranks 2 to 4.  3: 1, 2, 4 on 1 to 3.  4: 3, then 1 and 2, then 0. */
    CHECK(near(r.rank[0], 3) && near(r.rank[1], 2) && near(r.rank[2], 3) && near(r.rank[3], 4));
    CHECK(isinf(r.rank[4]) && isinf(r.rank[5]) && r.no_query == 0 && r.no_positive == 0);
    CHECK(r.best[3] == 1 && r.best[1] == 1 && r.best[2] == 2 && r.best[4] == UINT32_MAX && r.best[0] == UINT32_MAX);
    ps_ranks_free(&r);
    ps_knn_close(&knn);
}

static void head_to_head(void)
{
    double a[] = {1, 5, 3, INFINITY, 2, INFINITY}, b[] = {2, 4, 3, INFINITY, INFINITY, 9};
    ps_ranks x = {.rank = a, .pairs = &pairs}, y = {.rank = b, .pairs = &pairs};
    uint64_t wins, ties;
    CHECK(near(ps_head_to_head(&x, &y, &wins, &ties), 3 / 6.0));
    CHECK(wins == 2 && ties == 2);
}

static void cutoffs(void)
{
    static const char *const bad[] = {"", ",", "1,", ",1", "0", "2,1", "1,1", "1 ", " 1", "+1", "-1", "1000001", "1x"};
    ps_cutoffs c;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(ps_cutoffs_parse(&c, bad[i]) == PS_EUSAGE);
    CHECK_OK(ps_cutoffs_parse(&c, "1,10,1000000"));
    CHECK(c.n == 3 && c.k[0] == 1 && c.k[2] == 1000000);
}

int main(void)
{
    ps_ranks r;
    from_hits(&r);
    figures(&r);
    ps_ranks_free(&r);
    scaled();
    from_vectors();
    head_to_head();
    cutoffs();
    CHECK_END();
}
