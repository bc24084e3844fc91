#include "feat_names.h"

#include <stdlib.h>

#include "mem.h"

static int shown(ps_str name)
{
    return (int)(name.len < 200 ? name.len : 200);
}

/* The line's item, PS_NONE if it is to be left out.  first[item]: the line that named it, 0: none yet. */
static int find_item(const ps_text *t, const ps_graph *g, ps_str name, uint64_t *skipped, uint64_t *first,
                     uint64_t *item)
{
    if (name.len == 0)
        return ps_text_fail(t, "an empty item name");
    *item = ps_graph_find(g, PS_ITEMS, name);
    if (*item == PS_NONE && skipped) {
        ++*skipped;
        return 0;
    }
    if (*item == PS_NONE)
        return ps_text_fail(t, "%s has no item '%.*s' (-u skips such lines)", g->name, shown(name), name.s);
    if (first[*item])
        return ps_text_fail(t, "item '%.*s' again (first on line %llu)", shown(name), name.s,
                            (unsigned long long)first[*item]);
    first[*item] = t->line;
    return 0;
}

int ps_feat_lines(const char *path, const ps_graph *g, uint64_t *skipped, const ps_columns_options *how, ps_feat_line each,
                  void *ctx)
{
    uint64_t *first = ps_zalloc(g ? g->items.nodes : 0, sizeof *first);
    ps_in *in = first ? ps_in_open(path) : NULL;
    int rc = in ? 0 : PS_ESYS;
    ps_text t = ps_text_make(in);
    ps_str line, name;
    ps_columns columns = {0};
    uint64_t number = 0;
    if (ps_columns_asked(how)) {
        ps_columns_make(&columns, how, 1);
        t.columns = &columns;
    }
    for (; rc == 0 && (rc = ps_text_line(&t, &line)) > 0; number++) {
        uint64_t item = number;
        ps_text_field(&line, &name);
        rc = g ? find_item(&t, g, name, skipped, first, &item) : 0;
        if (rc == 0 && item != PS_NONE)
            rc = each(ctx, item, number, line);
    }
    if (rc == 0 && number == 0)
        rc = ps_fail(PS_EDATA, "%s: empty input, expected a line for each item", ps_in_name(in));
    if (!g && skipped)
        *skipped = columns.empty;
    ps_columns_free(&columns);
    ps_in_close(in);
    free(first);
    return rc;
}
