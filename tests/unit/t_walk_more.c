/* What walk.h promises beyond t_walk.c: the same visits as a plain walk in any company and over any block's end,
 * factors, new items, exact first steps, and forward push against personalised PageRank by iteration. */
#include <math.h>

#include "check.h"
#include "push.h"
#include "walk.h"
#include "walk_graph.h"

enum { MAX = 64, LONG = 40000 }; /* LONG: more than two blocks */

/* ---- the walk, from walk.h's text ---- */

static uint32_t choose(const ps_side *s, uint64_t u, uint64_t random)
{
    unsigned __int128 product = (unsigned __int128)random * ps_degree(s, u);
    uint64_t e = s->off[u] + (uint64_t)(product >> 64);
    return !s->alias || (uint32_t)((uint64_t)product >> 32) <= s->accept[e] ? s->adj[e] : s->alias[e];
}

/* Visits of the plain walk; the item of every step goes to path if it is not NULL. */
static uint64_t plain(const ps_graph *g, uint64_t u, const ps_walk_options *o, uint32_t *count, uint32_t *path)
{
    const uint64_t key = ps_rng_key(o->seed, u);
    uint64_t at = u, reached = 0;
    memset(count, 0, MAX * sizeof *count);
    for (uint64_t s = 0; s < o->steps; s++) {
        at = choose(&g->boards, choose(&g->items, at, ps_rng(key, 3 * s)), ps_rng(key, 3 * s + 1));
        reached += ++count[at] == o->early_visits;
        if (path)
            path[s] = (uint32_t)at;
        if (o->early_items && reached == o->early_items)
            return s + 1;
        if (ps_rng(key, 3 * s + 2) < ps_threshold(o->restart))
            at = u;
    }
    return o->steps;
}

static int same_counts(const uint32_t *count, const ps_visit *v, long n)
{
    uint32_t got[MAX] = {0};
    for (long i = 0; i < n; i++)
        got[v[i].item] += v[i].count;
    for (long i = 1; i < n; i++)
        if (v[i - 1].count < v[i].count || (v[i - 1].count == v[i].count && v[i - 1].item >= v[i].item))
            return 0;
    return memcmp(got, count, sizeof got) == 0;
}

typedef struct {
    const ps_graph *g;
    const ps_walk_options *o;
    const uint64_t *item;
    size_t seen;
} company;

static int compare_one(void *ctx, size_t i, const ps_visit *v, size_t n)
{
    company *c = ctx;
    uint32_t count[MAX] = {0};
    CHECK(i == c->seen++);
    if (ps_degree(&c->g->items, c->item[i]) > 0)
        (void)plain(c->g, c->item[i], c->o, count, NULL);
    CHECK(same_counts(count, v, (long)n));
    return 0;
}

static void test_same_as_plain(const ps_graph *g)
{
    static const uint64_t steps[] = {1, 2, 199, 1000, 16384, 16385, LONG};
    static const double restart[] = {0, .001, .5, 1};
    uint64_t item[3 * MAX];
    for (size_t i = 0; i < 3 * MAX; i++)
        item[i] = i * 7 % g->items.nodes;
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++)
        for (int r = 0; r < 4; r++) {
            const ps_walk_options o = {.steps = steps[s], .restart = restart[r], .seed = 3};
            ps_walker *w = ps_walker_new(g, &o);
            company c = {g, &o, item, 0};
            CHECK_OK(ps_walker_many(w, item, steps[s] > 1000 ? 5 : 3 * MAX, 0, 0, compare_one, &c));
            CHECK(c.seen == (steps[s] > 1000 ? 5 : 3 * MAX));
            ps_walker_free(w);
        }
    for (uint32_t visits = 1; visits < 3000; visits = 3 * visits + 1) { /* stops in the first block and in later ones */
        const ps_walk_options o = {.steps = LONG, .restart = .3, .seed = 3, .early_items = 5, .early_visits = visits};
        ps_walker *w = ps_walker_new(g, &o);
        uint32_t count[MAX];
        const ps_visit *v;
        uint64_t walked = plain(g, 1, &o, count, NULL);
        long n = ps_walker_visits(w, 1, &v);
        CHECK(same_counts(count, v, n) && ps_walker_steps(w) == walked);
        ps_walker_free(w);
    }
}

