#include "mix.h"

extern const ps_mix_ops ps_mix_plain;

#define PS_MIX_NAME ps_mix_plain
#include "mix_body.h"
