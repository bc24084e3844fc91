#include "walk_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "neigh.h"
#include "pixie.h"
#include "tool.h"

/* Queries of a batch for each thread: enough to keep all busy, few enough to answer soon. */
enum { PER_THREAD = 32 };

typedef struct {
    uint8_t *records;
    size_t cap, n; /* records */
    uint64_t steps;
} answer;

typedef struct {
    ps_walker *walker;
    ps_pixie *pixie; /* sets only */
} scratch;

struct ps_walk_run {
    ps_walk_job job;
    ps_head head;
    ps_queries *q;
    int sets, threads;
    ps_pool *pool;
    scratch *scratch; /* of each thread */
    ps_query_batch batch;
    answer *answer; /* of each query of a batch */
    size_t most;
    uint64_t last, steps; /* last: the query before this batch, PS_NONE: none */
};

/* ---- the header ---- */

static int inherit(ps_head *head, const ps_graph *g, const ps_queries *q)
{
    if (ps_queries_head(q))
        return ps_head_inherit(head, ps_queries_head(q));
    head->history = g->history ? strndup(g->history, g->history_len) : strdup("");
    return head->history ? 0 : ps_fail(PS_EMEM, "out of memory");
}

static int walk_note(ps_head *head, const ps_walk_job *job, int sets)
{
    const ps_walk_options *o = &job->walk;
    char early[64] = "", shape[32] = "";
    if (o->early_items)
        snprintf(early, sizeof early, " early-items=%llu early-visits=%u", (unsigned long long)o->early_items,
                 o->early_visits);
    if (job->output == PS_RUN_PATHS)
        snprintf(shape, sizeof shape, " paths=%u", job->dim);
    if (job->output == PS_RUN_HITS)
        snprintf(shape, sizeof shape, " k=%u", job->dim);
    return ps_head_note(head, "pswalk %s w=%llu r=%.15g seed=%llu%s%s%s", PS_VERSION, (unsigned long long)o->steps,
                        o->restart, (unsigned long long)o->seed, sets ? " sets" : "", early, shape);
}

int ps_walk_head(ps_head *head, const ps_walk_job *job, const ps_graph *g, const ps_queries *q)
{
    static const ps_kind kinds[] = {PS_VISITS, PS_WALKS, PS_HITS, PS_NEIGHBOURS};
    const ps_head *from = ps_queries_head(q);
    const int sets = ps_queries_space(q) == PS_PLAIN;
    *head = ps_head_make(kinds[job->output], job->dim);
    head->width = sets && from ? from->width : 4;
    head->qspace = ps_queries_space(q);
    head->nspace = PS_ITEMS;
    head->graph = g->fingerprint;
    int rc = ps_head_size(head);
    if (rc == 0)
        rc = inherit(head, g, q);
    if (rc == 0)
        rc = walk_note(head, job, sets);
    if (rc == 0 && job->output == PS_RUN_NEIGHBOURS)
        rc = ps_neighbours_note(head);
    return rc;
}

/* ---- one query ---- */

/* Room for n more records; NULL without memory. */
static uint8_t *more(answer *a, const ps_head *head, size_t n)
{
    if (n > SIZE_MAX / PS_REC_SIZE_MAX - a->n) {
        ps_fail(PS_EMEM, "out of memory: %zu records", n);
        return NULL;
    }
    if (ps_grow(&a->records, &a->cap, (a->n + n) * head->size, 1) < 0)
        return NULL;
    a->n += n;
    return a->records + (a->n - n) * head->size;
}

static void put_entry(uint8_t **p, int width, uint64_t item, float score)
{
    ps_put_num(*p, width, item);
    ps_putf32(*p + width, score);
    *p += width + 4;
}

static void put_visit(uint8_t *p, int width, uint64_t query, uint64_t item, uint32_t count)
{
    ps_put_num(p, width, query);
    ps_put_num(p + width, width, item);
    ps_put32(p + 2 * width, count);
}

