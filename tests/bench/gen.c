/* gen - bipartite graphs for tests and benchmarks, as streams: the same for the same options, of any size.
 *
 *   gen [-i ITEMS] [-b BOARDS] [-e EDGES] [-c COMMUNITIES] [-m MIXING] [-a EXPONENT] [-g SIGMA] [-d DIM] [-s SEED]
 *       [-n PAIRS] [-r] [-t] edges|vectors|pairs
 *
 * Boards have log-normal sizes (-g) that add up to EDGES.  Items and boards belong to planted communities; an edge
 * stays in its board's community, but for a share of MIXING.  Within it, and among all, the popularity of items is
 * a power law: the item of rank r with probability in proportion to r^-EXPONENT.  An item's vector is its
 * community's direction and noise; both items of a pair are of one community.  -t: text, item TAB board, with
 * names like i17 and b4; else psrec(5).  -r: edges in random order, else board by board.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rec.h"
#include "rng.h"

enum { BATCH = 4096 };

typedef struct {
    uint64_t items, boards, edges, communities, pairs, seed, stride;
    double mixing, exponent, sigma;
    uint32_t dim;
    int text, random;
    ps_out *out;
    ps_writer *w;
    uint8_t *buf;
    size_t n, size;
} gen;

static void check(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "gen: %s\n", ps_errmsg());
        exit(1);
    }
}

static double normal(uint64_t key, uint64_t step)
{
    double u = ps_unit(ps_rng(key, 2 * step)), v = ps_unit(ps_rng(key, 2 * step + 1));
    return sqrt(-2 * log(1 - u)) * cos(6.283185307179586 * v);
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    return b ? gcd(b, a % b) : a;
}

/* Item of popularity rank r: numbers say nothing about popularity. */
static uint64_t item_of(const gen *g, uint64_t rank)
{
    return (uint64_t)((unsigned __int128)rank * g->stride % g->items);
}

/* A rank among n by the power law. */
static uint64_t draw_rank(const gen *g, uint64_t random, uint64_t n)
{
    uint64_t r = (uint64_t)((double)n * pow(ps_unit(random), 1 / (1 - g->exponent)));
    return r < n ? r : n - 1;
}

/* The community of a rank is its remainder. */
static uint64_t draw_item(const gen *g, uint64_t community, uint64_t key, uint64_t step)
{
    if (ps_unit(ps_rng(key, 2 * step)) < g->mixing || g->items < 2 * g->communities)
        return item_of(g, draw_rank(g, ps_rng(key, 2 * step + 1), g->items));
    uint64_t n = g->items / g->communities;
    return item_of(g, draw_rank(g, ps_rng(key, 2 * step + 1), n) * g->communities + community);
}

static void flush(gen *g)
{
    if (g->n > 0)
        check(ps_writer_put(g->w, g->buf, g->n));
    g->n = 0;
}

static uint8_t *next(gen *g)
{
    if (g->n == BATCH)
        flush(g);
    return g->buf + g->size * g->n++;
}

static void begin(gen *g, ps_head h)
{
    check(ps_head_size(&h));
    g->size = h.size;
    g->buf = malloc(BATCH * g->size);
    g->w = ps_writer_new(g->out, &h);
    check(g->buf && g->w ? 0 : -1);
}

static void edge(gen *g, uint64_t b, uint64_t e)
{
    const uint64_t home = ps_below(ps_rng(ps_rng_key(g->seed, 2), b), g->communities);
    const uint64_t item = draw_item(g, home, ps_rng_key(g->seed, b + 16), e);
    if (g->text) {
        check(ps_out_printf(g->out, "i%llu\tb%llu\n", (unsigned long long)item, (unsigned long long)b));
        return;
    }
    uint8_t *p = next(g);
    ps_put32(p, (uint32_t)item);
    ps_put32(p + 4, (uint32_t)b);
    ps_putf32(p + 8, 1);
}

/* Edge i of all is one of the board before whose end it lies. */
static void random_order(gen *g, const uint64_t *end)
{
    uint64_t stride = (uint64_t)((double)g->edges * 0.618) | 1;
    while (gcd(stride, g->edges) != 1)
        stride += 2;
    for (uint64_t n = 0; n < g->edges; n++) {
        uint64_t i = (uint64_t)((unsigned __int128)n * stride % g->edges), low = 0, high = g->boards - 1;
        while (low < high) {
            uint64_t middle = (low + high) / 2;
            if (end[middle] > i)
                high = middle;
            else
                low = middle + 1;
        }
        edge(g, low, i - (low ? end[low - 1] : 0));
    }
}

