#include "walk_bias.h"

#include <stdlib.h>

#include "mem.h"
#include "rng.h"

/* So many tries by rejection, then all neighbours are looked at: the same distribution either way. */
enum { TRIES = 12 };

void ps_bias_free(ps_bias *b)
{
    free(b->board);
    free(b->item);
    *b = (ps_bias){0};
}

static int bias_line(ps_bias *b, float *factor, const ps_graph *g, ps_space space, const ps_text *t, ps_str line,
                     int skip_unknown)
{
    ps_str name, number, more;
    double value;
    if (!ps_text_field(&line, &name) || !ps_text_field(&line, &number) || ps_text_field(&line, &more))
        return ps_text_fail(t, "not a name, a tab and a factor");
    if (ps_text_double(number, &value) < 0 || !(value >= 0) || value > 1e30)
        return ps_text_fail(t, "the factor must be a number, finite and not negative");
    const uint64_t u = ps_graph_find(g, space, name);
    b->listed++;
    if (u == PS_NONE) {
        b->skipped++;
        return skip_unknown ? 0
                            : ps_text_fail(t, "%s has no %s '%.*s' (-u skips such names)", g->name,
                                           space == PS_BOARDS ? "board" : "item",
                                           (int)(name.len < 200 ? name.len : 200), name.s);
    }
    if (factor[u] >= 0)
        return ps_text_fail(t, "a second factor for '%.*s'", (int)(name.len < 200 ? name.len : 200), name.s);
    factor[u] = (float)value;
    return 0;
}

/* Relative to the largest; -1, no line: `rest`. */
static int scale(float *factor, uint64_t n, double rest, const char *name)
{
    float most = 0;
    for (uint64_t u = 0; u < n; u++) {
        factor[u] = factor[u] < 0 ? (float)rest : factor[u];
        most = factor[u] > most ? factor[u] : most;
    }
    if (n > 0 && !(most > 0))
        return ps_fail(PS_EDATA, "%s: every factor is 0: no walk could take a step", name);
    for (uint64_t u = 0; u < n; u++)
        factor[u] /= most;
    return 0;
}

int ps_bias_read(ps_bias *b, const ps_graph *g, ps_space space, const char *path, double rest, int skip_unknown)
{
    const uint64_t n = space == PS_BOARDS ? g->boards.nodes : g->items.nodes;
    float *factor = ps_alloc(n, sizeof *factor);
    ps_in *in = factor ? ps_in_open(path) : NULL;
    if (!in) {
        free(factor);
        return PS_ESYS;
    }
    ps_text t = ps_text_make(in);
    ps_str line;
    int rc;
    for (uint64_t u = 0; u < n; u++)
        factor[u] = -1;
    while ((rc = ps_text_line(&t, &line)) > 0)
        if ((rc = bias_line(b, factor, g, space, &t, line, skip_unknown)) < 0)
            break;
    if (rc == 0)
        rc = scale(factor, n, rest, ps_in_name(in));
    ps_in_close(in);
    if (rc < 0) {
        free(factor);
        return rc;
    }
    free(space == PS_BOARDS ? b->board : b->item);
    if (space == PS_BOARDS)
        b->board = factor;
    else
        b->item = factor;
    return 0;
}

static double mass(const ps_side *side, const float *factor, uint64_t e)
{
    return (side->weight ? (double)side->weight[e] : 1) * (double)factor[side->adj[e]];
}

/* By the sum of all: for where most neighbours have small factors. */
static int pick_by_sum(const ps_side *side, const float *factor, uint64_t begin, uint64_t degree, double unit,
                       uint32_t *to)
{
    double sum = 0, x = 0;
    uint64_t last = PS_NONE;
    for (uint64_t e = begin; e < begin + degree; e++)
        sum += mass(side, factor, e);
    for (uint64_t e = begin; e < begin + degree; e++) {
        const double m = mass(side, factor, e);
        x += m;
        if (!(m > 0))
            continue;
        last = e;
        if (unit * sum < x)
            break;
    }
    if (last == PS_NONE)
        return 0;
    *to = side->adj[last];
    return 1;
}

int ps_bias_pick(const ps_side *side, const float *factor, uint64_t nodes, uint64_t begin, uint64_t degree,
                 uint64_t number, uint32_t *to)
{
    const uint64_t key = ps_mix64(number ^ UINT64_C(0x5851f42d4c957f2d));
    uint64_t random = ps_mix64(number);
    for (uint64_t t = 0; t < TRIES; t++) {
        const unsigned __int128 product = (unsigned __int128)random * degree;
        const uint64_t e = begin + (uint64_t)(product >> 64);
        *to = !side->accept || (uint32_t)((uint64_t)product >> 32) <= side->accept[e] ? side->adj[e] : side->alias[e];
        if (*to >= nodes)
            return -1;
        if (!factor || ps_unit(ps_rng(key, 2 * t)) < (double)factor[*to])
            return 1;
        random = ps_rng(key, 2 * t + 1);
    }
    for (uint64_t e = begin; e < begin + degree; e++)
        if (side->adj[e] >= nodes)
            return -1;
    return pick_by_sum(side, factor, begin, degree, ps_unit(ps_rng(key, 2 * TRIES)), to);
}
