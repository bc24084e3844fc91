/* rec_head.h - the header and end mark of psrec(5) as bytes; for rec_*.c only. */
#ifndef PS_REC_HEAD_H
#define PS_REC_HEAD_H

#include "rec.h"

/* Bytes of the encoded header in *len; malloc'ed. */
uint8_t *ps_head_encode(const ps_head *head, size_t *len);

/* Length of the whole header, from its first PS_REC_HEAD bytes; negative if it is none. */
long ps_head_length(const uint8_t *p, const char *name, uint64_t offset);

/* Decodes and checks `len` bytes; allocates the history. */
int ps_head_decode(ps_head *head, const uint8_t *p, size_t len, const char *name, uint64_t offset);

void ps_end_encode(uint8_t *p, uint64_t count, uint32_t crc);

/* Checks that p holds an end mark that is whole; gives its fields. */
int ps_end_decode(const uint8_t *p, uint64_t *count, uint32_t *crc, const char *name, uint64_t offset);

/* Do the two streams have the same kind and shape, so that one may follow the other? */
int ps_head_same(const ps_head *a, const ps_head *b);

#endif
