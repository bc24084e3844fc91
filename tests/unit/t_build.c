/* Thousands of small random graphs, all of the builder's options, against a naive builder: every list, every
 * weight, every name; the same bytes for any number of threads and any memory; graphs grown from graphs. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "graph.h"
#include "rng.h"

typedef struct {
    uint32_t item, board;
    float weight;
    uint32_t arrival;
} edge;

/* A test case: what is given, and what must come out. */
typedef struct {
    uint64_t key, step;
    uint64_t items, boards; /* numbers are below */
    size_t given;
    edge *edges;
    ps_duplicates duplicates;
    int names;
} plan;

typedef struct {
    size_t n;
    edge *edges; /* by item, board, order of arrival */
} naive;

static uint64_t draw(plan *p, uint64_t n)
{
    return ps_below(ps_rng(p->key, p->step++), n);
}

/* ---- naive ---- */

static int by_item(const void *a, const void *b)
{
    const edge *x = a, *y = b;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    return x->board < y->board ? -1 : x->board > y->board ? 1 : x->arrival < y->arrival ? -1 : 1;
}

static int by_board(const void *a, const void *b)
{
    const edge *x = a, *y = b;
    if (x->board != y->board)
        return x->board < y->board ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item ? 1 : x->arrival < y->arrival ? -1 : 1;
}

static int same_edge(const edge *x, const edge *y)
{
    return x->item == y->item && x->board == y->board;
}

/* Insertion of one edge after the other, as slowly as it is plain. */
static void take(naive *g, edge e, ps_duplicates duplicates, double *sums)
{
    size_t i = 0;
    if (e.weight < 0) {
        for (size_t j = 0; j < g->n; j++)
            if (!same_edge(&g->edges[j], &e)) {
                sums[i] = sums[j];
                g->edges[i++] = g->edges[j];
            }
        g->n = i;
        return;
    }
    for (i = 0; duplicates != PS_KEEP && i < g->n; i++)
        if (same_edge(&g->edges[i], &e)) {
            if (duplicates == PS_SUM)
                g->edges[i].weight = (float)(sums[i] += (double)e.weight);
            return;
        }
    sums[g->n] = (double)e.weight;
    g->edges[g->n++] = e;
}

/* ---- comparing ---- */

static int shares_right(const ps_side *s, uint64_t u)
{
    uint64_t a = s->off[u], b = s->off[u + 1];
    double sum = 0, n = (double)(b - a);
    for (uint64_t i = a; i < b; i++)
        sum += (double)s->weight[i];
    for (uint64_t i = a; i < b; i++) {
        double got = 0, want = 0;
        for (uint64_t j = a; j < b; j++) {
            double p = ((double)s->accept[j] + 1) / 0x1p32;
            got += (s->adj[j] == s->adj[i] ? p : 0) / n + (s->alias[j] == s->adj[i] ? 1 - p : 0) / n;
            want += s->adj[j] == s->adj[i] ? (double)s->weight[j] / sum : 0;
        }
        if (got < want - 1e-6 || got > want + 1e-6)
            return 0;
    }
    return 1;
}

static int same_side(const ps_side *s, const edge *e, size_t n, int board, int weighted)
{
    size_t i = 0;
    for (uint64_t u = 0; u < s->nodes; u++) {
        for (uint64_t j = s->off[u]; j < s->off[u + 1]; j++, i++)
            if (i >= n || (board ? e[i].board : e[i].item) != u || (board ? e[i].item : e[i].board) != s->adj[j] ||
                (weighted ? s->weight[j] : 1) != e[i].weight)
                return 0;
        if (weighted && s->off[u + 1] - s->off[u] < 100 && !shares_right(s, u))
            return 0;
    }
    return i == n;
}

static int same(const ps_graph *g, naive *want)
{
    int weighted = 0;
    for (size_t i = 0; i < want->n; i++)
        weighted |= want->edges[i].weight != 1;
    if (g->edges != want->n || weighted != (g->items.weight != NULL))
        return 0;
    qsort(want->edges, want->n, sizeof *want->edges, by_item);
    if (!same_side(&g->items, want->edges, want->n, 0, weighted))
        return 0;
    qsort(want->edges, want->n, sizeof *want->edges, by_board);
    return same_side(&g->boards, want->edges, want->n, 1, weighted);
}

/* ---- one graph ---- */

