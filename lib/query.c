#include "query.h"

#include <math.h>
#include <stdlib.h>

#include "mem.h"

struct ps_queries {
    ps_query_options o;
    ps_in *in; /* text */
    ps_text text;
    ps_reader *reader; /* records */
    uint64_t next;     /* all: next item; text sets: next line */
    uint64_t skipped;
    const uint8_t *pending; /* pairs: the first record of the next set, 0: none */
};

ps_queries *ps_queries_open(const ps_query_options *o)
{
    ps_queries *q = ps_zalloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->o = *o;
    if (o->all)
        return q;
    if (o->text && !o->graph) {
        ps_fail(PS_EUSAGE, "-t needs -g GRAPH to look the names up");
        goto fail;
    }
    if (o->text) {
        q->in = ps_in_open(o->path);
        if (!q->in)
            goto fail;
        q->text = ps_text_make(q->in);
        return q;
    }
    q->reader = ps_reader_open(o->path, 0);
    if (!q->reader)
        goto fail;
    const ps_head *h = ps_reader_head(q->reader);
    if (o->boards && h->kind != PS_EDGES) {
        ps_fail(PS_EKIND, "%s: holds %s; new items and their boards are edges", ps_reader_name(q->reader),
                ps_kind_title(h->kind));
        goto fail;
    }
    if (!o->boards && h->kind != PS_IDS && h->kind != PS_PAIRS) {
        ps_fail(PS_EKIND, "%s: holds %s; queries are ids or pairs (sets)%s", ps_reader_name(q->reader),
                ps_kind_title(h->kind),
                h->kind == PS_VISITS || h->kind == PS_WALKS ? ": psneigh reads visits and walks without -g" : "");
        goto fail;
    }
    if (!o->boards && (h->kind == PS_IDS ? h->qspace : h->nspace) == PS_BOARDS) {
        ps_fail(PS_EKIND, "%s: its numbers are those of boards; queries are items", ps_reader_name(q->reader));
        goto fail;
    }
    if (o->boards && h->nspace == PS_ITEMS) {
        ps_fail(PS_EKIND, "%s: its edges lead to items; new items are on boards", ps_reader_name(q->reader));
        goto fail;
    }
    if (ps_head_match(h, ps_reader_name(q->reader), o->graph ? o->graph->fingerprint : 0) < 0)
        goto fail;
    return q;
fail:
    ps_queries_close(q);
    return NULL;
}

void ps_queries_close(ps_queries *q)
{
    if (!q)
        return;
    ps_reader_close(q->reader);
    ps_in_close(q->in);
    free(q);
}

ps_space ps_queries_space(const ps_queries *q)
{
    if (q->o.all)
        return PS_ITEMS;
    if (q->o.text)
        return q->o.sets || q->o.boards ? PS_PLAIN : PS_ITEMS;
    return ps_reader_head(q->reader)->kind == PS_IDS ? PS_ITEMS : PS_PLAIN;
}

const char *ps_queries_name(const ps_queries *q)
{
    return q->in ? ps_in_name(q->in) : q->reader ? ps_reader_name(q->reader) : q->o.graph->name;
}

int ps_queries_boards(const ps_queries *q)
{
    return !q->o.boards ? 0 : q->o.text ? 1 : 2;
}

const ps_head *ps_queries_head(const ps_queries *q)
{
    return q->reader ? ps_reader_head(q->reader) : NULL;
}

uint64_t ps_queries_skipped(const ps_queries *q)
{
    return q->skipped;
}

void ps_query_batch_free(ps_query_batch *b)
{
    free(b->id);
    free(b->off);
    free(b->item);
    free(b->weight);
    *b = (ps_query_batch){0};
}

static int begin(ps_query_batch *b, uint64_t id)
{
    if (ps_grow(&b->id, &b->id_cap, b->n + 1, sizeof *b->id) < 0 ||
        ps_grow(&b->off, &b->off_cap, b->n + 2, sizeof *b->off) < 0)
        return PS_EMEM;
    if (b->n == 0)
        b->off[0] = 0;
    b->id[b->n] = id;
    b->off[b->n + 1] = b->off[b->n];
    b->n++;
    return 0;
}

static int append(ps_query_batch *b, uint64_t item, float weight)
{
    size_t at = b->off[b->n];
    if (ps_grow(&b->item, &b->item_cap, at + 1, sizeof *b->item) < 0 ||
        ps_grow(&b->weight, &b->weight_cap, at + 1, sizeof *b->weight) < 0)
        return PS_EMEM;
    b->item[at] = item;
    b->weight[at] = weight;
    b->off[b->n]++;
    return 0;
}