static void test_paths(const ps_graph *g)
{
    static const double restart[] = {0, .2, 1};
    static uint32_t want[LONG];
    for (int r = 0; r < 3; r++) {
        const ps_walk_options o = {.steps = LONG, .restart = restart[r], .seed = 4};
        uint32_t count[MAX];
        ps_walker *w = ps_walker_new(g, &o);
        const uint32_t *path;
        long rows = restart[r] < .1 ? ps_walker_paths(w, 2, LONG, &path) : ps_walker_paths(w, 2, 200, &path);
        const uint32_t row = restart[r] < .1 ? LONG : 200;
        size_t s = 0;
        (void)plain(g, 2, &o, count, want);
        for (long i = 0; i < rows; i++)
            for (uint32_t k = 0; k < row && path[(size_t)i * row + k] != UINT32_MAX; k++)
                CHECK(s < LONG && path[(size_t)i * row + k] == want[s++]);
        CHECK(s == LONG);
        ps_walker_free(w);
    }
}

/* ---- factors ---- */

static double weight(const ps_side *s, uint64_t e)
{
    return s->weight ? (double)s->weight[e] : 1;
}

/* One step's probabilities with factors; what they do not sum to 1 by ends nowhere. */
static void step_shares(const ps_graph *g, uint64_t u, const ps_bias *bias, double *p)
{
    double out = 0;
    memset(p, 0, MAX * sizeof *p);
    for (uint64_t e = g->items.off[u]; e < g->items.off[u + 1]; e++)
        out += weight(&g->items, e) * (bias && bias->board ? (double)bias->board[g->items.adj[e]] : 1);
    for (uint64_t e = g->items.off[u]; e < g->items.off[u + 1]; e++) {
        const uint64_t b = g->items.adj[e];
        const double q = weight(&g->items, e) * (bias && bias->board ? (double)bias->board[b] : 1) / out;
        double in = 0;
        for (uint64_t f = g->boards.off[b]; f < g->boards.off[b + 1]; f++)
            in += weight(&g->boards, f) * (bias && bias->item ? (double)bias->item[g->boards.adj[f]] : 1);
        for (uint64_t f = g->boards.off[b]; f < g->boards.off[b + 1] && in > 0; f++) {
            const uint32_t v = g->boards.adj[f];
            p[v] += q * weight(&g->boards, f) * (bias && bias->item ? (double)bias->item[v] : 1) / in;
        }
    }
}

/* Chi-square of independent draws as a normal deviate (Wilson and Hilferty). */
static double deviate(const uint32_t *count, double n, const double *p)
{
    double chi = 0;
    int df = -1;
    for (int v = 0; v < MAX; v++) {
        if (p[v] * n < 5) {
            chi += count[v] < 50 ? 0 : 1e6;
            continue;
        }
        const double d = count[v] - p[v] * n;
        chi += d * d / (p[v] * n);
        df++;
    }
    const double k = 2.0 / (9.0 * df);
    return df > 0 ? (cbrt(chi / df) - (1 - k)) / sqrt(k) : 0;
}

static double biased_deviate(const ps_graph *g, const ps_bias *bias, const ps_bias *claimed)
{
    const ps_walk_options o = {.steps = 200000, .restart = 1, .seed = 5, .bias = bias};
    ps_walker *w = ps_walker_new(g, &o);
    double p[MAX], worst = 0;
    for (uint64_t u = 0; u < 4; u++) {
        uint32_t count[MAX] = {0};
        double arrived = 0;
        const ps_visit *v;
        long n = ps_walker_visits(w, u, &v);
        for (long i = 0; i < n; i++) {
            count[v[i].item] = v[i].count;
            arrived += v[i].count;
        }
        step_shares(g, u, claimed, p);
        double lost = 1;
        for (int i = 0; i < MAX; i++)
            lost -= p[i];
        CHECK(fabs(arrived / 200000 - (1 - lost)) < .01);
        for (int i = 0; i < MAX && lost < 1; i++)
            p[i] /= 1 - lost;
        const double d = deviate(count, arrived, p);
        worst = d > worst ? d : worst;
    }
    ps_walker_free(w);
    return worst;
}

