#include <stdlib.h>

#include "crc.h"
#include "mem.h"
#include "rec_head.h"

struct ps_writer {
    ps_out *out;
    uint32_t size;
    uint32_t crc;
    uint64_t count;
    uint64_t stated;
};

ps_writer *ps_writer_new(ps_out *out, const ps_head *head)
{
    ps_head checked = *head;
    if (ps_head_size(&checked) < 0) {
        ps_fail_in(PS_EDATA, ps_out_name(out));
        return NULL;
    }
    size_t len;
    uint8_t *bytes = ps_head_encode(&checked, &len);
    ps_writer *w = bytes ? ps_zalloc(1, sizeof *w) : NULL;
    if (w) {
        *w = (ps_writer){.out = out, .size = checked.size, .crc = 0, .stated = head->count};
        if (ps_out_write(out, bytes, len) < 0) {
            free(w);
            w = NULL;
        }
    }
    free(bytes);
    return w;
}

int ps_writer_put(ps_writer *w, const void *records, size_t n)
{
    w->crc = ps_crc32(w->crc, records, n * w->size);
    w->count += n;
    return ps_out_write(w->out, records, n * w->size);
}

int ps_writer_close(ps_writer *w)
{
    uint8_t end[PS_REC_END];
    int rc = 0;
    if (w->stated != PS_COUNT_UNKNOWN && w->stated != w->count)
        rc = ps_fail(PS_EDATA, "%s: %llu records written, %llu announced", ps_out_name(w->out),
                     (unsigned long long)w->count, (unsigned long long)w->stated);
    ps_end_encode(end, w->count, w->crc);
    if (rc == 0)
        rc = ps_out_write(w->out, end, sizeof end);
    free(w);
    return rc;
}

void ps_writer_abort(ps_writer *w)
{
    free(w);
}
