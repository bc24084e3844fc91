/* device_named.c - by itself: who links this links CUDA's runtime, and the library's users ask for no device. */
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "err.h"

int ps_device_named(const char *name, ps_device **dev)
{
    char *end = NULL;
    long n = 0;
    *dev = NULL;
    if (strcmp(name, "cpu") == 0)
        return 0;
    if (strncmp(name, "cuda:", 5) == 0 && name[5] >= '0' && name[5] <= '9')
        n = strtol(name + 5, &end, 10);
    if (strcmp(name, "cuda") != 0 && (!end || *end || n > 1023))
        return ps_fail(PS_EUSAGE, "-D %s: no such device: cpu, cuda or cuda:N", name);
    *dev = ps_device_cuda((int)n);
    return *dev ? 0 : PS_EDATA;
}
