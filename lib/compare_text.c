/* compare_text.c - a comparison for people: a column for each file. */
#include <stdio.h>
#include <string.h>

#include "compare.h"

enum { LABEL = 20, VALUE = 26 };

typedef struct {
    ps_out *out;
    const ps_comparison *c;
    int width; /* of a column */
    int rc;
} table;

#define put(t, ...) ((t)->rc = (t)->rc < 0 ? (t)->rc : ps_out_printf((t)->out, __VA_ARGS__))

/* A cell that is not the line's last is filled up. */
static void cell(table *t, size_t file, const char *text)
{
    if (file + 1 == t->c->o.n)
        put(t, "%s\n", text);
    else
        put(t, "%-*s", t->width, text);
}

static void number(table *t, size_t file, double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.4f", value);
    cell(t, file, text);
}

static void heading(table *t, const char *text)
{
    put(t, "%-*s", LABEL, text);
    for (size_t f = 0; f < t->c->o.n; f++)
        cell(t, f, t->c->file[f].label);
}

static const char *measure(const ps_cutoffs *c, size_t m, char text[40])
{
    uint32_t k;
    const char *name = ps_measure_name(c, m, &k);
    name = strcmp(name, "scaled-mrr") == 0 ? "scaled MRR"
           : strcmp(name, "mrr") == 0      ? "MRR"
           : strcmp(name, "ndcg") == 0     ? "NDCG"
                                           : name;
    snprintf(text, 40, k ? "%s@%u" : "%s", name, k);
    return text;
}

/* ---- the parts ---- */

static void means(table *t, const ps_compared_part *p)
{
    const ps_compare_options *o = &t->c->o;
    char text[96];
    for (size_t m = 0; m < ps_measures(o->cutoffs); m++) {
        put(t, "%-*s", LABEL, measure(o->cutoffs, m, text));
        for (size_t f = 0; f < o->n; f++) {
            const ps_interval *i = &p->interval[f][m];
            if (!o->samples) {
                number(t, f, p->value[f][m]);
                continue;
            }
            snprintf(text, sizeof text, "%.4f [%.4f, %.4f]", p->value[f][m], i->low, i->high);
            cell(t, f, text);
        }
    }
}

typedef double at_cutoff(const ps_comparison *c, const ps_compared_part *p, size_t file, size_t k);

static double coverage(const ps_comparison *c, const ps_compared_part *p, size_t file, size_t k)
{
    (void)c;
    return p->coverage[file][k];
}

static double gini(const ps_comparison *c, const ps_compared_part *p, size_t file, size_t k)
{
    (void)p;
    return c->file[file].exposure.gini[k];
}

static double popularity(const ps_comparison *c, const ps_compared_part *p, size_t file, size_t k)
{
    (void)p;
    return c->file[file].exposure.popularity[k];
}

/* A line for each K. */
static void lines(table *t, const ps_compared_part *p, const char *name, at_cutoff *value)
{
    const ps_cutoffs *c = t->c->o.cutoffs;
    char text[40];
    for (size_t k = 0; k < c->n; k++) {
        snprintf(text, sizeof text, "%s@%u", name, c->k[k]);
        put(t, "%-*s", LABEL, text);
        for (size_t f = 0; f < t->c->o.n; f++)
            number(t, f, value(t->c, p, f, k));
    }
}

static void part(table *t, const ps_compared_part *p)
{
    const ps_comparison *c = t->c;
    if (p->is_all)
        put(t, "%llu pairs, %llu queries", (unsigned long long)p->pairs, (unsigned long long)p->queries);
    else
        put(t, "\ncold, on at most %u boards: %llu pairs, %llu queries", c->o.cold, (unsigned long long)p->pairs,
            (unsigned long long)p->queries);
    if (p->is_all && c->o.samples)
        put(t, "; in brackets 95%% of %llu samples of queries", (unsigned long long)c->o.samples);
    put(t, "\n\n");
    heading(t, "");
    means(t, p);
    lines(t, p, "coverage", coverage);
    if (!p->is_all)
        return;
    lines(t, p, "Gini", gini);
    if (!c->boards)
        return;
    lines(t, p, "popularity", popularity);
    put(t, "(popularity: boards of an item in the lists; of any item %.4f, of a held-out positive %.4f)\n",
        c->catalogue_popularity, c->positive_popularity);
}

