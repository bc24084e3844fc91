/* openblas.h - OpenBLAS's product, from a library that is opened when the first one is asked for.  A program that were linked with
 * it would start its threads, which spin for a while, before main(), and hang there where they have no room. */
#ifndef PS_OPENBLAS_H
#define PS_OPENBLAS_H

#ifdef PS_OPENBLAS
#include <cblas.h>

#include "real.h"

#ifdef PS_DOUBLE
typedef __typeof__(cblas_dgemm) ps_openblas_fn;
#else
typedef __typeof__(cblas_sgemm) ps_openblas_fn;
#endif

/* One thread each call, any number of calls at a time.  NULL, always then, where the library is not installed or the address space
 * is limited (ulimit -v): OpenBLAS waits without end for memory that is not left, whatever the limit is.  *name: version and kernels. */
ps_openblas_fn *ps_openblas(const char **name);
#endif

#endif
