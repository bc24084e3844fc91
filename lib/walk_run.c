#include "walk_run.h"

#include <stdlib.h>

#include "mem.h"
#include "neigh.h"
#include "once.h"
#include "pixie.h"
#include "rng.h"
#include "walk_answer.h"
#include "walk_block.h"

/* A task is as many queries as walk best together.  A batch has enough tasks to keep all threads busy, few enough for
 * the memory of their records, of this batch and the one before it, and to answer soon. */
enum { TASKS = 32, TASK_BYTES = 16 << 20 };

typedef struct {
    ps_walker *walker;
    ps_pixie *pixie; /* sets only */
    uint64_t *query; /* of a task: those that are walked */
    uint32_t *order; /* band: what is drawn from */
    size_t order_cap;
} scratch;

struct ps_walk_run {
    ps_walk_job job;
    ps_graph *g;
    int ready; /* ps_walk_ready has been called */
    ps_head head;
    ps_queries *q;
    int sets, boards, threads;
    ps_pool *pool;
    scratch *scratch; /* of each thread */
    ps_query_batch batch;
    ps_answer *answer;   /* of each task of a batch */
    ps_answer *answered; /* of the batch before it: written while this one is walked */
    size_t to_write;   /* tasks of that */
    ps_writer *writer; /* where to */
    size_t company;    /* queries of a task */
    size_t tasks;      /* of a batch at most */
    double left_out;
    ps_once queries;      /* neighbours: those that have come */
    uint64_t last, steps; /* last: the query before this batch, PS_NONE: none */
};

/* ---- one query ---- */

