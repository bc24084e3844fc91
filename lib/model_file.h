/* model_file.h - the layout of psmodel(5); for model_*.c only. */
#ifndef PS_MODEL_FILE_H
#define PS_MODEL_FILE_H

#include <stdint.h>

enum {
    PS_MODEL_VERSION = 1,
    PS_MODEL_HEAD = 32,  /* magic, u32 version, tensors, option bytes, log bytes, history bytes, CRC of these */
    PS_MODEL_ENTRY = 16, /* of the tensor table: name (8 bytes, zero-padded), u32 rows, u32 columns */
    PS_MODEL_END = 24,   /* "PSMEND\r\n", u64 bytes before it, u32 CRC of them, u32 CRC of these 20 */
    PS_MODEL_TEXT_MAX = 16 << 20
};

extern const uint8_t ps_model_magic_bytes[8];
extern const uint8_t ps_model_end_bytes[8];

#endif
