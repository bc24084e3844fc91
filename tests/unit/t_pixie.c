/* Shares, booster and sets of pixie.h against values worked out by hand and against the single walks. */
#include <math.h>

#include "check.h"
#include "pixie.h"
#include "walk_graph.h"

enum { N = 3, STEPS = 5000 };

/* C = 100.  s = d (C - ln d): 1 (100 - 0) = 100; 10 (100 - 2.302585) = 976.974; 100 (100 - 4.605170) = 9539.483;
 * sum 10616.457.  1000 steps: 9.419, 92.024, 898.556: 9 + 92 + 898 = 999, the last one to the .556. */
static void test_share(void)
{
    uint64_t spare[2 * N];
    ps_member m[N] = {{0, 1, 1, 0}, {1, 1, 10, 0}, {2, 1, 100, 0}};
    ps_pixie_share(m, N, 1000, 100, spare);
    CHECK(m[0].steps == 9 && m[1].steps == 92 && m[2].steps == 899);

    /* Weights 2, 1, 0: 200 and 976.974 of 1176.974: 169.927 and 830.073. */
    ps_member w[N] = {{0, 2, 1, 0}, {1, 1, 10, 0}, {2, 0, 100, 0}};
    ps_pixie_share(w, N, 1000, 100, spare);
    CHECK(w[0].steps == 170 && w[1].steps == 830 && w[2].steps == 0);

    /* Scaling all weights changes nothing; an item on no board gets nothing. */
    ps_member z[N] = {{0, 14, 1, 0}, {1, 5, 0, 0}, {2, 7, 10, 0}};
    ps_pixie_share(z, N, 1000, 100, spare);
    CHECK(z[0].steps == 170 && z[1].steps == 0 && z[2].steps == 830);

    /* Equal members: what does not divide goes to the first. */
    ps_member e[N] = {{0, 1, 7, 0}, {1, 1, 7, 0}, {2, 1, 7, 0}};
    ps_pixie_share(e, N, 11, 9, spare);
    CHECK(e[0].steps == 4 && e[1].steps == 4 && e[2].steps == 3);
    ps_pixie_share(e, N, 2, 9, spare);
    CHECK(e[0].steps == 1 && e[1].steps == 1 && e[2].steps == 0);

    /* C = 1: ln 1 = 0. */
    ps_member o[1] = {{0, .25, 1, 0}};
    ps_pixie_share(o, 1, PS_WALK_STEPS_MAX, 1, spare);
    CHECK(o[0].steps == PS_WALK_STEPS_MAX);

    ps_member none[2] = {{0, 1, 0, 9}, {1, 0, 5, 9}};
    ps_pixie_share(none, 2, 1000, 100, spare);
    CHECK(none[0].steps == 0 && none[1].steps == 0);
}

static uint64_t visit(uint32_t item, uint32_t count)
{
    return (uint64_t)item << 32 | count;
}

/* Member 1: items 5, 3, 8 visited 4, 2, 1 times; member 2: 5 nine times, 7 seven times; member 3: 8 once, 5 once. */
static void test_boost(void)
{
    uint64_t keys[] = {visit(5, 4), visit(3, 2), visit(8, 1), visit(5, 9), visit(7, 7), visit(8, 1), visit(5, 1)}, spare[7];
    ps_scored out[7];
    CHECK(ps_pixie_boost(keys, spare, 7, out) == 4);
    CHECK(out[0].item == 3 && out[0].score == 2);
    CHECK(out[1].item == 5 && out[1].score == 36); /* (2 + 3 + 1)^2 */
    CHECK(out[2].item == 7 && out[2].score == 7);
    CHECK(out[3].item == 8 && out[3].score == 4); /* (1 + 1)^2 */
    CHECK(ps_pixie_boost(keys, spare, 0, out) == 0);
}

static double score_of(const ps_scored *s, long n, uint32_t item)
{
    for (long i = 0; i < n; i++)
        if (s[i].item == item)
            return (double)s[i].score;
    return 0;
}

