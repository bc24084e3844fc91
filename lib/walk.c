#include "walk.h"

#include <stdlib.h>
#include <string.h>

#include "alias.h"
#include "mem.h"
#include "push.h"
#include "rng.h"
#include "walk_block.h"
#include "walk_exact.h"

/* Legs of one block at most; steps of a first block that may be stopped early. */
enum { COMPANY = 512, EARLY = 1 << 10 };

struct ps_walker {
    const ps_graph *g;
    ps_walk_options o;
    uint64_t threshold; /* a restart number below it: restart */
    uint32_t scale;
    uint64_t walked;
    ps_visits visits;
    ps_push *push; /* NULL: walks */
    ps_block block;
    ps_leg leg[COMPANY];
    uint32_t *path, *later; /* later: a leg's steps but its first ones */
    size_t path_cap, later_cap;
    /* An item that is not in the graph, as node 0 of a side of its own. */
    ps_side start;
    uint64_t start_off[2];
    uint32_t start_off32[2];
    uint32_t *start_adj, *start_alias, *start_accept;
    float *start_weight;
    uint64_t *start_key;
    size_t adj_cap, alias_cap, accept_cap, weight_cap, key_cap;
};

ps_walker *ps_walker_new(const ps_graph *g, const ps_walk_options *o)
{
    ps_walker *w = ps_zalloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->g = g;
    w->o = *o;
    w->threshold = ps_threshold(o->restart);
    w->scale = 1;
    while (o->exact && o->steps * w->scale < UINT64_C(1) << 30)
        w->scale *= 2;
    if (o->push > 0 && !(w->push = ps_push_new(g, o->restart, o->push))) {
        free(w);
        return NULL;
    }
    return w;
}

void ps_walker_free(ps_walker *w)
{
    if (!w)
        return;
    ps_visits_free(&w->visits);
    ps_block_free(&w->block);
    ps_push_free(w->push);
    free(w->path);
    free(w->later);
    free(w->start_adj);
    free(w->start_alias);
    free(w->start_accept);
    free(w->start_weight);
    free(w->start_key);
    free(w);
}

uint64_t ps_walker_steps(const ps_walker *w)
{
    return w->walked;
}

double ps_walker_left_out(const ps_walker *w)
{
    return w->push ? ps_push_held(w->push) : 0;
}

uint32_t ps_walker_scale(const ps_walker *w)
{
    return w->scale;
}

size_t ps_walker_company(const ps_walker *w)
{
    const uint64_t n = PS_BLOCK_STEPS / w->o.steps;
    if (w->o.early_items || w->push || n < 1)
        return 1;
    return n < COMPANY ? (size_t)n : COMPANY;
}

static ps_block_rules rules_of(const ps_walker *w)
{
    return (ps_block_rules){.g = w->g, .bias = w->o.bias, .threshold = w->threshold};
}

/* 1: walk, 0: the item is on no board. */
static int can_start(const ps_graph *g, uint64_t item)
{
    if (item >= g->items.nodes)
        return ps_fail(PS_EDATA, "%s: no item %llu: it has only %llu", g->name, (unsigned long long)item,
                       (unsigned long long)g->items.nodes);
    if (g->items.off[item + 1] > g->edges || g->items.off[item] > g->items.off[item + 1])
        return ps_fail(PS_EDATA, "%s: damaged: the offsets of item %llu", g->name, (unsigned long long)item);
    return ps_degree(&g->items, item) > 0;
}

/* Counts the leg's visits in the block, the leg's steps beginning at `place`; `fresh`: the first one is a first step.
 */
static int count_leg(ps_walker *w, size_t place, size_t steps, int fresh, int skip_first, uint64_t *firsts)
{
    const uint32_t *out = w->block.out + place;
    const uint8_t *ends = w->block.ends + place;
    if (!skip_first)
        return ps_visits_add_all(&w->visits, out, steps, w->scale);
    if (ps_grow(&w->later, &w->later_cap, steps, sizeof *w->later) < 0)
        return PS_EMEM;
    size_t n = 0;
    for (size_t s = 0; s < steps; s++) {
        w->later[n] = out[s];
        n += !fresh;
        fresh = ends[s] & 1;
    }
    *firsts += steps - n;
    return ps_visits_add_all(&w->visits, w->later, n, w->scale);
}

