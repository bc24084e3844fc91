/* model_case.h - one small training problem in memory, for t_oracle and t_grad: inputs from an oracle file, passed
 * through real streams; a model of any shape; its loss and gradients on the file's batch. */
#ifndef MODEL_CASE_H
#define MODEL_CASE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../oracle/oracle.h"
#include "check.h"
#include "loss.h"
#include "mem.h"
#include "net.h"
#include "optim.h"

enum { CASE_LISTS = 4 };

typedef struct {
    /* the inputs */
    const oracle *from;
    uint32_t items, B, N, H;
    ps_vectors x;
    ps_neighbours neighbours;
    ps_known known;
    uint32_t *list[CASE_LISTS], *row[CASE_LISTS]; /* queries, positives, shared and hard negatives */
    uint32_t length[CASE_LISTS];
    float *weight;
    ps_real *log_bq, *log_np;
    /* a model on them */
    ps_pool *pool;
    ps_sources sources;
    ps_shape shape;
    ps_model model;
    ps_minibatch mb;
    ps_net net;
    ps_loss loss;
    ps_loss_batch batch;
    ps_real *dz, *dbeta, *grad;
} model_case;

/* Nothing can be tested without it. */
static inline void case_need(int rc, const char *what)
{
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", what, ps_errmsg());
        exit(1);
    }
}

static inline void *case_alloc(size_t n, size_t size)
{
    void *p = ps_zalloc(n, size);
    case_need(p ? 0 : -1, "test");
    return p;
}

/* ---- inputs, through files as the programs read them ---- */

enum { CASE_PATH = 4096 }; /* bytes of a name with its folder */

static inline void case_write(const ps_head *head, const uint8_t *records, size_t n, char path[CASE_PATH])
{
    const char *folder = getenv("TMPDIR");
    snprintf(path, CASE_PATH, "%s/model-case-XXXXXX", folder ? folder : "/tmp");
    int fd = mkstemp(path);
    case_need(fd < 0 ? ps_fail(PS_ESYS, "%s", path) : 0, "temporary file");
    close(fd);
    ps_out *out = ps_out_open(path, 0);
    case_need(out ? 0 : -1, path);
    ps_writer *w = ps_writer_new(out, head);
    case_need(w ? 0 : -1, path);
    case_need(ps_writer_put(w, records, n), path);
    case_need(ps_writer_close(w), path);
    case_need(ps_out_close(out), path);
}

static inline void case_put_float(uint8_t *at, double value)
{
    float f = (float)value;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    ps_put32(at, bits);
}

static inline void case_vectors(model_case *c)
{
    const oracle_entry *x = oracle_get(c->from, "x");
    uint32_t dx = x->dims[1];
    ps_head head = ps_head_make(PS_VECTORS, dx);
    head.elem = PS_F32;
    case_need(ps_head_size(&head), "vectors");
    uint8_t *records = case_alloc(c->items, head.size);
    for (uint32_t u = 0; u < c->items; u++) {
        uint8_t *r = records + u * head.size;
        ps_put_num(r, head.width, u);
        for (uint32_t j = 0; j < dx; j++)
            case_put_float(r + head.width + 4 * j, x->values[u * dx + j]);
    }
    char path[CASE_PATH];
    case_write(&head, records, c->items, path);
    free(records);
    case_need(ps_vectors_open(&c->x, path, 0), "vectors");
    unlink(path);
}

static inline void case_neighbours(model_case *c)
{
    const oracle_entry *items = oracle_get(c->from, "nbr_items"), *weights = oracle_get(c->from, "nbr_weights");
    uint32_t T = items->dims[1];
    ps_head head = ps_head_make(PS_NEIGHBOURS, T);
    uint8_t *records = case_alloc(c->items, head.size);
    for (uint32_t u = 0; u < c->items; u++) {
        uint8_t *r = records + u * head.size;
        ps_put_num(r, head.width, u);
        r += head.width;
        for (uint32_t t = 0; t < T; t++, r += head.width + 4) {
            int32_t v = items->ints[u * T + t];
            ps_put_num(r, head.width, v < 0 ? PS_NONE : (uint64_t)v);
            case_put_float(r + head.width, weights->values[u * T + t]);
        }
    }
    char path[CASE_PATH];
    case_write(&head, records, c->items, path);
    free(records);
    case_need(ps_neighbours_open(&c->neighbours, path, 0, c->items), "neighbourhoods");
    unlink(path);
}

static inline uint32_t *case_ints(const oracle *o, const char *name, uint32_t *n)
{
    const oracle_entry *e = oracle_get(o, name);
    uint32_t *p = case_alloc(e->n, sizeof *p);
    for (size_t i = 0; i < e->n; i++)
        p[i] = (uint32_t)e->ints[i];
    if (n)
        *n = (uint32_t)e->n;
    return p;
}

static inline void case_known(model_case *c)
{
    uint32_t n;
    ps_pairs pairs = {.query = case_ints(c->from, "known.query", &n)};
    pairs.positive = case_ints(c->from, "known.item", NULL);
    pairs.weight = case_alloc(n, sizeof *pairs.weight);
    pairs.n = n;
    case_need(ps_known_make(&c->known, &pairs, c->items), "known positives");
    free(pairs.query);
    free(pairs.positive);
    free(pairs.weight);
}

