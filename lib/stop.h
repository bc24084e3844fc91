/* stop.h - being told to stop: the first SIGINT or SIGTERM only asks, for work that can be gone on with later. */
#ifndef PS_STOP_H
#define PS_STOP_H

/* From here on the first of these signals is taken down; the second does what it would have done before.  One that is ignored
 * stays so.  After the outputs have been opened, whose own handlers (io.h) then come second. */
void ps_stop_catch(void);

/* As it was before. */
void ps_stop_restore(void);

/* 1: such a signal came. */
int ps_stopped(void);

#endif
