#include "pairs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dict.h"
#include "mem.h"

enum { PAIRS_AT_ONCE = 4096 };

void ps_pairs_free(ps_pairs *p)
{
    free(p->query);
    free(p->positive);
    free(p->weight);
    free(p->left);
    ps_table_close(&p->table);
    ps_head_free(&p->head);
    *p = (ps_pairs){0};
}

static int append(ps_pairs *p, uint64_t query, uint64_t positive, float weight)
{
    if (query == positive && !p->sets) {
        p->self++;
        return 0;
    }
    if (ps_grow(&p->query, &p->cap[0], p->n + 1, sizeof *p->query) < 0 ||
        ps_grow(&p->positive, &p->cap[1], p->n + 1, sizeof *p->positive) < 0 ||
        ps_grow(&p->weight, &p->cap[2], p->n + 1, sizeof *p->weight) < 0)
        return PS_EMEM;
    p->query[p->n] = (uint32_t)query;
    p->positive[p->n] = (uint32_t)positive;
    p->weight[p->n] = weight;
    p->n++;
    return 0;
}

/* ---- text ---- */

typedef struct {
    ps_text text;
    const ps_graph *g;
    int unknown;
    ps_dict names; /* unknown ones, with PS_UNKNOWN_NUMBERED */
} text_source;

/* Number of the name; PS_NONE if the line is to be skipped. */
static int look_up(text_source *s, ps_str name, uint64_t *number)
{
    *number = ps_graph_find(s->g, PS_ITEMS, name);
    if (*number != PS_NONE || s->unknown == PS_UNKNOWN_SKIPPED)
        return 0;
    if (s->unknown == PS_UNKNOWN_FAILS)
        return ps_text_fail(&s->text, "%s has no item '%.*s' (-u skips such lines)", s->g->name,
                            (int)(name.len < 200 ? name.len : 200), name.s);
    int rc = ps_dict_add(&s->names, name, number);
    *number += s->g->items.nodes;
    if (rc == 0 && *number >= UINT32_MAX)
        return ps_text_fail(&s->text, "more names than there are numbers");
    return rc;
}

static int text_line(ps_pairs *p, text_source *s, ps_str line)
{
    ps_str query, positive, field;
    uint64_t q, i;
    double weight = 1;
    if (!ps_text_field(&line, &query) || !ps_text_field(&line, &positive) || query.len == 0 || positive.len == 0)
        return ps_text_fail(&s->text, "expected query TAB positive [TAB weight]%s",
                            ps_text_hint(&s->text, query));
    if (ps_text_field(&line, &field)) {
        if (ps_text_double(field, &weight) < 0 || !((float)weight > 0) || !isfinite((float)weight))
            return ps_text_fail(&s->text, "weight '%.*s': it must be a positive number",
                                (int)(field.len < 40 ? field.len : 40), field.s);
        if (ps_text_field(&line, &field))
            return ps_text_fail(&s->text, "more than three columns (--columns chooses some)");
    }
    int rc = look_up(s, query, &q);
    if (rc == 0)
        rc = look_up(s, positive, &i);
    if (rc < 0)
        return rc;
    int known = q < s->g->items.nodes && i < s->g->items.nodes;
    p->skipped += !known;
    return known || s->unknown == PS_UNKNOWN_NUMBERED ? append(p, q, i, (float)weight) : 0;
}

