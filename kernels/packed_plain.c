#define PS_PACKED_ISA plain
#include "packed_body.h"
