/* view_file.c - one file as a whole: all its records, is it sound, what is it; of view.h. */
#include <string.h>

#include "checkpoint.h"
#include "feat_state.h"
#include "index.h"
#include "model.h"
#include "tool.h"
#include "view.h"

int ps_view_records(ps_in *in, const ps_graph *graph, ps_head_taker begin, ps_record_user use, void *ctx)
{
    ps_reader *r = ps_reader_new(in, 0);
    if (!r)
        return PS_EDATA;
    const ps_head *h = ps_reader_head(r);
    const char *name = ps_reader_name(r);
    const uint8_t *p;
    uint64_t number = 0;
    long n = graph ? ps_head_match(h, name, graph->fingerprint) : 0;
    if (n == 0)
        n = begin(ctx, h, name);
    while (n == 0 && (n = ps_reader_next(r, &p, 4096)) > 0) {
        int rc = 0;
        for (long i = 0; i < n && rc == 0; i++, p += h->size)
            rc = use(ctx, h, p, name, number++);
        n = rc;
        ps_progress("records", number, h->count == PS_COUNT_UNKNOWN ? 0 : h->count);
    }
    ps_reader_close(r);
    return (int)n;
}

/* ---- verifying ---- */

typedef struct {
    const ps_graph *graph;
    ps_rules rules;
    ps_head head; /* its shape only: no history */
} checking;

static int check_head(void *ctx, const ps_head *h, const char *stream)
{
    checking *c = ctx;
    (void)stream;
    c->head = *h;
    c->head.history = NULL;
    return 0;
}

static int check_record(void *ctx, const ps_head *h, const uint8_t *p, const char *stream, uint64_t number)
{
    checking *c = ctx;
    int rc = ps_rules_record(h, c->graph, p, stream, number);
    return rc < 0 ? rc : ps_rules_add(&c->rules, h, p, stream, number);
}

static int check_graph(const char *path)
{
    ps_graph g;
    int rc = ps_graph_open(&g, path);
    if (rc == 0)
        rc = ps_graph_check(&g);
    ps_graph_close(&g);
    return rc;
}

static int check_other(ps_file_type type, const char *path)
{
    ps_index x;
    ps_feat_state s;
    ps_checkpoint_head h;
    ps_blob b;
    int rc;
    if (type == PS_FILE_MODEL)
        return ps_model_check(path);
    if (type == PS_FILE_INDEX) {
        rc = ps_index_open(&x, path, NULL);
        ps_index_close(&x);
    } else if (type == PS_FILE_CHECKPOINT) {
        rc = ps_checkpoint_open(&h, &b, path);
        if (rc == 0)
            ps_blob_close(&b);
    } else {
        rc = ps_feat_state_read(&s, path);
        ps_feat_state_free(&s);
    }
    return rc;
}

int ps_view_check(const char *path, const ps_graph *graph)
{
    ps_view_input v;
    int rc = ps_view_open(&v, path);
    if (rc < 0)
        return rc;
    if (v.type == PS_FILE_RECORDS) {
        checking c = {.graph = graph};
        rc = ps_view_records(v.in, graph, check_head, check_record, &c);
        if (rc == 0)
            rc = ps_rules_end(&c.rules, &c.head, ps_in_name(v.in));
        ps_rules_free(&c.rules);
    } else {
        rc = v.type == PS_FILE_GRAPH ? check_graph(v.path) : check_other(v.type, v.path);
    }
    ps_view_close(&v);
    return rc;
}

/* ---- describing ---- */

typedef struct {
    ps_fields *f;
    uint64_t records;
    int begun;
} describing;

static int describe_head(void *ctx, const ps_head *h, const char *stream)
{
    describing *d = ctx;
    (void)stream;
    ps_view_head(d->f, h);
    d->begun = 1;
    return 0;
}

static int describe_record(void *ctx, const ps_head *h, const uint8_t *p, const char *stream, uint64_t number)
{
    describing *d = ctx;
    (void)h, (void)p, (void)stream;
    d->records = number + 1;
    return 0;
}

static void whole(ps_fields *f, int rc)
{
    const char *word = rc < 0 ? "no" : "yes";
    ps_field_str(f, "whole", (ps_str){word, strlen(word)});
}

static int describe_records(ps_in *in, const ps_graph *graph, ps_fields *f)
{
    describing d = {.f = f};
    int rc = ps_view_records(in, graph, describe_head, describe_record, &d);
    if (d.begun) {
        ps_field_u64(f, "records", d.records);
        whole(f, rc);
    }
    return rc;
}

static int describe_graph(const char *path, ps_fields *f)
{
    ps_graph g;
    int rc = ps_graph_open(&g, path);
    if (rc < 0)
        return rc;
    rc = ps_view_graph_head(&g, f);
    if (rc == 0) {
        rc = ps_graph_verify(&g);
        whole(f, rc);
    }
    ps_graph_close(&g);
    return rc;
}

int ps_view_describe(const char *path, const ps_graph *graph, ps_out *out, int json, int named)
{
    ps_fields f = {.out = out, .json = json};
    ps_view_input v;
    int rc = ps_view_open(&v, path);
    if (rc < 0)
        return rc;
    if (named)
        ps_field_str(&f, "file", (ps_str){path, strlen(path)});
    if (v.type == PS_FILE_RECORDS)
        rc = describe_records(v.in, graph, &f);
    else
        rc = v.type == PS_FILE_GRAPH ? describe_graph(v.path, &f) : ps_view_fields(v.type, v.path, &f);
    ps_view_close(&v);
    if (f.fields > 0 && f.rc == 0 && ps_fields_end(&f) < 0)
        return f.rc;
    return rc < 0 ? rc : f.rc;
}
