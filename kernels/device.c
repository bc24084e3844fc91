#include "device.h"

size_t ps_device_parts(size_t rows)
{
    size_t all = 0;
    while (rows > PS_STRIP) {
        rows = (rows + PS_STRIP - 1) / PS_STRIP;
        all += rows;
    }
    return all;
}