/* In the order of the steps: 1 if the walk stops in this block, after w->walked steps. */
static int count_early(ps_walker *w, size_t steps, uint64_t *reached)
{
    for (size_t s = 0; s < steps; s++) {
        uint32_t count;
        w->walked++;
        if (w->block.out[s] == UINT32_MAX)
            continue;
        int rc = ps_visits_add(&w->visits, w->block.out[s], 1, &count);
        if (rc < 0)
            return rc;
        *reached += count == w->o.early_visits;
        if (*reached == w->o.early_items)
            return 1;
    }
    return 0;
}

/* All steps of one leg, block by block, into w->visits. */
static int walk_long(ps_walker *w, const ps_block_rules *rules, ps_leg *leg, uint64_t steps)
{
    uint64_t most = w->o.early_items ? EARLY : PS_BLOCK_STEPS, reached = 0, firsts = 0;
    const ps_side *start = rules->start ? rules->start : &w->g->items;
    int rc = 0;
    w->walked = 0;
    while (steps > 0 && rc == 0) {
        const int fresh = leg->done == 0;
        leg->steps = (uint32_t)(steps < most ? steps : most);
        steps -= leg->steps;
        rc = ps_block_walk(&w->block, rules, leg, 1);
        if (rc == 0 && w->o.early_items)
            rc = count_early(w, leg->steps, &reached);
        else if (rc == 0) {
            rc = count_leg(w, 0, leg->steps, fresh, leg->skip_first, &firsts);
            w->walked += leg->steps;
        }
        most = 2 * most < PS_BLOCK_STEPS ? 2 * most : PS_BLOCK_STEPS;
    }
    if (rc == 0 && leg->skip_first)
        rc = ps_exact_first(&w->visits, w->g, start, leg->start, (double)firsts * w->scale);
    return rc < 0 ? rc : 0;
}

static int push_one(ps_walker *w, const ps_side *side, uint64_t u)
{
    int rc = ps_push_run(w->push, side, u, &w->visits);
    w->walked = ps_push_edges(w->push) / 2;
    return rc;
}

static ps_leg leg_of(const ps_walker *w, uint64_t item)
{
    return (ps_leg){.key = ps_rng_key(w->o.seed, item),
                    .start = (uint32_t)item,
                    .at = (uint32_t)item,
                    .skip_first = ps_exact_fits(w->g, &w->g->items, item, w->o.exact)};
}

static int walk_one(ps_walker *w, uint64_t item, uint64_t steps)
{
    const ps_block_rules rules = rules_of(w);
    ps_visits_clear(&w->visits);
    w->walked = 0;
    int rc = can_start(w->g, item);
    if (rc <= 0)
        return rc;
    if (w->push)
        return push_one(w, &w->g->items, item);
    ps_leg leg = leg_of(w, item);
    return walk_long(w, &rules, &leg, steps);
}

static int hand_over(ps_walker *w, uint64_t item, size_t i, size_t top, int without_self, ps_walk_taker take, void *ctx)
{
    const ps_visit *v;
    long n = ps_visits_top(&w->visits, without_self ? (uint32_t)item : UINT32_MAX, top ? top : SIZE_MAX, &v);
    return n < 0 ? (int)n : take(ctx, i, v, (size_t)n);
}

typedef struct {
    size_t top;
    int without_self;
    ps_walk_taker take;
    void *ctx;
} delivery;

