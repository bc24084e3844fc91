/* eval_file.c - ranks by whatever a file holds. */
#include "eval.h"

int ps_ranks_suit(const ps_pairs *pairs, const ps_head *h, const char *name, const ps_graph *g)
{
    const int sets = pairs->sets > 0;
    if (!g)
        return ps_fail(PS_EUSAGE, "%s: judging hits needs -g GRAPH", name);
    if (h->nspace != PS_ITEMS || h->qspace != (sets ? PS_PLAIN : PS_ITEMS))
        return ps_fail(PS_EKIND, "%s: hits of %s for %s queries, but items for %s are needed here%s", name,
                       ps_space_name(h->nspace), ps_space_name(h->qspace), sets ? "sets" : "items",
                       sets ? " (psknn --sets)" : "");
    return ps_head_match(h, name, g->fingerprint);
}

static int make(ps_ranks *r, const ps_judging *how, uint64_t rows)
{
    int rc = ps_ranks_make(r, how->pairs, how->g, rows);
    return rc == 0 && how->count ? ps_ranks_count(r, how->cutoffs) : rc;
}

int ps_ranks_knn(ps_ranks *r, const ps_judging *how, const ps_knn *knn)
{
    const ps_cutoffs *c = how->cutoffs;
    int rc = how->pairs->sets > 0
                 ? ps_fail(PS_EKIND, "%s: vectors, but hits for sets are needed here (psknn --sets)", knn->name)
                 : ps_head_match(&how->pairs->head, how->pairs_path, knn->head->graph);
    if (rc == 0)
        rc = make(r, how, knn->n);
    return rc < 0 ? rc : ps_ranks_vectors(r, knn, c ? c->k[c->n - 1] : 0, how->pool);
}

static int rank_table(ps_ranks *r, const ps_judging *how, const ps_table *t)
{
    int rc = ps_ranks_suit(how->pairs, &t->head, t->name, how->g);
    if (rc == 0)
        rc = make(r, how, 0);
    if (rc == 0)
        rc = ps_ranks_hits(r, &t->head, t->records, t->count, t->name, 0);
    if (rc == 0)
        ps_ranks_hits_end(r);
    return rc;
}

int ps_ranks_file(ps_ranks *r, const ps_judging *how, const char *path, int (*found)(void *ctx, const ps_knn *knn),
                  void *ctx)
{
    ps_table table;
    ps_knn knn;
    *r = (ps_ranks){0};
    int rc = ps_table_open(&table, path, 0);
    if (rc < 0)
        return rc;
    if (table.head.kind == PS_HITS) {
        rc = rank_table(r, how, &table);
        ps_table_close(&table);
        return rc;
    }
    rc = ps_knn_take(&knn, &table, how->g, how->cosine);
    if (rc < 0)
        return rc;
    rc = ps_ranks_knn(r, how, &knn);
    if (rc == 0 && found)
        rc = found(ctx, &knn);
    ps_knn_close(&knn);
    return rc;
}