/* The positives of the set that the line stands for; an empty line is a set without any. */
static int set_line(ps_pairs *p, text_source *s, ps_str line)
{
    ps_str name;
    uint64_t i;
    if (p->sets == UINT32_MAX)
        return ps_text_fail(&s->text, "more lines than there are numbers");
    const uint64_t query = p->sets++;
    while (line.len > 0 && ps_text_field(&line, &name)) {
        if (name.len == 0)
            return ps_text_fail(&s->text, "an empty name");
        int rc = look_up(s, name, &i);
        if (rc < 0)
            return rc;
        p->skipped += i >= s->g->items.nodes;
        rc = i == PS_NONE ? 0 : append(p, query, i, 1);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int read_text(ps_pairs *p, const char *path, const ps_graph *g, int sets, int unknown,
                     const ps_columns_options *how)
{
    if (!g)
        return ps_fail(PS_EUSAGE, "-t needs -g GRAPH to look the names up");
    ps_in *in = ps_in_open(path);
    if (!in)
        return PS_ESYS;
    text_source s = {.text = ps_text_make(in), .g = g, .unknown = unknown};
    ps_columns columns = {0};
    if (ps_columns_asked(how)) {
        ps_columns_make(&columns, how, SIZE_MAX);
        s.text.columns = &columns;
    }
    ps_str line;
    int rc;
    while ((rc = ps_text_line(&s.text, &line)) > 0) {
        rc = sets ? set_line(p, &s, line) : text_line(p, &s, line);
        if (rc < 0)
            break;
    }
    ps_dict_free(&s.names);
    ps_columns_free(&columns);
    ps_in_close(in);
    p->head = ps_head_make(PS_PAIRS, 0);
    p->head.qspace = sets ? PS_PLAIN : PS_ITEMS;
    p->head.nspace = PS_ITEMS;
    p->head.graph = g->fingerprint;
    const ps_head none = {0};
    return rc < 0 ? rc : ps_head_inherit(&p->head, &none);
}

/* ---- records ---- */

static int check_number(const ps_graph *g, uint64_t u, const char *name, uint64_t record)
{
    if (g)
        return ps_graph_in_range(g, PS_ITEMS, u, name, record);
    if (u >= UINT32_MAX)
        return ps_fail(PS_EDATA, "%s: record %llu: item %llu: pairs hold 32-bit numbers", name,
                       (unsigned long long)record, (unsigned long long)u);
    return 0;
}

static ps_pair decode(const uint8_t *r, int width)
{
    return (ps_pair){(uint32_t)ps_num(r, width), (uint32_t)ps_num(r + width, width), ps_getf32(r + 2 * width)};
}

static int check(const ps_graph *g, const uint8_t *r, int width, const char *name, uint64_t number)
{
    const float weight = ps_getf32(r + 2 * width);
    int rc = check_number(g, ps_num(r, width), name, number);
    if (rc == 0)
        rc = check_number(g, ps_num(r + width, width), name, number);
    if (rc == 0 && !(weight > 0 && isfinite(weight)))
        rc = ps_fail(PS_EDATA, "%s: record %llu: weight %g: it must be a positive number", name,
                     (unsigned long long)number, (double)weight);
    return rc;
}

static int record(ps_pairs *p, const ps_graph *g, const uint8_t *r, int width, const char *name, uint64_t number)
{
    int rc = check(g, r, width, name, number);
    const ps_pair pair = decode(r, width);
    return rc < 0 ? rc : append(p, pair.query, pair.positive, pair.weight);
}

static int check_head(const ps_head *h, const char *name, const ps_graph *g)
{
    int rc = ps_head_match(h, name, g ? g->fingerprint : 0);
    if (rc == 0 && (h->qspace == PS_BOARDS || h->nspace == PS_BOARDS))
        rc = ps_fail(PS_EKIND, "%s: pairs of boards, but pairs of items are needed here", name);
    return rc;
}

static int take_head(ps_pairs *p, const ps_head *h)
{
    p->head = *h;
    p->head.history = NULL;
    return ps_head_inherit(&p->head, h);
}

static int read_records(ps_pairs *p, const char *path, const ps_graph *g)
{
    ps_reader *r = ps_reader_open(path, PS_PAIRS);
    if (!r)
        return PS_EDATA;
    const ps_head *h = ps_reader_head(r);
    int rc = check_head(h, ps_reader_name(r), g);
    while (rc == 0) {
        const uint8_t *at;
        long n = ps_reader_next(r, &at, PAIRS_AT_ONCE);
        if (n <= 0) {
            rc = (int)n;
            break;
        }
        uint64_t first = ps_reader_count(r) - (uint64_t)n;
        for (long i = 0; i < n && rc == 0; i++)
            rc = record(p, g, at + (size_t)i * h->size, h->width, ps_reader_name(r), first + (uint64_t)i);
    }
    if (rc == 0)
        rc = take_head(p, h);
    ps_reader_close(r);
    return rc;
}

int ps_pairs_read(ps_pairs *p, const char *path, const ps_graph *g, int text, int unknown,
                  const ps_columns_options *columns)
{
    *p = (ps_pairs){0};
    int rc = text ? read_text(p, path, g, text == PS_PAIRS_SETS, unknown, columns) : read_records(p, path, g);
    if (rc < 0)
        ps_pairs_free(p);
    return rc;
}

/* ---- records in place ---- */

/* Checks records first .. end - 1, notes those that are left out, and whether all are in order. */
static int pass(ps_pairs *p, const ps_graph *g, uint64_t first, uint64_t end, ps_pair *last)
{
    const ps_table *t = &p->table;
    for (uint64_t i = first; i < end; i++) {
        const uint8_t *r = t->records + i * t->head.size;
        int rc = check(g, r, t->head.width, t->name, i);
        if (rc < 0)
            return rc;
        const ps_pair pair = decode(r, t->head.width);
        if (pair.query == pair.positive) {
            if (ps_grow(&p->left, &p->cap[3], p->self + 1, sizeof *p->left) < 0)
                return PS_EMEM;
            p->left[p->self++] = i;
            continue;
        }
        p->sorted = p->sorted &&
                    (pair.query > last->query || (pair.query == last->query && pair.positive >= last->positive));
        *last = pair;
    }
    return 0;
}

int ps_pairs_open(ps_pairs *p, const char *path, const ps_graph *g)
{
    *p = (ps_pairs){.sorted = 1};
    ps_table *t = &p->table;
    ps_pair last = {0};
    int rc = ps_table_open(t, path, PS_PAIRS);
    if (rc < 0)
        return rc;
    rc = check_head(&t->head, t->name, g);
    const uint64_t piece = ps_table_piece(t);
    for (uint64_t i = 0; i < t->count && rc == 0; i += piece) {
        uint64_t end = t->count - i < piece ? t->count : i + piece;
        rc = pass(p, g, i, end, &last);
    }
    if (rc == 0)
        rc = take_head(p, &t->head);
    p->n = t->count - p->self;
    if (rc < 0)
        ps_pairs_free(p);
    return rc;
}

/* The record of pair i: behind as many that are left out as stand before it. */
static uint64_t place(const ps_pairs *p, uint64_t i)
{
    uint64_t lo = 0, hi = p->self;
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (p->left[mid] - mid <= i)
            lo = mid + 1;
        else
            hi = mid;
    }
    return i + lo;
}

ps_pair ps_pairs_get(const ps_pairs *p, size_t i)
{
    const ps_table *t = &p->table;
    if (p->query)
        return (ps_pair){p->query[i], p->positive[i], p->weight ? p->weight[i] : 1};
    return decode(t->records + (p->self ? place(p, i) : i) * t->head.size, t->head.width);
}

/* ---- known positives ---- */

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Sorts each query's positives and drops repeats, closing the gaps. */
static void sort_and_merge(ps_known *k)
{
    uint64_t kept = 0, begin = 0;
    for (uint64_t u = 0; u < k->items; u++) {
        uint64_t end = k->off[u + 1];
        qsort(k->positive + begin, end - begin, sizeof *k->positive, by_number);
        for (uint64_t i = begin; i < end; i++)
            if (i == begin || k->positive[i] != k->positive[i - 1])
                k->positive[kept++] = k->positive[i];
        k->off[u + 1] = kept;
        begin = end;
    }
}

int ps_known_make(ps_known *k, const ps_pairs *p, uint64_t items)
{
    *k = (ps_known){.items = items};
    k->off = ps_zalloc(items + 2, sizeof *k->off);
    if (!k->off)
        return PS_EMEM;
    /* Counting sort by query: off[u + 2] counts, then off[u + 1] is where u's next positive goes. */
    for (size_t i = 0; i < p->n; i++) {
        const uint32_t query = ps_pairs_get(p, i).query;
        if (query >= items) {
            ps_known_free(k);
            return ps_fail(PS_EDATA, "pair %zu: query %u: there are %llu items", i, query, (unsigned long long)items);
        }
        k->off[query + 2]++;
    }
    for (uint64_t u = 2; u <= items; u++)
        k->off[u] += k->off[u - 1];
    if (p->sorted) {
        k->pairs = p;
        memmove(k->off, k->off + 1, items * sizeof *k->off);
        k->off[items] = p->n;
        return 0;
    }
    k->positive = ps_alloc(p->n, sizeof *k->positive);
    if (!k->positive) {
        ps_known_free(k);
        return PS_EMEM;
    }
    for (size_t i = 0; i < p->n; i++) {
        const ps_pair pair = ps_pairs_get(p, i);
        k->positive[k->off[pair.query + 1]++] = pair.positive;
    }
    sort_and_merge(k);
    return 0;
}

void ps_known_free(ps_known *k)
{
    free(k->off);
    free(k->positive);
    *k = (ps_known){0};
}

int ps_known_has(const ps_known *k, uint32_t query, uint32_t item)
{
    if (query >= k->items)
        return 0;
    uint64_t lo = k->off[query], hi = k->off[query + 1];
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        const uint32_t there = ps_known_at(k, mid);
        if (there == item)
            return 1;
        if (there < item)
            lo = mid + 1;
        else
            hi = mid;
    }
    return 0;
}
