#include "recipe.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "mem.h"

ps_recipe ps_recipe_default(void)
{
    return (ps_recipe){
        .shape = {.layers = 1, .m = 256, .d = 256, .pooling = PS_POOL_IMPORTANCE, .bypass = 1, .bias = 1,
                  .normalize = 1, .tau = .07, .token_scale = 8},
        .loss = PS_LOSS_SOFTMAX,
        .margin = .1,
        .optimizer = PS_ADAM,
        .rate = 4e-3,
        .token_rate = 1e-2,
        .decay = 1e-2,
        .schedule = PS_COSINE,
        .warmup = .5,
        .epochs = 4,
        .patience = 0,
        .batch = 1024,
        .negatives = 500,
        .dropout = .1,
        .hard = 0,
        .band_low = 100,
        .band_high = 1000,
        .hard_steps = 10000,
        .hard_restart = .15,
        .seed = 1,
    };
}

ps_recipe ps_recipe_paper(void)
{
    ps_recipe r = ps_recipe_default();
    r.shape = (ps_shape){.layers = 2, .m = 256, .d = 128, .pooling = PS_POOL_IMPORTANCE, .tau = .07, .token_scale = 8};
    r.loss = PS_LOSS_MARGIN;
    r.rate = 6e-3;
    r.decay = 0;
    r.dropout = 0;
    r.epochs = 10;
    r.hard = 6;
    return r;
}

int ps_recipe_in_batch(const ps_recipe *r)
{
    return r->in_batch == PS_IN_BATCH_AUTO ? r->loss == PS_LOSS_SOFTMAX : r->in_batch == PS_IN_BATCH_YES;
}

char *ps_recipe_text(const ps_recipe *r)
{
    enum { SIZE = 1024 };
    static const char *const optimizer[] = {"adam", "sgd"}, *const schedule[] = {"cosine", "exponential", "constant"};
    char *text = ps_alloc(SIZE, 1);
    if (!text)
        return NULL;
    /* So many numbers may take memory. */
    int n = snprintf(text, SIZE,
                 "loss=%s\nmargin=%.9g\noptimizer=%s\nrate=%.9g\ntoken-rate=%.9g\ndecay=%.9g\nschedule=%s\nwarmup=%.9g\nepochs=%u\n"
                 "patience=%u\nbatch=%u\nnegatives=%u\npopularity=%.9g\nin-batch=%d\ndropout=%.9g\nhard=%u\nband=%u-%u\nhard-steps=%" PRIu64
                 "\nhard-restart=%.9g\nseed=%" PRIu64 "\n%s%s",
                 ps_loss_name(r->loss), r->margin, optimizer[r->optimizer], r->rate, r->token_rate, r->decay,
                 schedule[r->schedule],
                 r->warmup, r->epochs, r->patience, r->batch, r->negatives, r->popularity, ps_recipe_in_batch(r), r->dropout, r->hard, r->band_low, r->band_high,
                 r->hard_steps, r->hard_restart, r->seed, r->no_logq ? "logq=0\n" : "", r->bf16 ? "precision=bf16\n" : r->tf32 ? "precision=tf32\n" : "");
    if (n >= 0 && n < SIZE)
        return text;
    free(text);
    ps_fail(PS_EMEM, "out of memory");
    return NULL;
}

void ps_recipe_scale(ps_recipe *r, uint32_t batch)
{
    double times = (double)r->batch / batch;
    r->rate *= r->optimizer == PS_SGD ? times : sqrt(times);
    r->token_rate *= sqrt(times);
}
