#include "device.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"

size_t ps_device_parts(size_t rows)
{
    size_t all = 0;
    while (rows > PS_STRIP) {
        rows = (rows + PS_STRIP - 1) / PS_STRIP;
        all += rows;
    }
    return all;
}

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
        return ps_fail(PS_EUSAGE, "'%s' is no device: cpu, cuda or cuda:N", name);
    *dev = ps_device_cuda((int)n);
    return *dev ? 0 : PS_EDATA;
}