/* Fills up the record whose next entry would stand at p. */
static void pad_entries(uint8_t *p, const ps_head *head, uint32_t used)
{
    for (; used < head->dim; used++)
        put_entry(&p, head->width, PS_NONE, 0);
}

static int item_visits(const ps_head *head, answer *a, uint64_t query, const ps_visit *v, size_t n)
{
    uint8_t *p = more(a, head, n > 0 ? n : 1);
    if (!p)
        return PS_EMEM;
    if (n == 0)
        put_visit(p, head->width, query, query, 0);
    for (size_t i = 0; i < n; i++, p += head->size)
        put_visit(p, head->width, query, v[i].item, v[i].count);
    return 0;
}

static int item_hits(const ps_head *head, answer *a, uint64_t query, const ps_visit *v, size_t n)
{
    uint8_t *p = more(a, head, 1);
    uint32_t i = 0;
    if (!p)
        return PS_EMEM;
    ps_put_num(p, head->width, query);
    p += head->width;
    for (; i < n && i < head->dim; i++)
        put_entry(&p, head->width, v[i].item, (float)((double)v[i].count / (double)a->steps));
    pad_entries(p, head, i);
    return 0;
}

static int item_paths(const ps_head *head, answer *a, uint64_t query, ps_walker *walker)
{
    const uint32_t *path;
    long n = ps_walker_paths(walker, query, head->dim, &path);
    if (n < 0)
        return (int)n;
    a->steps = ps_walker_steps(walker);
    uint8_t *p = more(a, head, n > 0 ? (size_t)n : 1);
    if (!p)
        return PS_EMEM;
    for (long row = 0; row < n || row == 0; row++) {
        ps_put32(p, (uint32_t)query);
        for (uint32_t i = 0; i < head->dim; i++)
            ps_put32(p + 4 + 4 * (size_t)i, n > 0 ? *path++ : UINT32_MAX);
        p += head->size;
    }
    return 0;
}

static int answer_item(const ps_walk_run *run, uint64_t query, ps_walker *walker, answer *a)
{
    const ps_head *head = &run->head;
    const ps_visit *v = NULL;
    if (run->job.output == PS_RUN_PATHS)
        return item_paths(head, a, query, walker);
    long n = run->job.output == PS_RUN_VISITS ? ps_walker_visits(walker, query, &v) : ps_walker_rank(walker, query, &v);
    if (n < 0)
        return (int)n;
    a->steps = ps_walker_steps(walker);
    if (run->job.output == PS_RUN_VISITS)
        return item_visits(head, a, query, v, (size_t)n);
    if (run->job.output == PS_RUN_HITS)
        return item_hits(head, a, query, v, (size_t)n);
    uint8_t *p = more(a, head, 1);
    if (!p)
        return PS_EMEM;
    ps_neighbours_put(p, head, query, v, (size_t)n);
    return 0;
}

static int answer_set(const ps_walk_run *run, size_t i, ps_pixie *pixie, answer *a)
{
    const ps_head *head = &run->head;
    const ps_query_batch *b = &run->batch;
    const int hits = run->job.output == PS_RUN_HITS;
    const ps_scored *s = NULL;
    const uint64_t query = b->id[i];
    const size_t from = b->off[i];
    if (head->width == 4 && query >= UINT32_MAX)
        return ps_fail(PS_EDATA, "set number %llu does not fit the 32 bits of this stream", (unsigned long long)query);
    long n = ps_pixie_rank(pixie, b->item + from, b->weight + from, b->off[i + 1] - from,
                           hits ? PS_PIXIE_LEAVE_OUT : PS_PIXIE_WHOLE, &s);
    if (n < 0)
        return (int)n;
    a->steps = ps_pixie_steps(pixie);
    if (n == 0 && !hits)
        return 0;
    uint8_t *p = more(a, head, hits ? 1 : (size_t)n);
    if (!p)
        return PS_EMEM;
    if (!hits) {
        for (long k = 0; k < n; k++, p += head->size)
            put_visit(p, head->width, query, s[k].item, (uint32_t)s[k].score);
        return 0;
    }
    uint32_t k = 0;
    ps_put_num(p, head->width, query);
    p += head->width;
    for (; k < n && k < head->dim; k++)
        put_entry(&p, head->width, s[k].item, (float)((double)s[k].score / (double)a->steps));
    pad_entries(p, head, k);
    return 0;
}

