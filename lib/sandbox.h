/* sandbox.h - a process that gives up what it does not need to read files and write its standard output. */
#ifndef PS_SANDBOX_H
#define PS_SANDBOX_H

#include "err.h"

/* From here on, for all threads and for good: no file is opened for writing, made, renamed, removed or changed in its
 * rights; no socket; no other program, process, or look into one; nothing is mounted.  Such calls fail with EPERM.
 * Files may be opened for reading, also later.  PS_ESYS where the system has no seccomp(2) filters, or this machine's
 * are not known here. */
PS_MUST_USE int ps_sandbox(void);

#endif
