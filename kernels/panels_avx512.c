#include "panels.h"

ps_panels_fn ps_panels_avx512;

#define PS_PANELS_NAME ps_panels_avx512
#include "panels_body.h"
