#include "panels.h"

ps_panels_fn ps_panels_plain;

#define PS_PANELS_NAME ps_panels_plain
#include "panels_body.h"
