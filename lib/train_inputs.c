#include "train_inputs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "mem.h"
#include "neigh_walk.h"
#include "producer.h"
#include "tool.h"
#include "walk_block.h"

static int read_pairs(ps_pairs *p, const char *path, const ps_graph *g, const ps_train_paths *from)
{
    int rc = ps_pairs_read(p, path, g, from->text, from->unknown, &from->columns);
    if (rc == 0 && p->n == 0)
        rc = ps_fail(PS_EDATA, "%s: no pairs in it", path ? path : "<stdin>");
    return rc;
}

/* Rank 0's pairs become everybody's. */
static int share_pairs(ps_pairs *p, ps_comm *comm)
{
    uint64_t n = p->n;
    ps_comm_give(comm, &n, sizeof n);
    if (ps_comm_rank(comm) > 0) {
        p->query = ps_alloc(n, sizeof *p->query);
        p->positive = ps_alloc(n, sizeof *p->positive);
        p->weight = ps_alloc(n, sizeof *p->weight);
        if (!p->query || !p->positive || !p->weight) {
            ps_comm_lost(comm);
            return PS_EMEM;
        }
    }
    p->n = n;
    ps_comm_give(comm, p->query, n * sizeof *p->query);
    ps_comm_give(comm, p->positive, n * sizeof *p->positive);
    ps_comm_give(comm, p->weight, n * sizeof *p->weight);
    return 0;
}

/* The same wherever they are. */
static uint32_t sum_pairs(const ps_pairs *p)
{
    enum { AT_ONCE = 4096 };
    uint32_t query[AT_ONCE], positive[AT_ONCE];
    float weight[AT_ONCE];
    uLong sum[3] = {0, 0, 0};
    for (size_t i = 0; i < p->n; i += AT_ONCE) {
        const size_t n = p->n - i < AT_ONCE ? p->n - i : AT_ONCE;
        for (size_t j = 0; j < n; j++) {
            const ps_pair pair = ps_pairs_get(p, i + j);
            query[j] = pair.query;
            positive[j] = pair.positive;
            weight[j] = pair.weight;
        }
        sum[0] = crc32_z(sum[0], (const Bytef *)query, n * sizeof *query);
        sum[1] = crc32_z(sum[1], (const Bytef *)positive, n * sizeof *positive);
        sum[2] = crc32_z(sum[2], (const Bytef *)weight, n * sizeof *weight);
    }
    /* As of the three arrays one behind the other. */
    const z_off_t bytes = (z_off_t)(p->n * sizeof *query);
    return (uint32_t)crc32_combine(crc32_combine(sum[0], sum[1], bytes), sum[2], bytes);
}

/* Those of a rank of its own; another rank must have the same. */
static int open_own(ps_pairs *p, const ps_train_paths *from, const ps_graph *g, ps_comm *comm)
{
    const char *name = from->pairs ? from->pairs : "<stdin>";
    int rc = from->text ? read_pairs(p, from->pairs, g, from) : ps_pairs_open(p, from->pairs, g);
    if (rc == 0 && p->n == 0)
        rc = ps_fail(PS_EDATA, "%s: no pairs in it", name);
    rc = ps_comm_agree(comm, rc, NULL);
    if (rc < 0 || ps_comm_size(comm) == 1)
        return rc;
    const uint64_t own[2] = {p->n, sum_pairs(p)};
    uint64_t first[2] = {own[0], own[1]};
    ps_comm_give(comm, first, sizeof first);
    return first[0] == own[0] && first[1] == own[1] ? 0 : ps_fail(PS_EDATA, "%s: not the pairs of rank 0", name);
}

/* Rank 0's standard input. */
static int open_given(ps_pairs *p, const ps_train_paths *from, const ps_graph *g, ps_comm *comm)
{
    int rc = ps_comm_rank(comm) == 0 ? read_pairs(p, NULL, g, from) : 0;
    rc = ps_comm_agree(comm, rc, NULL);
    return rc < 0 ? rc : share_pairs(p, comm);
}

