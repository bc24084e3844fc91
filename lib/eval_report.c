/* eval_report.c - the figures of eval.h for people and for programs. */
#include <stdio.h>

#include "eval_json.h"

/* ---- text ---- */

typedef struct {
    ps_out *out;
    const ps_report *r;
    int rc;
} table;

/* A line of the table: "name@K" and a value each for all and for cold pairs. */
static void line(table *t, const char *name, uint32_t k, double all, const double *cold)
{
    char label[64];
    if (t->rc < 0)
        return;
    if (k > 0)
        snprintf(label, sizeof label, "%s@%u", name, k);
    else
        snprintf(label, sizeof label, "%s", name);
    t->rc = ps_out_printf(t->out, "%-18s %9.4f", label, all);
    if (t->rc == 0 && cold)
        t->rc = ps_out_printf(t->out, " %9.4f", *cold);
    if (t->rc == 0)
        t->rc = ps_out_printf(t->out, "\n");
}

static void counts(table *t, const char *name, uint64_t all, const uint64_t *cold)
{
    if (t->rc == 0)
        t->rc = ps_out_printf(t->out, "%-18s %9llu", name, (unsigned long long)all);
    if (t->rc == 0 && cold)
        t->rc = ps_out_printf(t->out, " %9llu", (unsigned long long)*cold);
    if (t->rc == 0)
        t->rc = ps_out_printf(t->out, "\n");
}

static void at_cutoffs(table *t, const char *name, const double *all, const double *cold)
{
    const ps_cutoffs *c = t->r->cutoffs;
    for (size_t i = 0; i < c->n; i++)
        line(t, name, c->k[i], all[i], cold ? &cold[i] : NULL);
}

static void metrics_text(table *t)
{
    const ps_metrics *a = t->r->all, *c = t->r->cold;
    t->rc = ps_out_printf(t->out, "%-18s %9s", "", "all");
    if (t->rc == 0 && c)
        t->rc = ps_out_printf(t->out, " %9s", "cold");
    if (t->rc == 0)
        t->rc = ps_out_printf(t->out, "\n");
    counts(t, "pairs", a->pairs, c ? &c->pairs : NULL);
    counts(t, "queries", a->queries, c ? &c->queries : NULL);
    at_cutoffs(t, "hit-rate", a->hit, c ? c->hit : NULL);
    line(t, "scaled MRR", 0, a->scaled_mrr, c ? &c->scaled_mrr : NULL);
    line(t, "MRR", 0, a->mrr, c ? &c->mrr : NULL);
    at_cutoffs(t, "recall", a->recall, c ? c->recall : NULL);
    at_cutoffs(t, "NDCG", a->ndcg, c ? c->ndcg : NULL);
    at_cutoffs(t, "coverage", a->coverage, c ? c->coverage : NULL);
}

static void distribution_text(table *t)
{
    const ps_distribution *d = t->r->distribution;
    char label[64];
    if (t->rc == 0 && t->r->all)
        t->rc = ps_out_printf(t->out, "\n");
    counts(t, "cosines", d->pairs, NULL);
    line(t, "mean", 0, d->mean, NULL);
    line(t, "standard deviation", 0, d->sd, NULL);
    line(t, "excess kurtosis", 0, d->kurtosis, NULL);
    line(t, "smallest", 0, d->min, NULL);
    for (int i = 0; i < PS_QUANTILES; i++) {
        snprintf(label, sizeof label, "quantile %g", ps_quantiles[i]);
        line(t, label, 0, d->quantile[i], NULL);
    }
    line(t, "largest", 0, d->max, NULL);
    for (int i = 0, zero = PS_BINS / 2; i < PS_BINS; i++) {
        snprintf(label, sizeof label, "%4.1f to %4.1f", (i - zero) / 10.0, (i + 1 - zero) / 10.0);
        line(t, label, 0, (double)d->histogram[i] / (double)d->pairs, NULL);
    }
}

int ps_report_text(const ps_report *r, ps_out *out)
{
    table t = {out, r, 0};
    if (r->all)
        metrics_text(&t);
    if (r->versus)
        line(&t, "head-to-head", 0, r->share, NULL);
    if (r->distribution)
        distribution_text(&t);
    return t.rc;
}

/* ---- JSON ---- */

void ps_eval_json_cutoffs(ps_json *j, const char *name, const ps_cutoffs *c, const double *values)
{
    char key[16];
    ps_json_object(j, name);
    for (size_t i = 0; i < c->n; i++) {
        snprintf(key, sizeof key, "%u", c->k[i]);
        ps_json_number(j, key, values[i]);
    }
    ps_json_end(j);
}

static void metrics_json(ps_json *j, const ps_cutoffs *c, const ps_metrics *m)
{
    ps_json_count(j, "pairs", m->pairs);
    ps_json_count(j, "queries", m->queries);
    ps_eval_json_cutoffs(j, "hit-rate", c, m->hit);
    ps_json_number(j, "scaled-mrr", m->scaled_mrr);
    ps_json_number(j, "mrr", m->mrr);
    ps_eval_json_cutoffs(j, "recall", c, m->recall);
    ps_eval_json_cutoffs(j, "ndcg", c, m->ndcg);
    ps_eval_json_cutoffs(j, "coverage", c, m->coverage);
}

void ps_eval_json_distribution(ps_json *j, const ps_distribution *d)
{
    char key[16];
    ps_json_object(j, "distribution");
    ps_json_count(j, "pairs", d->pairs);
    ps_json_count(j, "zero-vectors", d->zero);
    ps_json_number(j, "mean", d->mean);
    ps_json_number(j, "sd", d->sd);
    ps_json_number(j, "kurtosis", d->kurtosis);
    ps_json_number(j, "min", d->min);
    ps_json_number(j, "max", d->max);
    ps_json_object(j, "quantiles");
    for (int i = 0; i < PS_QUANTILES; i++) {
        snprintf(key, sizeof key, "%g", ps_quantiles[i]);
        ps_json_number(j, key, d->quantile[i]);
    }
    ps_json_end(j);
    ps_json_array(j, "histogram");
    for (int i = 0; i < PS_BINS; i++)
        ps_json_count(j, NULL, d->histogram[i]);
    ps_json_end(j);
    ps_json_end(j);
}

int ps_report_json(const ps_report *r, ps_out *out)
{
    ps_json j = ps_json_make(out);
    ps_json_object(&j, NULL);
    if (r->all)
        metrics_json(&j, r->cutoffs, r->all);
    if (r->cold) {
        ps_json_object(&j, "cold");
        ps_json_count(&j, "boards", (uint64_t)r->cold_boards);
        metrics_json(&j, r->cutoffs, r->cold);
        ps_json_end(&j);
    }
    if (r->all && r->versus) {
        ps_json_object(&j, "head-to-head");
        ps_json_number(&j, "share", r->share);
        ps_json_count(&j, "wins", r->wins);
        ps_json_count(&j, "ties", r->ties);
        ps_json_count(&j, "losses", r->all->pairs - r->wins - r->ties);
        ps_json_end(&j);
    }
    if (r->distribution)
        ps_eval_json_distribution(&j, r->distribution);
    ps_json_end(&j);
    return ps_json_finish(&j);
}
