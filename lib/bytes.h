/* bytes.h - little-endian numbers in byte buffers, on any host. */
#ifndef PS_BYTES_H
#define PS_BYTES_H

#include <stdint.h>
#include <string.h>

static inline void ps_put16(void *p, uint16_t v)
{
    uint8_t *b = p;
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
}
static inline void ps_put32(void *p, uint32_t v)
{
    uint8_t *b = p;
    ps_put16(b, (uint16_t)v);
    ps_put16(b + 2, (uint16_t)(v >> 16));
}
static inline void ps_put64(void *p, uint64_t v)
{
    uint8_t *b = p;
    ps_put32(b, (uint32_t)v);
    ps_put32(b + 4, (uint32_t)(v >> 32));
}
static inline uint16_t ps_get16(const void *p)
{
    const uint8_t *b = p;
    return (uint16_t)(b[0] | b[1] << 8);
}
static inline uint32_t ps_get32(const void *p)
{
    const uint8_t *b = p;
    return (uint32_t)ps_get16(b) | (uint32_t)ps_get16(b + 2) << 16;
}
static inline uint64_t ps_get64(const void *p)
{
    const uint8_t *b = p;
    return (uint64_t)ps_get32(b) | (uint64_t)ps_get32(b + 4) << 32;
}
static inline void ps_putf32(void *p, float f)
{
    uint32_t v;
    memcpy(&v, &f, 4);
    ps_put32(p, v);
}
static inline float ps_getf32(const void *p)
{
    uint32_t v = ps_get32(p);
    float f;
    memcpy(&f, &v, 4);
    return f;
}

/* Arrays in mapped files are used in place, which is only right on a little-endian host. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "psgraph maps little-endian files in place");

#endif
