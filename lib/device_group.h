/* device_group.h - the devices of several ranks (comm.h) as a group that adds gradients up by itself. */
#ifndef PS_DEVICE_GROUP_H
#define PS_DEVICE_GROUP_H

#include "comm.h"
#include "device.h"

/* ALL.  Makes them one, if every rank's can be in it: dev->ranks.  If not, that is 0, ps_errmsg() says on all ranks
 * what the first that cannot has found, and nothing has failed. */
void ps_device_group(ps_comm *comm, ps_device *dev);

#endif
