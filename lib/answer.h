/* answer.h - answers to what an asker asks (asker.h), as a stream of hits records. */
#ifndef PS_ANSWER_H
#define PS_ANSWER_H

#include "asker.h"

/* The stream's header, for k hits a record; ps_head_free is due, also after a failure.  Its history is that of the
 * candidates, to which the caller adds its own line.  A k beyond what a record holds is PS_EUSAGE. */
PS_MUST_USE int ps_answer_head(ps_head *h, const ps_asker *a, size_t k);

/* Answers all there is.  soon: each query before the next is read.  After some queries, candidates that are searched
 * without an index get codes (ps_knn_code). */
PS_MUST_USE int ps_answer(const ps_find_options *how, ps_knn *knn, ps_asker *a, ps_pool *pool, int soon,
                          const ps_head *h, ps_out *out);

#endif
