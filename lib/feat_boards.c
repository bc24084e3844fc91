/* feat_boards.c - the boards of items that a graph does not hold, of feat_sketch.h. */
#include <stdlib.h>
#include <string.h>

#include "feat_sketch.h"
#include "feat_text.h"
#include "mem.h"
#include "text.h"

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int read_line(ps_board_lists *items, const ps_text *t, ps_str line, const ps_graph *g, uint64_t *skipped)
{
    uint64_t first = items->off[items->n], n = first;
    ps_str name;
    while (line.s && ps_text_field(&line, &name)) {
        if (name.len == 0)
            continue;
        uint64_t board = ps_graph_find(g, PS_BOARDS, name);
        if (board == PS_NONE && !skipped)
            return ps_text_fail(t, "%s has no board '%.*s' (-u skips such names)", g->name,
                                (int)(name.len < 200 ? name.len : 200), name.s);
        if (board == PS_NONE) {
            ++*skipped;
            continue;
        }
        if (ps_grow(&items->board, &items->cap[1], n + 1, sizeof *items->board) < 0)
            return PS_EMEM;
        items->board[n++] = (uint32_t)board;
    }
    if (n > first)
        qsort(items->board + first, n - first, sizeof *items->board, by_number);
    if (ps_grow(&items->off, &items->cap[0], items->n + 2, sizeof *items->off) < 0)
        return PS_EMEM;
    items->off[++items->n] = n;
    return 0;
}

int ps_board_lists_read(ps_board_lists *items, const char *path, const ps_graph *g, uint64_t *skipped)
{
    int rc = ps_grow(&items->off, &items->cap[0], 1, sizeof *items->off);
    ps_in *in = rc == 0 ? ps_in_open(path) : NULL;
    if (!in)
        return rc < 0 ? rc : PS_ESYS;
    items->off[0] = 0;
    ps_text t = ps_text_make(in);
    ps_str line;
    while (rc == 0 && (rc = ps_text_line(&t, &line)) > 0)
        rc = read_line(items, &t, line, g, skipped);
    if (rc == 0 && items->n == 0)
        rc = ps_fail(PS_EDATA, "%s: empty, expected a line of boards for each item", ps_in_name(in));
    ps_in_close(in);
    return rc;
}

void ps_board_lists_free(ps_board_lists *items)
{
    free(items->off);
    free(items->board);
    memset(items, 0, sizeof *items);
}

uint32_t *ps_board_terms(const ps_graph *g)
{
    uint32_t *term = ps_alloc(g->boards.nodes, sizeof *term);
    char buf[32];
    for (uint64_t b = 0; term && b < g->boards.nodes; b++)
        term[b] = ps_term_board(ps_graph_name(g, PS_BOARDS, b, buf));
    return term;
}
