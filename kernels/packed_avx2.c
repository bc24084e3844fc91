#define PS_PACKED_ISA avx2
#include "packed_body.h"
