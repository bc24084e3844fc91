/* model.h - a trained model: its shape, its parameters, how it was trained. psmodel(5).
 *
 * No parameter depends on the graph's size: a model trained on one graph embeds the items of any other that
 * has features of the same kind (paper, section 3).
 *
 * Parameters, row-major, [outputs x inputs]; x has dx elements, h^0 = x, layer k reads c_k elements
 * (c_1 = dx, then m):
 *   Q1 q1 W1 w1 ... QK qK WK wK   convolution k (Algorithm 1): Q [m x c_k], q [m], W [m x (c_k + m)], w [m]
 *   G1 g G2                       the head: G1 [m x m] (K = 0: [m x dx]), g [m], G2 [d x m]
 *   G3                            the bypass: [d x dx]
 *   b                             the item bias: [m]
 *   E s                           token embeddings (tokens.h): [tokens x d], and Adagrad's accumulators: [tokens]
 */
#ifndef PS_MODEL_H
#define PS_MODEL_H

#include <stdint.h>

#include "io.h"
#include "real.h"
#include "tokens.h"

typedef enum { PS_POOL_IMPORTANCE, PS_POOL_MEAN, PS_POOL_MAX } ps_pooling;
#define PS_POOLINGS "importance|mean|max"

enum { PS_LAYERS_MAX = 8, PS_TENSORS_MAX = 4 * PS_LAYERS_MAX + 7, PS_DIM_MAX = 1 << 16, PS_BUCKETS_MAX = 1 << 28 };

/* What the forward pass depends on. */
typedef struct {
    uint32_t dx;     /* elements of an input vector */
    uint32_t layers; /* K: convolutions */
    uint32_t m, d;   /* hidden and output width */
    ps_pooling pooling;
    int bypass;      /* y += G3 x */
    int bias;        /* beta = b . r; the embedding gets one more element, tau beta */
    int normalize;   /* z = y / |y| */
    double tau;      /* temperature: scale of the item bias in the score */
    uint32_t buckets, tokens; /* of the texts' hash; those of them that have a row of E.  0: no token embeddings */
    double token_scale;       /* y += token_scale x sum of tfidf E */
} ps_shape;

typedef struct {
    char name[8];
    uint32_t rows, cols; /* a vector has 1 row */
    int vector;          /* a bias: starts at 0, no weight decay */
    size_t at;           /* of its first element in ps_model.param */
} ps_tensor;

/* Where each parameter of a layer or of the head begins; PS_ABSENT if the shape has none. */
#define PS_ABSENT SIZE_MAX
typedef struct {
    size_t Q[PS_LAYERS_MAX], q[PS_LAYERS_MAX], W[PS_LAYERS_MAX], w[PS_LAYERS_MAX];
    size_t G1, g, G2, G3, b, E, s;
} ps_places;

typedef struct {
    ps_shape shape;
    ps_tensor tensor[PS_TENSORS_MAX];
    int tensors;
    ps_places at;
    size_t size;    /* parameters in all */
    size_t dense;   /* those before E and s: what optim.h steps */
    ps_vocabulary vocabulary; /* which bucket each row of E belongs to */
    ps_real *param;
    uint32_t crc;   /* of the file it was read from; 0: not read */
    char *options;  /* "key=value" lines: what it was trained with; never NULL */
    char *log;      /* the training log, one line an epoch; never NULL */
    char *history;  /* the lines of the inputs' histories and its own; never NULL */
} ps_model;

/* Lays the tensors out and allocates them (zeros).  PS_EUSAGE for an impossible shape. */
PS_MUST_USE int ps_model_make(ps_model *model, const ps_shape *shape);
void ps_model_free(ps_model *model);

/* Takes the vocabulary over, before ps_model_init; it has shape.tokens rows. */
void ps_model_set_vocabulary(ps_model *model, ps_vocabulary *vocabulary);

/* Gives every bucket of the texts that has no row of E its starting row.  PS_EMATCH if the texts were hashed to another
 * number of buckets. */
PS_MUST_USE int ps_model_widen(ps_model *model, const ps_sparse *texts);

/* Starting values: matrices uniform in +-sqrt(6 / (inputs + outputs)) (Glorot and Bengio, 2010), vectors 0.  Element e
 * of tensor t is a function of (seed, t, e). */
void ps_model_init(ps_model *model, uint64_t seed);

/* Elements layer k (from 0) reads for each item; elements of an embedding (d, one more with a bias). */
uint32_t ps_layer_inputs(const ps_shape *shape, uint32_t k);
uint32_t ps_embedding_dim(const ps_shape *shape);

/* Parameters in all; layers and dimensions within the limits above. */
size_t ps_shape_size(const ps_shape *shape);

const char *ps_pooling_name(ps_pooling pooling);

/* ---- the file ---- */

PS_MUST_USE int ps_model_write(const ps_model *model, ps_out *out);

/* Reads a whole model; every length is checked against the file before it is believed. */
PS_MUST_USE int ps_model_read(ps_model *model, const char *path);

/* 1 if these are the first bytes of a model file (n may be less than 8: 0). */
int ps_model_magic(const uint8_t *p, size_t n);

/* 0 if the file is whole, unchanged, and all its parameters are finite. */
PS_MUST_USE int ps_model_check(const char *path);

#endif
