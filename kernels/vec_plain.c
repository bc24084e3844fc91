#define PS_VEC_ISA plain
#include "vec_body.h"
