/* recipe.h - everything that training can be told. */
#ifndef PS_RECIPE_H
#define PS_RECIPE_H

#include "loss.h"
#include "model.h"
#include "optim.h"

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
    uint32_t negatives; /* shared by the batch */
    uint32_t hard;      /* most hard negatives of a pair: epoch e (from 1) has min(e - 1, hard) (paper, 3.3) */
    uint32_t band_low, band_high; /* their ranks by personalised PageRank, from 1 */
    uint64_t hard_steps;          /* of the walk that ranks them */
    double hard_restart;
    int bf16;           /* the network's products from bf16 (bf16.h); parameters, sums and the loss stay float */
    uint64_t seed;
} ps_recipe;

/* What works best: sampled softmax with logQ correction on normalised embeddings, bypass, item bias, K = 1. */
ps_recipe ps_recipe_default(void);

/* As in the paper: K = 2, importance pooling, max-margin loss, curriculum of hard negatives. */
ps_recipe ps_recipe_paper(void);

/* "key=value" lines for the model file (malloc'ed), NULL without memory. */
PS_MUST_USE char *ps_recipe_text(const ps_recipe *r);

#endif