int ps_train_inputs_open(ps_train_inputs *in, const ps_train_paths *from, uint32_t layers, ps_pool *pool,
                         ps_comm *comm)
{
    const int first = ps_comm_rank(comm) == 0;
    memset(in, 0, sizeof *in);
    in->walks = layers > 0 && !from->neighbours;
    int rc = ps_graph_open(&in->graph, from->graph);
    if (rc == 0 && in->walks) {
        ps_walk_pages(&in->graph);
        ps_walk_ready(&in->graph);
    }
    if (rc == 0)
        rc = ps_vectors_open(&in->x, from->vectors, in->graph.fingerprint);
    for (uint64_t i = 0; i < in->x.n && rc == 0; i++)
        rc = ps_graph_in_range(&in->graph, PS_ITEMS, ps_vectors_item(&in->x, i), in->x.table.name, i);
    if (rc == 0 && from->texts)
        rc = ps_sparse_open(&in->texts, from->texts, in->graph.fingerprint, in->graph.items.nodes);
    if (rc == 0 && from->neighbours)
        rc = ps_neighbours_open(&in->neighbours, from->neighbours, in->graph.fingerprint, in->graph.items.nodes);
    if (rc == 0 && from->valid && first)
        rc = read_pairs(&in->valid, from->valid, &in->graph, from);
    rc = ps_comm_agree(comm, rc, NULL);
    if (rc == 0)
        rc = ps_comm_agree(
            comm, (from->pairs || ps_comm_size(comm) == 1 ? open_own : open_given)(&in->pairs, from, &in->graph, comm),
            NULL);
    if (rc == 0)
        rc = ps_known_make(&in->known, &in->pairs, in->graph.items.nodes);
    if (rc == 0 && from->valid && in->walks && first)
        rc = ps_neighbours_walk(&in->neighbours, &in->graph, &from->walk, from->top, pool);
    return rc;
}

void ps_train_inputs_close(ps_train_inputs *in)
{
    ps_known_free(&in->known);
    ps_pairs_free(&in->pairs);
    ps_pairs_free(&in->valid);
    ps_neighbours_close(&in->neighbours);
    ps_sparse_free(&in->texts);
    ps_vectors_close(&in->x);
    ps_graph_close(&in->graph);
}

/* The walks as a key of a line; nothing if there are none. */
static void describe_walks(char *buf, size_t size, const ps_train_inputs *in, const ps_train_paths *from)
{
    buf[0] = 0;
    if (in->walks)
        snprintf(buf, size, " T=%u w=%" PRIu64 " r=%.15g", from->top, from->walk.steps, from->walk.restart);
}

char *ps_train_history(const ps_train_inputs *in, const ps_train_paths *from, const ps_recipe *r)
{
    char walks[80], *text;
    const char *x = in->x.head.history, *y = from->texts ? in->texts.head.history : "",
               *n = from->neighbours ? in->neighbours.head.history : "";
    describe_walks(walks, sizeof walks, in, from);
    if (asprintf(&text, "%s%s%spstrain %s seed=%" PRIu64 " graph=%016" PRIx64 " pairs=%zu%s\n", x ? x : "", y ? y : "", n ? n : "", PS_VERSION,
                 r->seed, in->graph.fingerprint, in->pairs.n, walks) >= 0)
        return text;
    (void)ps_fail(PS_EMEM, "out of memory");
    return NULL;
}

static uint32_t sum_table(const ps_table *t)
{
    return t->records ? (uint32_t)crc32_z(0, t->records, t->count * t->head.size) : 0;
}

static uint64_t entries_of(const ps_sparse *s)
{
    return s->off ? s->off[s->n] : 0;
}

static uint32_t sum_texts(const ps_sparse *s)
{
    uLong crc = 0;
    if (entries_of(s)) {
        crc = crc32_z(crc, (const Bytef *)s->off, (s->n + 1) * sizeof *s->off);
        crc = crc32_z(crc, (const Bytef *)s->index, entries_of(s) * sizeof *s->index);
        crc = crc32_z(crc, (const Bytef *)s->value, entries_of(s) * sizeof *s->value);
    }
    return (uint32_t)crc;
}

char *ps_train_run(const ps_train_inputs *in, const ps_train_paths *from, const ps_recipe *r)
{
    char walks[80], *recipe = ps_recipe_text(r), *text = NULL;
    const ps_shape *s = &r->shape;
    /* Once they were listed, too: a checkpoint from then is of another order. */
    const char *order = in->pairs.n > PS_ORDER_LISTED ? "order=keyed\n" : "";
    describe_walks(walks, sizeof walks, in, from);
    if (!recipe)
        return NULL;
    if (asprintf(&text,
                 "model=%u layers, hidden %u, dim %u, %s pooling, bypass %d, bias %d, normalize %d, tau %.9g\n%s"
                 "graph=%016" PRIx64 "\nvectors=%" PRIu64 " x %u, sum %08x\nneighbourhoods=%s, sum %08x\n"
                 "texts=%" PRIu64 " entries, sum %08x\npairs=%zu, sum %08x\n%svalidation=%zu, sum %08x\n",
                 s->layers, s->m, s->d, ps_pooling_name(s->pooling), s->bypass, s->bias, s->normalize, s->tau, recipe,
                 in->graph.fingerprint, in->x.n, in->x.d, sum_table(&in->x.table), in->walks ? walks + 1 : "read",
                 sum_table(&in->neighbours.table), entries_of(&in->texts), sum_texts(&in->texts), in->pairs.n, sum_pairs(&in->pairs), order, in->valid.n,
                 sum_pairs(&in->valid)) < 0) {
        (void)ps_fail(PS_EMEM, "out of memory");
        text = NULL;
    }
    free(recipe);
    return text;
}