static int unknown(ps_queries *q, ps_str name)
{
    int rc = 0;
    if (!q->o.skip_unknown || q->o.bad_line)
        rc = ps_text_fail(&q->text, "%s has no %s '%.*s'%s", q->o.graph->name, q->o.boards ? "board" : "item",
                          (int)(name.len < 200 ? name.len : 200), name.s,
                          q->o.skip_unknown ? "" : " (-u skips such names)");
    if (!q->o.skip_unknown)
        return rc;
    if (q->o.bad_line)
        q->o.bad_line(ps_errmsg());
    q->skipped++;
    return 0;
}

static int text_line(ps_queries *q, ps_query_batch *b, ps_str line)
{
    ps_str name;
    const int several = q->o.sets || q->o.boards;
    int rc = several ? begin(b, q->next++) : 0;
    int first = 1, seen = 0, begun = several;
    for (; rc == 0 && ps_text_field(&line, &name); first = 0) {
        if (name.len == 0 && line.s && q->o.seen && !seen && (several || !first)) {
            seen = 1;
            if (line.len == 0)
                break;
            continue;
        }
        if (!several && !first && !seen)
            return ps_text_fail(&q->text, "several names on a line (--sets takes each line as one query)");
        if (name.len == 0)
            return ps_text_fail(&q->text, "an empty name");
        const uint64_t u = ps_graph_find(q->o.graph, q->o.boards ? PS_BOARDS : PS_ITEMS, name);
        if (u == PS_NONE)
            rc = unknown(q, name);
        else if (!several && !seen) {
            rc = begin(b, u);
            begun = 1;
        }
        if (rc == 0 && u != PS_NONE && begun)
            rc = append(b, u, seen ? 0 : 1);
    }
    return rc;
}

static int check_item(const ps_queries *q, uint64_t item)
{
    if (!q->o.graph)
        return 0;
    return ps_graph_in_range(q->o.graph, q->o.boards ? PS_BOARDS : PS_ITEMS, item, ps_reader_name(q->reader),
                             ps_reader_count(q->reader) - 1);
}

static int next_id(ps_queries *q, ps_query_batch *b)
{
    const uint8_t *p;
    long n = ps_reader_next(q->reader, &p, 1);
    if (n <= 0)
        return (int)n;
    uint64_t item = ps_num(p, ps_reader_head(q->reader)->width);
    int rc = check_item(q, item);
    if (rc == 0)
        rc = begin(b, item);
    if (rc == 0)
        rc = append(b, item, 1);
    return rc < 0 ? rc : 1;
}

/* A set ends where the query number changes: the record that shows it waits in `pending`. */
static int next_set(ps_queries *q, ps_query_batch *b)
{
    const int w = ps_reader_head(q->reader)->width;
    uint64_t id = 0;
    for (int members = 0;; members++) {
        const uint8_t *p = q->pending;
        long n = p ? 1 : ps_reader_next(q->reader, &p, 1);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return members > 0;
        q->pending = p;
        if (members > 0 && ps_num(p, w) != id)
            return 1;
        id = ps_num(p, w);
        q->pending = NULL;
        int rc = members == 0 ? begin(b, id) : 0;
        if (rc == 0)
            rc = check_item(q, ps_num(p + w, w));
        const float weight = ps_getf32(p + 2 * w);
        if (rc == 0 && !(weight > 0 && isfinite(weight)))
            rc = ps_fail(PS_EDATA, "%s: record %llu: weight %g: it must be a positive number",
                         ps_reader_name(q->reader), (unsigned long long)ps_reader_count(q->reader) - 1, (double)weight);
        if (rc == 0)
            rc = append(b, ps_num(p + w, w), weight);
        if (rc < 0)
            return rc;
    }
}

static int next_text(ps_queries *q, ps_query_batch *b)
{
    ps_str line;
    int rc = ps_text_line(&q->text, &line);
    if (rc <= 0)
        return rc;
    const size_t before = b->n;
    const int sets = q->o.sets || q->o.boards;
    rc = text_line(q, b, line);
    if (rc == PS_EDATA && q->o.bad_line && q->o.skip_unknown) {
        q->o.bad_line(ps_errmsg());
        q->skipped++;
        b->n = before + (sets ? 1 : 0);
        if (sets)
            b->off[b->n] = b->off[before];
        rc = 0;
    }
    return rc < 0 ? rc : 1;
}

long ps_queries_next(ps_queries *q, ps_query_batch *b, size_t max)
{
    b->n = 0;
    while (b->n < max) {
        int rc = 0;
        if (q->o.all) {
            if (q->next < q->o.graph->items.nodes) {
                rc = begin(b, q->next);
                if (rc == 0)
                    rc = append(b, q->next, 1);
                q->next++;
                rc = rc < 0 ? rc : 1;
            }
        } else if (q->o.text)
            rc = next_text(q, b);
        else
            rc = ps_queries_space(q) == PS_ITEMS ? next_id(q, b) : next_set(q, b);
        if (rc < 0)
            return rc;
        if (rc == 0)
            break;
    }
    return (long)b->n;
}