static int give(plan *p, ps_builder *b, int named, size_t from, size_t to)
{
    int rc = 0;
    for (size_t i = from; i < to && rc == 0; i++) {
        uint64_t u = p->edges[i].item, v = p->edges[i].board;
        char item[16], board[16];
        if (named) {
            ps_str x = {item, (size_t)snprintf(item, sizeof item, "%u", p->edges[i].item * 7)};
            ps_str y = {board, (size_t)snprintf(board, sizeof board, "b%u", p->edges[i].board)};
            rc = ps_builder_node(b, PS_ITEMS, x, &u);
            rc = rc ? rc : ps_builder_node(b, PS_BOARDS, y, &v);
        }
        rc = rc ? rc : ps_builder_edge(b, u, v, p->edges[i].weight);
    }
    return rc;
}

static int make(plan *p, const char *path, const ps_graph *old, size_t from, size_t to, int threads, uint64_t memory)
{
    ps_build_options o = {.old = old, .memory = memory, .threads = threads, .duplicates = p->duplicates};
    ps_builder *b = ps_builder_open(&o);
    ps_out *out = ps_out_open(path, 0);
    int rc = b && out ? give(p, b, p->names, from, to) : -1;
    if (rc == 0 && !p->names && !old)
        rc = ps_builder_reserve(b, p->items, p->boards);
    if (rc == 0)
        rc = ps_builder_write(b, out, "test\n");
    if (rc == 0)
        rc = ps_out_close(out);
    else
        ps_out_abort(out);
    ps_builder_free(b);
    return rc;
}

static int same_bytes(const char *a, const char *b)
{
    ps_blob x, y;
    if (ps_blob_open(&x, a) < 0 || ps_blob_open(&y, b) < 0)
        return 0;
    int equal = x.size == y.size && memcmp(x.data, y.data, x.size) == 0;
    ps_blob_close(&x);
    ps_blob_close(&y);
    return equal;
}

/* Numbers in order of appearance: what names become. */
static void renumber(plan *p, const edge *e, size_t n, uint32_t *item, uint32_t *board)
{
    uint32_t items = 0, boards = 0;
    memset(item, 255, p->items * sizeof *item);
    memset(board, 255, p->boards * sizeof *board);
    for (size_t i = 0; i < n; i++) {
        if (item[e[i].item] == UINT32_MAX)
            item[e[i].item] = items++;
        if (board[e[i].board] == UINT32_MAX)
            board[e[i].board] = boards++;
    }
}

static void expected(plan *p, naive *want)
{
    uint32_t *item = malloc(p->items * sizeof *item), *board = malloc(p->boards * sizeof *board);
    double *sums = malloc((p->given + 1) * sizeof *sums);
    renumber(p, p->edges, p->given, item, board);
    want->n = 0;
    for (size_t i = 0; i < p->given; i++) {
        edge e = p->edges[i];
        if (p->names)
            e = (edge){item[e.item], board[e.board], e.weight, 0};
        e.arrival = (uint32_t)i;
        take(want, e, p->duplicates, sums);
    }
    free(item);
    free(board);
    free(sums);
}

static void names_found(plan *p, const ps_graph *g)
{
    char name[16];
    for (size_t i = 0; i < p->given; i += 7) {
        ps_str x = {name, (size_t)snprintf(name, sizeof name, "%u", p->edges[i].item * 7)};
        char buf[32];
        uint64_t u = ps_graph_find(g, PS_ITEMS, x);
        CHECK(u < g->items.nodes);
        ps_str back = ps_graph_name(g, PS_ITEMS, u, buf);
        CHECK(back.len == x.len && memcmp(back.s, x.s, x.len) == 0);
    }
}

static void fill(plan *p, size_t n, int hub, int weighted, size_t grows_from)
{
    p->given = n;
    p->edges = malloc((n + 1) * sizeof *p->edges);
    for (size_t i = 0; i < n; i++) {
        edge *e = &p->edges[i];
        *e = (edge){(uint32_t)draw(p, p->items), (uint32_t)draw(p, p->boards), 1, 0};
        if (hub && draw(p, 2))
            e->item = 0;
        if (weighted)
            e->weight = (float)(1 + draw(p, 5)) / 4;
        if (i >= grows_from && i > 0 && draw(p, 4) == 0) {
            *e = p->edges[draw(p, i)];
            e->weight = PS_TAKE_OUT;
        }
    }
}