/* A set by hand: shares from the degrees, each member's own walk of that many steps, roots summed and squared. */
static void test_set(const ps_graph *g, ps_pixie *p)
{
    const uint64_t items[] = {11, 2, 6}, sorted[] = {2, 6, 11};
    const float weights[] = {1, 2, .5f}, sorted_weights[] = {2, .5f, 1};
    ps_member m[N];
    uint64_t spare[2 * N];
    double want[40] = {0};
    for (int i = 0; i < N; i++)
        m[i] = (ps_member){sorted[i], (double)sorted_weights[i], ps_degree(&g->items, sorted[i]), 0};
    ps_pixie_share(m, N, STEPS, ps_pixie_most(g), spare);
    CHECK(m[0].steps + m[1].steps + m[2].steps == STEPS && m[0].steps && m[1].steps && m[2].steps);
    for (int i = 0; i < N; i++) {
        const ps_walk_options o = {.steps = m[i].steps, .restart = .5, .seed = 3};
        const ps_visit *v;
        ps_walker *w = ps_walker_new(g, &o);
        long n = ps_walker_visits(w, sorted[i], &v);
        for (long k = 0; k < n; k++)
            want[v[k].item] += sqrt(v[k].count);
        ps_walker_free(w);
    }
    const ps_scored *s, *again;
    ps_scored first[40];
    long n = ps_pixie_rank(p, items, weights, N, 0, 0, &s);
    CHECK(n > 0 && n <= 40 && ps_pixie_steps(p) == STEPS);
    for (uint32_t k = 0; k < g->items.nodes; k++)
        CHECK(fabs(score_of(s, n, k) - want[k] * want[k]) <= 1e-4 * (1 + want[k] * want[k]));
    for (long i = 1; i < n; i++)
        CHECK(s[i - 1].score > s[i].score || (s[i - 1].score == s[i].score && s[i - 1].item < s[i].item));
    memcpy(first, s, (size_t)n * sizeof *s);

    /* Neither order nor repetition of the members matters. */
    const uint64_t twice[] = {2, 11, 6, 2};
    const float halves[] = {1, 1, .5f, 1};
    CHECK(ps_pixie_rank(p, twice, halves, 4, 0, 0, &again) == n && memcmp(first, again, (size_t)n * sizeof *again) == 0);

    /* Members left out: the others stay as they were. */
    long m2 = ps_pixie_rank(p, items, weights, N, PS_PIXIE_LEAVE_OUT, 0, &again), k = 0;
    for (long i = 0; i < n; i++)
        if (first[i].item != 2 && first[i].item != 6 && first[i].item != 11) {
            CHECK(k < m2 && memcmp(&first[i], &again[k], sizeof *again) == 0);
            k++;
        }
    CHECK(k == m2);

    /* Whole scores, ordered as such. */
    long whole = ps_pixie_rank(p, items, weights, N, PS_PIXIE_WHOLE, 0, &again);
    CHECK(whole == n);
    for (long i = 0; i < whole; i++) {
        CHECK(again[i].score == rintf((float)score_of(first, n, again[i].item)) && again[i].score >= 1);
        CHECK(i == 0 || again[i - 1].score > again[i].score ||
              (again[i - 1].score == again[i].score && again[i - 1].item < again[i].item));
    }
}

/* A set of one is the item: its visits, its order. */
static void test_one(const ps_graph *g, ps_walker *walker, ps_pixie *p)
{
    for (uint64_t u = 0; u < g->items.nodes; u++) {
        const float one = 1;
        const ps_visit *v;
        const ps_scored *s;
        long n = ps_pixie_rank(p, &u, &one, 1, 0, 0, &s);
        CHECK(n == ps_walker_visits(walker, u, &v));
        for (long i = 0; i < n; i++)
            CHECK(s[i].item == v[i].item && s[i].score == (float)v[i].count);
    }
}

static void test_bad(const ps_graph *g, ps_pixie *p)
{
    const uint64_t items[] = {1, g->items.nodes};
    const float good[] = {1, 1}, nan_weight[] = {NAN, 1}, negative[] = {-1, 1}, infinite[] = {INFINITY, 1};
    const ps_scored *s;
    CHECK(ps_pixie_rank(p, items, good, 2, 0, 0, &s) == PS_EDATA);
    CHECK(ps_pixie_rank(p, items, nan_weight, 1, 0, 0, &s) == PS_EDATA);
    CHECK(ps_pixie_rank(p, items, negative, 1, 0, 0, &s) == PS_EDATA);
    CHECK(ps_pixie_rank(p, items, infinite, 1, 0, 0, &s) == PS_EDATA);
    CHECK(ps_pixie_rank(p, items, good, 0, 0, 0, &s) == 0 && ps_pixie_steps(p) == 0);
}

int main(void)
{
    test_edge e[90];
    ps_graph g;
    const ps_walk_options o = {.steps = STEPS, .restart = .5, .seed = 3};
    test_share();
    test_boost();
    random_edges(e, 90, 30, 20, 8, 0);
    CHECK_OK(make_graph(&g, 31, 20, e, 90));
    ps_walker *w = ps_walker_new(&g, &o);
    ps_pixie *p = ps_pixie_new(&g, w, &o, ps_pixie_most(&g));
    test_set(&g, p);
    test_one(&g, w, p);
    test_bad(&g, p);
    ps_pixie_free(p);
    ps_walker_free(w);
    ps_graph_close(&g);
    CHECK_END();
}
