/* The fast CRC-32 is zlib's, for every length, alignment and start; pieces join. */
#include <stdlib.h>
#include <zlib.h>

#include "check.h"
#include "crc.h"
#include "rng.h"

enum { SIZE = 4096 };

int main(void)
{
    uint8_t *data = malloc(SIZE + 16);
    for (int i = 0; i < SIZE + 16; i++)
        data[i] = (uint8_t)ps_rng(7, (uint64_t)i);
    for (size_t n = 0; n <= 700; n++)
        for (size_t at = 0; at < 16; at += 5) {
            uint32_t start = n % 2 ? 0 : (uint32_t)ps_rng(8, n);
            CHECK(ps_crc32(start, data + at, n) == crc32_z(start, data + at, n));
        }
    CHECK(ps_crc32(0, data, SIZE) == crc32_z(0, data, SIZE));
    for (size_t cut = 0; cut <= SIZE; cut += 97)
        CHECK(ps_crc_join(ps_crc32(0, data, cut), ps_crc32(0, data + cut, SIZE - cut), SIZE - cut) ==
              ps_crc32(0, data, SIZE));
    CHECK(ps_crc32(0, data, 0) == 0);
    free(data);
    CHECK_END();
}
