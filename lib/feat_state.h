/* feat_state.h - what features were made with: options, and all that was taken from the items as a whole, so that items
 * that come later get comparable ones.  psfeat(5). */
#ifndef PS_FEAT_STATE_H
#define PS_FEAT_STATE_H

#include "feat_text.h"
#include "io.h"
#include "lsa.h"

typedef struct {
    uint64_t seed;
    ps_term_options terms;
    uint32_t text;   /* elements of the text block, 0: none */
    int board_terms; /* items' boards are terms beside their texts' */
    int use_lsa;     /* it is made by lsa, not by random signs */
    uint32_t sketch; /* elements of the structural sketch, 0: none */
    int degree;      /* a last element log(1 + degree) / 4 */
    ps_idf idf;
    ps_lsa lsa;  /* empty without use_lsa; else its buckets are those that idf knows */
    float *mean; /* sketch: of all items that have boards */
    char *history; /* a line for each step that led here; malloc'ed, NULL: none */
} ps_feat_state;

void ps_feat_state_free(ps_feat_state *s);

/* Terms that any text has. */
uint32_t ps_feat_state_terms(const ps_feat_state *s);

PS_MUST_USE int ps_feat_state_write(const ps_feat_state *s, ps_out *out);

/* Every length is checked against the file before it is believed. */
PS_MUST_USE int ps_feat_state_read(ps_feat_state *s, const char *path);

#endif