static void test_bias(const ps_graph *g)
{
    float board[MAX], item[MAX], other[MAX];
    for (int i = 0; i < MAX; i++) {
        board[i] = i % 3 == 0 ? 1 : i % 3 == 1 ? .25f : 0;
        item[i] = i % 4 == 0 ? .001f : i % 4 == 1 ? 0 : i % 4 == 2 ? .0003f : 1; /* most tries fail: the sum decides */
        other[i] = item[i] * 1.2f;
    }
    const ps_bias none = {0}, boards = {.board = board}, items = {.item = item}, both = {.board = board, .item = item};
    CHECK(biased_deviate(g, &none, NULL) < 4.5);
    CHECK(biased_deviate(g, &boards, &boards) < 4.5);
    CHECK(biased_deviate(g, &items, &items) < 4.5);
    CHECK(biased_deviate(g, &both, &both) < 4.5);
    CHECK(biased_deviate(g, &boards, NULL) > 20); /* the test can fail */
    for (int i = 0; i < MAX; i++)
        other[i] = i % 2 ? .5f : 1;
    const ps_bias claimed = {.item = other};
    CHECK(biased_deviate(g, &items, &claimed) > 20);
}

/* No way on: no visits more up to the restart, the same over a block's end. */
static void test_dead_end(void)
{
    /* item 0 - board 0 - items 0, 1; item 1 - board 1, which no walk may take, and no other */
    const test_edge e[] = {{0, 0, 1}, {1, 0, 1}, {1, 1, 1}};
    float board[] = {0, 1}, first[] = {1, 0};
    ps_graph g;
    CHECK_OK(make_graph(&g, 2, 2, e, 3));
    for (int r = 0; r < 2; r++) {
        const ps_bias closed = {.board = board}, open = {.board = first};
        ps_walk_options o = {.steps = LONG, .restart = r ? .5 : .00001, .seed = 1, .bias = &closed};
        const ps_visit *v;
        ps_walker *w = ps_walker_new(&g, &o);
        CHECK(ps_walker_visits(w, 0, &v) == 0); /* board 0 has the factor 0 */
        ps_walker_free(w);
        o.bias = &open;
        w = ps_walker_new(&g, &o);
        CHECK(ps_walker_visits(w, 0, &v) == 2 && v[0].count + v[1].count == LONG);
        ps_walker_free(w);
    }
    ps_graph_close(&g);
}

/* ---- new items ---- */

static void test_new_item(const ps_graph *g, int weighted)
{
    static const uint64_t steps[] = {500, LONG};
    for (int s = 0; s < 2; s++)
        for (uint64_t u = 0; u < g->items.nodes; u++) {
            const ps_walk_options o = {.steps = steps[s], .restart = .3, .seed = 2};
            const uint64_t begin = g->items.off[u], n = ps_degree(&g->items, u);
            uint64_t board[256];
            float weights[256];
            ps_walker *w = ps_walker_new(g, &o);
            const ps_visit *v;
            for (uint64_t i = 0; i < n; i++) { /* in another order */
                board[i] = g->items.adj[begin + n - 1 - i];
                weights[i] = (float)weight(&g->items, begin + n - 1 - i);
            }
            /* A parallel edge's weights may stand in any order in the graph: leave such items out. */
            int parallel = 0;
            for (uint64_t i = 1; i < n; i++)
                parallel |= board[i] == board[i - 1] && weights[i] > weights[i - 1];
            ps_visit *want = NULL;
            long m = ps_walker_visits(w, u, &v);
            CHECK((want = malloc((size_t)(m + 1) * sizeof *want)) && m >= 0);
            memcpy(want, v, (size_t)m * sizeof *v);
            /* A walk that comes by u leaves it by the graph's edges, from its start by the ones given: the same. */
            long k = ps_walker_new_item(w, u, board, weighted ? weights : NULL, n, 0, &v);
            CHECK(k == m || parallel);
            CHECK(parallel || memcmp(v, want, (size_t)m * sizeof *v) == 0);
            CHECK(m < 3 || parallel ||
                  (ps_walker_new_item(w, u, board, weighted ? weights : NULL, n, 3, &v) == 3 &&
                   memcmp(v, want, 3 * sizeof *v) == 0));
            free(want);
            ps_walker_free(w);
        }
    const ps_walk_options o = PS_WALK_DEFAULT;
    ps_walker *w = ps_walker_new(g, &o);
    const ps_visit *v;
    uint64_t far[] = {g->boards.nodes}, zero[] = {0};
    float minus[] = {-1}, nan_weight[] = {NAN};
    CHECK(ps_walker_new_item(w, 0, far, NULL, 1, 0, &v) == PS_EDATA);
    CHECK(ps_walker_new_item(w, 0, zero, minus, 1, 0, &v) == PS_EDATA);
    CHECK(ps_walker_new_item(w, 0, zero, nan_weight, 1, 0, &v) == PS_EDATA);
    CHECK(ps_walker_new_item(w, 0, zero, NULL, 0, 0, &v) == 0);
    ps_walker_free(w);
}

