#include "dots.h"

ps_dots_fn ps_dots_plain;
ps_dots_rows_fn ps_dots_rows_plain;

#define PS_DOTS_NAME ps_dots_plain
#define PS_DOTS_ROWS_NAME ps_dots_rows_plain
#include "dots_body.h"
