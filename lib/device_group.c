#include "device_group.h"

#include <stdio.h>
#include <unistd.h>

enum { POLL = 1000 }; /* microseconds */

/* ALL.  Has any rank failed?  Then ps_errmsg() is the first one's on all. */
static int any_failed(ps_comm *comm, int rc)
{
    char why[256];
    snprintf(why, sizeof why, "%s", rc < 0 ? ps_errmsg() : "");
    if (!ps_comm_first(comm, rc < 0, why, sizeof why))
        return 0;
    (void)ps_fail(PS_EDATA, "%s", why);
    return 1;
}

/* One rank may fail while the others wait for it: they ask each other until all have joined. */
static void join(ps_comm *comm, ps_device *dev, const ps_group_id *id)
{
    int rc = dev->ops->group_join(dev, id, ps_comm_rank(comm), ps_comm_size(comm));
    for (;;) {
        rc = rc < 0 ? rc : dev->ops->group_joined(dev);
        if (any_failed(comm, rc))
            return dev->ops->group_leave(dev);
        if (!ps_comm_first(comm, rc > 0, NULL, 0))
            return;
        usleep(POLL);
    }
}

void ps_device_group(ps_comm *comm, ps_device *dev)
{
    ps_group_id id = {{0}};
    int rc = dev->ops->group_open ? dev->ops->group_open(dev, ps_comm_rank(comm) == 0 ? &id : NULL)
                                  : ps_fail(PS_EDATA, "%s: such devices are no group", dev->name);
    if (any_failed(comm, rc))
        return;
    ps_comm_give(comm, &id, sizeof id);
    join(comm, dev, &id);
}