/* The two spellings of psneigh agree on a query that is given twice in a row: visits of equal queries in a row
 * are one group, and a doubled count has the same share. */
static int repeated(const ps_walk_run *run, size_t i)
{
    uint64_t before = i > 0 ? run->batch.id[i - 1] : run->last;
    return run->job.output == PS_RUN_NEIGHBOURS && before == run->batch.id[i];
}

static int task(void *ctx, size_t i, int thread)
{
    ps_walk_run *run = ctx;
    answer *a = &run->answer[i];
    a->n = 0;
    a->steps = 0;
    if (run->sets)
        return answer_set(run, i, run->scratch[thread].pixie, a);
    return repeated(run, i) ? 0 : answer_item(run, run->batch.id[i], run->scratch[thread].walker, a);
}

/* ---- all of them ---- */

static int make_scratch(ps_walk_run *run, const ps_graph *g)
{
    uint64_t most = run->sets ? ps_pixie_most(g) : 0;
    for (int t = 0; t < run->threads; t++) {
        scratch *s = &run->scratch[t];
        s->walker = ps_walker_new(g, &run->job.walk);
        if (!s->walker)
            return PS_EMEM;
        if (run->sets)
            s->pixie = ps_pixie_new(g, s->walker, &run->job.walk, most);
        if (run->sets && !s->pixie)
            return PS_EMEM;
    }
    return 0;
}

ps_walk_run *ps_walk_run_new(const ps_walk_job *job, const ps_graph *g, ps_queries *q, const ps_head *head, int threads)
{
    ps_walk_run *run = ps_zalloc(1, sizeof *run);
    if (!run)
        return NULL;
    run->job = *job;
    run->head = *head;
    run->head.history = NULL;
    run->q = q;
    run->sets = ps_queries_space(q) == PS_PLAIN;
    run->threads = threads;
    run->last = PS_NONE;
    run->most = (size_t)threads * PER_THREAD;
    run->answer = ps_zalloc(run->most, sizeof *run->answer);
    run->scratch = ps_zalloc((size_t)threads, sizeof *run->scratch);
    run->pool = ps_pool_new(threads);
    if (!run->answer || !run->scratch || !run->pool || make_scratch(run, g) < 0) {
        ps_walk_run_free(run);
        return NULL;
    }
    return run;
}

void ps_walk_run_free(ps_walk_run *run)
{
    if (!run)
        return;
    ps_pool_free(run->pool);
    for (int t = 0; run->scratch && t < run->threads; t++) {
        ps_pixie_free(run->scratch[t].pixie);
        ps_walker_free(run->scratch[t].walker);
    }
    for (size_t i = 0; run->answer && i < run->most; i++)
        free(run->answer[i].records);
    free(run->scratch);
    free(run->answer);
    ps_query_batch_free(&run->batch);
    free(run);
}

long ps_walk_run_next(ps_walk_run *run, ps_writer *w)
{
    long n = ps_queries_next(run->q, &run->batch, run->most);
    if (n <= 0)
        return n;
    int rc = ps_pool_run(run->pool, (size_t)n, task, run);
    for (long i = 0; i < n && rc == 0; i++) {
        run->steps += run->answer[i].steps;
        if (run->answer[i].n > 0)
            rc = ps_writer_put(w, run->answer[i].records, run->answer[i].n);
    }
    run->last = run->batch.id[n - 1];
    return rc < 0 ? rc : n;
}

uint64_t ps_walk_run_steps(const ps_walk_run *run)
{
    return run->steps;
}
