/* real.h - the number type of the model's arithmetic.
 *
 * float in every program.  The gradient tests build all of lib/ and kernels/ once more with
 * -DPS_DOUBLE, where central differences are exact enough to tell a wrong formula from rounding.
 */
#ifndef PS_REAL_H
#define PS_REAL_H

#ifdef PS_DOUBLE
typedef double ps_real;
#define PS_SQRT __builtin_sqrt
#define PS_EXP __builtin_exp
#define PS_LOG1P __builtin_log1p
#define PS_FABS __builtin_fabs
#else
typedef float ps_real;
#define PS_SQRT __builtin_sqrtf
#define PS_EXP __builtin_expf
#define PS_LOG1P __builtin_log1pf
#define PS_FABS __builtin_fabsf
#endif

/* A norm below this is taken for it: an all-zero row stays zero. */
#define PS_NORM_MIN ((ps_real)1e-12)
/* Added to the root of a token's sum of squares (lib/tokens.h). */
#define PS_TOKEN_EPS ((ps_real)1e-10)

#endif
