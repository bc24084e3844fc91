/* crc.h - zlib's CRC-32, by carry-less products where the processor has them. */
#ifndef PS_CRC_H
#define PS_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from `crc` (0 at the start) with n bytes: the value of zlib's crc32_z. */
uint32_t ps_crc32(uint32_t crc, const void *data, size_t n);

/* CRC of two pieces in a row, the second of n bytes. */
uint32_t ps_crc_join(uint32_t first, uint32_t second, uint64_t n);

#endif
