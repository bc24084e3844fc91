/* recipe.h - everything that training can be told. */
#ifndef PS_RECIPE_H
#define PS_RECIPE_H

#include "loss.h"
#include "model.h"
#include "optim.h"

/* Whether the batch's other positives are negatives: as the loss has it (softmax: yes), or said. */
typedef enum { PS_IN_BATCH_AUTO, PS_IN_BATCH_NO, PS_IN_BATCH_YES } ps_in_batch;
#define PS_IN_BATCHES "auto|no|yes"

typedef struct {
    ps_shape shape; /* dx comes from the vectors */
    ps_loss_kind loss;
    double margin;
    ps_optimizer optimizer;
    double rate, decay;
    double token_rate;  /* highest learning rate of token embeddings */
    ps_schedule schedule;
    double warmup;      /* epochs of linear warm-up */
    uint32_t epochs, patience; /* patience: epochs without a better validation score before stopping; 0: never */
    uint32_t batch;     /* pairs */
    uint32_t negatives; /* random ones, shared by the batch */
    double popularity;  /* they are drawn with probability in proportion to (1 + times as a training positive)^popularity */
    ps_in_batch in_batch;
    int no_logq;        /* softmax: negatives count as they come, however often they are drawn */
    double dropout;     /* probability that an element of the features, or a token, is left out (minibatch.h) */
    uint32_t hard;      /* most hard negatives of a pair: epoch e (from 1) has min(e - 1, hard) (paper, 3.3) */
    uint32_t band_low, band_high; /* their ranks by personalised PageRank, from 1 */
    uint64_t hard_steps;          /* of the walk that ranks them */
    double hard_restart;
    int tf32;           /* on a GPU: products of the network from numbers rounded to TF32 (10 bits of mantissa) */
    int bf16;           /* the network's products from bf16 (bf16.h); parameters, sums and the loss stay float */
    uint64_t seed;
} ps_recipe;

/* What works best: sampled softmax with logQ correction on normalised embeddings, bypass, item bias, K = 1,
 * dropout. */
ps_recipe ps_recipe_default(void);

/* As in the paper: K = 2, importance pooling, max-margin loss, curriculum of hard negatives. */
ps_recipe ps_recipe_paper(void);

/* The rates, meant for batches of `batch` pairs, become those of the recipe's: in proportion for SGD (Goyal et al., 2017), by the
 * square root for Adam and Adagrad (Malladi et al., 2022). */
void ps_recipe_scale(ps_recipe *r, uint32_t batch);

int ps_recipe_in_batch(const ps_recipe *r); /* 0 or 1 */

/* "key=value" lines for the model file (malloc'ed), NULL without memory. */
PS_MUST_USE char *ps_recipe_text(const ps_recipe *r);

#endif