/* The oracle stays the caller's and must outlive the case. */
static inline void case_load(model_case *c, const oracle *o)
{
    static const char *const names[] = {"batch.query", "batch.positive", "batch.negatives", "batch.hard"};
    *c = (model_case){.from = o, .items = (uint32_t)oracle_int(o, "cfg.n")};
    case_vectors(c);
    case_neighbours(c);
    case_known(c);
    for (int i = 0; i < CASE_LISTS; i++) {
        c->list[i] = case_ints(o, names[i], &c->length[i]);
        c->row[i] = case_alloc(c->length[i], sizeof *c->row[i]);
    }
    c->B = c->length[0];
    c->N = c->length[2];
    c->H = c->length[3] / c->B;
    c->weight = case_alloc(c->B, sizeof *c->weight);
    c->log_bq = case_alloc(c->B, sizeof *c->log_bq);
    c->log_np = case_alloc(c->N, sizeof *c->log_np);
    for (uint32_t n = 0; n < c->N; n++)
        c->log_np[n] = (ps_real)log((double)c->N / c->items);
    for (uint32_t j = 0; j < c->B; j++) {
        c->weight[j] = (float)oracle_get(o, "batch.weight")->values[j];
        c->log_bq[j] = (ps_real)log(c->B * oracle_get(o, "freq")->values[c->list[1][j]]);
    }
}

static inline void case_unload(model_case *c)
{
    ps_vectors_close(&c->x);
    ps_neighbours_close(&c->neighbours);
    ps_known_free(&c->known);
    for (int i = 0; i < CASE_LISTS; i++) {
        free(c->list[i]);
        free(c->row[i]);
    }
    free(c->weight);
    free(c->log_bq);
    free(c->log_np);
}

/* ---- a model and its loss on them ---- */

/* The batch's items and all they need, as training does it. */
static inline void case_fill(model_case *c)
{
    case_need(ps_minibatch_begin(&c->mb, &c->model.shape, 8), "minibatch");
    for (int i = 0; i < CASE_LISTS; i++)
        for (uint32_t j = 0; j < c->length[i]; j++)
            case_need(ps_minibatch_add(&c->mb, c->list[i][j], &c->row[i][j]), "minibatch");
    case_need(ps_minibatch_finish(&c->mb, &c->sources, 1, SIZE_MAX, c->pool), "minibatch");
}

static inline void case_set_up(model_case *c, const ps_shape *shape, ps_loss_kind kind, double margin, ps_pool *pool)
{
    c->shape = *shape;
    c->pool = pool;
    case_need(ps_model_make(&c->model, shape), "model");
    c->sources = (ps_sources){.shape = &c->model.shape, .neighbours = &c->neighbours, .x = &c->x};
    memset(&c->mb, 0, sizeof c->mb);
    case_fill(c);
    ps_net_init(&c->net, &c->model, pool);
    ps_loss_init(&c->loss, kind, kind == PS_LOSS_SOFTMAX, margin, shape->tau, shape->d, &c->known, pool);
    c->batch = (ps_loss_batch){.pairs = c->B, .negatives = c->N, .hard = c->H, .weight = c->weight, .log_bq = c->log_bq,
                               .query = c->list[0], .positive = c->list[1], .negative = c->list[2],
                               .hard_item = c->list[3], .query_row = c->row[0], .positive_row = c->row[1],
                               .negative_row = c->row[2], .hard_row = c->row[3],
                               .log_np = c->log_np};
    uint32_t rows = c->mb.n[shape->layers];
    c->dz = case_alloc((size_t)rows * shape->d, sizeof *c->dz);
    c->dbeta = case_alloc(rows, sizeof *c->dbeta);
    c->grad = case_alloc(c->model.size, sizeof *c->grad);
}

static inline void case_tear_down(model_case *c)
{
    ps_minibatch_free(&c->mb);
    ps_net_free(&c->net);
    ps_loss_free(&c->loss);
    ps_model_free(&c->model);
    free(c->dz);
    free(c->dbeta);
    free(c->grad);
}

static inline double case_loss(model_case *c)
{
    double value;
    case_need(ps_net_forward(&c->net, c->model.param, &c->mb), "forward");
    case_need(ps_loss_run(&c->loss, &c->batch, c->mb.n[c->shape.layers], c->net.z, c->shape.bias ? c->net.beta : NULL,
                          c->dz, c->shape.bias ? c->dbeta : NULL, &value),
              "loss");
    return value;
}

/* Leaves the gradient in c->grad. */
static inline double case_gradient(model_case *c)
{
    double value = case_loss(c);
    for (size_t i = 0; i < c->model.size; i++)
        c->grad[i] = i < c->model.dense ? 0 : NAN; /* of token embeddings it is not */
    case_need(ps_net_backward(&c->net, c->model.param, &c->mb, c->dz, c->shape.bias ? c->dbeta : NULL, c->grad),
              "backward");
    return value;
}

static inline ps_shape case_shape_of(const oracle *o)
{
    return (ps_shape){.dx = (uint32_t)oracle_int(o, "cfg.dx"), .layers = (uint32_t)oracle_int(o, "cfg.K"),
                      .m = (uint32_t)oracle_int(o, "cfg.m"), .d = (uint32_t)oracle_int(o, "cfg.d"),
                      .pooling = (ps_pooling)oracle_int(o, "cfg.pool"), .bypass = oracle_int(o, "cfg.bypass"),
                      .bias = oracle_int(o, "cfg.bias"), .normalize = oracle_int(o, "cfg.normalize"),
                      .tau = oracle_real(o, "cfg.tau")};
}

#endif
