#define PS_VEC_ISA avx2
#include "vec_body.h"
