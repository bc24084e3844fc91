#include "mix.h"

extern const ps_mix_ops ps_mix_avx512;

#define PS_MIX_NAME ps_mix_avx512
#include "mix_body.h"
