/* graph_build.c - taking nodes and edges, and writing the graph; the building part of graph.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "dict.h"
#include "graph.h"
#include "graph_names.h"
#include "graph_side.h"
#include "mem.h"

enum { MAX_ANCESTORS = 1000, PART = 1 << 13 };

struct ps_builder {
    ps_build_options o;
    ps_pool *pool;
    ps_dict names[2];           /* items, boards: those that the old graph does not have */
    uint64_t nodes[2], base[2]; /* all, the old graph's */
    int items_closed, deletes;
    ps_edges *edges;
    size_t n; /* edges that wait to be dealt out */
    int weighted;
    uint64_t key[PS_BATCH];
    float weight[PS_BATCH];
    ps_built result;
};

ps_builder *ps_builder_open(const ps_build_options *o)
{
    ps_builder *b = ps_zalloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->o = *o;
    b->o.tmp = ps_temp_dir(o->tmp);
    b->o.threads = o->threads > 1 ? o->threads : 1;
    if (b->o.memory == 0)
        b->o.memory = UINT64_MAX;
    if (o->old) {
        b->base[0] = b->nodes[0] = o->old->items.nodes;
        b->base[1] = b->nodes[1] = o->old->boards.nodes;
    }
    b->edges = ps_edges_new(b->o.threads, b->o.memory, b->o.tmp, NULL);
    if (b->edges && b->o.threads > 1)
        b->pool = ps_pool_new(b->o.threads);
    if (!b->edges || (b->o.threads > 1 && !b->pool)) {
        ps_builder_free(b);
        return NULL;
    }
    return b;
}

ps_builder *ps_builder_new(void)
{
    ps_build_options o = {.threads = 1};
    return ps_builder_open(&o);
}

void ps_builder_free(ps_builder *b)
{
    if (!b)
        return;
    ps_dict_free(&b->names[0]);
    ps_dict_free(&b->names[1]);
    ps_edges_free(b->edges);
    ps_pool_free(b->pool);
    free(b);
}

const ps_built *ps_builder_result(const ps_builder *b)
{
    return &b->result;
}

/* ---- nodes ---- */

void ps_builder_expect(const ps_builder *b, ps_space space, const ps_name_key *key, int step)
{
    ps_dict_expect(&b->names[space == PS_BOARDS], key, step);
}

int ps_builder_node(ps_builder *b, ps_space space, ps_str name, uint64_t *number)
{
    const ps_name_key key = ps_name_key_of(name);
    return ps_builder_keyed(b, space, &key, number);
}

int ps_builder_keyed(ps_builder *b, ps_space space, const ps_name_key *key, uint64_t *number)
{
    const int s = space == PS_BOARDS;
    if (b->base[s] > 0) {
        *number = ps_graph_find(b->o.old, space, key->name);
        if (*number != PS_NONE)
            return 0;
    }
    *number = ps_dict_seek(&b->names[s], key);
    if (*number == PS_NONE && s == 0 && b->items_closed)
        return 0;
    int rc = *number != PS_NONE ? 0 : ps_dict_append(&b->names[s], key, number);
    *number += b->base[s];
    if (rc == 0 && *number >= b->nodes[s])
        rc = space == PS_BOARDS ? ps_builder_reserve(b, 0, *number + 1) : ps_builder_reserve(b, *number + 1, 0);
    return rc;
}

void ps_builder_close_items(ps_builder *b)
{
    b->items_closed = 1;
}

uint64_t ps_builder_nodes(const ps_builder *b, ps_space space)
{
    return b->nodes[space == PS_BOARDS];
}

static int too_large(uint64_t number)
{
    return ps_fail(PS_EDATA, "node number %llu: the largest is %u", (unsigned long long)number, PS_NODE_MAX);
}

int ps_builder_reserve(ps_builder *b, uint64_t items, uint64_t boards)
{
    uint64_t n[2] = {items, boards};
    for (int s = 0; s < 2; s++) {
        if (n[s] > (uint64_t)PS_NODE_MAX + 1)
            return too_large(n[s] - 1);
        if (n[s] > b->nodes[s])
            b->nodes[s] = n[s];
    }
    return 0;
}

/* ---- edges ---- */

/* Dictionaries above half of the memory move to disk, and edges that fill the rest.  What comes back from disk
 * counts too: it is given up again when the process holds more than it may. */
static int relieve(ps_builder *b)
{
    uint64_t used = ps_dict_bytes(&b->names[0]) + ps_dict_bytes(&b->names[1]);
    int rc = 0;
    for (int s = 0; s < 2 && used > b->o.memory / 2 && rc == 0; s++) {
        rc = ps_dict_to_disk(&b->names[s], b->o.tmp, b->o.memory);
        used = ps_dict_bytes(&b->names[0]) + ps_dict_bytes(&b->names[1]);
    }
    if (rc == 0)
        rc = ps_edges_relieve(b->edges, b->pool, used);
    ps_dict_rest(&b->names[0]);
    ps_dict_rest(&b->names[1]);
    return rc;
}

