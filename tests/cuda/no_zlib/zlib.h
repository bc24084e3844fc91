/* zlib.h - in place of zlib's, for make gpu-check on a machine without it: CRCs, which every stream has, and no
 * compression.  Nothing else is built with it. */
#ifndef NO_ZLIB_H
#define NO_ZLIB_H

#include <stddef.h>
#include <stdint.h>

typedef unsigned char Bytef;
typedef unsigned uInt;
typedef unsigned long uLong;
typedef int64_t z_off_t, z_off64_t;

typedef struct {
    const Bytef *next_in;
    Bytef *next_out;
    uInt avail_in, avail_out;
} z_stream;

enum { Z_NO_FLUSH, Z_SYNC_FLUSH = 2, Z_FINISH = 4 };
enum { Z_OK, Z_STREAM_END, Z_STREAM_ERROR = -2, Z_BUF_ERROR = -5 };
enum { MAX_WBITS = 15, Z_DEFLATED = 8, Z_DEFAULT_STRATEGY = 0 };

uLong crc32_z(uLong crc, const Bytef *p, size_t n);
uLong crc32(uLong crc, const Bytef *p, uInt n);
/* Of two pieces in a row, the second of n bytes. */
uLong crc32_combine(uLong first, uLong second, z_off_t n);
uLong crc32_combine64(uLong first, uLong second, z_off64_t n);

/* These fail with Z_STREAM_ERROR. */
int inflateInit2(z_stream *z, int bits);
int inflate(z_stream *z, int flush);
int inflateReset(z_stream *z);
int inflateEnd(z_stream *z);
int deflateInit2(z_stream *z, int level, int method, int bits, int memory, int strategy);
int deflate(z_stream *z, int flush);
int deflateEnd(z_stream *z);

#endif