static void one(plan p, size_t n, int hub, int weighted, int grow)
{
    size_t first = grow ? draw(&p, n + 1) : n;
    fill(&p, n, hub, weighted, first);
    naive want = {0, malloc((n + 1) * sizeof(edge))};
    expected(&p, &want);
    ps_graph old, g;
    int threads = 1 + (int)draw(&p, 3), has_old = 0;
    uint64_t memory = draw(&p, 2) ? 40000 : 0;
    if (grow) {
        plan before = p;
        CHECK_OK(make(&before, "old.psg", NULL, 0, first, 1, 0));
        CHECK_OK(ps_graph_open(&old, "old.psg"));
        has_old = 1;
    }
    CHECK_OK(make(&p, "a.psg", has_old ? &old : NULL, grow ? first : 0, n, 1, 0));
    CHECK_OK(make(&p, "b.psg", has_old ? &old : NULL, grow ? first : 0, n, threads, memory));
    CHECK(same_bytes("a.psg", "b.psg"));
    CHECK_OK(ps_graph_open(&g, "b.psg"));
    CHECK_OK(ps_graph_check(&g));
    int right = same(&g, &want);
    CHECK(right);
    if (!right)
        printf("key %llx n %zu hub %d weighted %d grow %d (from %zu) names %d duplicates %d: %llu edges, not %zu\n",
               (unsigned long long)p.key, n, hub, weighted, grow, first, p.names, p.duplicates,
               (unsigned long long)g.edges, want.n);
    if (p.names)
        names_found(&p, &g);
    if (has_old) {
        CHECK(g.n_ancestors == 1 && g.ancestors[0] == old.fingerprint && g.ancestors[1] == old.items.nodes);
        ps_graph_close(&old);
    }
    ps_graph_close(&g);
    free(p.edges);
    free(want.edges);
}

/* Large enough for the parts of the file to be written in pages of their own, and for buckets in which several threads'
 * edges meet.  The first half million edges come a second time. */
static void make_large(const char *path, int threads, ps_duplicates duplicates, uint32_t boards)
{
    enum { EDGES = 2500000, AGAIN = 500000, ITEMS = 1200000 };
    const ps_build_options o = {.threads = threads, .duplicates = duplicates};
    ps_builder *b = ps_builder_open(&o);
    ps_out *out = ps_out_open(path, 0);
    ps_graph g;
    int rc = b && out ? 0 : -1;
    for (uint64_t i = 0; i < EDGES + AGAIN && rc == 0; i++) {
        const uint64_t e = i % EDGES;
        rc = ps_builder_edge(b, e * 7919 % ITEMS, (e / ITEMS + 3 * (e % 1009)) % boards, 1);
    }
    CHECK_OK(rc);
    CHECK_OK(ps_builder_write(b, out, "test\n"));
    CHECK_OK(ps_out_close(out));
    ps_builder_free(b);
    CHECK_OK(ps_graph_open(&g, path));
    CHECK_OK(ps_graph_check(&g));
    CHECK(g.edges == (duplicates == PS_UNIQUE ? EDGES : EDGES + AGAIN));
    ps_graph_close(&g);
}

static void large(ps_duplicates duplicates, uint32_t boards)
{
    make_large("a.psg", 1, duplicates, boards);
    make_large("b.psg", 3, duplicates, boards);
    CHECK(same_bytes("a.psg", "b.psg"));
}

/* Some thousand files: in memory if there is a place for it, as each is made durable. */
static char *work_folder(void)
{
    static char name[] = "/dev/shm/psgraph-t_build.XXXXXX";
    return mkdtemp(name) && chdir(name) == 0 ? name : NULL;
}

int main(int argc, char **argv)
{
    int graphs = argc > 1 ? atoi(argv[1]) : 3000;
    char *folder = work_folder();
    for (int i = 0; i < graphs; i++) {
        plan p = {.key = ps_rng_key(4, (uint64_t)i)};
        size_t n = (size_t)draw(&p, draw(&p, 50) == 0 ? 3000 : 60);
        p.items = 1 + draw(&p, draw(&p, 8) == 0 ? 5000 : 30);
        p.boards = 1 + draw(&p, draw(&p, 8) == 0 ? 3000 : 20);
        p.duplicates = (ps_duplicates)draw(&p, 3);
        p.names = (int)draw(&p, 2);
        if (i % 300 == 7) { /* several runs, and more than are merged at once */
            n = 30000 + (size_t)draw(&p, 10000);
            p.items += 2000;
        }
        one(p, n, (int)draw(&p, 2), (int)draw(&p, 2), (int)draw(&p, 2));
    }
    large(PS_KEEP, 3029);
    large(PS_KEEP, 31);
    large(PS_UNIQUE, 3029);
    unlink("old.psg");
    unlink("a.psg");
    unlink("b.psg");
    if (folder)
        rmdir(folder);
    CHECK_END();
}
