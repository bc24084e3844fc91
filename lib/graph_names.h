/* graph_names.h - the sections of names; for graph_build.c. */
#ifndef PS_GRAPH_NAMES_H
#define PS_GRAPH_NAMES_H

#include "dict.h"
#include "graph.h"
#include "graph_layout.h"

/* Writes offsets, text and lookup as sections id, id + 1 and id + 2: the old graph's names (NULL: none), then those
 * of the dictionary. */
PS_MUST_USE int ps_names_append(ps_layout *l, uint32_t id, const ps_names *old, ps_dict *added);

#endif
