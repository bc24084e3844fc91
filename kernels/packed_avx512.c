#define PS_PACKED_ISA avx512
#include "packed_body.h"
