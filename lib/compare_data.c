/* compare_data.c - a comparison for programs: JSON, and TSV with a line for each figure. */
#include <stdio.h>
#include <string.h>

#include "compare.h"
#include "eval_json.h"

/* ---- JSON ---- */

/* Calls of `value` for each measure, in objects by K where there is one. */
typedef struct {
    const ps_comparison *c;
    const ps_compared_part *part;
    size_t file, pair, first; /* pair: of files; `first` its first measure in difference[] */
} place;

static void interval_members(ps_json *j, double low, double high)
{
    ps_json_number(j, "low", low);
    ps_json_number(j, "high", high);
}

static void put_interval(ps_json *j, const char *key, const place *at, size_t m)
{
    const ps_interval *i = &at->part->interval[at->file][m];
    ps_json_object(j, key);
    interval_members(j, i->low, i->high);
    ps_json_end(j);
}

static void put_value(ps_json *j, const char *key, const place *at, size_t m)
{
    ps_json_number(j, key, at->part->value[at->file][m]);
}

static void for_measures(ps_json *j, const place *at, void (*value)(ps_json *, const char *, const place *, size_t))
{
    const ps_cutoffs *c = at->c->o.cutoffs;
    const char *open = NULL;
    for (size_t m = 0; m < ps_measures(c); m++) {
        uint32_t k;
        char key[16];
        const char *name = ps_measure_name(c, m, &k);
        if (open && (!k || strcmp(open, name) != 0)) {
            ps_json_end(j);
            open = NULL;
        }
        if (k && !open)
            ps_json_object(j, open = name);
        snprintf(key, sizeof key, "%u", k);
        value(j, k ? key : name, at, m);
    }
    if (open)
        ps_json_end(j);
}

static void part_members(ps_json *j, const place *at)
{
    const ps_comparison *c = at->c;
    const ps_compared_part *p = at->part;
    ps_json_count(j, "pairs", p->pairs);
    ps_json_count(j, "queries", p->queries);
    for_measures(j, at, put_value);
    if (p->is_range)
        return;
    ps_eval_json_cutoffs(j, "coverage", c->o.cutoffs, p->coverage[at->file]);
    if (p->is_all) {
        const ps_exposure *e = &c->file[at->file].exposure;
        ps_eval_json_cutoffs(j, "gini", c->o.cutoffs, e->gini);
        if (c->boards)
            ps_eval_json_cutoffs(j, "popularity", c->o.cutoffs, e->popularity);
    }
    if (c->o.samples) {
        ps_json_object(j, "intervals");
        for_measures(j, at, put_interval);
        ps_json_end(j);
    }
}

/* An array of the ranges of that name. */
static void ranges(ps_json *j, const ps_comparison *c, size_t file, const char *name, const char *key)
{
    ps_json_array(j, key);
    for (size_t i = 0; i < c->parts; i++) {
        const ps_compared_part *p = &c->part[i];
        if (!p->is_range || strcmp(p->name, name) != 0)
            continue;
        ps_json_object(j, NULL);
        ps_json_count(j, "least", p->part.least);
        ps_json_count(j, "most", p->part.most);
        part_members(j, &(place){.c = c, .part = p, .file = file});
        ps_json_end(j);
    }
    ps_json_end(j);
}

static void file_object(ps_json *j, const ps_comparison *c, size_t file)
{
    const ps_compared_file *f = &c->file[file];
    ps_json_object(j, NULL);
    ps_json_string(j, "file", f->path, strlen(f->path));
    ps_json_string(j, "label", f->label, strlen(f->label));
    for (size_t i = 0; i < c->parts; i++) {
        const place at = {.c = c, .part = &c->part[i], .file = file};
        if (at.part->is_range)
            continue;
        if (!at.part->is_all) {
            ps_json_object(j, at.part->name);
            ps_json_count(j, "boards", c->o.cold);
        }
        part_members(j, &at);
        if (!at.part->is_all)
            ps_json_end(j);
    }
    if (c->o.breakdown) {
        ranges(j, c, file, "popularity", "by-popularity");
        if (!c->o.pairs->sets)
            ranges(j, c, file, "degree", "by-degree");
    }
    if (c->o.cosines && f->is_vectors)
        ps_eval_json_distribution(j, &f->distribution);
    ps_json_end(j);
}

