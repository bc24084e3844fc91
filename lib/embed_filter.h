/* embed_filter.h - one of psembed's filters, with the files that it reads beside standard input. */
#ifndef PS_EMBED_FILTER_H
#define PS_EMBED_FILTER_H

#include "embed_flow.h"

/* One of the first four. */
typedef struct {
    int invert;
    uint32_t project, gather; /* k, from 1; 0: not this one */
    const char *scatter;      /* pairs */
    const char *own;          /* gather: the vectors below, */
    const char *features;     /* and the features, for a bypass in the last of several layers */
} ps_embed_step;

/* How many of the four are asked for. */
int ps_embed_steps(const ps_embed_step *step);

/* From `in` to `out`, both the caller's.  e as in embed_flow.h.  PS_EUSAGE for a layer that the model does not have, or
 * for files that a step lacks or has no use for. */
PS_MUST_USE int ps_embed_filter(const ps_embed_step *step, const ps_embedding *e, const ps_embed_form *form,
                                ps_reader *in, ps_out *out);

#endif
