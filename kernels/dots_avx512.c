#include "dots.h"

ps_dots_fn ps_dots_avx512;
ps_dots_rows_fn ps_dots_rows_avx512;

#define PS_DOTS_NAME ps_dots_avx512
#define PS_DOTS_ROWS_NAME ps_dots_rows_avx512
#include "dots_body.h"
