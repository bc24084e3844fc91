#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "dict.h"
#include "graph.h"
#include "graph_file.h"
#include "mem.h"

struct ps_builder {
    ps_dict names[2]; /* items, boards */
    uint64_t nodes[2];
    int items_closed;
    size_t n, item_cap, board_cap, weight_cap;
    uint32_t *item, *board;
    float *weight; /* NULL as long as all are 1 */
};

/* Arrays of one direction, owned. */
typedef struct {
    uint64_t *off;
    uint32_t *adj;
    float *weight;
    uint32_t *alias, *accept;
} side_arrays;

ps_builder *ps_builder_new(void)
{
    return ps_zalloc(1, sizeof(ps_builder));
}

void ps_builder_free(ps_builder *b)
{
    if (!b)
        return;
    ps_dict_free(&b->names[0]);
    ps_dict_free(&b->names[1]);
    free(b->item);
    free(b->board);
    free(b->weight);
    free(b);
}

int ps_builder_node(ps_builder *b, ps_space space, ps_str name, uint64_t *number)
{
    int s = space == PS_BOARDS;
    if (s == 0 && b->items_closed) {
        *number = ps_dict_find(&b->names[0], name);
        return 0;
    }
    int rc = ps_dict_add(&b->names[s], name, number);
    if (rc == 0 && *number >= b->nodes[s])
        b->nodes[s] = *number + 1;
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

int ps_builder_reserve(ps_builder *b, uint64_t items, uint64_t boards)
{
    uint64_t n[2] = {items, boards};
    for (int s = 0; s < 2; s++) {
        if (n[s] >= UINT32_MAX)
            return ps_fail(PS_EDATA, "node number %llu: the largest is %u", (unsigned long long)n[s] - 1,
                           UINT32_MAX - 2);
        if (n[s] > b->nodes[s])
            b->nodes[s] = n[s];
    }
    return 0;
}

int ps_builder_edge(ps_builder *b, uint64_t item, uint64_t board, float weight)
{
    if (!(weight > 0) || !isfinite(weight))
        return ps_fail(PS_EDATA, "edge weight %g: it must be positive and finite", (double)weight);
    if (item >= UINT32_MAX - 1 || board >= UINT32_MAX - 1)
        return ps_fail(PS_EDATA, "node number %llu: the largest is %u",
                       (unsigned long long)(item > board ? item : board), UINT32_MAX - 2);
    if (ps_builder_reserve(b, item + 1, board + 1) < 0 ||
        ps_grow(&b->item, &b->item_cap, b->n + 1, sizeof *b->item) < 0 ||
        ps_grow(&b->board, &b->board_cap, b->n + 1, sizeof *b->board) < 0)
        return PS_EMEM;
    if (weight != 1 && !b->weight) {
        if (ps_grow(&b->weight, &b->weight_cap, b->n + 1, sizeof *b->weight) < 0)
            return PS_EMEM;
        for (size_t i = 0; i < b->n; i++)
            b->weight[i] = 1;
    }
    if (b->weight) {
        if (ps_grow(&b->weight, &b->weight_cap, b->n + 1, sizeof *b->weight) < 0)
            return PS_EMEM;
        b->weight[b->n] = weight;
    }
    b->item[b->n] = (uint32_t)item;
    b->board[b->n++] = (uint32_t)board;
    return 0;
}

/* Stable counting sort by `key`: *order gets the edges' positions, *off the nodes' ranges. */
static int counting_order(const uint32_t *key, const size_t *from, size_t n, uint64_t nodes, uint64_t **off,
                          size_t **order)
{
    *off = ps_zalloc(nodes + 1, sizeof **off);
    *order = ps_alloc(n, sizeof **order);
    uint64_t *cursor = ps_alloc(nodes + 1, sizeof *cursor);
    if (!*off || !*order || !cursor) {
        free(cursor);
        return PS_EMEM;
    }
    for (size_t i = 0; i < n; i++)
        (*off)[key[i] + 1]++;
    for (uint64_t u = 0; u < nodes; u++)
        (*off)[u + 1] += (*off)[u];
    memcpy(cursor, *off, (nodes + 1) * sizeof *cursor);
    for (size_t i = 0; i < n; i++) {
        size_t e = from ? from[i] : i;
        (*order)[cursor[key[e]]++] = e;
    }
    free(cursor);
    return 0;
}

/* Walker's alias method (Vose's construction) for one node; fixed order, hence the same on any machine. */
static void alias_table(const float *w, const uint32_t *adj, size_t n, uint32_t *alias, uint32_t *accept,
                        double *share, size_t *small, size_t *large)
{
    double sum = 0;
    size_t ns = 0, nl = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)w[i];
    for (size_t i = 0; i < n; i++) {
        share[i] = (double)w[i] * (double)n / sum;
        alias[i] = adj[i];
        accept[i] = UINT32_MAX;
        if (share[i] < 1)
            small[ns++] = i;
        else
            large[nl++] = i;
    }
    while (ns > 0 && nl > 0) {
        size_t s = small[--ns], l = large[nl - 1];
        accept[s] = (uint32_t)(share[s] * 0x1p32);
        alias[s] = adj[l];
        share[l] -= 1 - share[s];
        if (share[l] < 1) {
            nl--;
            small[ns++] = l;
        }
    }
}

