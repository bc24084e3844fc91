/* dev_host.h - the host's operations, by file: each fills in its part of the table. */
#ifndef PS_DEV_HOST_H
#define PS_DEV_HOST_H

#include "device.h"

void ps_host_add_rows(ps_device_ops *ops);
void ps_host_add_pool(ps_device_ops *ops);
void ps_host_add_loss(ps_device_ops *ops);
void ps_host_add_step(ps_device_ops *ops);

#endif