/* n items, at most COMPANY, in one block; `first` is their place among all. */
static int walk_together(ps_walker *w, const uint64_t *item, size_t first, size_t n, const delivery *d)
{
    const ps_block_rules rules = rules_of(w);
    size_t legs = 0, place = 0;
    int rc = 0, walks[COMPANY];
    for (size_t i = 0; i < n && rc >= 0; i++) {
        rc = walks[i] = can_start(w->g, item[i]);
        if (rc <= 0)
            continue;
        w->leg[legs] = leg_of(w, item[i]);
        w->leg[legs++].steps = (uint32_t)w->o.steps;
    }
    if (rc >= 0)
        rc = ps_block_walk(&w->block, &rules, w->leg, legs);
    legs = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        uint64_t firsts = 0;
        ps_visits_clear(&w->visits);
        w->walked = 0;
        if (walks[i]) {
            const ps_leg *leg = &w->leg[legs++];
            rc = count_leg(w, place, leg->steps, 1, leg->skip_first, &firsts);
            if (rc == 0 && leg->skip_first)
                rc = ps_exact_first(&w->visits, w->g, &w->g->items, leg->start, (double)firsts * w->scale);
            place += leg->steps;
            w->walked = leg->steps;
        }
        if (rc == 0)
            rc = hand_over(w, item[i], first + i, d->top, d->without_self, d->take, d->ctx);
    }
    return rc;
}

int ps_walker_many(ps_walker *w, const uint64_t *item, size_t n, size_t top, int without_self, ps_walk_taker take,
                   void *ctx)
{
    const delivery d = {top, without_self, take, ctx};
    const size_t company = ps_walker_company(w);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i += company) {
        const size_t m = n - i < company ? n - i : company;
        if (company > 1) {
            rc = walk_together(w, item + i, i, m, &d);
            continue;
        }
        rc = walk_one(w, item[i], w->o.steps);
        if (rc == 0)
            rc = hand_over(w, item[i], i, top, without_self, take, ctx);
    }
    return rc;
}

long ps_walker_visits(ps_walker *w, uint64_t item, const ps_visit **visits)
{
    int rc = walk_one(w, item, w->o.steps);
    return rc < 0 ? rc : ps_visits_sorted(&w->visits, UINT32_MAX, visits);
}

long ps_walker_rank(ps_walker *w, uint64_t item, const ps_visit **visits)
{
    int rc = walk_one(w, item, w->o.steps);
    return rc < 0 ? rc : ps_visits_sorted(&w->visits, (uint32_t)item, visits);
}

int ps_walker_collect(ps_walker *w, uint64_t item, uint64_t steps, uint64_t **keys, size_t *cap, size_t *n)
{
    int rc = walk_one(w, item, steps);
    if (rc < 0)
        return rc;
    if (ps_grow(keys, cap, *n + w->visits.n, sizeof **keys) < 0)
        return PS_EMEM;
    for (size_t i = 0; i < w->visits.n; i++)
        (*keys)[(*n)++] = w->visits.slot[w->visits.touched[i]];
    return 0;
}

/* ---- an item that is not in the graph ---- */

