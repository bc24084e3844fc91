/* frame.h - the frame of the small files: models and checkpoints (psmodel(5)), features' state (psfeat(5)).
 *
 *     header    8 bytes that text-mode transfer would damage, u32 version, what the format puts there, u32 CRC of these
 *     body      what the format puts there: bytes, f32
 *     end mark  8 bytes, u64 bytes before it, u32 CRC of them, u32 CRC of the mark's 20 bytes
 *
 * All little-endian; CRCs as zlib's.
 */
#ifndef PS_FRAME_H
#define PS_FRAME_H

#include "io.h"
#include "real.h"
#include "text.h"

enum { PS_FRAME_END = 24, PS_FRAME_TEXT_MAX = 16 << 20 };

/* A format. */
typedef struct {
    const char *what;       /* "a model file": for messages */
    char letter;            /* the file begins with 0x89 'P' 'S' letter and ends with 'P' 'S' letter "END" */
    uint32_t version, head; /* the newest; bytes of the header */
    uint32_t oldest;        /* version that is still read */
} ps_frame;

/* ---- writing ---- */

typedef struct {
    const ps_frame *frame;
    ps_out *out; /* the caller's */
    uint64_t bytes;
    uint32_t crc;
} ps_frame_writer;

/* Writes the header, after filling in its magic, version and CRC: head (frame->head bytes) has the rest. */
PS_MUST_USE int ps_frame_begin(ps_frame_writer *w, const ps_frame *frame, ps_out *out, uint8_t *head);
PS_MUST_USE int ps_frame_put(ps_frame_writer *w, const void *data, size_t n);
PS_MUST_USE int ps_frame_put_floats(ps_frame_writer *w, const float *x, size_t n);
PS_MUST_USE int ps_frame_put_reals(ps_frame_writer *w, const ps_real *x, size_t n); /* as f32 */
PS_MUST_USE int ps_frame_end(ps_frame_writer *w);

/* ---- reading ---- */

/* Whether this begins as such a file does. */
int ps_frame_is(const ps_frame *frame, const uint8_t *p, size_t n);

/* Maps or reads a file (NULL: standard input) and checks its frame: PS_EKIND if it is something else or of
 * another version, PS_EDATA if it is cut off or damaged.  *name: what to call it in messages.  Close with
 * ps_blob_close, after success only. */
PS_MUST_USE int ps_frame_open(ps_blob *b, const ps_frame *frame, const char *path, const char **name);

/* The n texts behind the header, whose lengths are u32 at these places of it, and how many bytes they have in all in
 * *bytes: PS_EDATA if one is longer than PS_FRAME_TEXT_MAX, or the file ends before they do. */
PS_MUST_USE int ps_frame_texts(const ps_blob *b, const ps_frame *frame, const uint8_t *place, size_t n,
                               const char *name, ps_str *text, size_t *bytes);

/* n f32 at p: PS_EDATA, naming the file and the element, if one is not finite. */
PS_MUST_USE int ps_frame_get_floats(float *to, const uint8_t *p, size_t n, const char *name, const char *what);
PS_MUST_USE int ps_frame_get_reals(ps_real *to, const uint8_t *p, size_t n, const char *name, const char *what);

#endif