static int make_alias(side_arrays *a, uint64_t nodes, size_t edges)
{
    size_t widest = 0;
    for (uint64_t u = 0; u < nodes; u++)
        if (a->off[u + 1] - a->off[u] > widest)
            widest = a->off[u + 1] - a->off[u];
    a->alias = ps_alloc(edges, sizeof *a->alias);
    a->accept = ps_alloc(edges, sizeof *a->accept);
    double *share = ps_alloc(widest, sizeof *share);
    size_t *small = ps_alloc(widest, sizeof *small), *large = ps_alloc(widest, sizeof *large);
    int rc = a->alias && a->accept && share && small && large ? 0 : PS_EMEM;
    for (uint64_t u = 0; u < nodes && rc == 0; u++) {
        uint64_t o = a->off[u];
        alias_table(a->weight + o, a->adj + o, a->off[u + 1] - o, a->alias + o, a->accept + o, share, small, large);
    }
    free(share);
    free(small);
    free(large);
    return rc;
}

static int fill_side(const ps_builder *b, side_arrays *a, const size_t *order, const uint32_t *other, uint64_t nodes)
{
    a->adj = ps_alloc(b->n, sizeof *a->adj);
    if (b->weight)
        a->weight = ps_alloc(b->n, sizeof *a->weight);
    if (!a->adj || (b->weight && !a->weight))
        return PS_EMEM;
    for (size_t i = 0; i < b->n; i++) {
        a->adj[i] = other[order[i]];
        if (b->weight)
            a->weight[i] = b->weight[order[i]];
    }
    return b->weight ? make_alias(a, nodes, b->n) : 0;
}

/* Three stable counting sorts leave both directions' lists sorted, parallel edges in input order. */
static int make_sides(const ps_builder *b, side_arrays *items, side_arrays *boards)
{
    uint64_t *unused = NULL;
    size_t *by_item = NULL, *by_board = NULL, *final = NULL;
    int rc = counting_order(b->item, NULL, b->n, b->nodes[0], &unused, &by_item);
    if (rc == 0)
        rc = counting_order(b->board, by_item, b->n, b->nodes[1], &boards->off, &by_board);
    if (rc == 0)
        rc = counting_order(b->item, by_board, b->n, b->nodes[0], &items->off, &final);
    if (rc == 0)
        rc = fill_side(b, boards, by_board, b->item, b->nodes[1]);
    if (rc == 0)
        rc = fill_side(b, items, final, b->board, b->nodes[0]);
    free(unused);
    free(by_item);
    free(by_board);
    free(final);
    return rc;
}