static void edges(gen *g)
{
    const uint64_t sizes = ps_rng_key(g->seed, 1);
    uint64_t *end = malloc(g->boards * sizeof *end), done = 0;
    double total = 0, before = 0;
    check(end ? 0 : -1);
    for (uint64_t b = 0; b < g->boards; b++)
        total += exp(g->sigma * normal(sizes, b));
    for (uint64_t b = 0; b < g->boards; b++) {
        before += exp(g->sigma * normal(sizes, b));
        end[b] = b + 1 == g->boards ? g->edges : (uint64_t)((double)g->edges * (before / total));
    }
    ps_head h = ps_head_make(PS_EDGES, 0);
    h.qspace = PS_ITEMS;
    h.nspace = PS_BOARDS;
    if (!g->text)
        begin(g, h);
    if (g->random)
        random_order(g, end);
    for (uint64_t b = 0; b < g->boards && !g->random; b++)
        for (uint64_t e = 0; done < end[b]; done++, e++)
            edge(g, b, e);
    free(end);
}

static void vectors(gen *g)
{
    begin(g, ps_head_make(PS_VECTORS, g->dim));
    uint64_t *community = malloc(g->items * sizeof *community);
    check(community ? 0 : -1);
    for (uint64_t r = 0; r < g->items; r++)
        community[item_of(g, r)] = r % g->communities;
    for (uint64_t i = 0; i < g->items; i++) {
        const uint64_t centre = ps_rng_key(g->seed + 1, community[i]), own = ps_rng_key(g->seed + 2, i);
        uint8_t *p = next(g);
        ps_put32(p, (uint32_t)i);
        for (uint32_t j = 0; j < g->dim; j++)
            ps_putf32(p + 4 + 4 * j, (float)(normal(centre, j) + 0.5 * normal(own, j)));
    }
    free(community);
}

static void pairs(gen *g)
{
    ps_head h = ps_head_make(PS_PAIRS, 0);
    h.qspace = h.nspace = PS_ITEMS;
    begin(g, h);
    for (uint64_t i = 0; i < g->pairs; i++) {
        const uint64_t key = ps_rng_key(g->seed + 3, i), home = ps_below(ps_rng(key, 100), g->communities);
        uint8_t *p = next(g);
        ps_put32(p, (uint32_t)draw_item(g, home, key, 0));
        ps_put32(p + 4, (uint32_t)draw_item(g, home, key, 1));
        ps_putf32(p + 8, 1);
    }
}

int main(int argc, char **argv)
{
    gen g = {.items = 100000, .boards = 20000, .edges = 2000000, .communities = 50, .pairs = 10000, .seed = 1,
             .mixing = 0.2, .exponent = 0.6, .sigma = 1, .dim = 64};
    int c;
    while ((c = getopt(argc, argv, "i:b:e:c:m:a:g:d:s:n:rt")) != -1) {
        uint64_t v = optarg ? strtoull(optarg, NULL, 10) : 0;
        switch (c) {
        case 'i': g.items = v; break;
        case 'b': g.boards = v; break;
        case 'e': g.edges = v; break;
        case 'c': g.communities = v; break;
        case 'n': g.pairs = v; break;
        case 's': g.seed = v; break;
        case 'd': g.dim = (uint32_t)v; break;
        case 'm': g.mixing = atof(optarg); break;
        case 'a': g.exponent = atof(optarg); break;
        case 'g': g.sigma = atof(optarg); break;
        case 'r': g.random = 1; break;
        case 't': g.text = 1; break;
        default: return 2;
        }
    }
    const char *what = optind + 1 == argc ? argv[optind] : "";
    void (*make)(gen *) = strcmp(what, "edges") == 0     ? edges
                          : strcmp(what, "vectors") == 0 ? vectors
                          : strcmp(what, "pairs") == 0   ? pairs
                                                         : NULL;
    if (!make || !g.items || !g.boards || !g.communities || !(g.exponent >= 0 && g.exponent < 1)) {
        fprintf(stderr, "usage: gen [options] edges|vectors|pairs (see its source)\n");
        return 2;
    }
    for (g.stride = (uint64_t)((double)g.items * 0.618) | 1; gcd(g.stride, g.items) != 1;)
        g.stride += 2;
    check((g.out = ps_out_open(NULL, g.text ? PS_OUT_TEXT : 0)) ? 0 : -1);
    make(&g);
    if (g.w) {
        flush(&g);
        check(ps_writer_close(g.w));
    }
    check(ps_out_close(g.out));
    free(g.buf);
    return 0;
}
