/* embed_out.h - embeddings on their way out: vectors of any element type. */
#ifndef PS_EMBED_OUT_H
#define PS_EMBED_OUT_H

#include "model.h"
#include "real.h"
#include "rec.h"
#include "temp.h"

typedef struct {
    ps_out *out;
    ps_head head;
    ps_writer *writer; /* NULL: not begun */
    uint8_t *record;
    ps_temp held; /* i8 of unknown range: all rows as f32, until the largest element is known */
    uint64_t held_n;
    float *row;
    float largest;
    float favour;  /* added to each item bias, the last element; 0 after opening */
    double error; /* the largest difference between an element and what was written of it */
} ps_embed_out;

/* What the embeddings depend on besides model and input: it is part of their history. */
typedef struct {
    ps_elem elem;
    int bf16, skip_missing;
    double favour; /* of new items (embed_new.h) */
} ps_embed_form;

/* The header of embeddings of the vectors that `from` heads.  PS_EMATCH for a favour where the model has no item bias. */
PS_MUST_USE int ps_embed_head_make(ps_head *head, const ps_model *model, const ps_head *from,
                                   const ps_embed_form *form);

/* Takes the head over (on failure too); `out` stays the caller's.  dir: of temporary files.  ps_embed_out_free in any
 * case. */
PS_MUST_USE int ps_embed_out_open(ps_embed_out *o, ps_out *out, ps_head *head, const char *dir);

/* One embedding.  PS_EDATA if it is not finite. */
PS_MUST_USE int ps_embed_out_put(ps_embed_out *o, uint64_t item, const ps_real *z);

/* A whole record of another such stream, as it is.  Not where rows are held. */
PS_MUST_USE int ps_embed_out_copy(ps_embed_out *o, const uint8_t *records, size_t n);

/* Writes what is held, and the end mark. */
PS_MUST_USE int ps_embed_out_end(ps_embed_out *o);
void ps_embed_out_free(ps_embed_out *o);

#endif
