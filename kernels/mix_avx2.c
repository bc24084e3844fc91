#include "mix.h"

extern const ps_mix_ops ps_mix_avx2;

#define PS_MIX_NAME ps_mix_avx2
#include "mix_body.h"