/* ---- expectations ---- */

static void pagerank(const ps_graph *g, uint64_t u, double r, double *pi)
{
    double at[MAX] = {0}, next[MAX], p[MAX];
    memset(pi, 0, MAX * sizeof *pi);
    at[u] = 1;
    for (double left = 1; left > 1e-13; left *= 1 - r) {
        memset(next, 0, sizeof next);
        for (uint64_t x = 0; x < g->items.nodes; x++) {
            if (at[x] == 0)
                continue;
            step_shares(g, x, NULL, p);
            for (int v = 0; v < MAX; v++)
                next[v] += at[x] * p[v];
        }
        for (int v = 0; v < MAX; v++)
            pi[v] += left * r * next[v];
        memcpy(at, next, sizeof at);
    }
}

static double distance(const ps_visit *v, long n, double whole, const double *pi, double *sum)
{
    double d = 0, got[MAX] = {0};
    *sum = 0;
    for (long i = 0; i < n; i++)
        *sum += got[v[i].item] = v[i].count / whole;
    for (int i = 0; i < MAX; i++)
        d += fabs(got[i] - pi[i]);
    return d;
}

/* With exact first steps: nothing left to chance for r = 1; for less the mean over seeds tends to the same shares, and
 * a single result is nearer to them. */
static void test_exact(const ps_graph *g, uint64_t u, double r)
{
    double pi[MAX], mean[MAX] = {0}, sum, far[2] = {0, 0}, off = 0;
    enum { SEEDS = 300, STEPS = 400 };
    pagerank(g, u, r, pi);
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        for (int exact = 0; exact < 2; exact++) {
            const ps_walk_options o = {.steps = STEPS, .restart = r, .seed = seed, .exact = exact ? 100000 : 0};
            ps_walker *w = ps_walker_new(g, &o);
            const double whole = (double)STEPS * ps_walker_scale(w);
            const ps_visit *v;
            long n = ps_walker_visits(w, u, &v);
            far[exact] += distance(v, n, whole, pi, &sum);
            CHECK(fabs(sum - 1) < 1e-4);
            for (long i = 0; i < n && exact; i++)
                mean[v[i].item] += v[i].count / whole / SEEDS;
            ps_walker_free(w);
        }
    for (int i = 0; i < MAX; i++)
        off += fabs(mean[i] - pi[i]);
    CHECK(r < 1 ? off < .03 : off < 1e-5);
    CHECK(far[1] < (r < .5 ? 1 : .9) * far[0]);
    /* The limit is on edges: too low, and the walk is the plain one. */
    const ps_walk_options low = {.steps = STEPS, .restart = r, .seed = 1, .exact = 1};
    ps_walker *w = ps_walker_new(g, &low);
    const ps_visit *v;
    long n = ps_walker_visits(w, u, &v);
    for (long i = 0; i < n; i++)
        CHECK(v[i].count % ps_walker_scale(w) == 0);
    ps_walker_free(w);
}

static void test_push(const ps_graph *g, uint64_t u, double r)
{
    static const double error[] = {1, .1, 1e-3, 1e-6};
    double pi[MAX], sum;
    pagerank(g, u, r, pi);
    for (int e = 0; e < 4; e++) {
        const ps_walk_options o = {.steps = 1, .restart = r, .seed = 1, .push = error[e]};
        ps_walker *w = ps_walker_new(g, &o);
        const ps_visit *v;
        double got[MAX] = {0};
        long n = ps_walker_visits(w, u, &v);
        CHECK(n > 0);
        for (long i = 0; i < n; i++)
            got[v[i].item] = v[i].count / PS_PUSH_WHOLE;
        for (uint64_t i = 0; i < g->items.nodes; i++) {
            double degree = 0;
            for (uint64_t k = g->items.off[i]; k < g->items.off[i + 1]; k++)
                degree += weight(&g->items, k);
            CHECK(got[i] <= pi[i] + 1e-8 && got[i] >= pi[i] - 2 * error[e] * degree - 1e-8);
        }
        const double d = distance(v, n, PS_PUSH_WHOLE, pi, &sum);
        CHECK(fabs(d - ps_walker_left_out(w)) < 1e-6 && fabs(sum + ps_walker_left_out(w) - 1) < 1e-6);
        CHECK(e < 3 || d < 4e-3);
        ps_walker_free(w);
    }
}

