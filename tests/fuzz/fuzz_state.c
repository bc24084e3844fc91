/* States of psfeat: what is read is finite, and can be written and read again to the same bytes. */
#include <math.h>

#include "feat_state.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { HEAD = 64 }; /* psfeat(5) */

static size_t written(const ps_feat_state *s, fuzz_file *to)
{
    ps_out *out = ps_out_on(to->fd, "fuzz");
    MUST(out && ps_feat_state_write(s, out) == 0 && ps_out_close(out) == 0);
    off_t end = lseek(to->fd, 0, SEEK_END);
    MUST(end >= 0);
    return (size_t)end;
}

static void again(const ps_feat_state *s)
{
    fuzz_file first = fuzz_file_make(NULL, 0), second = fuzz_file_make(NULL, 0);
    ps_feat_state copy;
    size_t n = written(s, &first);
    MUST(ps_feat_state_read(&copy, first.path) == 0);
    MUST(written(&copy, &second) == n);
    ps_feat_state_free(&copy);
    fuzz_file_close(&first);
    fuzz_file_close(&second);
}

static void seal(uint8_t *p, size_t n)
{
    fuzz_seal_frame(p, n, HEAD);
}

/* First byte: CRCs made right (bit 0), written and read again (1), which takes a while. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    fuzz_file f = fuzz_file_sealed(data, n, seal);
    ps_feat_state s;
    if (ps_feat_state_read(&s, f.path) == 0) {
        for (uint32_t i = 0; i < s.sketch && s.mean; i++)
            MUST(isfinite(s.mean[i]));
        if (data[0] & 2)
            again(&s);
        ps_feat_state_free(&s);
    }
    fuzz_file_close(&f);
    return 0;
}
