#include "answer.h"

#include <stdlib.h>

#include "mem.h"
#include "tool.h"

enum { CODES_PAY = 12 }; /* queries from which on it pays to make codes of the candidates */

int ps_answer_head(ps_head *h, const ps_asker *a, size_t k)
{
    const ps_head *of = a->knn->head;
    *h = ps_head_make(PS_HITS, (uint32_t)k);
    h->qspace = a->space;
    h->nspace = of->qspace;
    h->graph = a->o.in.graph ? a->o.in.graph->fingerprint : of->graph;
    h->width = a->head && a->head->width > of->width ? a->head->width : of->width;
    int rc = ps_head_size(h);
    if (rc < 0)
        return ps_usage_error("-k %zu: a record cannot hold that many hits", k);
    return ps_head_inherit(h, of);
}

/* Of one run, and its batch. */
typedef struct {
    const ps_find_options *how;
    ps_knn *knn;
    ps_asker *asker;
    ps_pool *pool;
    const ps_head *head;
    size_t k;
    ps_hit *hits;
    size_t *found;
    uint8_t *record;
} answers;

static int put_hits(const answers *a, ps_writer *w)
{
    const int width = a->head->width;
    const ps_hit *hits = a->hits;
    int rc = 0;
    for (size_t i = 0; i < a->asker->asks.n && rc == 0; i++, hits += a->k) {
        uint8_t *p = a->record;
        ps_put_num(p, width, a->asker->id[i]);
        p += width;
        for (size_t j = 0; j < a->k; j++, p += width + 4) {
            ps_put_num(p, width, j < a->found[i] ? hits[j].item : PS_NONE);
            ps_putf32(p + width, j < a->found[i] ? hits[j].score : 0);
        }
        rc = ps_writer_put(w, a->record, 1);
    }
    return rc;
}

static int find(const answers *a)
{
    int rc = a->asker->done >= CODES_PAY && !a->how->index ? ps_knn_code(a->knn, a->pool) : 0;
    return rc < 0 ? rc : ps_find(a->how, a->knn, &a->asker->asks, a->pool, a->k, a->hits, a->found);
}

/* Queries at a time: if answered soon, one; the members of a set may each make a search. */
static size_t batch_size(const answers *a, int soon)
{
    const size_t most = ps_knn_batch(a->k * (a->how->mmr < 1 || a->how->per_group > 0 ? 4 : 1));
    return soon ? 1 : a->asker->o.how.merge ? most / PS_ASKER_MEMBERS : most;
}

/* `soon`: the output to flush after every answer; NULL: as it fills. */
static int answer_all(const answers *a, size_t max, ps_writer *w, ps_out *soon)
{
    int rc = soon ? ps_out_flush(soon) : 0;
    while (rc == 0) {
        rc = ps_asker_next(a->asker, max);
        if (rc <= 0)
            break;
        rc = find(a);
        if (rc == 0)
            rc = put_hits(a, w);
        if (rc == 0 && soon)
            rc = ps_out_flush(soon);
        ps_progress("queries", a->asker->done, a->asker->total);
    }
    ps_progress_end();
    return rc;
}

int ps_answer(const ps_find_options *how, ps_knn *knn, ps_asker *asker, ps_pool *pool, int soon, const ps_head *h,
              ps_out *out)
{
    answers a = {.how = how, .knn = knn, .asker = asker, .pool = pool, .head = h, .k = h->dim};
    const size_t max = batch_size(&a, soon);
    a.hits = ps_alloc(max * a.k, sizeof *a.hits);
    a.found = ps_zalloc(max, sizeof *a.found);
    a.record = ps_alloc(1, h->size);
    ps_writer *w = ps_writer_new(out, h);
    int rc = !w ? PS_ESYS : a.hits && a.found && a.record ? answer_all(&a, max, w, soon ? out : NULL) : PS_EMEM;
    if (rc == 0)
        rc = ps_writer_close(w);
    else
        ps_writer_abort(w);
    free(a.hits);
    free(a.found);
    free(a.record);
    return rc;
}
