/* tool_inner.h - what the files of tool.h share. */
#ifndef PS_TOOL_INNER_H
#define PS_TOOL_INNER_H

#include "tool.h"

/* Messages begin with its name from here on, its time runs, and a mapped file that shrinks ends it with a message. */
void tool_begin(const ps_tool *tool);

/* -q and -v count from here on. */
void tool_obey(const ps_common *common);

/* A message whatever -q says; the other ends the program with status 2 after it. */
void tool_complain(const char *fmt, ...) PS_PRINTF(1, 2);
_Noreturn void tool_misuse(const char *fmt, ...) PS_PRINTF(1, 2);

#endif