/* ---- a star: one board of a million items ---- */

static void test_star(void)
{
    enum { N = 1000000 };
    ps_graph g;
    test_edge *e = malloc((N + 1) * sizeof *e);
    for (uint32_t i = 0; i < N; i++)
        e[i] = (test_edge){i, 0, 1};
    e[N] = (test_edge){0, 1, 1}; /* and a board of one item */
    CHECK_OK(make_graph(&g, N + 1, 2, e, N + 1));
    const ps_walk_options o = {.steps = 100000, .restart = .5, .seed = 1};
    ps_walker *w = ps_walker_new(&g, &o);
    const ps_visit *v;
    long n = ps_walker_visits(w, 5, &v);
    CHECK(n > 90000 && v[0].count < 30); /* birthday: about 95 thousand different */
    uint64_t half = 0, all = 0;
    for (long i = 0; i < n; i++) {
        half += v[i].item < N / 2 ? v[i].count : 0;
        all += v[i].count;
    }
    CHECK(all == 100000 && half > 49000 && half < 51000);
    n = ps_walker_visits(w, 0, &v); /* half of its steps are on the board where it is alone */
    CHECK(n > 0 && v[0].item == 0 && v[0].count > 24000);
    CHECK(ps_walker_visits(w, N, &v) == 0);
    ps_walker_free(w);
    const ps_walk_options exact = {.steps = 1000, .restart = 1, .seed = 1, .exact = 1 << 24};
    w = ps_walker_new(&g, &exact);
    CHECK(ps_walker_visits(w, 7, &v) == N && v[0].count == v[N - 1].count && v[0].item == 0 && v[N - 1].item == N - 1);
    ps_walker_free(w);
    ps_graph_close(&g);
    free(e);
}

/* An offset out of order: no narrow ones, and the walk says what is wrong. */
static void test_damaged(const ps_graph *g)
{
    ps_graph bad = *g;
    uint64_t off[MAX + 1];
    const ps_walk_options o = {.steps = 5000, .restart = .1, .seed = 1};
    const ps_visit *v;
    memcpy(off, g->items.off, (MAX + 1) * sizeof *off);
    off[4] = off[3] - 1;
    bad.items.off = off;
    ps_graph_narrow(&bad);
    CHECK(!bad.narrow && !bad.items.off32 && !bad.boards.off32);
    ps_walker *w = ps_walker_new(&bad, &o);
    CHECK(ps_walker_visits(w, 1, &v) == PS_EDATA);
    ps_walker_free(w);
}

/* With offsets of 64 bits, then of 32. */
static void test_offsets(ps_graph *g, int narrow)
{
    if (narrow)
        ps_graph_narrow(g);
    CHECK(!narrow == !g->items.off32 && !narrow == !g->boards.off32);
    for (uint64_t u = 0; narrow && u <= g->items.nodes; u++)
        CHECK(g->items.off32[u] == g->items.off[u]);
}

int main(void)
{
    for (int k = 0; k < 4; k++) {
        const int weighted = k % 2;
        test_edge e[300];
        ps_graph g;
        random_edges(e, 300, 60, 30, 9, weighted);
        CHECK_OK(make_graph(&g, MAX, 30, e, 300));
        test_damaged(&g);
        test_offsets(&g, k / 2);
        test_same_as_plain(&g);
        test_paths(&g);
        test_bias(&g);
        test_new_item(&g, weighted);
        test_exact(&g, 3, 1);
        test_exact(&g, 3, .5);
        test_exact(&g, 5, .2);
        test_push(&g, 3, 1);
        test_push(&g, 5, .5);
        test_push(&g, 8, .15);
        ps_graph_close(&g);
    }
    test_dead_end();
    test_star();
    CHECK_END();
}
