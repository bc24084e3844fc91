/* alias.h - Walker's alias method (Vose's construction): one of n things by weight, from one random number. */
#ifndef PS_ALIAS_H
#define PS_ALIAS_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* The tables of graph.h's ps_side for one node with neighbours adj[0..n-1]: take adj[i] if 32 random bits are at
 * most accept[i], else alias[i].  Weights are positive and finite.  The order is fixed: the same on any machine. */
PS_MUST_USE int ps_alias_make(const float *weight, const uint32_t *adj, size_t n, uint32_t *alias, uint32_t *accept);

#endif