static int by_number(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Draws up to `dim` of the ranks band_low .. band_high without putting back, in the order of their ranks.  The
 * random numbers are those after the walk's. */
static int item_band(const ps_walk_run *run, scratch *s, ps_answer *a, uint64_t query, const ps_visit *v, size_t n)
{
    const ps_walk_job *job = &run->job;
    const uint64_t key = ps_rng_key(job->walk.seed, query), from = 3 * job->walk.steps;
    size_t m = 0, drawn = 0;
    if (ps_grow(&s->order, &s->order_cap, n, sizeof *s->order) < 0)
        return PS_EMEM;
    for (size_t i = job->band_low - 1; i < n && i < job->band_high; i++)
        if (!job->known || !ps_known_has(job->known, (uint32_t)query, v[i].item))
            s->order[m++] = (uint32_t)i;
    for (; drawn < m && drawn < job->dim; drawn++) {
        const size_t other = drawn + ps_below(ps_rng(key, from + drawn), m - drawn);
        const uint32_t swap = s->order[drawn];
        s->order[drawn] = s->order[other];
        s->order[other] = swap;
    }
    if (drawn == 0)
        return 0;
    qsort(s->order, drawn, sizeof *s->order, by_number);
    uint8_t *p = ps_answer_more(a, &run->head, drawn);
    if (!p)
        return PS_EMEM;
    for (size_t i = 0; i < drawn; i++, p += run->head.size) {
        ps_put32(p, (uint32_t)query);
        ps_put32(p + 4, v[s->order[i]].item);
        ps_putf32(p + 8, 1);
    }
    return 0;
}

/* How many of the ranking the output needs; 0: all. */
static size_t top_of(const ps_walk_job *job)
{
    if (job->output == PS_RUN_VISITS)
        return 0;
    return job->output == PS_RUN_BAND ? job->band_high : job->dim;
}

static int item_answer(const ps_walk_run *run, scratch *s, ps_answer *a, uint64_t query, const ps_visit *v, size_t n)
{
    const ps_head *head = &run->head;
    a->steps += ps_walker_steps(s->walker);
    if (ps_walker_left_out(s->walker) > a->left_out)
        a->left_out = ps_walker_left_out(s->walker);
    switch (run->job.output) {
    case PS_RUN_VISITS: return ps_answer_visits(a, head, query, v, n);
    case PS_RUN_HITS: return ps_answer_hits(a, head, query, v, n, ps_walker_steps(s->walker));
    case PS_RUN_BAND: return item_band(run, s, a, query, v, n);
    default: break;
    }
    uint8_t *p = ps_answer_more(a, head, 1);
    if (!p)
        return PS_EMEM;
    ps_neighbours_put(p, head, run->boards ? PS_NONE : query, v, n);
    ps_put_num(p, head->width, query);
    return 0;
}

typedef struct {
    const ps_walk_run *run;
    scratch *s;
    ps_answer *a;
} asked;

static int take(void *ctx, size_t i, const ps_visit *v, size_t n)
{
    asked *q = ctx;
    return item_answer(q->run, q->s, q->a, q->s->query[i], v, n);
}

static int fits_width(const ps_walk_run *run, uint64_t query)
{
    if (run->head.width == 8 || query < UINT32_MAX)
        return 0;
    return ps_fail(PS_EDATA, "%s number %llu does not fit the 32 bits of this stream", run->sets ? "set" : "item",
                   (unsigned long long)query);
}

static int answer_boards(const ps_walk_run *run, size_t i, scratch *s, ps_answer *a)
{
    const ps_query_batch *b = &run->batch;
    const ps_visit *v = NULL;
    const size_t from = b->off[i], members = b->off[i + 1] - from;
    int rc = fits_width(run, b->id[i]);
    if (rc < 0)
        return rc;
    long n = ps_walker_new_item(s->walker, b->id[i], b->item + from, run->boards == 2 ? b->weight + from : NULL,
                                members, top_of(&run->job), &v);
    return n < 0 ? (int)n : item_answer(run, s, a, b->id[i], v, (size_t)n);
}

static int answer_set(const ps_walk_run *run, size_t i, ps_pixie *pixie, ps_answer *a)
{
    const ps_query_batch *b = &run->batch;
    const int hits = run->job.output == PS_RUN_HITS;
    const ps_scored *s = NULL;
    const uint64_t query = b->id[i];
    const size_t from = b->off[i];
    if (fits_width(run, query) < 0)
        return PS_EDATA;
    long n = ps_pixie_rank(pixie, b->item + from, b->weight + from, b->off[i + 1] - from,
                           hits ? PS_PIXIE_LEAVE_OUT : PS_PIXIE_WHOLE, top_of(&run->job), &s);
    if (n < 0)
        return (int)n;
    a->steps += ps_pixie_steps(pixie);
    return hits ? ps_answer_set_hits(a, &run->head, query, s, (size_t)n, ps_pixie_steps(pixie))
                : ps_answer_set_visits(a, &run->head, query, s, (size_t)n);
}

/* The two spellings of psneigh agree on a query that is given twice in a row: visits of equal queries in a row
 * are one group, and a doubled count has the same share. */
static int repeated(const ps_walk_run *run, size_t i)
{
    uint64_t before = i > 0 ? run->batch.id[i - 1] : run->last;
    return run->job.output == PS_RUN_NEIGHBOURS && before == run->batch.id[i];
}

static int answer_task(ps_walk_run *run, size_t t, int thread)
{
    ps_answer *a = &run->answer[t];
    scratch *s = &run->scratch[thread];
    const size_t first = t * run->company, end = first + run->company;
    const size_t last = end < run->batch.n ? end : run->batch.n;
    size_t n = 0;
    int rc = 0;
    a->n = 0;
    a->steps = 0;
    a->left_out = 0;
    for (size_t i = first; i < last && rc == 0; i++) {
        if (run->boards)
            rc = answer_boards(run, i, s, a);
        else if (run->sets)
            rc = answer_set(run, i, s->pixie, a);
        else if (run->job.output == PS_RUN_PATHS)
            rc = ps_answer_paths(a, &run->head, run->batch.id[i], s->walker);
        else if (!repeated(run, i))
            s->query[n++] = run->batch.id[i];
    }
    asked q = {run, s, a};
    return rc < 0
               ? rc
               : ps_walker_many(s->walker, s->query, n, top_of(&run->job), run->job.output != PS_RUN_VISITS, take, &q);
}

/* ---- all of them ---- */

/* Writes the batch before. */
static int write_answers(ps_walk_run *run)
{
    int rc = 0;
    for (size_t i = 0; i < run->to_write && rc == 0; i++) {
        const ps_answer *a = &run->answered[i];
        run->steps += a->steps;
        run->left_out = a->left_out > run->left_out ? a->left_out : run->left_out;
        if (a->n > 0)
            rc = ps_writer_put(run->writer, a->records, a->n);
    }
    run->to_write = 0;
    return rc;
}

/* The first task writes. */
static int task(void *ctx, size_t t, int thread)
{
    ps_walk_run *run = ctx;
    return t == 0 ? write_answers(run) : answer_task(run, t - 1, thread);
}

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
        run->company = run->job.soon || run->sets || run->boards ? 1 : ps_walker_company(s->walker);
        s->query = ps_alloc(run->company, sizeof *s->query);
        if (!s->query || (run->sets && !s->pixie))
            return PS_EMEM;
    }
    return 0;
}

