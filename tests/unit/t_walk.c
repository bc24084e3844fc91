/* Visit shares against personalised PageRank from a dense solve, and the same test against walkers with a
 * bug in them, which it must reject; then the rules of walk.h. */
#include <math.h>

#include "check.h"
#include "walk.h"
#include "walk_graph.h"

enum { MAX = 40, STEPS = 200000 };

/* ---- what the shares must be ---- */

typedef double matrix[MAX][MAX];

/* x := A^-1 B by Gaussian elimination with pivoting; A and B are overwritten. */
static void solve(int n, matrix a, matrix b)
{
    for (int c = 0; c < n; c++) {
        int best = c;
        for (int i = c + 1; i < n; i++)
            if (fabs(a[i][c]) > fabs(a[best][c]))
                best = i;
        for (int j = 0; j < n; j++) {
            double t = a[c][j], u = b[c][j];
            a[c][j] = a[best][j];
            b[c][j] = b[best][j];
            a[best][j] = t;
            b[best][j] = u;
        }
        for (int i = 0; i < n; i++) {
            double f = i == c ? 0 : a[i][c] / a[c][c];
            for (int j = 0; j < n && f != 0; j++) {
                a[i][j] -= f * a[c][j];
                b[i][j] -= f * b[c][j];
            }
        }
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            b[i][j] /= a[i][i];
}

static double total(const ps_side *s, uint64_t u)
{
    double sum = 0;
    for (uint64_t e = s->off[u]; e < s->off[u + 1]; e++)
        sum += s->weight ? (double)s->weight[e] : 1;
    return sum;
}

/* One step's probabilities, from the edges and their weights alone. */
static void step_matrix(const ps_graph *g, matrix p)
{
    memset(p, 0, sizeof(matrix));
    for (uint64_t u = 0; u < g->items.nodes; u++)
        for (uint64_t e = g->items.off[u]; e < g->items.off[u + 1]; e++) {
            uint64_t b = g->items.adj[e];
            double w = (g->items.weight ? (double)g->items.weight[e] : 1) / total(&g->items, u);
            for (uint64_t f = g->boards.off[b]; f < g->boards.off[b + 1]; f++)
                p[u][g->boards.adj[f]] +=
                    w * (g->boards.weight ? (double)g->boards.weight[f] : 1) / total(&g->boards, b);
        }
}

/* pi = sum over k >= 1 of r (1-r)^(k-1) e_u P^k, so pi (I - (1-r) P) = r e_u P; cov: the covariance, times the number of
 * steps, of the visit shares of the chain M = (1-r) P + r 1 e_u P (Kemeny and Snell, Finite Markov Chains, 4.6):
 * pi_i z_ij + pi_j z_ji - pi_i [i = j] - pi_i pi_j with Z = (I - M + 1 pi)^-1. */
static void exact(const ps_graph *g, int u, double r, double *pi, matrix cov)
{
    static matrix p, a, z;
    const int n = (int)g->items.nodes;
    step_matrix(g, p);
    memset(z, 0, sizeof z);
    for (int i = 0; i < n; i++) {
        z[i][0] = r * p[u][i];
        for (int j = 0; j < n; j++)
            a[i][j] = (i == j) - (1 - r) * p[j][i];
    }
    solve(n, a, z);
    for (int i = 0; i < n; i++)
        pi[i] = z[i][0];
    memset(z, 0, sizeof z);
    for (int i = 0; i < n; i++) {
        z[i][i] = 1;
        for (int j = 0; j < n; j++)
            a[i][j] = (i == j) - (1 - r) * p[i][j] - r * p[u][j] + pi[j];
    }
    solve(n, a, z);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            cov[i][j] = pi[i] * z[i][j] + pi[j] * z[j][i] - (i == j ? pi[i] : 0) - pi[i] * pi[j];
}

/* How far the counts are from pi: d' cov^-1 d, chi-square with *df degrees of freedom, by Cholesky; directions without
 * variance must have no deviation either. */
static double chi_square(int n, const uint32_t *count, double steps, const double *pi, matrix cov, int *df)
{
    static matrix l;
    double y[MAX], sum = 0;
    *df = 0;
    for (int i = 0; i < n; i++) {
        double d = ((double)count[i] / steps - pi[i]) * sqrt(steps), v = cov[i][i];
        for (int k = 0; k < i; k++) {
            double c = cov[i][k];
            for (int m = 0; m < k; m++)
                c -= l[i][m] * l[k][m];
            l[i][k] = l[k][k] > 0 ? c / l[k][k] : 0;
            v -= l[i][k] * l[i][k];
            d -= l[i][k] * y[k];
        }
        l[i][i] = v > 1e-9 ? sqrt(v) : 0;
        y[i] = l[i][i] > 0 ? d / l[i][i] : 0;
        if (l[i][i] > 0) {
            sum += y[i] * y[i];
            ++*df;
        } else if (fabs(d) > 1e-2) {
            sum += 1e6;
        }
    }
    return sum;
}

/* The chi-square as a standard normal deviate (Wilson and Hilferty). */
static double deviate(double chi, int df)
{
    double v = 2.0 / (9.0 * df);
    return df > 0 ? (cbrt(chi / df) - (1 - v)) / sqrt(v) : 0;
}

/* ---- the same walk written plainly from walk.h's text, with a switch for what may go wrong ---- */

typedef enum {
    NONE,
    RESTART_MORE,   /* restarts with probability r + .05 */
    RESTART_LESS,   /* r - .05 */
    RESTART_NEVER,
    RESTART_FIRST,  /* the coin is thrown before a step, not after: the same walk but for the visits it counts */
    COUNT_START,    /* the query counts as visited whenever the walk (re)starts */
    LAST_BOARD,     /* the last board is never chosen */
    LAST_ITEM,      /* the last item is never chosen */
    FIRST_ITEM,     /* the index is one too high, cut at the end */
    UNIFORM_BOARD,  /* weights ignored on one side */
    UNIFORM_ITEM,
    ALIAS_ALWAYS,   /* the alias taken where the neighbour should be */
    SAME_NUMBER,    /* board and item chosen by one random number */
    BUGS
} bug;
static const char *const bug_names[BUGS] = {"none", "restart + .05", "restart - .05", "never a restart",
    "coin before the step", "starts counted", "last board never", "last item never", "index + 1", "uniform board",
    "uniform item", "alias reversed", "one random number"};

static int only_weighted(bug b)
{
    return b == UNIFORM_BOARD || b == UNIFORM_ITEM || b == ALIAS_ALWAYS;
}

static uint32_t choose(const ps_side *s, uint64_t u, uint64_t random, int uniform, int last, int plus, int reversed)
{
    uint64_t n = s->off[u + 1] - s->off[u], cut = last && n > 1 ? n - 1 : n;
    unsigned __int128 product = (unsigned __int128)random * cut;
    uint64_t i = (uint64_t)(product >> 64);
    uint32_t rest = (uint32_t)((uint64_t)product >> 32);
    if (plus && i + 1 < n)
        i++;
    uint64_t e = s->off[u] + i;
    if (!s->alias || uniform)
        return s->adj[e];
    return (rest <= s->accept[e]) != reversed ? s->adj[e] : s->alias[e];
}

static void plain_walk(const ps_graph *g, uint64_t u, uint64_t steps, double r, uint64_t seed, bug b, uint32_t *count)
{
    const uint64_t key = ps_rng_key(seed, u);
    uint64_t at = u;
    memset(count, 0, MAX * sizeof *count);
    if (b == RESTART_MORE)
        r += .05;
    if (b == RESTART_LESS)
        r -= .05;
    for (uint64_t s = 0; s < steps; s++) {
        uint64_t first = ps_rng(key, 3 * s), second = ps_rng(key, 3 * s + (b == SAME_NUMBER ? 0 : 1));
        int restart = b != RESTART_NEVER && ps_unit(ps_rng(key, 3 * s + 2)) < r;
        if (b == RESTART_FIRST && restart) {
            at = u;
            count[u]++;
            continue;
        }
        uint32_t board = choose(&g->items, at, first, b == UNIFORM_BOARD, b == LAST_BOARD, 0, b == ALIAS_ALWAYS);
        at = choose(&g->boards, board, second, b == UNIFORM_ITEM, b == LAST_ITEM, b == FIRST_ITEM, b == ALIAS_ALWAYS);
        count[at]++;
        if (restart && b != RESTART_FIRST) {
            at = u;
            count[u] += b == COUNT_START;
        }
    }
}

/* ---- the graphs ---- */

enum { GRAPHS = 7 };
static int weighted_graph(int i)
{
    return i == 1 || i == 3 || i == 6;
}

static int graph_number(int i, ps_graph *g)
{
    test_edge e[200];
    size_t n = 0;
    switch (i) {
    case 0: /* sparse */
    case 1: random_edges(e, 50, 17, 11, 5, i == 1); return make_graph(g, 17, 11, e, 50);
    case 2: /* dense, many parallel edges */
    case 3: random_edges(e, 150, 9, 4, 6, i == 3); return make_graph(g, 9, 4, e, 150);
    case 4: /* a chain: item i on boards i and i + 1 */
        for (uint32_t k = 0; k < 15; k++)
            for (uint32_t d = 0; d < 2; d++)
                e[n++] = (test_edge){k, k + d, 1};
        return make_graph(g, 15, 16, e, n);
    case 5: /* one board of all, one of its own for each item; item 0 five times on the first */
        for (uint32_t k = 0; k < 33; k++) {
            e[n++] = (test_edge){k, 0, 1};
            e[n++] = (test_edge){k, 1 + k, 1};
        }
        for (int k = 0; k < 4; k++)
            e[n++] = (test_edge){0, 0, 1};
        return make_graph(g, 33, 34, e, n);
    default: /* weights over five orders of magnitude, the boards of all items the same */
        for (uint32_t k = 0; k < 8; k++)
            for (uint32_t b = 0; b < 3; b++)
                e[n++] = (test_edge){k, b, (float)pow(10, (int)(k * 3 + b) % 6 - 3)};
        return make_graph(g, 8, 3, e, n);
    }
}

static void count_walker(const ps_graph *g, uint64_t u, double r, uint64_t seed, uint32_t *count)
{
    const ps_walk_options o = {.steps = STEPS, .restart = r, .seed = seed};
    ps_walker *w = ps_walker_new(g, &o);
    const ps_visit *v;
    memset(count, 0, MAX * sizeof *count);
    long n = w ? ps_walker_visits(w, u, &v) : -1;
    CHECK(n >= 0);
    for (long i = 0; i < n; i++)
        count[v[i].item] = v[i].count;
    ps_walker_free(w);
}

/* The largest deviate over graphs, queries and seeds, and the deviate of them all together. */
static void judge(bug b, int use_walker, double *worst, double *together)
{
    static matrix cov;
    double pi[MAX], sum = 0;
    int freedom = 0;
    *worst = 0;
    for (int i = 0; i < GRAPHS; i++) {
        ps_graph g;
        if (only_weighted(b) && !weighted_graph(i))
            continue;
        CHECK_OK(graph_number(i, &g));
        for (uint64_t q = 0; q < 3; q++) {
            uint64_t u = q * (g.items.nodes - 1) / 2, seed = 1 + q;
            double r = q == 1 ? .15 : .5;
            uint32_t count[MAX];
            int df;
            if (ps_degree(&g.items, u) == 0)
                continue;
            if (use_walker)
                count_walker(&g, u, r, seed, count);
            else
                plain_walk(&g, u, STEPS, r, seed, b, count);
            double all = 0;
            for (uint64_t v = 0; v < g.items.nodes; v++)
                all += count[v];
            exact(&g, (int)u, r, pi, cov);
            double chi = chi_square((int)g.items.nodes, count, all, pi, cov, &df);
            if (fabs(deviate(chi, df)) > *worst)
                *worst = fabs(deviate(chi, df));
            sum += chi;
            freedom += df;
        }
        ps_graph_close(&g);
    }
    *together = deviate(sum, freedom);
}

static int rejected(double worst, double together)
{
    return worst > 4.5 || fabs(together) > 3.5;
}

static void test_pagerank(void)
{
    double worst, together;
    judge(NONE, 1, &worst, &together);
    printf("%-22s worst %8.2f  together %8.2f\n", "ps_walker", worst, together);
    CHECK(!rejected(worst, together));
    for (bug b = NONE; b < BUGS; b++) {
        judge(b, 0, &worst, &together);
        printf("%-22s worst %8.2f  together %8.2f\n", bug_names[b], worst, together);
        CHECK(rejected(worst, together) == (b != NONE));
    }
}

/* Number for number what walk.h promises. */
static void test_contract(void)
{
    for (int i = 0; i < GRAPHS; i++) {
        ps_graph g;
        CHECK_OK(graph_number(i, &g));
        for (uint64_t u = 0; u < g.items.nodes; u++) {
            uint32_t a[MAX], b[MAX] = {0};
            count_walker(&g, u, .3, 9, a);
            if (ps_degree(&g.items, u) > 0)
                plain_walk(&g, u, STEPS, .3, 9, NONE, b);
            CHECK(memcmp(a, b, g.items.nodes * sizeof *a) == 0);
        }
        ps_graph_close(&g);
    }
}

/* ---- the rest of walk.h ---- */

static void test_alone(void)
{
    const test_edge e[] = {{0, 0, 1}, {1, 1, 1}, {2, 1, 1}};
    const ps_walk_options o = PS_WALK_DEFAULT;
    ps_graph g;
    const ps_visit *v;
    CHECK_OK(make_graph(&g, 4, 3, e, 3));
    ps_walker *w = ps_walker_new(&g, &o);
    CHECK(ps_walker_visits(w, 0, &v) == 1 && v[0].item == 0 && v[0].count == 1000);
    CHECK(ps_walker_rank(w, 0, &v) == 0 && ps_walker_steps(w) == 1000);
    CHECK(ps_walker_visits(w, 1, &v) == 2 && v[0].count + v[1].count == 1000);
    CHECK(ps_walker_rank(w, 1, &v) == 1 && v[0].item == 2);
    CHECK(ps_walker_visits(w, 3, &v) == 0 && ps_walker_steps(w) == 0);
    CHECK(ps_walker_visits(w, 4, &v) == PS_EDATA);
    CHECK(ps_walker_visits(w, PS_NONE, &v) == PS_EDATA);
    ps_walker_free(w);
    ps_graph_close(&g);
}

static void test_order(void)
{
    ps_graph g;
    const ps_walk_options o = {.steps = 3000, .restart = .5, .seed = 4};
    const ps_visit *v;
    CHECK_OK(graph_number(0, &g));
    ps_walker *w = ps_walker_new(&g, &o);
    for (uint64_t u = 0; u < g.items.nodes; u++) {
        ps_visit all[MAX];
        long n = ps_walker_visits(w, u, &v);
        uint64_t sum = 0;
        memcpy(all, v, (size_t)n * sizeof *v);
        for (long i = 0; i < n; i++) {
            sum += all[i].count;
            CHECK(i == 0 || all[i - 1].count > all[i].count ||
                  (all[i - 1].count == all[i].count && all[i - 1].item < all[i].item));
        }
        CHECK(sum == (n ? o.steps : 0) && ps_walker_steps(w) == sum);
        long m = ps_walker_rank(w, u, &v), k = 0;
        for (long i = 0; i < n; i++)
            if (all[i].item != u) {
                CHECK(k < m && v[k].item == all[i].item && v[k].count == all[i].count);
                k++;
            }
        CHECK(k == m);
    }
    ps_walker_free(w);
    ps_graph_close(&g);
}

static int on_one_board(const ps_graph *g, uint32_t a, uint32_t b)
{
    static matrix p;
    step_matrix(g, p);
    return p[a][b] > 0;
}

static void test_paths(void)
{
    ps_graph g;
    const uint32_t *path;
    const ps_visit *v;
    CHECK_OK(graph_number(1, &g));
    for (int k = 0; k < 3; k++) {
        const ps_walk_options o = {.steps = 600, .restart = k == 0 ? 1 : k == 1 ? .3 : 0, .seed = 2};
        const uint32_t length = k == 1 ? 600 : 7;
        uint32_t count[MAX] = {0}, short_ends = 0;
        ps_walker *w = ps_walker_new(&g, &o);
        long n = ps_walker_paths(w, 0, length, &path);
        CHECK(k != 0 || n == 600);
        CHECK(k != 2 || n == 86); /* 85 of 7 steps and one of 5 */
        for (long i = 0; i < n; i++) {
            const uint32_t *row = path + (size_t)i * length;
            uint32_t from = 0, j = 0;
            for (; j < length && row[j] != UINT32_MAX; from = row[j++]) {
                CHECK(on_one_board(&g, from, row[j]));
                count[row[j]]++;
            }
            CHECK(j > 0);
            short_ends += j < length;
            for (; j < length; j++)
                CHECK(row[j] == UINT32_MAX);
        }
        CHECK(k != 2 || short_ends == 1);
        long visits = ps_walker_visits(w, 0, &v);
        for (long i = 0; i < visits && k < 2; i++)
            CHECK(count[v[i].item] == v[i].count);
        CHECK(ps_walker_paths(w, 99, length, &path) == PS_EDATA);
        ps_walker_free(w);
    }
    ps_graph_close(&g);
}

/* The walk stops at the very step at which the n_p-th item has n_v visits. */
static void test_early(void)
{
    ps_graph g;
    const ps_visit *v;
    CHECK_OK(graph_number(0, &g));
    ps_walk_options o = {.steps = 100000, .restart = .5, .seed = 3, .early_items = 4, .early_visits = 25};
    ps_walker *w = ps_walker_new(&g, &o);
    long n = ps_walker_visits(w, 0, &v), high = 0;
    uint64_t stopped = ps_walker_steps(w);
    for (long i = 0; i < n; i++)
        high += v[i].count >= 25;
    CHECK(high == 4 && stopped < 100000 && v[3].count == 25);
    ps_walker_free(w);
    for (int less = 0; less < 2; less++) {
        const ps_walk_options plain = {.steps = stopped - (uint64_t)less, .restart = .5, .seed = 3};
        w = ps_walker_new(&g, &plain);
        n = ps_walker_visits(w, 0, &v);
        high = 0;
        for (long i = 0; i < n; i++)
            high += v[i].count >= 25;
        CHECK(high == 4 - less);
        ps_walker_free(w);
    }
    ps_graph_close(&g);
}

/* A large graph is not read when it is opened: the walk meets the damage, and says so. */
static void test_damage(void)
{
    uint64_t off[] = {0, 1, 2}, wild[] = {0, 1, 1000}, back[] = {0, 5, 2};
    uint32_t adj[] = {0, 1}, far[] = {0, 9};
    const ps_side good = {.nodes = 2, .off = off, .adj = adj};
    const ps_side bad[] = {{.nodes = 2, .off = off, .adj = far},
                           {.nodes = 2, .off = wild, .adj = adj},
                           {.nodes = 2, .off = back, .adj = adj}};
    const ps_walk_options o = PS_WALK_DEFAULT;
    for (int i = 0; i < 6; i++) {
        ps_graph g = {.items = i % 2 ? bad[i / 2] : good, .boards = i % 2 ? good : bad[i / 2], .edges = 2, .name = "x"};
        const ps_visit *v;
        const uint32_t *path;
        ps_walker *w = ps_walker_new(&g, &o);
        CHECK(ps_walker_visits(w, 1, &v) == PS_EDATA);
        CHECK(ps_walker_paths(w, 1, 4, &path) == PS_EDATA);
        ps_walker_free(w);
    }
}

int main(void)
{
    test_pagerank();
    test_contract();
    test_alone();
    test_order();
    test_paths();
    test_early();
    test_damage();
    CHECK_END();
}