/* The side of its edges, boards ascending; equal ones in the order of their weights. */
static int make_start(ps_walker *w, const uint64_t *board, const float *weight, size_t n)
{
    if (ps_grow(&w->start_key, &w->key_cap, 2 * n, sizeof *w->start_key) < 0 ||
        ps_grow(&w->start_adj, &w->adj_cap, n, sizeof *w->start_adj) < 0 ||
        ps_grow(&w->start_weight, &w->weight_cap, n, sizeof *w->start_weight) < 0 ||
        ps_grow(&w->start_alias, &w->alias_cap, n, sizeof *w->start_alias) < 0 ||
        ps_grow(&w->start_accept, &w->accept_cap, n, sizeof *w->start_accept) < 0)
        return PS_EMEM;
    for (size_t i = 0; i < n; i++) {
        union {
            float f;
            uint32_t bits; /* of positive floats: ordered as they are */
        } x = {weight ? weight[i] : 1};
        if (board[i] >= w->g->boards.nodes)
            return ps_fail(PS_EDATA, "%s: no board %llu: it has only %llu", w->g->name, (unsigned long long)board[i],
                           (unsigned long long)w->g->boards.nodes);
        if (!(x.f > 0) || x.f > 0x1p126f)
            return ps_fail(PS_EDATA, "board %llu: weight %g: it must be finite and positive",
                           (unsigned long long)board[i], (double)x.f);
        w->start_key[i] = board[i] << 32 | x.bits;
    }
    const uint64_t *key = ps_radix_sort(w->start_key, w->start_key + n, n, 0);
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = (uint32_t)key[i];
        w->start_adj[i] = (uint32_t)(key[i] >> 32);
        memcpy(&w->start_weight[i], &bits, sizeof bits);
    }
    w->start_off[1] = n;
    w->start_off32[1] = (uint32_t)n;
    w->start = (ps_side){.nodes = 1,
                         .off = w->start_off,
                         .off32 = w->g->boards.off32 ? w->start_off32 : NULL,
                         .adj = w->start_adj};
    if (!weight)
        return 0;
    w->start.weight = w->start_weight;
    w->start.alias = w->start_alias;
    w->start.accept = w->start_accept;
    return ps_alias_make(w->start_weight, w->start_adj, n, w->start_alias, w->start_accept);
}

long ps_walker_new_item(ps_walker *w, uint64_t number, const uint64_t *board, const float *weight, size_t n, size_t top,
                        const ps_visit **visits)
{
    ps_block_rules rules = rules_of(w);
    ps_visits_clear(&w->visits);
    w->walked = 0;
    if (n > w->g->edges)
        return ps_fail(PS_EDATA, "an item on %zu boards: %s has only %llu edges", n, w->g->name,
                       (unsigned long long)w->g->edges);
    int rc = n > 0 ? make_start(w, board, weight, n) : 0;
    if (rc == 0 && n > 0 && w->push)
        rc = push_one(w, &w->start, 0);
    else if (rc == 0 && n > 0) {
        ps_leg leg = {.key = ps_rng_key(w->o.seed, number),
                      .skip_first = ps_exact_fits(w->g, &w->start, 0, w->o.exact)};
        rules.start = &w->start;
        rc = walk_long(w, &rules, &leg, w->o.steps);
    }
    return rc < 0 ? rc : ps_visits_top(&w->visits, UINT32_MAX, top ? top : SIZE_MAX, visits);
}

/* ---- paths ---- */

/* Room for one more row, filled with padding. */
static int new_row(ps_walker *w, uint32_t length, long rows)
{
    size_t begin = (size_t)rows * length;
    if (ps_grow(&w->path, &w->path_cap, begin + length, sizeof *w->path) < 0)
        return PS_EMEM;
    for (uint32_t i = 0; i < length; i++)
        w->path[begin + i] = UINT32_MAX;
    return 0;
}

long ps_walker_paths(ps_walker *w, uint64_t item, uint32_t length, const uint32_t **paths)
{
    ps_block_rules rules = rules_of(w);
    uint32_t done = 0;
    long rows = 0;
    w->walked = 0;
    int rc = can_start(w->g, item);
    if (rc <= 0)
        return rc;
    ps_leg leg = {.key = ps_rng_key(w->o.seed, item), .start = (uint32_t)item, .at = (uint32_t)item};
    rules.length = length;
    for (uint64_t left = w->o.steps; left > 0; left -= leg.steps) {
        leg.steps = (uint32_t)(left < PS_BLOCK_STEPS ? left : PS_BLOCK_STEPS);
        rc = ps_block_walk(&w->block, &rules, &leg, 1);
        for (uint32_t s = 0; s < leg.steps && rc == 0; s++) {
            if (done == 0)
                rc = new_row(w, length, rows++);
            if (rc == 0)
                w->path[(size_t)(rows - 1) * length + done] = w->block.out[s];
            done = w->block.ends[s] & 1 ? 0 : done + 1;
        }
        if (rc < 0)
            return rc;
    }
    w->walked = w->o.steps;
    *paths = w->path;
    return rows;
}