static void differences(table *t, const ps_compared_part *p)
{
    const ps_compare_options *o = &t->c->o;
    const size_t measures = ps_measures(o->cutoffs);
    size_t at = 0;
    char text[96];
    for (size_t i = 0; i < o->n; i++)
        for (size_t j = i + 1; j < o->n; j++, at += measures) {
            uint64_t wins, ties;
            ps_compare_wins(t->c, p, i, j, &wins, &ties);
            const double share = p->pairs ? ((double)wins + (double)ties / 2) / (double)p->pairs : 0;
            put(t, "\n%s against %s%s: %llu wins, %llu ties, %llu losses, share %.4f\n", t->c->file[j].label,
                t->c->file[i].label, p->is_all ? "" : ", cold", (unsigned long long)wins, (unsigned long long)ties,
                (unsigned long long)(p->pairs - wins - ties), share);
            for (size_t m = 0; m < measures && o->samples; m++) {
                const ps_interval *d = &p->difference[at + m];
                put(t, "%-*s %+.4f [%+.4f, %+.4f]  p %.4f\n", LABEL - 1, measure(o->cutoffs, m, text),
                    p->value[j][m] - p->value[i][m], d->low, d->high, p->p[at + m]);
            }
        }
}

/* One measure over the ranges of boards. */
static void ranges(table *t, const char *name, const char *whose, size_t m)
{
    const ps_comparison *c = t->c;
    char text[96];
    put(t, "\n%s by the boards of the %s\n", measure(c->o.cutoffs, m, text), whose);
    put(t, "%-11s%-9s", "boards", "pairs");
    for (size_t f = 0; f < c->o.n; f++)
        cell(t, f, c->file[f].label);
    for (size_t i = 0; i < c->parts; i++) {
        const ps_compared_part *p = &c->part[i];
        if (!p->is_range || strcmp(p->name, name) != 0 || p->pairs == 0)
            continue;
        snprintf(text, sizeof text, p->part.least == p->part.most ? "%u" : "%u-%u", p->part.least, p->part.most);
        put(t, "%-11s%-9llu", text, (unsigned long long)p->pairs);
        for (size_t f = 0; f < c->o.n; f++)
            number(t, f, p->value[f][m]);
    }
}

/* ---- cosines ---- */

static void cosine_line(table *t, const char *name, double (*of)(const ps_distribution *d, int i), int i)
{
    put(t, "%-*s", LABEL, name);
    for (size_t f = 0; f < t->c->o.n; f++)
        if (t->c->file[f].is_vectors)
            number(t, f, of(&t->c->file[f].distribution, i));
        else
            cell(t, f, "-");
}

static double moment(const ps_distribution *d, int i)
{
    const double of[] = {d->mean, d->sd, d->kurtosis, d->min, d->max};
    return of[i];
}

static double quantile(const ps_distribution *d, int i)
{
    return d->quantile[i];
}

static double share(const ps_distribution *d, int i)
{
    return d->pairs ? (double)d->histogram[i] / (double)d->pairs : 0;
}

static void cosines(table *t)
{
    static const char *const names[] = {"mean", "standard deviation", "excess kurtosis", "smallest", "largest"};
    char text[64];
    put(t, "\ncosines of %llu random pairs of vectors\n", (unsigned long long)t->c->o.cosines);
    heading(t, "");
    for (int i = 0; i < 5; i++)
        cosine_line(t, names[i], moment, i);
    for (int i = 0; i < PS_QUANTILES; i++) {
        snprintf(text, sizeof text, "quantile %g", ps_quantiles[i]);
        cosine_line(t, text, quantile, i);
    }
    for (int i = 0, zero = PS_BINS / 2; i < PS_BINS; i++) {
        snprintf(text, sizeof text, "%4.1f to %4.1f", (i - zero) / 10.0, (i + 1 - zero) / 10.0);
        cosine_line(t, text, share, i);
    }
}

int ps_compare_text(const ps_comparison *c, ps_out *out)
{
    table t = {out, c, VALUE, 0};
    const size_t scaled_mrr = c->o.cutoffs->n;
    int any_vectors = 0;
    for (size_t f = 0; f < c->o.n; f++) {
        const int len = (int)strlen(c->file[f].label);
        t.width = len + 2 > t.width ? len + 2 : t.width;
        any_vectors |= c->file[f].is_vectors;
    }
    for (size_t i = 0; i < c->parts; i++)
        if (!c->part[i].is_range)
            part(&t, &c->part[i]);
    for (size_t i = 0; i < c->parts; i++)
        if (!c->part[i].is_range)
            differences(&t, &c->part[i]);
    for (size_t m = 0; c->o.breakdown && m <= scaled_mrr; m += scaled_mrr) {
        ranges(&t, "popularity", "positive", m);
        if (!c->o.pairs->sets)
            ranges(&t, "degree", "query", m);
    }
    if (c->o.cosines && any_vectors)
        cosines(&t);
    return t.rc;
}
