/* embed_flow.h - inference as filters on streams that are sorted by item, so that any engine which sorts can carry it.
 *
 *     neighbourhoods  --invert-->  pairs (neighbour, item, weight)                              sort: who needs it
 *     h^(k-1)  --project-->  p  --scatter with the pairs-->  sums                               sort: for whom
 *     sums, h^(k-1)  --gather-->  h^k, and with k = K the embeddings
 *
 * A sum is exact: every product of weight and p is rounded to a multiple of 2^-32, sums stay below 2^16, so that they
 * are whole numbers of 48 bits, added in double without rounding and written as the sum of two floats.  Thus it does
 * not matter what is added up where, or in which order.
 *
 * Sums are vectors with PS_FLAG_SUMS: 2 + m numbers, two elements each: the weight of the neighbours in it (for mean
 * pooling: how many), the weight of those that had no p, and the sums (for max pooling: the largest p).
 */
#ifndef PS_EMBED_FLOW_H
#define PS_EMBED_FLOW_H

#include "embed.h"
#include "embed_out.h"

/* Neighbourhoods to pairs. */
PS_MUST_USE int ps_embed_invert(ps_reader *near, ps_out *out);

/* In the others, e has model, texts, bf16, skip_missing, memory and dir.  Streams that must ascend and do not are
 * PS_EDATA, naming the record. */

/* Vectors of layer k - 1 (k from 1 to K) to projections of layer k, in any order. */
PS_MUST_USE int ps_embed_project_flow(const ps_embedding *e, ps_reader *vectors, uint32_t k, ps_out *out);

/* Projections and pairs, both ascending, to sums, ascending.  PS_EMATCH for a neighbour without p, unless they are
 * skipped; PS_EDATA for a p that is too large. */
PS_MUST_USE int ps_embed_scatter(const ps_embedding *e, ps_reader *p, ps_reader *pairs, ps_out *out);

/* The header of layer k's vectors, from those below; with the last k, that of the embeddings. */
PS_MUST_USE int ps_embed_gather_head(ps_head *head, const ps_embedding *e, const ps_head *own, uint32_t k,
                                     const ps_embed_form *form);

/* Sums and vectors of layer k - 1, both ascending, to vectors of layer k; with the last k to embeddings, for which a
 * model with a bypass reads `features`, ascending (NULL where k is 1: they are the vectors).  PS_EMATCH for sums of an
 * item that has no vector. */
PS_MUST_USE int ps_embed_gather(const ps_embedding *e, ps_reader *sums, ps_reader *own, ps_reader *features, uint32_t k,
                                ps_embed_out *to);

#endif
