/* compare.c - reads and judges several files by the same pairs. */
#include "compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

/* ---- labels ---- */

/* "dir/model.psr.gz": "model". */
static char *short_name(const char *path)
{
    static const char *const ends[] = {".gz", ".psr"};
    const char *slash = strrchr(path, '/');
    char *name = strdup(slash && slash[1] ? slash + 1 : path);
    for (size_t i = 0; name && i < sizeof ends / sizeof *ends; i++) {
        size_t len = strlen(name), n = strlen(ends[i]);
        if (len > n && strcmp(name + len - n, ends[i]) == 0)
            name[len - n] = 0;
    }
    return name;
}

/* Where two would be called the same, all have their paths. */
static int label_files(ps_comparison *c)
{
    int twice = 0;
    for (size_t i = 0; i < c->o.n; i++) {
        c->file[i].path = c->o.paths[i];
        if (!(c->file[i].label = short_name(c->o.paths[i])))
            return ps_fail(PS_EMEM, "no memory for a file's name");
        for (size_t j = 0; j < i; j++)
            twice |= strcmp(c->file[i].label, c->file[j].label) == 0;
    }
    for (size_t i = 0; i < c->o.n && twice; i++) {
        free(c->file[i].label);
        if (!(c->file[i].label = strdup(c->o.paths[i])))
            return ps_fail(PS_EMEM, "no memory for a file's name");
    }
    return 0;
}

/* ---- parts ---- */

static ps_compared_part *add_part(ps_comparison *c, const char *name, ps_part part)
{
    const size_t differences = c->o.n * (c->o.n - 1) / 2 * ps_measures(c->o.cutoffs);
    ps_compared_part *all = realloc(c->part, (c->parts + 1) * sizeof *all);
    if (!all)
        return NULL;
    c->part = all;
    ps_compared_part *p = &all[c->parts];
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "%s", name);
    p->part = part;
    p->difference = ps_zalloc(differences, sizeof *p->difference);
    p->p = ps_zalloc(differences, sizeof *p->p);
    c->parts++;
    return p->difference && p->p ? p : NULL;
}

static uint32_t boards_of(const ps_comparison *c, uint32_t item)
{
    return item < c->o.g->items.nodes ? c->boards[item] : 0;
}

/* 0, 1, 2-3, 4-7 and so on, as far as positives (queries) are on boards. */
static int add_ranges(ps_comparison *c, const char *name, int by_query)
{
    const ps_pairs *pairs = c->o.pairs;
    uint32_t most = 0;
    for (size_t i = 0; i < pairs->n; i++) {
        uint32_t n = boards_of(c, by_query ? pairs->query[i] : pairs->positive[i]);
        most = n > most ? n : most;
    }
    for (uint64_t least = 0, next; least <= most; least = next) {
        next = least == 0 ? 1 : 2 * least;
        ps_compared_part *p = add_part(c, name, (ps_part){c->boards, (uint32_t)least, (uint32_t)(next - 1), by_query});
        if (!p)
            return PS_EMEM;
        p->is_range = 1;
    }
    return 0;
}

static int make_parts(ps_comparison *c)
{
    ps_compared_part *all = add_part(c, "all", (ps_part){0});
    if (!all)
        return PS_EMEM;
    all->is_all = 1;
    if (!c->o.g)
        return 0;
    int rc = add_part(c, "cold", (ps_part){c->boards, 0, c->o.cold, 0}) ? 0 : PS_EMEM;
    if (rc == 0 && c->o.breakdown)
        rc = add_ranges(c, "popularity", 0);
    /* A set has no degree. */
    return rc == 0 && c->o.breakdown && !c->o.pairs->sets ? add_ranges(c, "degree", 1) : rc;
}

static const ps_part *part_of(const ps_compared_part *p)
{
    return p->is_all ? NULL : &p->part;
}

/* ---- files ---- */

typedef struct {
    ps_comparison *c;
    ps_compared_file *file;
} reading;

static int found_vectors(void *ctx, const ps_knn *knn)
{
    const reading *r = ctx;
    const ps_compare_options *o = &r->c->o;
    r->file->is_vectors = 1;
    return o->cosines ? ps_distribution_make(&r->file->distribution, knn, o->cosines, o->seed, o->pool) : 0;
}

static int read_file(ps_comparison *c, size_t i)
{
    const ps_compare_options *o = &c->o;
    ps_compared_file *f = &c->file[i];
    const ps_judging how = {o->pairs, o->pairs_path, o->g, o->cosine, o->cutoffs, 1, o->pool};
    int rc = ps_ranks_file(&f->ranks, &how, f->path, found_vectors, &(reading){c, f});
    if (rc < 0)
        return rc;
    for (size_t p = 0; p < c->parts; p++) {
        ps_metrics m;
        if (c->part[p].is_range)
            continue;
        ps_metrics_make(&m, &f->ranks, o->cutoffs, part_of(&c->part[p]));
        memcpy(c->part[p].coverage[i], m.coverage, sizeof m.coverage);
    }
    ps_exposure_make(&f->exposure, &f->ranks, c->boards);
    free(f->ranks.best);
    free(f->ranks.times);
    f->ranks.best = f->ranks.times = NULL;
    return 0;
}