static int deal(ps_builder *b)
{
    int rc = ps_edges_push(b->edges, 0, b->key, b->weighted ? b->weight : NULL, b->n);
    b->n = 0;
    b->weighted = 0;
    return rc < 0 ? rc : relieve(b);
}

static int check_edge(const ps_builder *b, uint64_t item, uint64_t board, float weight)
{
    if (!(weight > 0 || (weight == PS_TAKE_OUT && b->o.old)) || !isfinite(weight))
        return ps_fail(PS_EDATA, "edge weight %g: it must be positive and finite", (double)weight);
    if (item > PS_NODE_MAX || board > PS_NODE_MAX)
        return too_large(item > board ? item : board);
    return 0;
}

int ps_builder_edge(ps_builder *b, uint64_t item, uint64_t board, float weight)
{
    int rc = check_edge(b, item, board, weight);
    if (rc < 0)
        return rc;
    b->deletes |= weight < 0;
    if (item >= b->nodes[0])
        b->nodes[0] = item + 1;
    if (board >= b->nodes[1])
        b->nodes[1] = board + 1;
    b->weighted |= weight != 1;
    b->key[b->n] = item << 32 | board;
    b->weight[b->n] = weight;
    return ++b->n == PS_BATCH ? deal(b) : 0;
}

typedef struct {
    ps_edges *edges;
    const ps_edge_block *block;
    void (*meanwhile)(void *ctx);
    void *ctx;
} block_job;

/* Weights are all 1, so that any lane will do. */
static int block_task(void *ctx, size_t task, int thread)
{
    const block_job *j = ctx;
    if (task == 0) {
        j->meanwhile(j->ctx);
        return 0;
    }
    const size_t from = (task - 1) * PART, n = j->block->n - from < PART ? j->block->n - from : PART;
    return ps_edges_push(j->edges, thread, j->block->key + from, NULL, n);
}

/* One after the other: lane 0 keeps their order. */
static int take_in_order(ps_builder *b, const ps_edge_block *block, size_t *bad)
{
    int rc = 0;
    for (size_t i = 0; i < block->n && rc == 0; i++) {
        rc = ps_builder_edge(b, block->key[i] >> 32, (uint32_t)block->key[i], block->weight ? block->weight[i] : 1);
        *bad = rc < 0 ? i : block->n;
    }
    return rc;
}

int ps_builder_block(ps_builder *b, const ps_edge_block *block, void (*meanwhile)(void *ctx), void *ctx, size_t *bad)
{
    *bad = block->n;
    if (b->n > 0 || ps_edges_weighted(b->edges) || block->weight) {
        meanwhile(ctx);
        return take_in_order(b, block, bad);
    }
    block_job j = {b->edges, block, meanwhile, ctx};
    int rc = ps_pool_run(b->pool, 1 + (block->n + PART - 1) / PART, block_task, &j);
    if (rc == 0)
        rc = ps_builder_reserve(b, block->nodes[0], block->nodes[1]);
    return rc < 0 ? rc : relieve(b);
}

/* ---- writing ---- */

typedef struct {
    ps_layout layout;
    int weighted;
    ps_side_job side[2];
    int alias[2], accept[2], off[2];
} writing;

static int named(const ps_builder *b, int s)
{
    const ps_graph *old = b->o.old;
    return b->names[s].n > 0 || (old && (s ? old->board_names.n : old->item_names.n) > 0);
}

static uint64_t names_most(const ps_builder *b, int s)
{
    const ps_graph *old = b->o.old;
    uint64_t text = b->names[s].n ? b->names[s].off[b->names[s].n] : 0;
    if (old)
        text += s ? old->board_names.bytes : old->item_names.bytes;
    return named(b, s) ? text + 8 * b->nodes[s] + 4 * ps_name_slots(b->nodes[s]) : 0;
}

static int append_history(const ps_builder *b, ps_layout *l, const char *line)
{
    const ps_graph *old = b->o.old;
    int s = ps_layout_add(l, PS_SEC_HISTORY, 1, strlen(line) + (old ? old->history_len : 0));
    int rc = old ? ps_layout_append(l, s, old->history, old->history_len) : 0;
    if (rc == 0)
        rc = ps_layout_append(l, s, line, strlen(line));
    ps_layout_close(l, s);
    return rc;
}

static int append_ancestors(const ps_builder *b, ps_layout *l)
{
    const ps_graph *old = b->o.old;
    if (!old)
        return 0;
    uint64_t n = old->n_ancestors < MAX_ANCESTORS - 1 ? old->n_ancestors : MAX_ANCESTORS - 1;
    const uint64_t mine[3] = {old->fingerprint, old->items.nodes, old->boards.nodes};
    int s = ps_layout_add(l, PS_SEC_ANCESTORS, 8, 3 * (n + 1));
    int rc = n ? ps_layout_append(l, s, old->ancestors + 3 * (old->n_ancestors - n), 24 * n) : 0;
    if (rc == 0)
        rc = ps_layout_append(l, s, mine, sizeof mine);
    ps_layout_close(l, s);
    return rc;
}