static void free_side(side_arrays *a)
{
    free(a->off);
    free(a->adj);
    free(a->weight);
    free(a->alias);
    free(a->accept);
}

/* ---- writing ---- */

typedef struct {
    int n;
    ps_section s[PS_SEC_END];
    const void *data[PS_SEC_END];
} section_list;

static void add(section_list *l, uint32_t id, uint32_t elem, const void *data, uint64_t elements)
{
    uint64_t bytes = elements * elem;
    l->s[l->n] = (ps_section){.id = id, .elem = elem, .bytes = bytes, .crc = (uint32_t)crc32_z(0, data, bytes)};
    l->data[l->n++] = data;
}

static void add_side(section_list *l, uint32_t base, const side_arrays *a, uint64_t nodes, uint64_t edges,
                     const ps_dict *names)
{
    add(l, base, 8, a->off, nodes + 1);
    add(l, base + 1, 4, a->adj, edges);
    if (a->weight) {
        add(l, base + 2, 4, a->weight, edges);
        add(l, base + 3, 4, a->alias, edges);
        add(l, base + 4, 4, a->accept, edges);
    }
    if (names->n > 0) {
        add(l, base + 5, 8, names->off, nodes + 1);
        add(l, base + 6, 1, names->text, names->off[nodes]);
        add(l, base + 7, 4, names->hash, names->slots);
    }
}

static int pad_to(ps_out *out, uint64_t *at, uint64_t target)
{
    static const uint8_t zeros[PS_GRAPH_PAGE];
    int rc = ps_out_write(out, zeros, target - *at);
    *at = target;
    return rc;
}

static int write_sections(const ps_builder *b, section_list *l, ps_out *out)
{
    size_t len = PS_GRAPH_HEAD + (size_t)l->n * PS_GRAPH_ENTRY;
    uint8_t *head = ps_zalloc(len, 1);
    if (!head)
        return PS_EMEM;
    uint64_t at = len;
    for (int i = 0; i < l->n; i++) {
        at = (at + PS_GRAPH_PAGE - 1) / PS_GRAPH_PAGE * PS_GRAPH_PAGE;
        l->s[i].offset = at;
        at += l->s[i].bytes;
        ps_section_encode(head + PS_GRAPH_HEAD + i * PS_GRAPH_ENTRY, &l->s[i]);
    }
    memcpy(head, ps_graph_magic, 8);
    ps_put16(head + 8, PS_GRAPH_VERSION);
    ps_put16(head + 10, (uint16_t)l->n);
    ps_put32(head + 12, (uint32_t)len);
    ps_put64(head + 16, b->nodes[0]);
    ps_put64(head + 24, b->nodes[1]);
    ps_put64(head + 32, b->n);
    ps_put64(head + 40, ps_graph_fingerprint(b->nodes[0], b->nodes[1], b->n, l->s, l->n));
    ps_put32(head + 60, (uint32_t)crc32_z(0, head, len));
    int rc = ps_out_write(out, head, len);
    free(head);
    at = len;
    for (int i = 0; i < l->n && rc == 0; i++) {
        rc = pad_to(out, &at, l->s[i].offset);
        if (rc == 0)
            rc = ps_out_write(out, l->data[i], l->s[i].bytes);
        at += l->s[i].bytes;
    }
    return rc;
}

int ps_builder_write(ps_builder *b, ps_out *out, const char *history)
{
    side_arrays items = {0}, boards = {0};
    int rc = make_sides(b, &items, &boards);
    if (rc == 0) {
        section_list l = {.n = 0};
        add(&l, PS_SEC_HISTORY, 1, history, strlen(history));
        add_side(&l, PS_SEC_ITEM_OFF, &items, b->nodes[0], b->n, &b->names[0]);
        add_side(&l, PS_SEC_BOARD_OFF, &boards, b->nodes[1], b->n, &b->names[1]);
        rc = write_sections(b, &l, out);
    }
    free_side(&items);
    free_side(&boards);
    return rc;
}
