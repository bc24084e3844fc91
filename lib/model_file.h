/* model_file.h - the layout of psmodel(5) inside its frame (frame.h); for model_file.c and its fuzzer only. */
#ifndef PS_MODEL_FILE_H
#define PS_MODEL_FILE_H

enum {
    PS_MODEL_HEAD = 32, /* magic, u32 version, tensors, option bytes, log bytes, history bytes, CRC of these */
    PS_MODEL_ENTRY = 16 /* of the tensor table: name (8 bytes, zero-padded), u32 rows, u32 columns */
};

#endif
