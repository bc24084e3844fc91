#include "device_group.h"

int ps_device_group(ps_comm *comm, ps_device *dev)
{
    ps_group_id id = {{0}};
    const int rank = ps_comm_rank(comm);
    int rc = dev->ops->group_open ? dev->ops->group_open(dev, rank == 0 ? &id : NULL)
                                  : ps_fail(PS_EDATA, "%s: such devices are no group", dev->name);
    int lacking = rc < 0;
    if (rc == 0)
        (void)ps_fail(PS_EDATA, "other ranks cannot");
    rc = ps_comm_agree(comm, 0, &lacking);
    if (rc < 0 || lacking)
        return rc;
    ps_comm_give(comm, &id, sizeof id);
    rc = dev->ops->group_join(dev, &id, rank, ps_comm_size(comm));
    if (rc < 0)
        ps_comm_lost(comm); /* the others may wait in it */
    return rc;
}
