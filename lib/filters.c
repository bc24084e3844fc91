/* filters.c - which rows a run may find: lists of items, one group of them. */
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "recommend.h"

static int deny_listed(ps_knn *knn, const uint8_t *listed, int denied)
{
    int rc = 0;
    for (uint64_t row = 0; row < knn->n && rc == 0; row++)
        if (listed[row] == denied)
            rc = ps_knn_deny(knn, row);
    return rc;
}

/* denied 1: of a list of what must not be found; 0: of what alone may be found. */
static int read_list(const char *path, int denied, int text, const ps_graph *graph, ps_knn *knn, uint64_t *skipped)
{
    uint8_t *listed = ps_zalloc(knn->n, 1);
    int rc = listed ? ps_list_read(listed, path, graph, knn, text, skipped) : PS_EMEM;
    if (rc == 0)
        rc = deny_listed(knn, listed, denied);
    free(listed);
    return rc;
}

static int keep_group(const ps_groups *g, const ps_filter_options *o, ps_knn *knn)
{
    const uint64_t group = ps_dict_find(&g->names, (ps_str){o->only, strlen(o->only)});
    if (group == PS_NONE)
        return ps_fail(PS_EDATA, "%s: no item is of the group '%s'", o->groups, o->only);
    int rc = 0;
    for (uint64_t row = 0; row < knn->n && rc == 0; row++)
        if (g->of[row] != group)
            rc = ps_knn_deny(knn, row);
    return rc;
}

int ps_filters_open(ps_groups *g, const ps_filter_options *o, const ps_graph *graph, ps_knn *knn, uint64_t *skipped)
{
    int rc = o->groups ? ps_groups_read(g, o->groups, graph, knn, skipped) : 0;
    if (rc == 0 && o->only)
        rc = keep_group(g, o, knn);
    if (rc == 0 && o->allow)
        rc = read_list(o->allow, 0, o->text, graph, knn, skipped);
    if (rc == 0 && o->deny)
        rc = read_list(o->deny, 1, o->text, graph, knn, skipped);
    return rc;
}