static int append_names(ps_builder *b, ps_layout *l, int s)
{
    const ps_graph *old = b->o.old;
    if (!named(b, s))
        return 0;
    if (b->base[s] + b->names[s].n != b->nodes[s])
        return ps_fail(PS_EDATA, "%s number %llu has no name: the nodes of this graph have names", s ? "board" : "item",
                       (unsigned long long)b->nodes[s] - 1);
    return ps_names_append(l, s ? PS_SEC_BOARD_NAMEOFF : PS_SEC_ITEM_NAMEOFF,
                           old ? s ? &old->board_names : &old->item_names : NULL, &b->names[s]);
}

static int write_side(ps_builder *b, writing *w, int s, ps_edges *edges, ps_edges *turned, uint64_t most)
{
    const uint32_t id = s ? PS_SEC_BOARD_OFF : PS_SEC_ITEM_OFF;
    const ps_graph *old = b->o.nodes_only ? NULL : b->o.old;
    ps_layout *l = &w->layout;
    ps_side_job *j = &w->side[s];
    *j = (ps_side_job){.layout = l,
                       .pool = b->pool,
                       .edges = edges,
                       .turned = turned,
                       .nodes = b->nodes[s],
                       .old = old ? s ? &old->boards : &old->items : NULL,
                       .duplicates = b->o.duplicates,
                       .resolve = b->deletes || b->o.duplicates != PS_KEEP,
                       .weighted = w->weighted};
    j->off = ps_layout_add(l, id, 8, b->nodes[s] + 1);
    j->adj = ps_layout_add(l, id + 1, 4, most);
    if (w->weighted) {
        j->weight = ps_layout_add(l, id + 2, 4, most);
        w->alias[s] = ps_layout_add(l, id + 3, 4, most);
        w->accept[s] = ps_layout_add(l, id + 4, 4, most);
    }
    int rc = ps_side_build(j);
    ps_layout_close(l, j->adj);
    if (rc < 0 || !w->weighted)
        return rc;
    if (!j->any_weight) {
        ps_layout_drop(l, j->weight);
        ps_layout_drop(l, w->alias[s]);
        ps_layout_drop(l, w->accept[s]);
        return 0;
    }
    return ps_side_alias(l, b->pool, j->off, j->adj, j->weight, w->alias[s], w->accept[s], b->nodes[s], j->n);
}

static int write_sides(ps_builder *b, writing *w, uint64_t most)
{
    const ps_graph *old = b->o.old;
    ps_edges *turned = ps_edges_new(b->o.threads, b->o.memory, b->o.tmp, b->edges);
    if (!turned)
        return PS_EMEM;
    int rc = write_side(b, w, 0, b->edges, turned, most);
    if (rc == 0)
        rc = append_names(b, &w->layout, 0);
    if (rc == 0)
        rc = write_side(b, w, 1, turned, NULL, most);
    if (rc == 0)
        rc = append_names(b, &w->layout, 1);
    ps_edges_spilled(b->edges, &b->result.spilled);
    ps_edges_spilled(turned, &b->result.spilled);
    ps_edges_free(turned);
    if (rc == 0 && w->side[0].n != w->side[1].n)
        rc = ps_fail(PS_EDATA, "%s: the two directions of its edges are not the same", old ? old->name : "the graph");
    return rc;
}

int ps_builder_write(ps_builder *b, ps_out *out, const char *history)
{
    writing w = {.weighted = 0};
    int rc = deal(b);
    const ps_graph *old = b->o.old;
    const int merge = old && !b->o.nodes_only;
    const uint64_t most = ps_edges_count(b->edges) + (merge ? old->edges : 0);
    w.weighted = ps_edges_weighted(b->edges) || b->o.duplicates == PS_SUM || (merge && old->items.weight);
    uint64_t bytes = most * (w.weighted ? 32 : 8) + (b->nodes[0] + b->nodes[1] + 2) * 8 + names_most(b, 0) +
                     names_most(b, 1) + strlen(history) + (old ? old->history_len + 24 * MAX_ANCESTORS : 0);
    if (rc == 0)
        rc = ps_layout_open(&w.layout, out, b->o.tmp, bytes, !w.weighted);
    if (rc < 0)
        return rc;
    rc = append_history(b, &w.layout, history);
    if (rc == 0)
        rc = write_sides(b, &w, most);
    if (rc == 0)
        rc = append_ancestors(b, &w.layout);
    if (rc == 0)
        rc = ps_layout_finish(&w.layout, b->nodes[0], b->nodes[1], w.side[0].n);
    b->result = (ps_built){b->nodes[0],       b->nodes[1],       w.side[0].n,
                           b->result.spilled, w.side[0].removed, w.side[0].unmet};
    ps_layout_free(&w.layout);
    return rc;
}