static void put_difference(ps_json *j, const char *key, const place *at, size_t m)
{
    const ps_compared_part *p = at->part;
    const ps_interval *d = &p->difference[at->first + m];
    ps_json_object(j, key);
    ps_json_number(j, "value", p->value[at->pair][m] - p->value[at->file][m]);
    interval_members(j, d->low, d->high);
    ps_json_number(j, "p", p->p[at->first + m]);
    ps_json_end(j);
}

static double share_of(const ps_compared_part *p, uint64_t wins, uint64_t ties)
{
    return p->pairs ? ((double)wins + (double)ties / 2) / (double)p->pairs : 0;
}

static void versus(ps_json *j, const place *at)
{
    uint64_t wins, ties;
    ps_compare_wins(at->c, at->part, at->file, at->pair, &wins, &ties);
    ps_json_number(j, "share", share_of(at->part, wins, ties));
    ps_json_count(j, "wins", wins);
    ps_json_count(j, "ties", ties);
    ps_json_count(j, "losses", at->part->pairs - wins - ties);
    if (!at->c->o.samples)
        return;
    ps_json_object(j, "difference");
    for_measures(j, at, put_difference);
    ps_json_end(j);
}

static void comparison_object(ps_json *j, const ps_comparison *c, size_t a, size_t b, size_t first)
{
    ps_json_object(j, NULL);
    ps_json_string(j, "file", c->file[b].path, strlen(c->file[b].path));
    ps_json_string(j, "against", c->file[a].path, strlen(c->file[a].path));
    for (size_t i = 0; i < c->parts; i++) {
        const place at = {.c = c, .part = &c->part[i], .file = a, .pair = b, .first = first};
        if (at.part->is_range)
            continue;
        if (!at.part->is_all)
            ps_json_object(j, at.part->name);
        versus(j, &at);
        if (!at.part->is_all)
            ps_json_end(j);
    }
    ps_json_end(j);
}

int ps_compare_json(const ps_comparison *c, ps_out *out)
{
    ps_json j = ps_json_make(out);
    size_t first = 0;
    ps_json_object(&j, NULL);
    ps_json_count(&j, "samples", c->o.samples);
    if (c->boards) {
        ps_json_number(&j, "catalogue-popularity", c->catalogue_popularity);
        ps_json_number(&j, "positive-popularity", c->positive_popularity);
    }
    ps_json_array(&j, "files");
    for (size_t f = 0; f < c->o.n; f++)
        file_object(&j, c, f);
    ps_json_end(&j);
    ps_json_array(&j, "comparisons");
    for (size_t a = 0; a < c->o.n; a++)
        for (size_t b = a + 1; b < c->o.n; b++, first += ps_measures(c->o.cutoffs))
            comparison_object(&j, c, a, b, first);
    ps_json_end(&j);
    ps_json_end(&j);
    return ps_json_finish(&j);
}

/* ---- TSV ---- */

/* What there is of low, high and p: NULL where there is none. */
static int line(ps_out *out, const char *file, const char *against, const ps_compared_part *p, const char *name,
                uint32_t k, double value, const ps_interval *i, const double *p_value)
{
    char part[64], at[16] = "";
    if (p->is_range)
        snprintf(part, sizeof part, p->part.least == p->part.most ? "%s %u" : "%s %u-%u", p->name, p->part.least,
                 p->part.most);
    else
        snprintf(part, sizeof part, "%s", p->name);
    if (k)
        snprintf(at, sizeof at, "%u", k);
    int rc = ps_out_printf(out, "%s\t%s\t%s\t%s\t%s\t%.6g\t", file, against, part, name, at, value);
    if (rc == 0)
        rc = i ? ps_out_printf(out, "%.6g\t%.6g\t", i->low, i->high) : ps_out_printf(out, "\t\t");
    if (rc == 0)
        rc = p_value ? ps_out_printf(out, "%.6g\n", *p_value) : ps_out_printf(out, "\n");
    return rc;
}

