/* zip.h - members of ZIP archives (APPNOTE 6.3), as much of it as NumPy's .npz files need: stored or deflated members
 * in, stored ones out, of any size (ZIP64). */
#ifndef PS_ZIP_H
#define PS_ZIP_H

#include "io.h"

/* Does a file begin like an archive? */
int ps_zip_is(const uint8_t *data, size_t size);

/* Unpacks the member of that name into new memory, freed by the caller: 1.  0: there is none.  Damage is PS_EDATA with
 * `archive` in the message.  What an archive says of sizes is not believed beyond a thousandfold of its own, which
 * deflate cannot exceed by much. */
PS_MUST_USE int ps_zip_member(const ps_blob *zip, const char *archive, const char *member, uint8_t **data,
                              size_t *size);

/* ---- writing: begin, as many bytes as were said, end, for each member; then close ---- */

enum { PS_ZIP_MEMBERS = 8 };

typedef struct {
    ps_out *out;
    uint64_t at; /* bytes written */
    int n;
    struct {
        char name[32];
        uint64_t size, offset, done;
        uint32_t crc;
    } member[PS_ZIP_MEMBERS];
} ps_zip;

ps_zip ps_zip_make(ps_out *out); /* `out` stays the caller's */
PS_MUST_USE int ps_zip_begin(ps_zip *z, const char *name, uint64_t size);
PS_MUST_USE int ps_zip_write(ps_zip *z, const void *data, size_t n);
PS_MUST_USE int ps_zip_end(ps_zip *z);
PS_MUST_USE int ps_zip_close(ps_zip *z);

#endif
