/* bf16.h - matrix products of numbers rounded to bf16 (8 bits of mantissa), summed in float: by oneDNN, which is loaded when it is first
 * asked for, on processors that have such products (AVX-512 BF16, AMX). */
#ifndef PS_BF16_H
#define PS_BF16_H

#include "gemm.h"

/* What computes them, "oneDNN 2.6.3 (AMX)" for instance; NULL if nothing here does: *why (may be NULL) then says what is missing. */
const char *ps_bf16_backend(const char **why);

/* As ps_gemm_one with alpha 1 and beta 0 or 1.  Only where there is a back end. */
void ps_bf16_one(ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha, const ps_real *a, size_t lda,
                 const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc);

#endif