static size_t tasks_of(const ps_walk_run *run)
{
    const uint64_t steps = run->job.walk.steps < UINT64_C(1) << 30 ? run->job.walk.steps : UINT64_C(1) << 30;
    const uint64_t records = run->job.output == PS_RUN_VISITS || run->job.output == PS_RUN_PATHS ? steps : 1;
    const uint64_t n = TASK_BYTES / (run->company * records * run->head.size + 1);
    if (run->job.soon)
        return 1;
    return (size_t)run->threads * (n < 1 ? 1 : n < TASKS ? (size_t)n : TASKS);
}

ps_walk_run *ps_walk_run_new(const ps_walk_job *job, ps_graph *g, ps_queries *q, const ps_head *head, int threads)
{
    ps_walk_run *run = ps_zalloc(1, sizeof *run);
    if (!run)
        return NULL;
    run->job = *job;
    run->g = g;
    run->head = *head;
    run->head.history = NULL;
    run->q = q;
    run->boards = ps_queries_boards(q);
    run->sets = ps_queries_space(q) == PS_PLAIN && !run->boards;
    run->threads = threads;
    run->last = PS_NONE;
    run->scratch = ps_zalloc((size_t)threads, sizeof *run->scratch);
    run->pool = ps_pool_new(threads);
    int rc = run->scratch && run->pool ? make_scratch(run, g) : PS_EMEM;
    if (rc == 0) {
        run->tasks = tasks_of(run);
        run->answer = ps_zalloc(run->tasks, sizeof *run->answer);
        run->answered = ps_zalloc(run->tasks, sizeof *run->answered);
    }
    if (!run->answer || !run->answered) {
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
        free(run->scratch[t].query);
        free(run->scratch[t].order);
    }
    for (size_t i = 0; run->answer && run->answered && i < run->tasks; i++) {
        free(run->answer[i].records);
        free(run->answered[i].records);
    }
    free(run->scratch);
    free(run->answer);
    free(run->answered);
    ps_once_free(&run->queries);
    ps_query_batch_free(&run->batch);
    free(run);
}

/* A look at the whole graph pays when a good part of it has been asked for at random. */
static void make_ready(ps_walk_run *run)
{
    if (run->ready || run->steps < run->g->edges / 8)
        return;
    run->ready = 1;
    ps_walk_ready(run->g);
}

/* An item has one neighbourhood, unless somebody who waits for the answer asks again. */
static int note_queries(ps_walk_run *run)
{
    int rc = 0;
    for (size_t i = 0; i < run->batch.n && rc == 0; i++)
        if (run->job.output == PS_RUN_NEIGHBOURS && !run->job.soon && !repeated(run, i))
            rc = ps_once_add(&run->queries, run->batch.id[i]);
    return rc;
}

static long end_run(ps_walk_run *run)
{
    char buf[32];
    uint64_t twice;
    int rc = write_answers(run);
    if (rc < 0 || !ps_once_twice(&run->queries, &twice))
        return rc;
    const ps_str name = ps_graph_name(run->g, PS_ITEMS, twice, buf);
    return ps_fail(PS_EDATA,
                   "<stdin>: item '%.*s' comes again after others: an item has one neighbourhood (-l answers again)",
                   (int)name.len, name.s);
}

long ps_walk_run_next(ps_walk_run *run, ps_writer *w)
{
    run->writer = w;
    long n = ps_queries_next(run->q, &run->batch, run->tasks * run->company);
    if (n <= 0)
        return n < 0 ? n : end_run(run);
    const size_t tasks = ((size_t)n + run->company - 1) / run->company;
    make_ready(run);
    int rc = note_queries(run);
    if (rc == 0)
        rc = ps_pool_run(run->pool, tasks + 1, task, run);
    if (rc < 0)
        return rc;
    ps_answer *swap = run->answered;
    run->answered = run->answer;
    run->answer = swap;
    run->to_write = tasks;
    run->last = run->batch.id[n - 1];
    if (run->job.soon)
        rc = write_answers(run);
    return rc < 0 ? rc : n;
}

uint64_t ps_walk_run_steps(const ps_walk_run *run)
{
    return run->steps;
}

double ps_walk_run_left_out(const ps_walk_run *run)
{
    return run->left_out;
}