static int cutoff_lines(ps_out *out, const ps_comparison *c, size_t f, const ps_compared_part *p, const char *name,
                        const double *value)
{
    int rc = 0;
    for (size_t k = 0; k < c->o.cutoffs->n && rc == 0; k++)
        rc = line(out, c->file[f].path, "", p, name, c->o.cutoffs->k[k], value[k], NULL, NULL);
    return rc;
}

static int cosine_lines(ps_out *out, const ps_comparison *c, size_t f, const ps_compared_part *p)
{
    const ps_distribution *d = &c->file[f].distribution;
    const struct {
        const char *name;
        double value;
    } of[] = {{"cosine-mean", d->mean}, {"cosine-sd", d->sd}, {"cosine-kurtosis", d->kurtosis}};
    int rc = 0;
    for (size_t i = 0; i < sizeof of / sizeof *of && rc == 0; i++)
        rc = line(out, c->file[f].path, "", p, of[i].name, 0, of[i].value, NULL, NULL);
    return rc;
}

static int file_lines(ps_out *out, const ps_comparison *c, size_t f, const ps_compared_part *p)
{
    const char *path = c->file[f].path;
    int rc = line(out, path, "", p, "pairs", 0, (double)p->pairs, NULL, NULL);
    if (rc == 0)
        rc = line(out, path, "", p, "queries", 0, (double)p->queries, NULL, NULL);
    for (size_t m = 0; m < ps_measures(c->o.cutoffs) && rc == 0; m++) {
        uint32_t k;
        const char *name = ps_measure_name(c->o.cutoffs, m, &k);
        rc = line(out, path, "", p, name, k, p->value[f][m], c->o.samples && !p->is_range ? &p->interval[f][m] : NULL,
                  NULL);
    }
    if (rc == 0 && !p->is_range)
        rc = cutoff_lines(out, c, f, p, "coverage", p->coverage[f]);
    if (rc == 0 && p->is_all)
        rc = cutoff_lines(out, c, f, p, "gini", c->file[f].exposure.gini);
    if (rc == 0 && p->is_all && c->boards)
        rc = cutoff_lines(out, c, f, p, "popularity", c->file[f].exposure.popularity);
    return rc == 0 && p->is_all && c->o.cosines && c->file[f].is_vectors ? cosine_lines(out, c, f, p) : rc;
}

static int pair_lines(ps_out *out, const ps_comparison *c, size_t a, size_t b, const ps_compared_part *p, size_t first)
{
    const char *file = c->file[b].path, *against = c->file[a].path;
    uint64_t wins, ties;
    ps_compare_wins(c, p, a, b, &wins, &ties);
    const struct {
        const char *name;
        double value;
    } of[] = {{"wins", (double)wins},
              {"ties", (double)ties},
              {"losses", (double)(p->pairs - wins - ties)},
              {"share", share_of(p, wins, ties)}};
    int rc = 0;
    for (size_t i = 0; i < sizeof of / sizeof *of && rc == 0; i++)
        rc = line(out, file, against, p, of[i].name, 0, of[i].value, NULL, NULL);
    for (size_t m = 0; m < ps_measures(c->o.cutoffs) && rc == 0 && c->o.samples; m++) {
        uint32_t k;
        const char *name = ps_measure_name(c->o.cutoffs, m, &k);
        rc = line(out, file, against, p, name, k, p->value[b][m] - p->value[a][m], &p->difference[first + m],
                  &p->p[first + m]);
    }
    return rc;
}

int ps_compare_tsv(const ps_comparison *c, ps_out *out)
{
    int rc = ps_out_printf(out, "file\tagainst\tpart\tmeasure\tk\tvalue\tlow\thigh\tp\n");
    for (size_t i = 0; i < c->parts; i++)
        for (size_t f = 0; f < c->o.n && rc == 0; f++)
            rc = file_lines(out, c, f, &c->part[i]);
    for (size_t i = 0; i < c->parts; i++) {
        size_t first = 0;
        for (size_t a = 0; a < c->o.n && !c->part[i].is_range; a++)
            for (size_t b = a + 1; b < c->o.n && rc == 0; b++, first += ps_measures(c->o.cutoffs))
                rc = pair_lines(out, c, a, b, &c->part[i], first);
    }
    return rc;
}
