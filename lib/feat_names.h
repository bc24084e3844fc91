/* feat_names.h - text lines that each begin with an item's name. */
#ifndef PS_FEAT_NAMES_H
#define PS_FEAT_NAMES_H

#include "columns.h"
#include "graph.h"

/* One line: its item, its number from 0, and what follows the first tab ({NULL, 0} if there is none). */
typedef int (*ps_feat_line)(void *ctx, uint64_t item, uint64_t line, ps_str rest);

/* Reads `path` (NULL: stdin) and calls `each`, which fails with a negative result, for every line.  Without a
 * graph, line i is item i and its name is not looked at.  With one, PS_EDATA naming the line for an item
 * that stands there twice or that the graph does not know; if `skipped` is not NULL such unknown lines are
 * left out and counted there.  Without a graph, the empty lines of a table are counted there, which are no
 * items; those at its end are not.  An input without lines is PS_EDATA.  `columns`: NULL: lines as they are;
 * from the second on, tabs and ends of lines in quotes become blanks. */
PS_MUST_USE int ps_feat_lines(const char *path, const ps_graph *g, uint64_t *skipped, const ps_columns_options *columns,
                             ps_feat_line each, void *ctx);

#endif