/* ---- figures of one part ---- */

static int sample_part(ps_comparison *c, ps_compared_part *p, const ps_sums *sums)
{
    const ps_compare_options *o = &c->o;
    const size_t measures = ps_measures(o->cutoffs);
    ps_interval *interval = ps_alloc(o->n * measures, sizeof *interval);
    if (!interval)
        return PS_EMEM;
    int rc = ps_bootstrap(sums, o->n, o->cutoffs, o->samples, o->seed, o->pool, interval, p->difference);
    for (size_t f = 0; f < o->n; f++)
        memcpy(p->interval[f], interval + f * measures, measures * sizeof *interval);
    free(interval);
    double *at = p->p;
    for (size_t i = 0; i < o->n && rc == 0; i++)
        for (size_t j = i + 1; j < o->n && rc == 0; j++, at += measures)
            rc = ps_randomisation(&sums[i], &sums[j], o->cutoffs, o->samples, o->seed, o->pool, at);
    return rc;
}

static int judge_part(ps_comparison *c, ps_compared_part *p)
{
    const ps_compare_options *o = &c->o;
    ps_sums sums[PS_FILES_MAX] = {{0}};
    int rc = 0;
    for (size_t f = 0; f < o->n && rc == 0; f++) {
        rc = ps_sums_make(&sums[f], &c->file[f].ranks, o->cutoffs, part_of(p));
        if (rc == 0)
            ps_sums_mean(&sums[f], o->cutoffs, p->value[f]);
    }
    p->pairs = sums[0].pairs;
    p->queries = sums[0].queries;
    if (rc == 0 && o->samples && !p->is_range)
        rc = sample_part(c, p, sums);
    for (size_t f = 0; f < o->n; f++)
        ps_sums_free(&sums[f]);
    return rc;
}

static void mean_popularity(ps_comparison *c)
{
    const ps_pairs *pairs = c->o.pairs;
    double sum = 0;
    for (uint64_t i = 0; i < c->o.g->items.nodes; i++)
        sum += c->boards[i];
    c->catalogue_popularity = c->o.g->items.nodes ? sum / (double)c->o.g->items.nodes : 0;
    sum = 0;
    for (size_t i = 0; i < pairs->n; i++)
        sum += boards_of(c, pairs->positive[i]);
    c->positive_popularity = pairs->n ? sum / (double)pairs->n : 0;
}

static int has_vectors(const ps_comparison *c)
{
    for (size_t i = 0; i < c->o.n; i++)
        if (c->file[i].is_vectors)
            return 1;
    return 0;
}

int ps_compare(ps_comparison *c, const ps_compare_options *o)
{
    *c = (ps_comparison){.o = *o};
    int rc = label_files(c);
    if (rc == 0 && o->g && !(c->boards = ps_board_counts(o->g)))
        rc = PS_EDATA;
    if (rc == 0 && o->g)
        mean_popularity(c);
    if (rc == 0)
        rc = make_parts(c);
    for (size_t i = 0; i < o->n && rc == 0; i++)
        rc = read_file(c, i);
    if (rc == 0 && o->cosines && !has_vectors(c))
        rc = ps_fail(PS_EUSAGE, "--distribution: none of the files holds vectors, so there are no cosines");
    for (size_t p = 0; p < c->parts && rc == 0; p++)
        rc = judge_part(c, &c->part[p]);
    return rc;
}

void ps_comparison_free(ps_comparison *c)
{
    for (size_t i = 0; i < c->o.n; i++) {
        free(c->file[i].label);
        ps_ranks_free(&c->file[i].ranks);
    }
    for (size_t p = 0; p < c->parts; p++) {
        free(c->part[p].difference);
        free(c->part[p].p);
    }
    free(c->part);
    free(c->boards);
    *c = (ps_comparison){0};
}

void ps_compare_wins(const ps_comparison *c, const ps_compared_part *part, size_t i, size_t j, uint64_t *wins,
                     uint64_t *ties)
{
    const double *x = c->file[i].ranks.rank, *y = c->file[j].ranks.rank;
    const ps_pairs *pairs = c->o.pairs;
    *wins = *ties = 0;
    for (size_t k = 0; k < pairs->n; k++) {
        if (!part->is_all) {
            uint32_t n = boards_of(c, part->part.by_query ? pairs->query[k] : pairs->positive[k]);
            if (n < part->part.least || n > part->part.most)
                continue;
        }
        *wins += y[k] < x[k];
        *ties += y[k] == x[k];
    }
}
