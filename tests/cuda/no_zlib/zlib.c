/* zlib.c - zlib's CRC-32, bit by bit (ISO 3309, reflected); no compression. */
#include "zlib.h"

static uLong shift(uLong crc)
{
    return crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
}

uLong crc32_z(uLong crc, const Bytef *p, size_t n)
{
    crc ^= 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = shift(crc);
    }
    return crc ^ 0xffffffff;
}

uLong crc32(uLong crc, const Bytef *p, uInt n)
{
    return p ? crc32_z(crc, p, n) : 0;
}

/* The first CRC behind n zero bytes. */
uLong crc32_combine64(uLong first, uLong second, z_off64_t n)
{
    for (z_off64_t i = 0; i < 8 * n; i++)
        first = shift(first);
    return first ^ second;
}

uLong crc32_combine(uLong first, uLong second, z_off_t n)
{
    return crc32_combine64(first, second, n);
}

static int refuse(z_stream *z)
{
    (void)z;
    return Z_STREAM_ERROR;
}

int inflateInit2(z_stream *z, int bits)
{
    (void)bits;
    return refuse(z);
}

int inflate(z_stream *z, int flush)
{
    (void)flush;
    return refuse(z);
}

int inflateReset(z_stream *z)
{
    return refuse(z);
}

int inflateEnd(z_stream *z)
{
    return refuse(z);
}

int deflateInit2(z_stream *z, int level, int method, int bits, int memory, int strategy)
{
    (void)level, (void)method, (void)bits, (void)memory, (void)strategy;
    return refuse(z);
}

int deflate(z_stream *z, int flush)
{
    (void)flush;
    return refuse(z);
}

int deflateEnd(z_stream *z)
{
    return refuse(z);
}
