#define PS_VEC_ISA avx512
#include "vec_body.h"
