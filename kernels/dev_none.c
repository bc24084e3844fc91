/* dev_none.c - in place of dev_*.cu where there is no CUDA compiler. */
#include "device.h"
#include "err.h"

ps_device *ps_device_cuda(int n)
{
    ps_fail(PS_EDATA, "cuda:%d: this program was built without CUDA", n);
    return NULL;
}
